//! Backpropagation through time.

use burn::module::Module;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, FreeEquilibrium, GradientEstimator};
use eqprop_train::network::{EquilibriumNetwork, FreePhase};
use tracing::debug_span;

use super::gradients;

/// Backpropagation through the steps of the free phase, by Burn's autodiff.
///
/// ```text
/// ĝ = d/dθ mean C(s_T),   s_{t+1} = step(θ, x, s_t)
/// ```
///
/// In its truncated form (TBP), the free phase runs without autodiff, and the gradient goes through `K` more
/// steps from its end. Memory grows with the number of steps that the gradient goes through.
///
/// # Reference
/// Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>
#[derive(Debug, Clone)]
pub struct Bptt<D = Scheme> {
    free: Relaxation<D>,
    truncated: Option<usize>,
}

impl<D: Dynamics> Bptt<D> {
    /// Backpropagates through the whole free phase.
    pub fn new(free: Relaxation<D>) -> Self {
        Self {
            free,
            truncated: None,
        }
    }

    /// Backpropagates through `n_steps` further steps from the end of the free phase.
    ///
    /// # Panics
    /// If `n_steps` is 0.
    pub fn truncated(free: Relaxation<D>, n_steps: usize) -> Self {
        assert!(n_steps > 0, "n_steps must be at least 1, but is 0");
        Self {
            free,
            truncated: Some(n_steps),
        }
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for Bptt<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        let network = &network.clone().train();
        let input = &batch.input.clone().without_autodiff();
        let through = debug_span!("free_phase").in_scope(|| match self.truncated {
            None => network.relax(&self.free, input, start),
            Some(n_steps) => {
                let free = network.valid().relax(&self.free, input, start);
                let more = Relaxation::steps(self.free.dynamics.clone(), n_steps);
                let through = network.relax(&more, input, Some(free.state));
                Relaxed {
                    n_steps: free.n_steps + n_steps,
                    tolerance: free.tolerance,
                    ..through
                }
            }
        });
        let gradients = debug_span!("gradient").in_scope(|| {
            let target = &batch.target.clone().without_autodiff();
            let cost = network.cost.summed_value(&through.state, target);
            gradients(cost.mean(), network)
        });
        FreeEquilibrium::at(network, batch, through).estimate(gradients, None)
    }
}
