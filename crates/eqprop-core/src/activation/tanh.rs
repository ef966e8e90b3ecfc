//! The hyperbolic tangent.

use burn::tensor::Tensor;

use super::complex::Complex;
use super::rule::{Continuation, Rule, log_odds, x_log_x};
use crate::fused::Response;

/// `tanh u` with `G(s) = ½[(1 + s) ln(1 + s) + (1 − s) ln(1 − s)]`.
pub struct Tanh;

impl Rule for Tanh {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        drive.tanh()
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        log_odds(state.clone() + 1.0, 1.0 - state) * 0.5
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        gradient * (1.0 - response.square())
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        (x_log_x(state.clone() + 1.0) + x_log_x(1.0 - state)) * 0.5
    }

    fn range(&self) -> [f64; 2] {
        [-1.0, 1.0]
    }

    fn response(&self) -> Option<Response> {
        Some(Response::HyperbolicTangent)
    }

    fn continuation(&self) -> Option<&dyn Continuation> {
        Some(self)
    }
}

impl Continuation for Tanh {
    fn apply(&self, drive: Complex) -> Complex {
        drive.tanh()
    }

    fn inverse(&self, state: Complex) -> Complex {
        state.atanh()
    }

    fn potential(&self, state: Complex) -> Complex {
        state.atanh_integral()
    }
}
