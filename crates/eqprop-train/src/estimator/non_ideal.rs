//! Equilibrium propagation by units that are not ideal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Distribution, Tensor, TensorData};
use eqprop_core::activation::Levels;
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

/// Defects of the units of a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StateDefects {
    /// Standard deviation `d` of the noise; 0 for none.
    pub noise: f64,
    /// Resolution and range of stored states.
    pub levels: Levels,
}

/// Dynamics whose states are disturbed and then rounded after every step:
///
/// ```text
/// s ← σ(σ⁻¹(s) + d ξ),   ξ ~ N(0, 1) for each unit
/// s ← round(s)           to the nearest level, see Activation::round
/// ```
///
/// The noise is in `u = σ⁻¹(s)`, so that no unit leaves its range. Of an oscillator it turns the phase by `d` times a normal
/// number, up to terms of second order. It is a function of the seed, the stream and the number of the step: every
/// relaxation with the same value of this type repeats it.
///
/// Rounding comes last, as a converter reads what the noise has left, and is deterministic: a change of less than half a level
/// is lost. Steps that are small, such as those of a gradient flow, or of a nudge by a small β,
/// are lost in it, and a state at rest between two levels has a residual of 0.
///
/// # Panics
/// Each step, if a layer has no [levels](eqprop_core::activation::Activation::check_levels).
///
/// # Reference
/// Gower (2025), <https://arxiv.org/abs/2505.02103>: 4 bits suffice to measure the phases of oscillators; see also
/// <https://arxiv.org/abs/2510.12934>. There a measurement is rounded, here the state after every step.
#[derive(Debug, Clone)]
pub struct NonIdeal<D> {
    dynamics: D,
    defects: StateDefects,
    rng: ChaCha8Rng,
}

impl<D> NonIdeal<D> {
    /// `dynamics` of units with these defects, with noise from stream 0 of `seed`.
    pub fn new(dynamics: D, defects: StateDefects, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let non_ideal = Self {
            dynamics,
            defects,
            rng,
        };
        non_ideal.with_stream(0)
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

impl<D: Dynamics> Dynamics for NonIdeal<D> {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        self.dynamics.step(total, state);
        let StateDefects { noise, levels } = self.defects;
        if noise > 0.0 {
            let like = (&state.device(), state.output().dtype());
            let deviation = Tensor::full([1, 1], noise, like);
            let noise = state.map(|layer| self.noise(layer));
            *state = total.follow(state, &noise, &deviation);
        }
        if levels != Levels::default() {
            *state = total.round(state, levels);
        }
    }

    fn begin(&self) -> impl Dynamics {
        NonIdeal {
            dynamics: self.dynamics.begin(),
            defects: self.defects,
            rng: self.rng.clone(),
        }
    }

    fn step_size(&self) -> f64 {
        self.dynamics.step_size()
    }
}

/// [`EquilibriumPropagation`] with [`NonIdeal`] phases: each has noise of its own, and all predictions the same.
#[derive(Debug, Clone)]
pub struct NonIdealEquilibriumPropagation<D = Scheme> {
    inner: EquilibriumPropagation<NonIdeal<D>>,
    n_estimates: Arc<AtomicU64>,
}

impl<D: Dynamics> NonIdealEquilibriumPropagation<D> {
    /// The phases of `inner`, by units with these defects.
    pub fn new(inner: EquilibriumPropagation<D>, defects: StateDefects, seed: u64) -> Self {
        Self {
            inner: inner.with_dynamics(|dynamics| NonIdeal::new(dynamics, defects, seed)),
            n_estimates: Arc::default(),
        }
    }

    /// Returns the phases of the next estimate.
    fn next(&self) -> EquilibriumPropagation<NonIdeal<D>> {
        let count = self.n_estimates.fetch_add(1, Ordering::Relaxed);
        let mut next = self.inner.clone();
        for (phase, stream) in [(&mut next.free, 1), (&mut next.nudged, 2)] {
            phase.dynamics = phase.dynamics.clone().with_stream(2 * count + stream);
        }
        next
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for NonIdealEquilibriumPropagation<D>
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
