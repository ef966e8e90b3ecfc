//! A linear cost with a given slope.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Cost;
use crate::{activation::Activation, error::ConfigError};

/// The linear cost `C = ⟨g, s_out⟩`, whose slope `g` takes the place of the target.
///
/// With `g = ∂L/∂s_out` at the free equilibrium it equals, to first order, a loss `L` of whatever
/// follows the output: `dC/dθ = dL/dθ` there, and its nudge is a constant force `−βg`. The nudged
/// output has an exact minimizer for every activation:
///
/// ```text
/// s_out = σ(drive − βg)
/// ```
#[derive(Module, Debug, Default)]
pub struct LinearCost;

/// A nudge by a [`LinearCost`].
#[derive(Debug, Clone)]
pub struct LinearNudge {
    /// `−βg`.
    force: Tensor<2>,
}

impl Cost for LinearCost {
    type Nudge = LinearNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        (output.clone() * target.clone()).sum_dim(1).squeeze_dim(1)
    }

    /// The drive: the classes, if there are any, belong to whatever follows the output.
    fn scores(&self, _output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2> {
        drive.clone()
    }

    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, _activation: Activation) -> LinearNudge {
        LinearNudge {
            force: (target.clone() * beta).neg(),
        }
    }

    fn nudged_value(&self, nudge: &LinearNudge, output: &Tensor<2>) -> Tensor<1> {
        self.value(output, &nudge.force).neg()
    }

    fn force(&self, nudge: &LinearNudge, _output: &Tensor<2>) -> Tensor<2> {
        nudge.force.clone()
    }

    fn minimize(
        &self,
        nudge: &LinearNudge,
        activation: Activation,
        drive: Tensor<2>,
        _output: &Tensor<2>,
    ) -> Tensor<2> {
        activation.apply(drive + nudge.force.clone())
    }

    fn check_beta(&self, _beta: f64, _activation: Activation) -> Result<(), ConfigError> {
        // Every potential outgrows a linear function, or its range is bounded.
        Ok(())
    }

    fn is_quadratic(&self) -> bool {
        true
    }
}
