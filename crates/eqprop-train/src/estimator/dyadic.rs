//! Dyadic equilibrium propagation.

mod dyad;

use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::nudging::{Difference, Nudging};
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use self::dyad::Dyad;
use super::free_equilibrium::{FreeEquilibrium, Pair};
use super::streams::Streams;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Dyadic equilibrium propagation: gradients of networks without an energy, from two copies of the network
/// that have an action.
///
/// A field has no energy `E` whose gradient gives its drives, but for two copies `a` and `b` of it, nudged by
/// β₁ and β₂, there is a function of both that takes the place of `E(a) − E(b)`:
///
/// ```text
/// A(θ, a, b) = ΣG(a) − ΣG(b) − (a − b)·drive(θ, m) + β₁C(a) − β₂C(b),   m = ½(a + b)
/// ```
///
/// It is stationary, at a saddle point, where
///
/// ```text
/// a = σ(drive(m) + ½Jᵀ(a − b) − β₁ ∂C/∂a)
/// b = σ(drive(m) − ½Jᵀ(a − b) − β₂ ∂C/∂b)        J = ∂drive/∂s at m
/// ```
///
/// Both copies relax together: for affine drives with the weights `W` into a layer, each receives `½(W + Wᵀ)`
/// from its own copy and `½(W − Wᵀ)` from the other. Without nudging both are at the free equilibrium `s⁰`,
/// where `∂A/∂θ` is 0. The theorem of equilibrium propagation holds for stationary points of any function,
/// and `A` grows by `(β₁ − β₂) C(s⁰)` with a nudge, so that
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂A/∂θ ] = −1/(β₁ − β₂) · mean[ (∂drive/∂θ(m))ᵀ (a − b) ]
/// ```
///
/// with the pairs of β₁ and β₂, and their weights, of [`Nudging`].
///
/// # Error
/// `O(β)` one-sided, where only `a` is nudged, and `O(β²)` centered: exchanging the copies and the signs of β
/// turns `A` into `−A`. Nothing refers to the end of the free phase, so its residual has no effect as long as
/// the second phase converges.
///
/// # Cost
/// Two copies per pair, as in centered equilibrium propagation, and twice the products, step by step. With an
/// energy `J` is symmetric and, if the drives are affine, each copy relaxes by itself: it is centered
/// equilibrium propagation. [`Estimate::second_phase`] has the copies `a` and `b` of each pair one after the
/// other.
///
/// # Reference
/// Scurria, Vanden Abeele, Mognetti & Massar (2026), <https://arxiv.org/abs/2602.03670>
#[derive(Debug, Clone)]
pub struct DyadicEquilibriumPropagation<D = Scheme> {
    /// Nudging factors of the two copies.
    pub nudging: Nudging,
    /// Free phase.
    pub free: Relaxation<D>,
    /// Joint relaxation of the two copies.
    pub nudged: Relaxation<D>,
    signs: Streams,
}

impl<D: Dynamics> DyadicEquilibriumPropagation<D> {
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

    /// Relaxes two copies of the batch for each difference, to a stationary point of their action.
    fn nudge<E: VectorField, C: Cost>(
        &self,
        free: &FreeEquilibrium<E, C>,
        differences: &[Difference],
    ) -> Relaxed {
        let EquilibriumNetwork { energy, cost, .. } = &free.network;
        let (_, target, start) = free.copies(2 * differences.len());
        let beta = free.column(differences.iter().flat_map(|d| [d.first, d.second]));
        let field = Dyad::new(energy.clone());
        let dyad = field.at(&free.clamped, free.state());
        let clamped = field.repeat(&dyad, differences.len());
        let total = TotalEnergy::nudged(&field, &clamped, cost, &target, beta);
        self.nudged.relax(&total, start)
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for DyadicEquilibriumPropagation<D>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    /// # Panics
    /// As for [`EquilibriumPropagation`](super::EquilibriumPropagation).
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        network.assert_nudging(self.nudging);
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let differences = self.nudging.differences(self.signs.sign(self.nudging));
        let nudged = debug_span!("second_phase").in_scope(|| self.nudge(&free, &differences));
        let n = free.state().batch_size();
        let pairs = differences
            .iter()
            .enumerate()
            .map(|(index, difference)| Pair {
                first: nudged.state.narrow(2 * index * n, n),
                second: nudged.state.narrow((2 * index + 1) * n, n),
                weight: difference.weight,
            });
        let pairs: Vec<Pair> = pairs.collect();
        let gradients =
            debug_span!("gradient").in_scope(|| free.gradients_by(&pairs, E::drive_contrast));
        free.contrasted(gradients, nudged)
    }

    fn resume(&self, n_estimates: u64) {
        self.signs.resume(n_estimates);
    }
}
