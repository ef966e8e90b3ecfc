//! Backpropagation through a sequence.

use burn::module::Module;
use eqprop_core::cost::Cost;
use eqprop_core::sequence::Potential;
use eqprop_train::batch::Batch;
use eqprop_train::sequence::{SequenceEstimate, SequenceEstimator, SequenceNetwork};
use tracing::debug_span;

use super::gradients;

/// Backpropagation through every step of a sequence, by Burn's autodiff: the limit of
/// [`HamiltonianEcho`](eqprop_core::sequence::HamiltonianEcho) as ε → 0.
///
/// ```text
/// ĝ = d/dθ mean L(y_1 … y_T),   (y, z) ← leapfrog(θ, u_t, y, z)
/// ```
///
/// Memory grows with the number of steps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SequenceBptt;

impl<P: Potential, C: Cost> SequenceEstimator<P, C> for SequenceBptt {
    fn estimate(&self, network: &SequenceNetwork<P, C>, batch: &Batch) -> SequenceEstimate {
        let network = &network.clone().train();
        let inputs = network.sequences(&batch.input.clone().without_autodiff());
        let target = network.targets(&batch.target.clone().without_autodiff(), inputs.dims()[1]);
        let course = debug_span!("free_phase").in_scope(|| network.run(inputs));
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.value(&course.output, &target);
            gradients(cost.mean(), network)
        });
        let cost = &network.valid().cost;
        SequenceEstimate::new(gradients, cost, course.output, target, None)
    }
}
