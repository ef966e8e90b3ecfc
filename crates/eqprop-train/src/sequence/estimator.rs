//! Gradient estimators for sequences.

use core::fmt::Debug;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::Cost;
use eqprop_core::gradients::Gradients;
use eqprop_core::sequence::{Course, HamiltonianEcho, LossSlopes, Potential};
use tracing::debug_span;

use super::network::{SequenceCourse, SequenceNetwork, Supervision};
use crate::batch::Batch;
use crate::estimator::into_params;

/// An estimator of the gradient of the batch mean of the loss.
pub trait SequenceEstimator<P: Potential, C: Cost>: Debug + Send + Sync {
    /// Estimates the gradient for a batch of sequences, [one per row](SequenceNetwork::sequences). The
    /// parameters may be on an autodiff device.
    fn estimate(&self, network: &SequenceNetwork<P, C>, batch: &Batch) -> SequenceEstimate;
}

/// A gradient estimate, and measurements made along the way. A row is an example, or one of its inputs if
/// every position is supervised.
#[derive(Debug)]
pub struct SequenceEstimate {
    /// Gradient of the batch mean of the loss, for any Burn optimizer.
    pub gradients: GradientsParams,
    /// Cost of each row, `[rows]`.
    pub cost: Tensor<1>,
    /// Class scores, `[rows, n_classes]`.
    pub scores: Tensor<2>,
    /// Supervised positions, `[rows, n_units]`.
    pub output: Tensor<2>,
    /// Target output, `[rows, n_outputs]`.
    pub target: Tensor<2>,
    /// Distance by which the echo missed its start, the largest over all systems, `[batch]`; `None` without
    /// an echo.
    pub residual: Option<Tensor<1>>,
}

impl SequenceEstimate {
    /// Combines gradients with the measurements of a forward pass, which may be on autodiff and are detached
    /// here.
    pub fn new<C: Cost>(
        gradients: GradientsParams,
        cost: &C,
        output: Tensor<2>,
        target: Tensor<2>,
        residual: Option<Tensor<1>>,
    ) -> Self {
        let (output, target) = (output.without_autodiff(), target.without_autodiff());
        Self {
            gradients,
            cost: cost.value(&output, &target),
            scores: cost.scores(&output, &output),
            output,
            target,
            residual,
        }
    }
}

/// Returns `∂C/∂y` of each row, from the force of a nudge with β = 1.
fn slopes<C: Cost>(cost: &C, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<2> {
    let options = (&output.device(), output.dtype());
    let nudge = cost.nudge(target, Tensor::ones([1, 1], options), Activation::Identity);
    cost.force(&nudge, output).neg()
}

/// Records no graph. A system that drives another is kept with the positions by which it drives it.
impl<P: Potential, C: Cost> SequenceEstimator<P, C> for HamiltonianEcho {
    fn estimate(&self, network: &SequenceNetwork<P, C>, batch: &Batch) -> SequenceEstimate {
        let network = network.valid();
        let inputs = network.sequences(&batch.input.clone().without_autodiff());
        let [n_examples, n_steps, _] = inputs.dims();
        let target = network.targets(&batch.target.clone().without_autodiff(), n_steps);
        let course = debug_span!("free_phase").in_scope(|| network.run(inputs));
        let SequenceCourse {
            inputs,
            ends,
            output,
        } = course;

        let mut gradients = Gradients::new();
        network.cost.gradients(&output, &target, &mut gradients);
        let slope = slopes(&network.cost, &output, &target);
        let mut slopes = match network.supervision() {
            Supervision::AtEnd => LossSlopes::AtEnd(slope),
            Supervision::AtEveryInput => {
                let n_units = slope.dims()[1];
                let slopes = slope.reshape([n_examples, n_steps, n_units]);
                LossSlopes::AtEveryInput(slopes * (1.0 / n_steps as f64))
            }
        };
        let mut residual: Option<Tensor<1>> = None;
        debug_span!("second_phase").in_scope(|| {
            let courses = inputs.iter().zip(ends).zip(&network.systems).enumerate();
            for (index, ((inputs, [start, end]), system)) in courses.rev() {
                let course = Course { inputs, start, end };
                let echo = match index {
                    0 => self.retrace(system, &course, &slopes),
                    _ => self.retrace_with_inputs(system, &course, &slopes),
                };
                gradients.add(&echo.gradients, system);
                residual = Some(match residual.take() {
                    Some(largest) => largest.max_pair(echo.residual),
                    None => echo.residual,
                });
                if let Some(below) = echo.input_slopes {
                    slopes = LossSlopes::AtEveryInput(below);
                }
            }
        });
        let gradients = debug_span!("gradient").in_scope(|| into_params(&gradients, &network));
        SequenceEstimate::new(gradients, &network.cost, output, target, residual)
    }
}
