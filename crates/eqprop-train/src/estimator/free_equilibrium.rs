//! Common first and last steps of all estimators.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::{Difference, Nudging};
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;
use tracing::debug_span;

use super::{Estimate, detached, into_params};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// A batch at its free equilibrium, with network and batch outside autodiff.
pub struct FreeEquilibrium<E: VectorField, C: Cost> {
    /// Network outside autodiff.
    pub network: EquilibriumNetwork<E, C>,
    /// Input, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// Target output, `[batch, n_classes]`.
    pub target: Tensor<2>,
    /// Clamped input.
    pub clamped: E::Clamped,
    /// Result of the free phase.
    pub relaxed: Relaxed,
}

/// Two equilibria, and the weight of their difference in an estimate.
pub(crate) struct Pair {
    pub first: State,
    pub second: State,
    pub weight: f64,
}

impl<E: VectorField, C: Cost> FreeEquilibrium<E, C> {
    /// Relaxes `batch` to its free equilibrium, from `start` or else from [`EquilibriumNetwork::start`].
    pub fn find(
        phase: &dyn FreePhase<E, C>,
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
            let relaxed = phase.run(&network, &input, &clamped, start);
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

    /// Uses the result of a free phase that was run elsewhere, possibly on autodiff.
    pub fn at(network: &EquilibriumNetwork<E, C>, batch: &Batch, relaxed: Relaxed) -> Self {
        let network = network.valid();
        let input = batch.input.clone().without_autodiff();
        Self {
            clamped: network.energy.clamp(&input),
            network,
            input,
            target: batch.target.clone().without_autodiff(),
            relaxed: detached(relaxed),
        }
    }

    /// Returns the state at the free equilibrium.
    pub fn state(&self) -> &State {
        &self.relaxed.state
    }

    /// Returns `n` copies of the clamped input, the target and the state, one after the other along the
    /// batch axis: relaxed as one batch, they read the weights once.
    pub(crate) fn copies(&self, n: usize) -> (E::Clamped, Tensor<2>, State) {
        let clamped = self.network.energy.repeat(&self.clamped, n);
        let target = self.target.clone().repeat_dim(0, n);
        (clamped, target, self.state().repeat(n))
    }

    /// Returns a column of each of `values` repeated for a whole batch: `[values · batch, 1]`.
    pub(crate) fn column(&self, values: impl IntoIterator<Item = f64>) -> Tensor<2> {
        let batch = self.state().batch_size();
        let like = (&self.target.device(), self.target.dtype());
        let values = values.into_iter();
        let columns = values.map(|value| Tensor::full([batch, 1], value, like));
        Tensor::cat(columns.collect(), 0)
    }

    /// Returns the equilibria that the [differences](Nudging::differences) of `nudging` contrast, and the
    /// second phase. `relax` relaxes copies of the batch to the equilibria at the given nudging factors, in
    /// their order.
    pub(crate) fn pairs(
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

    /// Returns the gradient of the energy's parameters from all `pairs`.
    pub(crate) fn gradients(&self, pairs: &[Pair]) -> Gradients {
        self.gradients_by(pairs, E::contrast)
    }

    /// Like [`gradients`](Self::gradients), with `contrast` of two states and a scale.
    pub(crate) fn gradients_by(
        &self,
        pairs: &[Pair],
        contrast: impl Fn(&E, &E::Clamped, &State, &State, f64) -> Gradients,
    ) -> Gradients {
        let (energy, clamped) = (&self.network.energy, &self.clamped);
        let of = |pair: &Pair| contrast(energy, clamped, &pair.first, &pair.second, pair.weight);
        let mut terms = pairs.iter().map(of);
        let mut gradients = terms.next().unwrap_or_default();
        terms.for_each(|term| gradients.add(&term, energy));
        gradients
    }

    /// Combines the gradients of the energy's parameters with those of the cost's, which are `∂C/∂θ` at the
    /// free equilibrium, and with the measurements made there.
    pub(crate) fn contrasted(self, mut gradients: Gradients, second_phase: Relaxed) -> Estimate {
        let cost = &self.network.cost;
        cost.summed_gradients(self.state(), &self.target, &mut gradients);
        // This forms the products.
        let gradients = || into_params(&gradients, &self.network);
        let gradients = debug_span!("gradient").in_scope(gradients);
        self.estimate(gradients, Some(second_phase))
    }

    /// Combines the gradients of all parameters with the measurements at the free equilibrium.
    pub fn estimate(self, gradients: GradientsParams, second_phase: Option<Relaxed>) -> Estimate {
        let network = &self.network;
        let energy = network.energy.energy_of(&self.clamped, self.state());
        let drive = network.output_drive(&self.clamped, self.state());
        let judged = (&network.cost, &self.target);
        Estimate::new(gradients, self.relaxed, second_phase, judged, energy, drive)
    }
}
