//! Squared error on the output units.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Cost, QuadraticNudge, mirror_step};
use crate::{activation::Activation, error::ConfigError};

/// The squared error `C = ½|s_out − y|²`, with the ½ (eq. 2 of Scellier & Bengio 2017).
///
/// The nudged output has an exact minimizer where the potential is `½s²`:
///
/// ```text
/// s_out = σ((drive + βy) / (1 + β))
/// ```
///
/// so it is stable for arbitrarily large β. For β ≤ −1 `F` is concave in the output: on a layer with a
/// largest value the minimizer is then the better end of the range; on a layer without one `F` has no
/// minimum and β is refused. With another potential `G` (sigmoid, tanh, softmax) the step is one of
/// mirror descent, which never raises `F`:
///
/// ```text
/// s_out ← σ((γ σ⁻¹(s_out) + drive + β(y − s_out)) / (1 + γ)),   γ = max(β, 0)
/// ```
#[derive(Module, Debug, Default)]
pub struct SquaredError;

/// Curvatures `1 + β` below this count as flat: the drive alone decides.
const FLATTEST: f64 = 1e-6;

/// A nudge by the squared error.
#[derive(Debug, Clone)]
pub struct SquaredErrorNudge {
    beta: Tensor<2>,
    target: Tensor<2>,
    /// Offset added to the drive for the minimizer: `βy`, plus half the concavity times the range where
    /// β ≤ −1, so that the sign says which end is better.
    offset: Tensor<2>,
    /// `1/(1 + β)`, or a number that takes any drive to an end of the range where β ≤ −1.
    shrink: Tensor<2>,
}

impl Cost for SquaredError {
    type Nudge = SquaredErrorNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        let error = output.clone() - target.clone();
        (error.clone() * error).sum_dim(1).squeeze_dim(1) * 0.5
    }

    /// The drive, which ranks the units as the output does unless that is clipped.
    fn scores(&self, _output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2> {
        drive.clone()
    }

    fn nudge(
        &self,
        target: &Tensor<2>,
        beta: Tensor<2>,
        activation: Activation,
    ) -> SquaredErrorNudge {
        let pull = target.clone() * beta.clone();
        let curvature = beta.clone() + 1.0;
        let offset = if activation.max().is_finite() {
            pull - curvature.clone().clamp_max(0.0) * (0.5 * activation.max())
        } else {
            pull
        };
        SquaredErrorNudge {
            offset,
            shrink: curvature.clamp_min(FLATTEST).recip(),
            target: target.clone(),
            beta,
        }
    }

    fn nudged_value(&self, nudge: &SquaredErrorNudge, output: &Tensor<2>) -> Tensor<1> {
        let value = self.value(output, &nudge.target).unsqueeze_dim::<2>(1);
        (value * nudge.beta.clone()).squeeze_dim(1)
    }

    fn force(&self, nudge: &SquaredErrorNudge, output: &Tensor<2>) -> Tensor<2> {
        (nudge.target.clone() - output.clone()) * nudge.beta.clone()
    }

    fn minimize(
        &self,
        nudge: &SquaredErrorNudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        if activation.is_quadratic() {
            activation.apply((drive + nudge.offset.clone()) * nudge.shrink.clone())
        } else {
            let gamma = nudge.beta.clone().clamp_min(0.0);
            mirror_step(activation, &gamma, drive, self.force(nudge, output), output)
        }
    }

    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError> {
        if beta > -1.0 || activation.max().is_finite() {
            Ok(())
        } else {
            Err(ConfigError::Unbounded { beta })
        }
    }

    fn is_quadratic(&self) -> bool {
        true
    }

    fn quadratic_nudge<'a>(&self, nudge: &'a SquaredErrorNudge) -> Option<QuadraticNudge<'a>> {
        Some(QuadraticNudge {
            beta: &nudge.beta,
            target: &nudge.target,
            offset: &nudge.offset,
            shrink: &nudge.shrink,
        })
    }
}
