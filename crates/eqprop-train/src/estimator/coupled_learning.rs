//! Coupled learning and contrastive learning.

use eqprop_core::activation::Activation;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use super::free_equilibrium::FreeEquilibrium;
use super::streams::Streams;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Coupled learning: contrasts equilibria whose output is clamped instead of nudged.
///
/// From the free equilibrium with output `o`, the output layer is clamped at
///
/// ```text
/// o_β = o − β ∂C/∂o        for the squared error (1 − β) o + β y
/// ```
///
/// (of a phase: the same, normalized) and only the layers before it relax, to `s(β)`, whose output is `o_β`. The update contrasts two such
/// states; `s(0)` is the free equilibrium:
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂E/∂θ(θ, x, s(β₁)) − ∂E/∂θ(θ, x, s(β₂)) ]
///
/// Nudging::OneSided { beta: β }     β₁ = β, β₂ = 0     positive coupled learning
/// Nudging::OneSided { beta: −β }    β₁ = −β, β₂ = 0    negative coupled learning
/// Nudging::Centered { beta: β }     β₁ = β, β₂ = −β    centered coupled learning
/// ```
///
/// The other kinds of [`Nudging`] work alike. A readout outside the state gets `∂C/∂θ` at the free
/// equilibrium, and the last layer of the state is clamped.
///
/// # Expected estimate
/// It is not `dC/dθ`, even for β → 0. Let `S = d²/do² min_h E(h, o)` at the free equilibrium, the
/// stiffness with which the network holds its output. A force moves the output by `S⁻¹` times the force,
/// whereas a clamp fixes the displacement; so
///
/// ```text
/// lim β→0 ĝ = mean[ (do/dθ)ᵀ S ∂C/∂o ]        where dC/dθ = mean[ (do/dθ)ᵀ ∂C/∂o ]
/// ```
///
/// the gradient of a cost whose error is transformed by `S`, which is symmetric, and at a strict
/// minimum positive definite. A linear output layer (`G = ½s²`) with nothing between it and the
/// input has `S = 1`: there the two agree, for the squared error at any β.
///
/// # Contrastive learning
/// [`contrastive_learning`](Self::contrastive_learning) is the positive variant with β = 1: with the
/// squared error the output is clamped at the target, and `ĝ` is the gradient of
///
/// ```text
/// J = mean[ E(θ, x, s(1)) − E(θ, x, s(0)) ] ≥ 0
/// ```
///
/// which is 0 if the free output is the target; it may become negative if the two phases end in
/// different basins. This is also contrastive Hebbian learning (Movellan 1990), the limit `β → ∞` of
/// equilibrium propagation with an update that is not divided by β (Scellier & Bengio 2017, §4.1): as
/// long as the target is within the range of the output's activation, an unbounded nudge holds the
/// output at the target.
///
/// # Cost
/// One clamped relaxation per β other than 0, as one batch, with as many steps as a nudged phase; the
/// output layer does not move.
///
/// # When to choose it
/// To compare with physical networks, where holding a voltage is easier than injecting a current
/// in proportion to an error. Equilibrium propagation estimates the gradient better.
///
/// # Reference
/// Stern et al. (2021), <https://arxiv.org/abs/2011.03861>; Scellier et al. (2023),
/// <https://arxiv.org/abs/2312.15103>
#[derive(Debug, Clone)]
pub struct CoupledLearning<D = Scheme> {
    /// Displacement of the output, in units of `−∂C/∂o`. [`Nudging::validate_range`] checks it; no cost
    /// sets further limits, because the output is held.
    pub nudging: Nudging,
    /// Free phase.
    pub free: Relaxation<D>,
    /// Clamped phase.
    pub clamped: Relaxation<D>,
    signs: Streams,
}

impl<D: Dynamics> CoupledLearning<D> {
    /// Creates the estimator with the given phases. Random signs are drawn from seed 0.
    pub fn new(nudging: Nudging, free: Relaxation<D>, clamped: Relaxation<D>) -> Self {
        Self {
            nudging,
            free,
            clamped,
            signs: Streams::new(0),
        }
    }

    /// Creates contrastive learning: positive coupled learning with β = 1.
    pub fn contrastive_learning(free: Relaxation<D>, clamped: Relaxation<D>) -> Self {
        Self::new(Nudging::OneSided { beta: 1.0 }, free, clamped)
    }

    /// Sets the seed of the random signs.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.signs = Streams::new(seed);
        self
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for CoupledLearning<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    /// # Panics
    /// If β is out of range, see [`Nudging::validate_range`]; if the cost has [local](Cost::locals) ones, because
    /// layers that are not the output are not clamped.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        if let Err(error) = self.nudging.validate_range() {
            panic!("{error}");
        }
        assert!(
            network.cost.locals().is_empty(),
            "coupled learning clamps the output alone, but the cost has local ones of other layers: use equilibrium \
             propagation"
        );
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let sign = self.signs.sign(self.nudging);
        let (pairs, clamped) = free.pairs(self.nudging, sign, |betas| {
            let EquilibriumNetwork { energy, cost, .. } = &free.network;
            let (clamped, target, mut start) = free.copies(betas.len());
            let last = energy.layers().len() - 1;
            let beta = free.column(betas.iter().copied());
            let activation = energy.layers()[last].activation;
            let nudge = cost.nudge(&target, beta, activation);
            let moved = start.output().clone() + cost.force(&nudge, start.output());
            // An output that is a phase is clamped at a valid phase.
            let output = match activation {
                Activation::Phase => activation.apply(moved),
                _ => moved,
            };
            start.set(last, output.clone());
            let total = TotalEnergy::<E, C>::output_clamped(energy, &clamped, output);
            self.clamped.relax(&total, start)
        });
        let gradients = debug_span!("gradient").in_scope(|| free.gradients(&pairs));
        free.contrasted(gradients, clamped)
    }

    fn resume(&self, n_estimates: u64) {
        self.signs.resume(n_estimates);
    }
}
