//! Responses that follow the drive between two bounds: hard sigmoid, ReLU, clipped ReLU, identity.

use burn::tensor::{Tensor, activation};

use super::complex::Complex;
use super::rule::{Continuation, Rule};
use crate::fused::Response;

/// `clip(u, low, high)` with `G(s) = ½s²`, on the range `[0, high]`, `[0, ∞)` or `(−∞, ∞)`.
pub struct Clipped(pub [f64; 2]);

impl Rule for Clipped {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        match self.0 {
            [f64::NEG_INFINITY, _] => drive,
            [_, f64::INFINITY] => activation::relu(drive),
            [low, high] => drive.clamp(low, high),
        }
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        state
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let clipped = match self.0 {
            [f64::NEG_INFINITY, _] => return gradient,
            [low, f64::INFINITY] => response.lower_equal_elem(low),
            [low, high] => {
                let below = response.clone().lower_equal_elem(low);
                below.bool_or(response.greater_equal_elem(high))
            }
        };
        gradient.mask_fill(clipped, 0.0)
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        state.clone() * state * 0.5
    }

    fn range(&self) -> [f64; 2] {
        self.0
    }

    fn is_quadratic(&self) -> bool {
        true
    }

    fn has_kinks(&self) -> bool {
        self.0[0].is_finite()
    }

    fn reflect(&self, value: Tensor<2>) -> Tensor<2> {
        match self.0 {
            [f64::NEG_INFINITY, _] => value,
            [_, f64::INFINITY] => value.abs(),
            [_, high] => {
                let value = value.abs().remainder_scalar(2.0 * high);
                value.clone().min_pair(value * -1.0 + 2.0 * high)
            }
        }
    }

    fn response(&self) -> Option<Response> {
        Some(Response::Clip(self.0))
    }

    fn continuation(&self) -> Option<&dyn Continuation> {
        match self.has_kinks() {
            true => None,
            false => Some(self),
        }
    }
}

impl Continuation for Clipped {
    fn apply(&self, drive: Complex) -> Complex {
        drive
    }

    fn inverse(&self, state: Complex) -> Complex {
        state
    }

    fn potential(&self, state: Complex) -> Complex {
        state.clone().mul(state).affine(0.5, 0.0)
    }
}
