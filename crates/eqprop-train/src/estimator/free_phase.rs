//! What all estimators begin and end with.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::{Difference, Nudging};
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed};
use eqprop_core::state::State;
use tracing::debug_span;

use super::{Estimate, into_params};
use crate::batch::Batch;
use crate::network::EquilibriumNetwork;

/// A batch at its free equilibrium, with network and batch outside autodiff.
pub(crate) struct FreePhase<E: VectorField, C: Cost> {
    pub network: EquilibriumNetwork<E, C>,
    pub input: Tensor<2>,
    pub target: Tensor<2>,
    pub clamped: E::Clamped,
    pub relaxed: Relaxed,
}

/// Several copies of a free phase, one after the other along the batch axis: relaxed as one batch,
/// they read the weights once.
pub(crate) struct Copies<E: VectorField> {
    pub clamped: E::Clamped,
    pub target: Tensor<2>,
    pub start: State,
}

/// Two equilibria, and the weight of their difference in an estimate.
pub(crate) struct Pair {
    pub first: State,
    pub second: State,
    pub weight: f64,
}

impl<E: VectorField, C: Cost> FreePhase<E, C> {
    /// Relaxes `batch` freely.
    pub fn run<D: Dynamics>(
        relaxation: &Relaxation<D>,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Self {
        // On an autodiff device every step of the relaxation would record a graph.
        let network = network.valid();
        let input = batch.input.clone().without_autodiff();
        let target = batch.target.clone().without_autodiff();
        let (clamped, relaxed) = debug_span!("free_phase").in_scope(|| {
            let clamped = network.energy.clamp(&input);
            let relaxed = network.relax_clamped(relaxation, &input, &clamped, start);
            (clamped, relaxed)
        });
        Self {
            network,
            input,
            target,
            clamped,
            relaxed,
        }
    }

    /// The free equilibrium.
    pub fn state(&self) -> &State {
        &self.relaxed.state
    }

    /// `n` copies.
    pub fn copies(&self, n: usize) -> Copies<E> {
        Copies {
            clamped: self.network.energy.repeat(&self.clamped, n),
            target: self.target.clone().repeat_dim(0, n),
            start: self.state().repeat(n),
        }
    }

    /// Each of `values` for a whole batch, one after the other: `[values · batch, 1]`.
    pub fn column(&self, values: impl IntoIterator<Item = f64>) -> Tensor<2> {
        let batch = self.state().batch_size();
        let like = (&self.target.device(), self.target.dtype());
        let values = values.into_iter();
        let columns = values.map(|value| Tensor::full([batch, 1], value, like));
        Tensor::cat(columns.collect(), 0)
    }

    /// The equilibria that the [differences](Nudging::differences) of `nudging` contrast, and the
    /// second phase. `relax` takes copies of the batch to the equilibria at the given nudging
    /// factors, in their order.
    pub fn pairs(
        &self,
        nudging: Nudging,
        sign: f64,
        relax: impl FnOnce(&[f64]) -> Relaxed,
    ) -> (Vec<Pair>, Relaxed) {
        let differences = nudging.differences(sign);
        let both = differences.iter().flat_map(|d| [d.first, d.second]);
        let betas: Vec<f64> = both.filter(|&beta| beta != 0.0).collect();
        let second_phase = debug_span!("second_phase").in_scope(|| relax(&betas));

        let batch = self.state().batch_size();
        let mut copies = (0..).map(|n| second_phase.state.narrow(n * batch, batch));
        let mut at = |beta: f64| match beta {
            0.0 => self.state().clone(),
            _ => copies
                .next()
                .expect("copies are counted from 0 without end"),
        };
        let pair = |difference: &Difference| Pair {
            first: at(difference.first),
            second: at(difference.second),
            weight: difference.weight,
        };
        (differences.iter().map(pair).collect(), second_phase)
    }

    /// The gradient of the energy's parameters that `pairs` make together.
    pub fn gradients(&self, pairs: &[Pair]) -> Gradients {
        let (energy, clamped) = (&self.network.energy, &self.clamped);
        let mut gradients = Gradients::new();
        for Pair {
            first,
            second,
            weight,
        } in pairs
        {
            let term = energy.contrast(clamped, first, second, *weight);
            gradients.add(&term, energy);
        }
        gradients
    }

    /// The gradient of [`pairs`](Self::pairs), and the second phase.
    pub fn contrast(
        &self,
        nudging: Nudging,
        sign: f64,
        relax: impl FnOnce(&[f64]) -> Relaxed,
    ) -> (Gradients, Relaxed) {
        let (pairs, second_phase) = self.pairs(nudging, sign, relax);
        let gradients = debug_span!("gradient").in_scope(|| self.gradients(&pairs));
        (gradients, second_phase)
    }

    /// The gradients of the energy's parameters with those of the cost's, which are `∂C/∂θ` at the
    /// free equilibrium, and what was measured there.
    pub fn estimate(self, mut gradients: Gradients, second_phase: Relaxed) -> Estimate {
        let EquilibriumNetwork { energy, cost, .. } = &self.network;
        let s = self.state();
        cost.gradients(s.output(), &self.target, &mut gradients);
        Estimate {
            gradients: into_params(&gradients, &self.network),
            energy: energy.energy_of(&self.clamped, s),
            cost: cost.value(s.output(), &self.target),
            scores: self.network.scores(&self.clamped, s),
            second_phase: Some(second_phase),
            free: self.relaxed,
        }
    }
}
