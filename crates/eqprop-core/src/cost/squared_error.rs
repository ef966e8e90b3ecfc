//! Squared error on the output units.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Cost;
use crate::{activation::Activation, error::ConfigError, gradients::Gradients};

/// The squared error `C = ½|s_out − y|²`, with the ½ (eq. 2 of Scellier & Bengio 2017).
///
/// The nudged output has an exact minimizer where the potential is `½s²`:
///
/// ```text
/// s_out = σ((drive + βy) / (1 + β))
/// ```
///
/// so it stays stable for any β > −1. With another potential `G` (sigmoid, tanh, softmax) the
/// step is one of mirror descent on `F` in the geometry of `G`, with the largest step size at
/// which `F` never rises: `1/(1 + γ)`, `γ = max(β, 0)`, because every such `G` has a curvature
/// of at least 1:
///
/// ```text
/// s_out ← σ((γ σ⁻¹(s_out) + drive + β(y − s_out)) / (1 + γ))
/// ```
#[derive(Module, Debug, Default)]
pub struct SquaredError;

/// A nudge by the squared error.
#[derive(Debug, Clone)]
pub struct SquaredErrorNudge {
    beta: Tensor<2>,
    target: Tensor<2>,
    /// `βy`.
    pull: Tensor<2>,
    /// `1/(1 + β)`.
    shrink: Tensor<2>,
}

impl SquaredErrorNudge {
    /// One step of mirror descent, see [`SquaredError`].
    fn mirror_step(&self, activation: Activation, drive: Tensor<2>, s: &Tensor<2>) -> Tensor<2> {
        let gamma = self.beta.clone().clamp_min(0.0);
        let held = activation.inverse(s.clone()) * gamma.clone();
        let force = self.pull.clone() - self.beta.clone() * s.clone();
        activation.apply((held + drive + force) / (gamma + 1.0))
    }
}

impl Cost for SquaredError {
    type Nudge = SquaredErrorNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        let error = output.clone() - target.clone();
        (error.clone() * error).sum_dim(1).squeeze_dim(1) * 0.5
    }

    fn scores(&self, output: &Tensor<2>) -> Tensor<2> {
        output.clone()
    }

    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>) -> SquaredErrorNudge {
        SquaredErrorNudge {
            pull: target.clone() * beta.clone(),
            shrink: (beta.clone() + 1.0).recip(),
            target: target.clone(),
            beta,
        }
    }

    fn nudged_value(&self, nudge: &SquaredErrorNudge, output: &Tensor<2>) -> Tensor<1> {
        let value = self.value(output, &nudge.target).unsqueeze_dim::<2>(1);
        (value * nudge.beta.clone()).squeeze_dim(1)
    }

    fn force(&self, nudge: &SquaredErrorNudge, output: &Tensor<2>) -> Tensor<2> {
        nudge.pull.clone() - output.clone() * nudge.beta.clone()
    }

    fn minimize(
        &self,
        nudge: &SquaredErrorNudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        if activation.is_quadratic() {
            activation.apply((drive + nudge.pull.clone()) * nudge.shrink.clone())
        } else {
            nudge.mirror_step(activation, drive, output)
        }
    }

    fn check_beta(&self, beta: f64) -> Result<(), ConfigError> {
        if beta > -1.0 {
            Ok(())
        } else {
            Err(ConfigError::Unbounded { beta })
        }
    }

    fn gradients(&self, _output: &Tensor<2>, _target: &Tensor<2>, _gradients: &mut Gradients) {}
}
