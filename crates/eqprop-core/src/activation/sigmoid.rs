//! The sigmoid of the published code, `σ(4u − 2)`: the smooth function closest to the hard sigmoid.

use burn::tensor::{Tensor, activation};

use super::complex::Complex;
use super::rule::{Continuation, Rule, log_odds, x_log_x};
use crate::fused::Response;

/// `1/(1 + e^{−4(u − ½)})` with `G(s) = ¼[s ln s + (1 − s) ln(1 − s)] + ½s`.
pub struct Sigmoid;

impl Rule for Sigmoid {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        activation::sigmoid(drive * 4.0 - 2.0)
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        log_odds(state.clone(), 1.0 - state) * 0.25 + 0.5
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        gradient * (response.clone() - response.square()) * 4.0
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        (x_log_x(state.clone()) + x_log_x(1.0 - state.clone())) * 0.25 + state * 0.5
    }

    fn range(&self) -> [f64; 2] {
        [0.0, 1.0]
    }

    fn rest(&self, _n_units: usize) -> f64 {
        1.0 / (1.0 + 2f64.exp())
    }

    fn response(&self) -> Option<Response> {
        Some(Response::Logistic)
    }

    fn continuation(&self) -> Option<&dyn Continuation> {
        Some(self)
    }
}

/// By `σ(4u − 2) = ½ + ½ tanh(2u − 1)`.
impl Continuation for Sigmoid {
    fn apply(&self, drive: Complex) -> Complex {
        drive.affine(2.0, -1.0).tanh().affine(0.5, 0.5)
    }

    fn inverse(&self, state: Complex) -> Complex {
        state.affine(2.0, -1.0).atanh().affine(0.5, 0.5)
    }

    fn potential(&self, state: Complex) -> Complex {
        let entropy = state.clone().affine(2.0, -1.0).atanh_integral();
        entropy.affine(0.25, 0.0).add(state.affine(0.5, 0.0))
    }
}
