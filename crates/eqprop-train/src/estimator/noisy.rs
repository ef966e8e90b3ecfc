//! Equilibrium propagation with noisy states.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Distribution, Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{Dynamics, Scheme};
use eqprop_core::state::State;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{EquilibriumPropagation, Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// First stream of noise, far from the streams of signs.
const NOISE: u64 = 1 << 61;

/// Dynamics with noise added after every step to `u = σ⁻¹(s)`, so that no unit leaves its range:
///
/// ```text
/// s ← σ(σ⁻¹(s) + d ξ),   ξ ~ N(0, 1) for each unit
/// ```
///
/// For an oscillator this rotates the phase by `d` times a normal number, up to terms of second order. The
/// noise is a function of the seed, the stream and the step number: every relaxation with the same value of
/// this type repeats it.
#[derive(Debug, Clone)]
pub struct Noisy<D> {
    dynamics: D,
    deviation: f64,
    rng: ChaCha8Rng,
}

impl<D> Noisy<D> {
    /// Adds noise of standard deviation `d` to `dynamics`, from stream 0 of `seed`.
    pub fn new(dynamics: D, deviation: f64, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let noisy = Self {
            dynamics,
            deviation,
            rng,
        };
        noisy.with_stream(0)
    }

    /// Draws the noise from another stream of the seed; streams are independent.
    pub fn with_stream(mut self, stream: u64) -> Self {
        self.rng.set_stream(NOISE + stream);
        self
    }

    fn noise(&mut self, like: &Tensor<2>) -> Tensor<2> {
        // `TensorData::random` would initialize the distribution for every number.
        let normal = Distribution::Normal(0.0, 1.0);
        let mut normal = normal.sampler::<_, f32>(&mut self.rng);
        let n = like.shape().num_elements();
        let numbers: Vec<f32> = (0..n).map(|_| normal.sample()).collect();
        let options = (&like.device(), like.dtype());
        Tensor::from_data(TensorData::new(numbers, like.dims()), options)
    }
}

impl<D: Dynamics> Dynamics for Noisy<D> {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        self.dynamics.step(total, state);
        let like = (&state.device(), state.output().dtype());
        let deviation = Tensor::full([1, 1], self.deviation, like);
        let noise = state.map(|layer| self.noise(layer));
        *state = total.follow(state, &noise, &deviation);
    }

    fn begin(&self) -> impl Dynamics {
        Noisy {
            dynamics: self.dynamics.begin(),
            deviation: self.deviation,
            rng: self.rng.clone(),
        }
    }

    fn step_size(&self) -> f64 {
        self.dynamics.step_size()
    }
}

/// [`EquilibriumPropagation`] with [`Noisy`] phases: each phase of an estimate has its own noise, and all
/// predictions have the same.
#[derive(Debug, Clone)]
pub struct NoisyEquilibriumPropagation<D = Scheme> {
    inner: EquilibriumPropagation<Noisy<D>>,
    n_estimates: Arc<AtomicU64>,
}

impl<D: Dynamics> NoisyEquilibriumPropagation<D> {
    /// Adds noise of this standard deviation to the phases of `inner`.
    pub fn new(inner: EquilibriumPropagation<D>, deviation: f64, seed: u64) -> Self {
        Self {
            inner: inner.with_dynamics(|dynamics| Noisy::new(dynamics, deviation, seed)),
            n_estimates: Arc::default(),
        }
    }

    /// Returns the phases of the next estimate.
    fn next(&self) -> EquilibriumPropagation<Noisy<D>> {
        let count = self.n_estimates.fetch_add(1, Ordering::Relaxed);
        let mut next = self.inner.clone();
        for (phase, stream) in [(&mut next.free, 1), (&mut next.nudged, 2)] {
            phase.dynamics = phase.dynamics.clone().with_stream(2 * count + stream);
        }
        next
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for NoisyEquilibriumPropagation<D>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.inner.free
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        self.next().estimate(network, batch, start)
    }

    fn estimate_apart(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (Estimate, Gradients) {
        self.next().estimate_apart(network, batch, start)
    }

    fn resume(&self, n_estimates: u64) {
        self.n_estimates.store(n_estimates, Ordering::Relaxed);
        GradientEstimator::<E, C>::resume(&self.inner, n_estimates);
    }
}
