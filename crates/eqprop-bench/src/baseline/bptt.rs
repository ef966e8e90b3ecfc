//! Backpropagation through time.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;
use tracing::debug_span;

use super::{detached, estimate, measure};

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

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for Bptt<D> {
    fn infer(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        start: Option<State>,
    ) -> Relaxed {
        network.relax(&self.free, input, start)
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
            None => network.relax(&self.free, &batch.input, start),
            Some(n_steps) => {
                let free = network.valid().relax(&self.free, &batch.input, start);
                let more = Relaxation::steps(self.free.dynamics.clone(), n_steps);
                let through = network.relax(&more, &batch.input, Some(free.state));
                Relaxed {
                    n_steps: free.n_steps + n_steps,
                    tolerance: free.tolerance,
                    ..through
                }
            }
        });
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.value(through.state.output(), &batch.target);
            gradients(cost.mean(), network)
        });
        estimate(network, batch, through, None, gradients, measure)
    }
}

/// The gradient of `objective` for every parameter of `network` that is trained, 0 where it does
/// not depend on one: a single synchronous step does not reach the layers below the last.
pub(super) fn gradients<M: Module>(objective: Tensor<1>, network: &M) -> GradientsParams {
    struct Zeros(GradientsParams);

    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if parameter.is_require_grad() && self.0.get::<D>(parameter.id).is_none() {
                let zeros = parameter.val().without_autodiff().zeros_like();
                self.0.register(parameter.id, zeros);
            }
        }
    }

    let found = GradientsParams::from_grads(objective.backward(), network);
    let mut zeros = Zeros(found);
    network.visit(&mut zeros);
    zeros.0
}
