//! Asymmetric equilibrium propagation.

mod linearized;

use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use self::linearized::Linearized;
use super::free_equilibrium::FreeEquilibrium;
use super::streams::Streams;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Asymmetric equilibrium propagation: gradients of networks without an energy, such as those with separate
/// weights in each direction.
///
/// At a free equilibrium `s⁰`, `F(θ, s) = drive(θ, s) − σ⁻¹(s)` is 0. With its Jacobian `J_F` there,
///
/// ```text
/// dC/dθ = −λᵀ ∂F/∂θ,   J_Fᵀ λ = ∂C/∂s
/// ```
///
/// [`EquilibriumPropagation`](super::EquilibriumPropagation) nudges the unmodified field, which moves the
/// state by `β J_F⁻¹ ∂C/∂s`: it has `J_F` where the transpose is needed, and is biased however small β is.
/// Here the nudged phase has an additional term that reverses the antisymmetric part of the Jacobian. `σ⁻¹`
/// acts unit by unit and has no antisymmetric part, so the term depends on `J = ∂drive/∂s` at `s⁰` alone:
///
/// ```text
/// s ← σ(drive(s) − (J − Jᵀ)(s − s⁰) − β ∂C/∂s)        s^β − s⁰ = βλ + O(β²)
/// ```
///
/// The estimate is the presynaptic state times the displacement of the postsynaptic unit, for each direction
/// separately,
///
/// ```text
/// ĝ = −1/(β₁ − β₂) · mean[ (∂drive/∂θ(s̄))ᵀ (s^β₁ − s^β₂) ],   s̄ = ½(s^β₁ + s^β₂)
/// ```
///
/// whatever the learning rule of the field: see [`VectorField::drive_contrast`].
///
/// # Error
/// `O(β)` one-sided and `O(β²)` centered, as at [`Nudging`] for networks with an energy. The term is frozen
/// at the state where the free phase ended, so a residual `r` of that phase contributes `r/β`.
///
/// # Cost
/// That of equilibrium propagation if the field has a closed-form [adjoint](VectorField::adjoint): an untied
/// network is nudged with its two directions exchanged. Otherwise a backward pass per layer and step. With an
/// energy the term is 0, and the estimate is that of equilibrium propagation.
///
/// # Convergence
/// `Jᵀ` has the eigenvalues of `J`: if the free phase converges by moving all layers at once, so does the
/// nudged phase for small β.
///
/// # Reference
/// Scurria, Vanden Abeele, Mognetti & Massar (2026), <https://arxiv.org/abs/2602.03670>, with `F = −s +
/// σ(drive)`. With the `F` above only the weights are antisymmetric, and clipped units need no special
/// treatment.
#[derive(Debug, Clone)]
pub struct AsymmetricEquilibriumPropagation<D = Scheme> {
    /// Nudging factors.
    pub nudging: Nudging,
    /// Free phase.
    pub free: Relaxation<D>,
    /// Nudged phase.
    pub nudged: Relaxation<D>,
    signs: Streams,
}

impl<D: Dynamics> AsymmetricEquilibriumPropagation<D> {
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

    /// Relaxes copies of the batch to the equilibria of these nudging factors, as one batch.
    fn nudge<E: VectorField, C: Cost>(
        &self,
        free: &FreeEquilibrium<E, C>,
        betas: &[f64],
    ) -> Relaxed {
        let EquilibriumNetwork { energy, cost, .. } = &free.network;
        let n = betas.len();
        let (_, target, start) = free.copies(n);
        let beta = free.column(betas.iter().copied());
        if let Some(adjoint) = energy.adjoint(&free.clamped, free.state()) {
            let clamped = energy.repeat(&adjoint, n);
            let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
            return self.nudged.relax(&total, start);
        }
        let field = Linearized::new(energy.clone());
        let clamped = field.repeat(&field.around(&free.clamped, free.state()), n);
        let total = TotalEnergy::nudged(&field, &clamped, cost, &target, beta);
        self.nudged.relax(&total, start)
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for AsymmetricEquilibriumPropagation<D>
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
        let sign = self.signs.sign(self.nudging);
        let relax = |betas: &[f64]| self.nudge(&free, betas);
        let (pairs, nudged) = free.pairs(self.nudging, sign, relax);
        let gradients =
            debug_span!("gradient").in_scope(|| free.gradients_by(&pairs, E::drive_contrast));
        free.contrasted(gradients, nudged)
    }

    fn resume(&self, n_estimates: u64) {
        self.signs.resume(n_estimates);
    }
}
