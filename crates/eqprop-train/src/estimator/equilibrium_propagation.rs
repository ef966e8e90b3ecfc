//! Equilibrium propagation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{Energy, TotalEnergy};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tracing::debug_span;

use super::{Estimate, GradientEstimator, into_params};
use crate::batch::Batch;
use crate::network::EquilibriumNetwork;

/// The equilibrium-propagation estimate of `dC/dθ`.
///
/// Relaxes freely, then once or twice more from the free equilibrium with the output nudged,
/// and contrasts two equilibria:
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂E/∂θ(θ, x, s^β₁) − ∂E/∂θ(θ, x, s^β₂) ]
/// ```
///
/// with β₁ and β₂ as [`Nudging`] says. A readout outside the state gets `∂C/∂θ` at the free
/// equilibrium. The order in β that [`Nudging`] promises holds only as far as all phases
/// converged. No autodiff graph is recorded, and memory does not grow with the number of steps.
///
/// # Reference
/// Scellier & Bengio (2017), theorem 1, <https://arxiv.org/abs/1602.05179>
#[derive(Debug, Clone)]
pub struct EquilibriumPropagation<D = Scheme> {
    /// The nudging factors.
    pub nudging: Nudging,
    /// The free phase.
    pub free: Relaxation<D>,
    /// The nudged phase.
    pub nudged: Relaxation<D>,
    signs: Signs,
}

/// Where random signs come from: sign number `n` is a function of `seed` and `n`, so a run
/// that is resumed at sign `n` goes on with the same signs.
#[derive(Debug, Clone)]
struct Signs {
    seed: u64,
    /// Shared by all clones: Burn's learner clones its model at every step.
    drawn: Arc<AtomicU64>,
}

impl Signs {
    fn draw(&self) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.drawn.fetch_add(1, Ordering::Relaxed));
        if rng.random() { 1.0 } else { -1.0 }
    }
}

impl<D: Dynamics> EquilibriumPropagation<D> {
    /// Equilibrium propagation with the given phases. Random signs are drawn from seed 0.
    pub fn new(nudging: Nudging, free: Relaxation<D>, nudged: Relaxation<D>) -> Self {
        Self {
            nudging,
            free,
            nudged,
            signs: Signs {
                seed: 0,
                drawn: Arc::default(),
            },
        }
    }

    /// Draws random signs from `seed`.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.signs = Signs {
            seed,
            drawn: Arc::default(),
        };
        self
    }

    /// The nudged states at each of `betas`, relaxed as one batch, one after the other along the
    /// batch axis: the weights are then read once for all.
    fn relax_nudged<E: Energy, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
        clamped: &E::Clamped,
        target: &Tensor<2>,
        free: &State,
        betas: &[f64],
    ) -> Relaxed {
        let EquilibriumNetwork { energy, cost } = network;
        let (n_copies, batch) = (betas.len(), free.batch_size());
        let like = (&free.device(), target.dtype());
        let column = |&beta: &f64| Tensor::full([batch, 1], beta, like);
        let beta = Tensor::cat(betas.iter().map(column).collect(), 0);
        let clamped = energy.repeat(clamped, n_copies);
        let target = target.clone().repeat_dim(0, n_copies);
        let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
        self.nudged.relax(&total, free.repeat(n_copies))
    }
}

impl<E: Energy, C: Cost, D: Dynamics> GradientEstimator<E, C> for EquilibriumPropagation<D> {
    fn infer(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        start: Option<State>,
    ) -> Relaxed {
        let clamped = network.energy.clamp(input);
        let start = start.unwrap_or_else(|| network.energy.rest(input));
        let total = TotalEnergy::<E, C>::free(&network.energy, &clamped);
        self.free.relax(&total, start)
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        // On an autodiff device every step of the relaxation would record a graph.
        let network = network.valid();
        let input = batch.input.clone().without_autodiff();
        let target = batch.target.clone().without_autodiff();
        let EquilibriumNetwork { energy, cost } = &network;

        let (clamped, free) = debug_span!("free_phase").in_scope(|| {
            let clamped = energy.clamp(&input);
            let start = start.unwrap_or_else(|| energy.rest(&input));
            let total = TotalEnergy::<E, C>::free(energy, &clamped);
            let free = self.free.relax(&total, start);
            (clamped, free)
        });
        let s = &free.state;

        let nudge = |betas: &[f64]| {
            let relax = || self.relax_nudged(&network, &clamped, &target, s, betas);
            debug_span!("second_phase").in_scope(relax)
        };
        let contrast = |first: &State, second: &State, scale: f64| {
            let contrast = || energy.contrast(&input, first, second, scale);
            debug_span!("gradient").in_scope(contrast)
        };
        let contrast_with_free = |beta: f64| {
            let nudged = nudge(&[beta]);
            (contrast(&nudged.state, s, 1.0 / beta), nudged)
        };
        let (mut gradients, nudged) = match self.nudging {
            Nudging::OneSided { beta } => contrast_with_free(beta),
            Nudging::RandomSign { beta } => contrast_with_free(beta * self.signs.draw()),
            Nudging::Centered { beta } => {
                let both = nudge(&[beta, -beta]);
                let n = s.batch_size();
                let (positive, negative) = (both.state.narrow(0, n), both.state.narrow(n, n));
                (contrast(&positive, &negative, 1.0 / (2.0 * beta)), both)
            }
        };
        cost.gradients(s.output(), &target, &mut gradients);

        Estimate {
            gradients: into_params(&gradients, &network),
            energy: energy.energy(&clamped, s),
            cost: cost.value(s.output(), &target),
            scores: network.scores(&clamped, s),
            free,
            second_phase: Some(nudged),
        }
    }

    /// Clones go on from there too.
    fn resume(&self, n_estimates: u64) {
        self.signs.drawn.store(n_estimates, Ordering::Relaxed);
    }
}
