//! Derivatives by Burn's autodiff at one state.

use burn::tensor::{Gradients, Tensor};

use crate::pullback;

/// A variable that requires a gradient.
pub fn leaf(value: &Tensor<2>) -> Tensor<2> {
    value.clone().without_autodiff().autodiff().require_grad()
}

/// The gradients of `objective`, `None` if it is constant.
pub fn backward(objective: Tensor<1>) -> Option<Gradients> {
    objective
        .is_tracked()
        .then(|| pullback::backward(&objective))
}

/// The derivative by `variable`, 0 if nothing depends on it.
pub fn slope<const D: usize>(variable: &Tensor<D>, slopes: Option<&Gradients>) -> Tensor<D> {
    let slope = slopes.and_then(|slopes| variable.grad(slopes));
    slope.unwrap_or_else(|| variable.clone().without_autodiff().zeros_like())
}
