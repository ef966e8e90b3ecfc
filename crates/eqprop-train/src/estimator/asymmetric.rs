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

/// Asymmetric equilibrium propagation: the gradient of networks that have no energy, such as those with
/// weights of their own in each direction.
///
/// A free equilibrium `s⁰` is where `F(θ, s) = drive(θ, s) − σ⁻¹(s)` is 0. With its Jacobian `J_F` there,
///
/// ```text
/// dC/dθ = −λᵀ ∂F/∂θ,   J_Fᵀ λ = ∂C/∂s
/// ```
///
/// [`EquilibriumPropagation`](super::EquilibriumPropagation) nudges the field as it is, which moves the state by
/// `β J_F⁻¹ ∂C/∂s`: it has `J_F` where the transpose is needed, and is biased however small β is. Here the nudged
/// phase has a term more, which turns the antisymmetric part of the Jacobian around. `σ⁻¹` acts unit by unit and
/// has none, so that it is that of `J = ∂drive/∂s` at `s⁰`:
///
/// ```text
/// s ← σ(drive(s) − (J − Jᵀ)(s − s⁰) − β ∂C/∂s)        s^β − s⁰ = βλ + O(β²)
/// ```
///
/// The estimate is what came before a synapse times how far the unit after it moved, in each direction by itself,
///
/// ```text
/// ĝ = −1/(β₁ − β₂) · mean[ (∂drive/∂θ(s̄))ᵀ (s^β₁ − s^β₂) ],   s̄ = ½(s^β₁ + s^β₂)
/// ```
///
/// whatever the learning rule of the field: see [`VectorField::drive_contrast`].
///
/// # Error
/// `O(β)` one-sided and `O(β²)` centered, as [`Nudging`] has it for networks with an energy. The term is frozen at
/// the state where the free phase ended, and a residual `r` of that phase counts as `r/β`.
///
/// # Cost
/// That of equilibrium propagation where the field knows its [adjoint](VectorField::adjoint): an untied network is
/// nudged with its two directions exchanged. Elsewhere a backward pass for each layer and step. With an energy the term
/// is 0, and the estimate is that of equilibrium propagation.
///
/// # Convergence
/// `Jᵀ` has the eigenvalues of `J`: where the free phase converges by moving all layers at once, so does the nudged
/// one, if β is small.
///
/// # Reference
/// Scurria, Vanden Abeele, Mognetti & Massar (2026), <https://arxiv.org/abs/2602.03670>, which has `F = −s + σ(drive)`.
/// With the `F` above nothing but the weights is antisymmetric, and clipped units need no care.
#[derive(Debug, Clone)]
pub struct AsymmetricEquilibriumPropagation<D = Scheme> {
    /// The nudging factors.
    pub nudging: Nudging,
    /// The free phase.
    pub free: Relaxation<D>,
    /// The nudged phase.
    pub nudged: Relaxation<D>,
    signs: Streams,
}

impl<D: Dynamics> AsymmetricEquilibriumPropagation<D> {
    /// Asymmetric equilibrium propagation with the given phases. Random signs are drawn from seed 0.
    pub fn new(nudging: Nudging, free: Relaxation<D>, nudged: Relaxation<D>) -> Self {
        Self {
            nudging,
            free,
            nudged,
            signs: Streams::new(0),
        }
    }

    /// Draws random signs from `seed`.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.signs = Streams::new(seed);
        self
    }

    /// Copies of the batch at the equilibria of these nudging factors, relaxed as one.
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
    /// As that of [`EquilibriumPropagation`](super::EquilibriumPropagation).
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
