//! What the output should be: costs and their nudges.

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
/// A cost may own parameters, such as a readout that is not part of the state; their gradient
/// is `∂C/∂θ` at the free equilibrium.
pub trait Cost: Module + ModuleDisplay {
    /// `βC` of a batch, with what depends only on target and β computed once.
    type Nudge;

    /// The cost of each example.
    ///
    /// # Shapes
    /// - `output`: `[batch, n_units]`, `target`: `[batch, n_classes]`, result: `[batch]`
    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1>;

    /// The scores of the classes: the largest is the prediction.
    ///
    /// `drive` is that of the output layer, which a clipped output is ranked by: units that are
    /// clipped to the same value would tie.
    ///
    /// # Shapes
    /// - `output` and `drive`: `[batch, n_units]`, result: `[batch, n_classes]`
    fn scores(&self, output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2>;

    /// Prepares `βC` on an output layer of the given activation.
    ///
    /// # Shapes
    /// - `target`: `[batch, n_classes]`, `beta`: `[batch, 1]` or `[1, 1]`; for
    ///   [`force`](Self::force) and [`minimize`](Self::minimize) alone also `[batch, n_units]`: what
    ///   acts on a unit is multiplied by its own β
    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, activation: Activation) -> Self::Nudge;

    /// `βC` of each example, `[batch]`.
    fn nudged_value(&self, nudge: &Self::Nudge, output: &Tensor<2>) -> Tensor<1>;

    /// The external force `−β ∂C/∂s_out`, `[batch, n_units]`.
    fn force(&self, nudge: &Self::Nudge, output: &Tensor<2>) -> Tensor<2>;

    /// A value of the output layer at which `G(s) − drive·s + βC(s)` is no higher than at
    /// `output`: its minimizer where there is a closed form, a [`mirror_step`] otherwise.
    fn minimize(
        &self,
        nudge: &Self::Nudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2>;

    /// Whether `E + βC` is bounded from below on an output layer of the given activation.
    ///
    /// # Errors
    /// Says why this β cannot be used.
    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError>;

    /// Whether `C` is a quadratic function of the output, so that its force is affine and goes on
    /// to complex outputs; see [`TotalEnergy::holomorphic`](crate::energy::TotalEnergy::holomorphic).
    fn is_quadratic(&self) -> bool {
        false
    }

    /// The nudge in numbers, if `C` is the squared error: for fast code.
    #[doc(hidden)]
    fn quadratic_nudge<'a>(&self, _nudge: &'a Self::Nudge) -> Option<QuadraticNudge<'a>> {
        None
    }

    /// Registers the batch mean of `∂C/∂θ` for the cost's own parameters, if it has any, in `gradients`.
    fn gradients(&self, _output: &Tensor<2>, _target: &Tensor<2>, _gradients: &mut Gradients) {}

    /// The same with each example's `C` times a weight of its own: what a cost with parameters has to have if it is to be
    /// [weighted](ClassWeighted).
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

    /// The costs of layers before the output, which are nudged along with it: none but of [`Intermediate`]. Of those that
    /// count nothing there is none.
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
/// Every potential has a curvature of at least 1, so `F` cannot rise as long as `γ ≥ 0` is at
/// least the largest curvature of `βC`; and its minimum is the only place where `s` stays. With
/// `γ = 0` this is the fixed-point step `s ← σ(drive − β ∂C/∂s)`.
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
