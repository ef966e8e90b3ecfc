//! Jacobian homeostasis: a regularizer that drives a field toward one with an energy.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::{GradientVisitor, Gradients};
use eqprop_core::state::State;
use rand::RngExt;
use tracing::debug_span;

use super::streams::Streams;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// An estimator with Jacobian homeostasis: the gradient of the cost, as estimated by `inner`, plus that of
/// the asymmetry of the Jacobian `J = ∂drive/∂s`.
///
/// ```text
/// H(θ) = ½‖J − Jᵀ‖² / n,   n units
/// ĝ = ĝ_inner + strength · ∂Ĥ/∂θ
/// ```
///
/// A field with a symmetric Jacobian has an energy, and with an energy the simple estimate of
/// [`EquilibriumPropagation`](super::EquilibriumPropagation) is the gradient: the smaller `H` becomes, the
/// smaller its bias. `Ĥ` probes one random direction per example, with entries ±1,
///
/// ```text
/// Ĥ = mean over the batch of ½|(J − Jᵀ)ε|² / n            mean over the draws: H
/// ∂Ĥ/∂θ = mean of [qᵀ ∂J/∂θ ε − εᵀ ∂J/∂θ q] / n,          q = (J − Jᵀ)ε
/// ```
///
/// which are products of presynaptic and postsynaptic quantities. Biases and connections from the input do
/// not enter `J` and are left alone. For dense connections with forward weights `W` and backward weights `B`,
/// `H` is `Σ‖W − B‖²/n`: on average this is the rule of Kolen and Pollack, by which each direction decays
/// toward the other; in a convolution a weight counts as often as it is used.
///
/// For a field with an energy `H = 0`, and the estimate is that of `inner` alone.
///
/// # Cost
/// Two drives of each layer and four contrasts.
///
/// # Requirements
/// Drives that are affine in the state, and a field with a closed-form [adjoint](VectorField::adjoint): no
/// max pooling.
///
/// # Reference
/// Laborieux & Zenke (2023), <https://arxiv.org/abs/2309.02214>; their `‖Jε‖² − εᵀJJε` has the same mean but
/// more noise.
#[derive(Debug, Clone)]
pub struct Homeostasis<G> {
    /// Estimator of the gradient of the cost.
    pub inner: G,
    /// Weight of `H` relative to the cost, at least 0.
    pub strength: f64,
    directions: Streams,
}

impl<G> Homeostasis<G> {
    /// Adds homeostasis of this strength to `inner`. Directions are drawn from seed 0.
    ///
    /// # Panics
    /// If `strength` is negative or not finite.
    pub fn new(inner: G, strength: f64) -> Self {
        assert!(
            strength.is_finite() && strength >= 0.0,
            "strength must be a number of at least 0, but is {strength}"
        );
        Self {
            inner,
            strength,
            directions: directions(0),
        }
    }

    /// Sets the seed of the directions.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.directions = directions(seed);
        self
    }

    /// Draws `ε` of each example.
    fn direction<E: VectorField>(&self, energy: &E, input: &Tensor<2>) -> State {
        let mut rng = self.directions.numbers(self.directions.take());
        let [batch, _] = input.dims();
        let layers = energy.layers().iter().map(|layer| {
            let n = batch * layer.n_units();
            let signs = (0..n).map(|_| if rng.random() { 1f32 } else { -1.0 });
            let signs = TensorData::new(signs.collect::<Vec<_>>(), [batch, layer.n_units()]);
            Tensor::from_data(signs, (&input.device(), input.dtype()))
        });
        State::new(layers.collect())
    }
}

/// Returns streams that differ from those of an inner estimator with the same seed.
fn directions(seed: u64) -> Streams {
    Streams::new(!seed)
}

/// Computes `scale · ∂Ĥ/∂θ` in the directions `epsilon`.
///
/// # Panics
/// If the field has no closed-form adjoint.
fn gradients<E: VectorField>(
    energy: &E,
    clamped: &E::Clamped,
    epsilon: &State,
    scale: f64,
) -> Gradients {
    let adjoint = energy.adjoint(clamped, &epsilon.map(Tensor::zeros_like));
    let adjoint =
        adjoint.expect("homeostasis needs a field that knows its adjoint: no max pooling");
    let sizes = energy.layers().iter().map(|layer| layer.n_units());
    let scale = 0.5 * scale / sizes.sum::<usize>() as f64;
    // Both drives agree at 0.
    let q = (0..epsilon.layers().len()).map(|layer| {
        energy.drive(layer, clamped, epsilon) - energy.drive(layer, &adjoint, epsilon)
    });
    let q = State::new(q.collect());
    let mut gradients = Gradients::new();
    // −Δᵀ ∂drive/∂θ at the mean. Half the difference of two means `±s` is the part that is linear in the
    // state.
    let mut add = |mean: &State, sign: f64, difference: &State, scale: f64| {
        let end = |half: f64| {
            let pairs = mean.layers().iter().zip(difference.layers());
            let ends = pairs.map(|(mean, by)| mean.clone() * sign + by.clone() * half);
            State::new(ends.collect())
        };
        let term = energy.drive_contrast(clamped, &end(0.5), &end(-0.5), scale);
        gradients.add(&term, energy);
    };
    add(epsilon, 1.0, &q, -scale);
    add(epsilon, -1.0, &q, scale);
    add(&q, 1.0, epsilon, scale);
    add(&q, -1.0, epsilon, -scale);
    gradients
}

/// Adds to Burn's gradients.
struct Sum<'a>(&'a mut GradientsParams);

impl GradientVisitor for Sum<'_> {
    fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, term: Tensor<D>) {
        let sum = match self.0.remove::<D>(parameter.id) {
            Some(gradient) => gradient + term,
            None => term,
        };
        self.0.register(parameter.id, sum);
    }
}

impl<E: VectorField, C: Cost, G: GradientEstimator<E, C>> GradientEstimator<E, C>
    for Homeostasis<G>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        self.inner.free_phase()
    }

    /// # Panics
    /// If the field has no closed-form adjoint, and as the inner estimator.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        let mut estimate = self.inner.estimate(network, batch, start);
        debug_span!("gradient").in_scope(|| {
            let energy = network.energy.valid();
            let input = batch.input.clone().without_autodiff();
            let epsilon = self.direction(&energy, &input);
            let found = gradients(&energy, &energy.clamp(&input), &epsilon, self.strength);
            found.visit(&energy, &mut Sum(&mut estimate.gradients));
        });
        estimate
    }

    fn resume(&self, n_estimates: u64) {
        self.inner.resume(n_estimates);
        self.directions.resume(n_estimates);
    }
}
