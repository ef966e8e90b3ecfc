//! Slopes by Burn's autodiff at one state.

use burn::tensor::{Gradients, Tensor};

use super::VectorField;
use crate::state::State;

/// A variable whose slope is asked for.
pub(super) fn leaf(value: &Tensor<2>) -> Tensor<2> {
    value.clone().without_autodiff().autodiff().require_grad()
}

/// The slopes of `objective`, none if it is constant.
pub(super) fn backward(objective: Tensor<1>) -> Option<Gradients> {
    objective.is_tracked().then(|| objective.backward())
}

/// The slope by `variable`, 0 where nothing depends on it.
pub(super) fn slope<const D: usize>(variable: &Tensor<D>, slopes: Option<&Gradients>) -> Tensor<D> {
    let slope = slopes.and_then(|slopes| variable.grad(slopes));
    slope.unwrap_or_else(|| variable.clone().without_autodiff().zeros_like())
}

/// [`VectorField::input_contrast`] from the energy, if the field has one.
pub(super) fn input_contrast<E: VectorField>(
    field: &E,
    input: &Tensor<2>,
    first: &State,
    second: &State,
    scale: f64,
) -> Option<Tensor<2>> {
    let input = leaf(input);
    let clamped = field.clamp(&input);
    let energy = |state| field.energy_of(&clamped, state);
    let difference = energy(first)? - energy(second)?;
    let slopes = backward((difference * scale).sum());
    Some(slope(&input, slopes.as_ref()))
}
