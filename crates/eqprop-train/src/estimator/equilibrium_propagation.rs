//! Equilibrium propagation.

use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use super::free_equilibrium::{FreeEquilibrium, Pair};
use super::streams::Streams;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Equilibrium propagation, an estimator of `dC/dθ`.
///
/// Runs a free phase, then one or several nudged phases from the free equilibrium, and contrasts
/// equilibria:
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂E/∂θ(θ, x, s^β₁) − ∂E/∂θ(θ, x, s^β₂) ]
/// ```
///
/// with β₁ and β₂, or a weighted sum over pairs of them, according to [`Nudging`]. A readout outside the
/// state gets `∂C/∂θ` at the free equilibrium. The order in β given at [`Nudging`] holds only as far as
/// all phases converge. No autodiff graph is recorded, and memory does not grow with the number of
/// steps.
///
/// # Reference
/// Scellier & Bengio (2017), theorem 1, <https://arxiv.org/abs/1602.05179>
#[derive(Debug, Clone)]
pub struct EquilibriumPropagation<D = Scheme> {
    /// Nudging factors; [`EquilibriumNetwork::check_nudging`] checks whether a network can be nudged by
    /// them.
    pub nudging: Nudging,
    /// Free phase.
    pub free: Relaxation<D>,
    /// Nudged phase.
    pub nudged: Relaxation<D>,
    signs: Streams,
}

impl<D: Dynamics> EquilibriumPropagation<D> {
    /// Creates the estimator with the given phases. Random signs are drawn from seed 0.
    pub fn new(nudging: Nudging, free: Relaxation<D>, nudged: Relaxation<D>) -> Self {
        Self {
            nudging,
            free,
            nudged,
            signs: Streams::new(0),
        }
    }

    /// Sets the seed of the random signs.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.signs = Streams::new(seed);
        self
    }

    /// Replaces the dynamics of each phase by `with` applied to it.
    pub fn with_dynamics<N: Dynamics>(self, with: impl Fn(D) -> N) -> EquilibriumPropagation<N> {
        let phase = |relaxation: Relaxation<D>| Relaxation {
            dynamics: with(relaxation.dynamics),
            stopping: relaxation.stopping,
        };
        EquilibriumPropagation {
            nudging: self.nudging,
            free: phase(self.free),
            nudged: phase(self.nudged),
            signs: self.signs,
        }
    }

    /// Returns the equilibria to contrast, all reached from the free one, and the phase that found them.
    pub(crate) fn nudge<E: VectorField, C: Cost>(
        &self,
        free: &FreeEquilibrium<E, C>,
    ) -> (Vec<Pair>, Relaxed) {
        let sign = self.signs.sign(self.nudging);
        free.pairs(self.nudging, sign, |betas| {
            let EquilibriumNetwork { energy, cost, .. } = &free.network;
            let (clamped, target, start) = free.copies(betas.len());
            let beta = free.column(betas.iter().copied());
            let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
            self.nudged.relax(&total, start)
        })
    }

    /// Returns the free equilibrium, the gradient of the energy's parameters, and the nudged phase.
    fn phases<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (FreeEquilibrium<E, C>, Gradients, Relaxed) {
        network.assert_nudging(self.nudging);
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let (pairs, nudged) = self.nudge(&free);
        let gradients = debug_span!("gradient").in_scope(|| free.gradients(&pairs));
        (free, gradients, nudged)
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for EquilibriumPropagation<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    /// # Panics
    /// If β is out of range, or leaves the total energy without a lower bound. If the output has a
    /// curvature, which would have to be read back from the device, only
    /// [`check_nudging`](EquilibriumNetwork::check_nudging) detects the latter.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        let (free, gradients, nudged) = self.phases(network, batch, start);
        free.contrasted(gradients, nudged)
    }

    fn estimate_apart(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (Estimate, Gradients) {
        let (free, mut gradients, nudged) = self.phases(network, batch, start);
        let products = gradients.split_products();
        (free.contrasted(gradients, nudged), products)
    }

    fn variant(&self) -> Option<usize> {
        let mut phases = [&self.free.stopping, &self.nudged.stopping].into_iter();
        let reads_nothing = phases.all(|stopping| stopping.tolerance.is_none());
        reads_nothing.then(|| usize::from(self.signs.next_sign(self.nudging) < 0.0))
    }

    fn fix(&self, variant: Option<usize>) {
        self.signs
            .fix(variant.map(|variant| 1.0 - 2.0 * variant as f64));
    }

    fn pass_over(&self) {
        self.signs.pass_over(self.nudging);
    }

    fn resume(&self, n_estimates: u64) {
        self.signs.resume(n_estimates);
    }
}
