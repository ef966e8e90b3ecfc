//! Langevin dynamics: gradient flow with thermal noise.

use burn::tensor::{Distribution, Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{LayerConfig, TotalEnergy, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::relaxation::Dynamics;
use eqprop_core::state::State;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Langevin dynamics at temperature `T`, in steps of size ε without a Metropolis test.
///
/// ```text
/// ds = −∂F/∂s dt + √(2T) dB                 stationary density p(s) ∝ exp(−F(s)/T)
/// s ← s − ε ∂F/∂s + √(2Tε) ξ,   ξ ~ N(0, 1) for each unit
/// ```
///
/// If the energy has a [curvature](VectorField::curvature) `a` other than 1, time runs `a` times slower
/// in each unit, for drift and noise alike, which leaves the density unchanged.
///
/// Every example of the batch is a chain of its own. As a [`Dynamics`] it runs in a
/// `Relaxation`, whose observer receives the samples; it has no tolerance to reach, and the residual
/// is that of the last step, not a distance from an equilibrium.
///
/// # Effect of the step size
/// The chain samples the density only as ε → 0. For a quadratic `F` with Hessian `H` its
/// stationary mean is the exact one, and its covariance
///
/// ```text
/// T H⁻¹ (1 − εH/2)⁻¹ = T H⁻¹ + εT/2 + O(ε²)
/// ```
///
/// as long as ε times the largest eigenvalue of `H` is less than 2; otherwise it diverges. The
/// first-order term is the same for every `H`: a contrast of two such distributions is off by O(ε²).
///
/// # Layers
/// The potential must be `½s²`: with another one, the library's gradient flow runs in
/// `σ⁻¹(s)`, where this noise would sample another density. If the activation has a minimum or
/// maximum, a step that leaves the range is reflected into it, and the stationary distribution is
/// the density restricted to the range, off by O(ε). (Clipping instead would put a fraction O(√ε)
/// of all samples exactly on the bounds.) Then the noise of a step must be small compared with the
/// range: at 0.14 for a range of 1 (`T = 0.5`, `ε = 0.02`) the gradient estimated with one hard
/// sigmoid unit is off by 3 to 5 %, and in proportion to ε below.
///
/// # Random numbers
/// The noise is a function of the seed, the stream, the step number and the shape of the state alone: every
/// relaxation with the same value of this type repeats it. It is drawn on the host, one normal number per
/// unit and chain at every step, and copied to the device layer by layer, because all threads share the
/// device's single stream of random numbers. With 784-500-10 and 128 chains on a CPU a step takes about five
/// times as long as one of gradient flow.
#[derive(Debug, Clone)]
pub struct Langevin {
    /// Step size ε, in (0, 1].
    pub step_size: f64,
    /// Temperature `T`, greater than 0.
    pub temperature: f64,
    n_copies: usize,
    rng: ChaCha8Rng,
}

/// Error of Langevin dynamics that cannot run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LangevinError {
    /// A number is outside its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The potential of a layer is not `½s²`.
    #[error(
        "Langevin dynamics run in the state itself and need identity, ReLU, clipped ReLU, hard \
         sigmoid or diode layers, but layer {layer} has {activation:?}"
    )]
    NotQuadratic {
        /// Index of the layer, counted from the input as 0.
        layer: usize,
        /// Activation of the layer.
        activation: Activation,
    },
}

impl Langevin {
    /// Creates Langevin dynamics with the noise of stream 0 of `seed`.
    pub fn new(step_size: f64, temperature: f64, seed: u64) -> Self {
        Self {
            step_size,
            temperature,
            n_copies: 1,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Draws the noise from stream `stream` of the seed; streams are independent.
    pub fn with_stream(mut self, stream: u64) -> Self {
        self.rng.set_stream(stream);
        self
    }

    /// Uses the same noise for `n_copies` equal parts of the batch, one after the other along the
    /// batch axis: common random numbers for chains to be contrasted.
    ///
    /// # Panics
    /// If `n_copies` is 0.
    pub fn with_copies(mut self, n_copies: usize) -> Self {
        assert!(n_copies > 0, "n_copies must be at least 1, but is 0");
        self.n_copies = n_copies;
        self
    }

    /// Checks step size and temperature, and that the dynamics can run in all `layers`.
    ///
    /// # Errors
    /// If the step size is not in (0, 1], the temperature is not a positive number, or the
    /// potential of a layer is not `½s²`.
    pub fn validate(&self, layers: &[LayerConfig]) -> Result<(), LangevinError> {
        if !(self.step_size > 0.0 && self.step_size <= 1.0) {
            let error = ConfigError::OutOfRange {
                field: "step_size",
                expected: "greater than 0 and at most 1",
                found: self.step_size,
            };
            return Err(error.into());
        }
        ConfigError::positive_number("temperature", self.temperature)?;
        let mut activations = (1..).zip(layers.iter().map(|layer| layer.activation));
        match activations.find(|(_, activation)| !activation.is_quadratic()) {
            Some((layer, activation)) => Err(LangevinError::NotQuadratic { layer, activation }),
            None => Ok(()),
        }
    }

    /// Draws `√(2Tε) ξ` for a layer, the same for each copy.
    fn noise(&mut self, like: &Tensor<2>) -> Tensor<2> {
        let [rows, n_units] = like.dims();
        let n_copies = self.n_copies;
        assert_eq!(
            rows % n_copies,
            0,
            "{rows} chains cannot be {n_copies} equal copies"
        );
        let deviation = (2.0 * self.temperature * self.step_size).sqrt();
        // `TensorData::random` would initialize the distribution for every number, which takes two thirds of
        // its time.
        let normal = Distribution::Normal(0.0, deviation);
        let mut normal = normal.sampler::<_, f32>(&mut self.rng);
        let shape = [rows / n_copies, n_units];
        let numbers: Vec<f32> = (0..shape[0] * shape[1]).map(|_| normal.sample()).collect();
        let options = (&like.device(), like.dtype());
        Tensor::from_data(TensorData::new(numbers, shape), options).repeat_dim(0, n_copies)
    }
}

impl Dynamics for Langevin {
    /// # Panics
    /// If [`validate`](Langevin::validate) fails, with its message.
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let layers = total.energy().layers();
        if let Err(error) = self.validate(layers) {
            panic!("{error}");
        }
        let moved = layers.iter().enumerate().map(|(index, layer)| {
            // If the drift alone leaves the range, `descend` clips it before the noise is added: the
            // difference is O(ε) in a fraction O(ε) of the steps.
            let drifted = total.descend(index, state, self.step_size);
            let noise = self.noise(&drifted);
            let noise = match total.energy().curvature(index) {
                Some(curvature) => noise / curvature.sqrt(),
                None => noise,
            };
            total.hold(index, layer.activation.reflect(drifted + noise))
        });
        *state = State::new(moved.collect());
    }

    fn step_size(&self) -> f64 {
        self.step_size
    }
}
