//! What a system moves in.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::pair::Pair;
use crate::gradients::Gradients;

/// A potential energy `V(θ, y, u)` of positions `y`, given an input `u`.
///
/// A potential owns its parameters θ as a Burn [`Module`] and never changes them. All of its methods are closed forms
/// of one function `V`: a gradient is as right as they agree.
pub trait Potential: Module + ModuleDisplay {
    /// The parameters as every step reads them, such as transposed weights.
    type Prepared;

    /// What an input contributes to every step in which it is held.
    type Held;

    /// What was computed for the forces on a pair and is of use to the [contrast](Self::contrast).
    type Slopes;

    /// Values of an input.
    fn n_inputs(&self) -> usize;

    /// Units that move.
    fn n_units(&self) -> usize;

    /// Prepares the parameters, once for a course.
    fn prepare(&self) -> Self::Prepared;

    /// Holds an input.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn hold(&self, prepared: &Self::Prepared, input: &Tensor<2>) -> Self::Held;

    /// `V` of each example.
    ///
    /// # Shapes
    /// - `position`: `[batch, n_units]`, result: `[batch]`
    fn value(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        position: &Tensor<2>,
    ) -> Tensor<1>;

    /// The force `−∂V/∂y`, `[batch, n_units]`. On autodiff it is differentiable.
    fn force(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        position: &Tensor<2>,
    ) -> Tensor<2>;

    /// The [forces](Self::force) on both of a pair.
    ///
    /// `positions.map(|y| self.force(prepared, held, &y))` is always right; a closed form of the difference loses no
    /// digits, so that [ε](super::HamiltonianEcho) may be small in `f32` too.
    fn force_pair(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        positions: &Pair,
    ) -> (Pair, Self::Slopes);

    /// `scale · Σ [∂V/∂θ(first) − ∂V/∂θ(second)]` for every parameter, over the examples of all `visits`.
    fn contrast(
        &self,
        prepared: &Self::Prepared,
        visits: &[Visit<Self::Slopes>],
        scale: f64,
    ) -> Gradients;

    /// `scale · [∂V/∂u(first) − ∂V/∂u(second)]` of each example, `[batch, n_inputs]`.
    fn input_contrast(
        &self,
        prepared: &Self::Prepared,
        visit: &Visit<Self::Slopes>,
        scale: f64,
    ) -> Tensor<2>;
}

/// Where a pair was when it was pushed.
#[derive(Debug, Clone)]
pub struct Visit<S> {
    /// The input that was held, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// Where the force was taken.
    pub positions: Pair,
    /// What [`Potential::force_pair`] computed there.
    pub slopes: S,
}
