//! Costs and their nudges.

mod any;
mod class_weighted;
mod cross_entropy;
mod intermediate;
mod linear;
mod phase_error;
mod squared_error;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use crate::{activation::Activation, error::ConfigError, gradients::Gradients, state::State};
pub use any::{AnyCost, CostConfig};
pub use class_weighted::ClassWeighted;
pub use cross_entropy::{CrossEntropy, CrossEntropyConfig};
pub use intermediate::{Intermediate, LocalCost};
pub use linear::LinearCost;
pub use phase_error::PhaseError;
pub use squared_error::SquaredError;

use crate::fused::QuadraticNudge;

/// A cost `C(s_out, y)` per example, and how `βC` acts on the output layer.
///
/// A cost may have parameters of its own, such as a readout that is not part of the state; their
/// gradient is `∂C/∂θ` at the free equilibrium.
pub trait Cost: Module + ModuleDisplay {
    /// `βC` for a batch, with everything that depends only on target and β computed once.
    type Nudge;

    /// Computes the cost of each example.
    ///
    /// # Shapes
    /// - `output`: `[batch, n_units]`, `target`: `[batch, n_classes]`, result: `[batch]`
    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1>;

    /// Computes the scores of the classes: the largest is the prediction.
    ///
    /// `drive` is the drive of the output layer. A clipped output is ranked by it, because units that
    /// are clipped to the same value would tie.
    ///
    /// # Shapes
    /// - `output` and `drive`: `[batch, n_units]`, result: `[batch, n_classes]`
    fn scores(&self, output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2>;

    /// Prepares `βC` for an output layer with the given activation.
    ///
    /// # Shapes
    /// - `target`: `[batch, n_classes]`, `beta`: `[batch, 1]` or `[1, 1]`; for [`force`](Self::force)
    ///   and [`minimize`](Self::minimize) alone also `[batch, n_units]`, with a β for each unit
    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, activation: Activation) -> Self::Nudge;

    /// Computes `βC` of each example, `[batch]`.
    fn nudged_value(&self, nudge: &Self::Nudge, output: &Tensor<2>) -> Tensor<1>;

    /// Computes the external force `−β ∂C/∂s_out`, `[batch, n_units]`.
    fn force(&self, nudge: &Self::Nudge, output: &Tensor<2>) -> Tensor<2>;

    /// Returns an output at which `G(s) − drive·s + βC(s)` is no higher than at `output`: its minimizer
    /// if there is a closed form, the result of a [`mirror_step`] otherwise.
    fn minimize(
        &self,
        nudge: &Self::Nudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2>;

    /// Checks that `E + βC` is bounded from below for an output layer with the given activation.
    ///
    /// # Errors
    /// If it is not; the error says why this β cannot be used.
    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError>;

    /// Returns whether `C` is at most quadratic in the output, so that its force is affine and extends
    /// to complex outputs; see [`TotalEnergy::holomorphic`](crate::energy::TotalEnergy::holomorphic).
    fn is_quadratic(&self) -> bool {
        false
    }

    /// Returns the numbers of the nudge for fast code, if `C` is the squared error.
    #[doc(hidden)]
    fn quadratic_nudge<'a>(&self, _nudge: &'a Self::Nudge) -> Option<QuadraticNudge<'a>> {
        None
    }

    /// Registers the batch mean of `∂C/∂θ` for the cost's own parameters, if it has any, in `gradients`.
    fn gradients(&self, _output: &Tensor<2>, _target: &Tensor<2>, _gradients: &mut Gradients) {}

    /// Registers the same with the `C` of each example multiplied by a weight. A cost with parameters must
    /// implement this to be [weighted](ClassWeighted).
    ///
    /// # Shapes
    /// - `weights`: `[batch, 1]`
    fn weighted_gradients(
        &self,
        _output: &Tensor<2>,
        _target: &Tensor<2>,
        _weights: &Tensor<2>,
        _gradients: &mut Gradients,
    ) {
    }

    /// Local costs of layers before the output, nudged along with it. Empty unless the cost is or contains an
    /// [`Intermediate`]; costs of weight 0 are left out.
    fn locals(&self) -> Vec<LocalCost> {
        Vec::new()
    }

    /// The cost of each example whose gradient equilibrium propagation estimates: [`value`](Self::value) of the output,
    /// plus the [local](Self::locals) costs. `[batch]`
    ///
    /// # Shapes
    /// - `target`: `[batch, n_classes]`
    fn summed_value(&self, state: &State, target: &Tensor<2>) -> Tensor<1> {
        let value = self.value(state.output(), target);
        let add = |sum, local: LocalCost| sum + local.value(state.layer(local.layer()), target);
        self.locals().into_iter().fold(value, add)
    }

    /// Registers the batch mean of the slopes of [`summed_value`](Self::summed_value) in the cost's own parameters, readouts
    /// of local costs included.
    fn summed_gradients(&self, state: &State, target: &Tensor<2>, gradients: &mut Gradients) {
        self.gradients(state.output(), target, gradients);
        for local in self.locals() {
            local.gradients(state.layer(local.layer()), target, gradients);
        }
    }
}

/// One step of mirror descent on `F(s) = G(s) − drive·s + βC(s)` in the geometry of `G`:
///
/// ```text
/// s ← σ((γ σ⁻¹(s) + drive − β ∂C/∂s) / (1 + γ))
/// ```
///
/// Every potential has a curvature of at least 1, so `F` cannot rise as long as `γ ≥ 0` is at least the
/// largest curvature of `βC`; and `s` stays only at its minimum. With `γ = 0` this is the fixed-point
/// step `s ← σ(drive − β ∂C/∂s)`.
///
/// # Shapes
/// - `gamma`: as β in [`Cost::nudge`], the rest `[batch, n_units]`
fn mirror_step(
    activation: Activation,
    gamma: &Tensor<2>,
    drive: Tensor<2>,
    force: Tensor<2>,
    output: &Tensor<2>,
) -> Tensor<2> {
    let held = activation.inverse(output.clone()) * gamma.clone();
    activation.apply((held + drive + force) / (gamma.clone() + 1.0))
}
