//! The softmax over the units of a layer.

use burn::tensor::{Tensor, activation};

use super::rule::{Rule, log, x_log_x};

/// `e^u / Σ e^u` with `G(s) = s ln s`.
pub struct Softmax;

impl Rule for Softmax {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        activation::softmax(drive, 1)
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        log(state)
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let mean = (response.clone() * gradient.clone()).sum_dim(1);
        response * (gradient - mean)
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        x_log_x(state)
    }

    fn range(&self) -> [f64; 2] {
        [0.0, 1.0]
    }

    fn rest(&self, n_units: usize) -> f64 {
        1.0 / n_units as f64
    }
}
