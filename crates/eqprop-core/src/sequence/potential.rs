//! The potential in which a system moves.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::pair::Pair;
use crate::gradients::Gradients;

/// A potential energy `V(θ, y, u)` of positions `y`, given an input `u`.
///
/// A potential owns its parameters θ as a Burn [`Module`] and never changes them. All of its methods are
/// closed forms of one function `V`: a gradient is only as correct as they agree.
pub trait Potential: Module + ModuleDisplay {
    /// The parameters as every step uses them, such as transposed weights.
    type Prepared;

    /// The contribution of an input to every step for which it is held.
    type Held;

    /// Intermediate results of the forces on a pair that the [contrast](Self::contrast) reuses.
    type Slopes;

    /// Returns the number of values of an input.
    fn n_inputs(&self) -> usize;

    /// Returns the number of units that move.
    fn n_units(&self) -> usize;

    /// Prepares the parameters, once for a trajectory.
    fn prepare(&self) -> Self::Prepared;

    /// Prepares an input for the steps for which it is held.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn hold(&self, prepared: &Self::Prepared, input: &Tensor<2>) -> Self::Held;

    /// Computes `V` of each example.
    ///
    /// # Shapes
    /// - `position`: `[batch, n_units]`, result: `[batch]`
    fn value(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        position: &Tensor<2>,
    ) -> Tensor<1>;

    /// Computes the force `−∂V/∂y`, `[batch, n_units]`. On autodiff it is differentiable.
    fn force(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        position: &Tensor<2>,
    ) -> Tensor<2>;

    /// Computes the [forces](Self::force) on both states of a pair.
    ///
    /// `positions.map(|y| self.force(prepared, held, &y))` is always correct; a closed form of the difference
    /// loses no digits, so that [ε](super::HamiltonianEcho) may be small even in `f32`.
    fn force_pair(
        &self,
        prepared: &Self::Prepared,
        held: &Self::Held,
        positions: &Pair,
    ) -> (Pair, Self::Slopes);

    /// Computes `scale · Σ [∂V/∂θ(first) − ∂V/∂θ(second)]` for every parameter, over the examples of all
    /// `visits`.
    fn contrast(
        &self,
        prepared: &Self::Prepared,
        visits: &[Visit<Self::Slopes>],
        scale: f64,
    ) -> Gradients;

    /// Computes `scale · [∂V/∂u(first) − ∂V/∂u(second)]` of each example, `[batch, n_inputs]`.
    fn input_contrast(
        &self,
        prepared: &Self::Prepared,
        visit: &Visit<Self::Slopes>,
        scale: f64,
    ) -> Tensor<2>;
}

/// An evaluation of the forces on a pair.
#[derive(Debug, Clone)]
pub struct Visit<S> {
    /// The input that was held, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// The positions at which the forces were evaluated.
    pub positions: Pair,
    /// The slopes that [`Potential::force_pair`] returned there.
    pub slopes: S,
}
