//! Jacobian homeostasis: a regularizer that draws a field toward one with an energy.

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

/// An estimator with Jacobian homeostasis: the gradient of the cost, as `inner` estimates it, and that of how
/// far the Jacobian `J = ∂drive/∂s` is from symmetric.
///
/// ```text
/// H(θ) = ½‖J − Jᵀ‖² / n,   n units
/// ĝ = ĝ_inner + strength · ∂Ĥ/∂θ
/// ```
///
/// An energy is what a field with a symmetric Jacobian has, and where there is one the simple estimate of
/// [`EquilibriumPropagation`](super::EquilibriumPropagation) is the gradient: the smaller `H` becomes, the less it is
/// biased. `Ĥ` looks along a random direction for each example, whose entries are ±1,
///
/// ```text
/// Ĥ = mean over the batch of ½|(J − Jᵀ)ε|² / n            mean over the draws: H
/// ∂Ĥ/∂θ = mean of [qᵀ ∂J/∂θ ε − εᵀ ∂J/∂θ q] / n,          q = (J − Jᵀ)ε
/// ```
///
/// which are products of what is measured before a synapse and after it. Biases and what leads from the input have no part
/// in `J` and are left alone. Of dense connections with the weights `W` forth and `B` back, `H` is `Σ‖W − B‖²/n`: on
/// average this is the rule of Kolen and Pollack, by which each direction decays toward the other; a convolution
/// counts a weight as often as it is used.
///
/// A field with an energy has `H = 0` and is trained as by `inner` alone.
///
/// # Cost
/// Two drives of each layer and four contrasts.
///
/// # What it needs
/// Drives that are affine in the state, and a field that knows its [adjoint](VectorField::adjoint): not max pooling.
///
/// # Reference
/// Laborieux & Zenke (2023), <https://arxiv.org/abs/2309.02214>, whose `‖Jε‖² − εᵀJJε` has the same mean, and more
/// noise.
#[derive(Debug, Clone)]
pub struct Homeostasis<G> {
    /// What estimates the gradient of the cost.
    pub inner: G,
    /// How much `H` counts beside the cost, at least 0.
    pub strength: f64,
    directions: Streams,
}

impl<G> Homeostasis<G> {
    /// `inner` with homeostasis of this strength. Directions are drawn from seed 0.
    ///
    /// # Panics
    /// If `strength` is negative or no number.
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

    /// Draws directions from `seed`.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.directions = directions(seed);
        self
    }

    /// `ε` of each example.
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

/// Other numbers than the inner estimator draws from the same seed.
fn directions(seed: u64) -> Streams {
    Streams::new(!seed)
}

/// `scale · ∂Ĥ/∂θ` in the directions `epsilon`.
///
/// # Panics
/// If the field does not know its adjoint.
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
    // Both drives are the same at 0.
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

/// Adds to gradients of Burn's.
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
    /// If the field does not know its adjoint, and as the inner estimator.
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
