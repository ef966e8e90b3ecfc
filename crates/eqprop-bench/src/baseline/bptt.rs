//! Backpropagation through time.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::Energy;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;
use tracing::debug_span;

use super::{detached, estimate, relax_free};

/// Backpropagation through the steps of the free phase, by Burn's autodiff.
///
/// ```text
/// ĝ = d/dθ mean C(s_T),   s_{t+1} = step(θ, x, s_t)
/// ```
///
/// Truncated (TBP), the free phase runs without autodiff, and the gradient goes through `K` more
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
    /// Through the whole free phase.
    pub fn new(free: Relaxation<D>) -> Self {
        Self {
            free,
            truncated: None,
        }
    }

    /// Through `n_steps` more steps from the end of the free phase.
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

impl<E: Energy, C: Cost, D: Dynamics> GradientEstimator<E, C> for Bptt<D> {
    fn infer(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        start: Option<State>,
    ) -> Relaxed {
        relax_free(&self.free, network, input, start)
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        let network = &network.clone().train();
        let batch = &detached(batch);
        let through = debug_span!("free_phase").in_scope(|| match self.truncated {
            None => relax_free(&self.free, network, &batch.input, start),
            Some(n_steps) => {
                let free = relax_free(&self.free, &network.valid(), &batch.input, start);
                let more = Relaxation::steps(self.free.dynamics.clone(), n_steps);
                let through = relax_free(&more, network, &batch.input, Some(free.state));
                Relaxed {
                    n_steps: free.n_steps + n_steps,
                    tolerance: free.tolerance,
                    ..through
                }
            }
        });
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.value(through.state.output(), &batch.target);
            GradientsParams::from_grads(cost.mean().backward(), network)
        });
        estimate(network, batch, through, None, gradients)
    }
}
