//! Coupled oscillators.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::pair::Pair;
use super::potential::{Potential, Visit};
use crate::connection::{InitializerConfig, draw};
use crate::error::{ConfigError, assert_valid};
use crate::fused::operations;
use crate::gradients::Gradients;

/// Configuration of [`CoupledOscillators`].
#[derive(Config, Debug, PartialEq)]
pub struct CoupledOscillatorsConfig {
    /// Number of values of an input.
    pub n_inputs: usize,
    /// Number of oscillators.
    pub n_units: usize,
    /// Number of springs between them.
    pub n_springs: usize,
    /// Lowest initial frequency `ω` of an oscillator, greater than 0. Initial frequencies are evenly spaced.
    #[config(default = 0.5)]
    pub lowest_frequency: f64,
    /// Highest initial frequency.
    #[config(default = 1.5)]
    pub highest_frequency: f64,
    /// Distribution of the initial coupling weights `W`.
    #[config(default = "InitializerConfig::FanIn { gain: 1.0 }")]
    pub coupling: InitializerConfig,
    /// Distribution of the initial input weights `B`.
    #[config(default = "InitializerConfig::FanIn { gain: 2.0 }")]
    pub input: InitializerConfig,
}

/// Oscillators coupled by springs whose force saturates and which the input stretches.
///
/// ```text
/// V(θ, y, u) = ½ Σ_i ω_i² y_i² + Σ_j log cosh a_j        a = y W + u B + b
///
/// −∂V/∂y = −ω² y − tanh(a) Wᵀ
/// ```
///
/// # Bounds
/// `V ≥ ½ Σ ω_i² y_i²`, and `V` is convex. While an input is held, `H` is conserved, so that
/// `│y_i│ ≤ √(2H)/│ω_i│`; a change of the input raises it by at most `Σ_j │(Δu B)_j│`, because `log cosh` has
/// a slope of at most 1. A trajectory is therefore bounded by the sum of the changes of its inputs, which may
/// grow with its length, as long as no `ω` is 0 and the [integrator](super::LeapfrogConfig) is stable.
///
/// The curvature of `V` is at most `max ω² + ‖W‖²`; [`frequency_bound`](Self::frequency_bound) bounds its
/// square root.
///
/// # Reference
/// Rusch & Mishra (2021), <https://arxiv.org/abs/2103.05487>, train oscillators of this kind by
/// backpropagation; the potential of a single one is that of Pourcel & Ernoult (2025),
/// <https://arxiv.org/abs/2506.05259>
#[derive(Module, Debug)]
pub struct CoupledOscillators {
    /// Coupling weights `W`, `[n_units, n_springs]`.
    pub coupling: Param<Tensor<2>>,
    /// Input weights `B`, `[n_inputs, n_springs]`.
    pub input: Param<Tensor<2>>,
    /// Biases `b`, `[n_springs]`.
    pub bias: Param<Tensor<1>>,
    /// Frequencies `ω`, `[n_units]`, of either sign.
    pub frequency: Param<Tensor<1>>,
}

impl CoupledOscillatorsConfig {
    /// Checks sizes and ranges.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("n_inputs", self.n_inputs)?;
        ConfigError::at_least_one("n_units", self.n_units)?;
        ConfigError::at_least_one("n_springs", self.n_springs)?;
        ConfigError::positive_number("lowest_frequency", self.lowest_frequency)?;
        ConfigError::positive_number("highest_frequency", self.highest_frequency)?;
        let ok = self.highest_frequency >= self.lowest_frequency;
        let expected = "at least lowest_frequency";
        ConfigError::in_range("highest_frequency", expected, self.highest_frequency, ok)?;
        self.coupling.validate()?;
        self.input.validate()
    }

    /// Creates oscillators with random springs and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init(&self, device: &Device) -> CoupledOscillators {
        assert_valid(self.validate());
        let (n_inputs, n_units, n_springs) = (self.n_inputs, self.n_units, self.n_springs);
        let range = self.highest_frequency - self.lowest_frequency;
        let place = |unit: usize| unit as f64 / (n_units - 1).max(1) as f64;
        let frequencies = (0..n_units).map(|unit| self.lowest_frequency + range * place(unit));
        let frequencies: Vec<f64> = frequencies.collect();
        let weights =
            |initializer, n_in| draw(initializer, [n_in, n_springs], (n_in, n_springs), device);
        CoupledOscillators {
            coupling: weights(self.coupling, n_units),
            input: weights(self.input, n_inputs),
            bias: Param::from_tensor(Tensor::zeros([n_springs], device)),
            frequency: Param::from_tensor(Tensor::from_data(frequencies.as_slice(), device)),
        }
    }
}

impl CoupledOscillators {
    /// Returns an upper bound on the frequencies of the system: the leapfrog is stable while its step size
    /// times this bound is below 2. For `n` oscillators it is at most `n^(1/32)` times `√(max ω² + ‖W‖²)`, a
    /// seventh above it for 64. Reads back, which waits for the device.
    ///
    /// ```text
    /// ‖W‖² = ρ(WWᵀ) ≤ ‖(WWᵀ)⁸‖_∞^⅛
    /// ```
    pub fn frequency_bound(&self) -> f64 {
        let norm = |m: &Tensor<2>| m.clone().abs().sum_dim(1).max().into_scalar::<f64>();
        let coupling = self.coupling.val().without_autodiff();
        let mut power = coupling.clone().matmul(coupling.transpose());
        let mut bound = 1.0;
        for exponent in [1.0, 2.0, 4.0, 8.0] {
            // Of norm 1 before it is squared, so that it neither overflows nor vanishes.
            let size = norm(&power);
            if size == 0.0 {
                bound = 0.0;
                break;
            }
            bound *= size.powf(1.0 / exponent);
            power = power / size;
            power = power.clone().matmul(power);
        }
        let frequency = self.frequency.val().without_autodiff();
        let own = frequency.square().max().into_scalar::<f64>();
        (own + bound).sqrt()
    }
}

/// [`CoupledOscillators`] with their parameters fixed.
#[derive(Debug, Clone)]
pub struct PreparedOscillators {
    coupling: Tensor<2>,
    /// Copied: on a CPU a product with a transposed right factor runs several times slower.
    transposed: Tensor<2>,
    input: Tensor<2>,
    bias: Tensor<2>,
    frequency: Tensor<2>,
    stiffness: Tensor<2>,
}

impl PreparedOscillators {
    /// `−ω² y − tanh(a) Wᵀ`, which is linear in `y` and `tanh(a)`.
    fn force(&self, position: &Tensor<2>, tension: Tensor<2>) -> Tensor<2> {
        let springs = operations::product_with_prepared(tension, &self.transposed);
        (position.clone() * self.stiffness.clone() + springs).neg()
    }
}

/// From here on half a difference is not one of nearly equal numbers.
const FAR: f64 = 1.0;

/// `tanh` of both states of a pair, from `t = tanh(mean)` and `s = tanh(half difference)`, without
/// subtracting nearly equal numbers:
///
/// ```text
/// half difference: q = s (1 − t²)/(1 − t²s²)        mean: t (1 − s²)/(1 − t²s²) = t − t s q
/// ```
fn tanh(pair: &Pair) -> Pair {
    let is_far = pair.half_difference().abs().greater_elem(FAR);
    let is_far = Tensor::cat(vec![is_far.clone(), is_far], 0);
    let of_both = pair.map(Tensor::tanh);
    let pair = Pair::from_rows(pair.rows().clone().tanh());
    let (t, s) = (pair.mean(), pair.half_difference());
    let product = t.clone() * s.clone();
    let denominator = product.clone().square().neg() + 1.0;
    let half_difference = s * (t.clone().square().neg() + 1.0) / denominator;
    let near = Pair::new(t - product * half_difference.clone(), half_difference);
    Pair::from_rows(
        near.rows()
            .clone()
            .mask_where(is_far, of_both.rows().clone()),
    )
}

impl Potential for CoupledOscillators {
    type Prepared = PreparedOscillators;
    /// `u B + b`
    type Held = Tensor<2>;
    /// `tanh(a)`
    type Slopes = Pair;

    fn n_inputs(&self) -> usize {
        self.input.lazy_shape()[0]
    }

    fn n_units(&self) -> usize {
        self.frequency.lazy_shape()[0]
    }

    fn prepare(&self) -> PreparedOscillators {
        let coupling = self.coupling.val();
        let [n_units, n_springs] = coupling.dims();
        let flat = coupling.clone().transpose().reshape([n_units * n_springs]);
        let frequency = self.frequency.val().unsqueeze::<2>();
        PreparedOscillators {
            coupling,
            transposed: flat.reshape([n_springs, n_units]),
            input: self.input.val(),
            bias: self.bias.val().unsqueeze(),
            stiffness: frequency.clone().square(),
            frequency,
        }
    }

    fn hold(&self, prepared: &PreparedOscillators, input: &Tensor<2>) -> Tensor<2> {
        operations::product_with_prepared(input.clone(), &prepared.input) + prepared.bias.clone()
    }

    fn value(
        &self,
        prepared: &PreparedOscillators,
        held: &Tensor<2>,
        position: &Tensor<2>,
    ) -> Tensor<1> {
        let own = position.clone().square() * prepared.stiffness.clone() * 0.5;
        let stretch = position.clone().matmul(prepared.coupling.clone()) + held.clone();
        // log cosh a = |a| + log(1 + exp(−2|a|)) − log 2, which does not overflow.
        let size = stretch.abs();
        let springs = size.clone() + (size * -2.0).exp().log1p() - core::f64::consts::LN_2;
        (own.sum_dim(1) + springs.sum_dim(1)).squeeze_dim(1)
    }

    fn force(
        &self,
        prepared: &PreparedOscillators,
        held: &Tensor<2>,
        position: &Tensor<2>,
    ) -> Tensor<2> {
        let coupling = &prepared.coupling;
        let stretch = operations::product_with_prepared(position.clone(), coupling) + held.clone();
        prepared.force(position, stretch.tanh())
    }

    fn force_pair(
        &self,
        prepared: &PreparedOscillators,
        held: &Tensor<2>,
        positions: &Pair,
    ) -> (Pair, Pair) {
        let rows = positions.rows();
        let stretch = operations::product_with_prepared(rows.clone(), &prepared.coupling);
        let stretch = Pair::from_rows(stretch);
        let tension = tanh(&Pair::new(
            stretch.mean() + held.clone(),
            stretch.half_difference(),
        ));
        let force = prepared.force(rows, tension.rows().clone());
        (Pair::from_rows(force), tension)
    }

    /// With means `ȳ`, `p̄` and half differences `d`, `q` of positions and of `tanh(a)`:
    ///
    /// ```text
    /// ΔW = 2(ȳᵀq + dᵀp̄)        ΔB = 2uᵀq        Δb = 2Σq        Δω = 4ω Σ ȳd
    /// ```
    fn contrast(
        &self,
        prepared: &PreparedOscillators,
        visits: &[Visit<Pair>],
        scale: f64,
    ) -> Gradients {
        let rows =
            |part: fn(&Visit<Pair>) -> Tensor<2>| Tensor::cat(visits.iter().map(part).collect(), 0);
        let mean = rows(|visit| visit.positions.mean());
        let moved = rows(|visit| visit.positions.half_difference());
        let mean_tension = rows(|visit| visit.slopes.mean()) * (2.0 * scale);
        let tension = rows(|visit| visit.slopes.half_difference()) * (2.0 * scale);
        let input = rows(|visit| visit.input.clone());

        let mut gradients = Gradients::new();
        let coupling = operations::product_over_rows(
            &Tensor::cat(vec![mean.clone(), moved.clone()], 0),
            &Tensor::cat(vec![tension.clone(), mean_tension], 0),
        );
        gradients.register(self.coupling.id, coupling);
        let weights = operations::product_over_rows(&input, &tension);
        gradients.register(self.input.id, weights);
        gradients.register(self.bias.id, tension.sum_dim(0).squeeze_dim::<1>(0));
        let squares = (mean * moved).sum_dim(0) * prepared.frequency.clone() * (4.0 * scale);
        gradients.register(self.frequency.id, squares.squeeze_dim::<1>(0));
        gradients
    }

    /// `Δu = 2q Bᵀ`
    fn input_contrast(
        &self,
        prepared: &PreparedOscillators,
        visit: &Visit<Pair>,
        scale: f64,
    ) -> Tensor<2> {
        let tension = visit.slopes.half_difference() * (2.0 * scale);
        tension.matmul(prepared.input.clone().transpose())
    }
}
