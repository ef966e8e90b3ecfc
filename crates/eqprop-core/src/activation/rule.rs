//! The trait that every activation implements.

use burn::tensor::Tensor;

use super::complex::Complex;
use super::levels::Levels;
use crate::fused::Response;

/// Keeps logarithms finite at the ends of an activation's range; smaller than any
/// spacing of `f32` around the values that matter, larger than its smallest number.
const TINY: f64 = 1e-30;

/// An activation; see the methods of [`Activation`](super::Activation).
pub trait Rule {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2>;
    fn inverse(&self, state: Tensor<2>) -> Tensor<2>;
    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2>;
    /// The potential of each unit.
    fn potential(&self, state: Tensor<2>) -> Tensor<2>;
    fn range(&self) -> [f64; 2];

    fn is_quadratic(&self) -> bool {
        false
    }

    fn has_kinks(&self) -> bool {
        false
    }

    fn rest(&self, _n_units: usize) -> f64 {
        0.0
    }

    fn along(&self, _state: &Tensor<2>, drive: Tensor<2>) -> Tensor<2> {
        drive
    }

    fn reflect(&self, _value: Tensor<2>) -> Tensor<2> {
        panic!("only values of a quadratic potential are reflected")
    }

    fn round(&self, state: Tensor<2>, levels: Levels) -> Tensor<2> {
        levels.round(state, self.range())
    }

    /// The response as fast code knows it, if it does.
    fn response(&self) -> Option<Response> {
        None
    }

    /// The continuation to complex numbers, if there is one.
    fn continuation(&self) -> Option<&dyn Continuation> {
        None
    }

    fn holomorphic(&self) -> &dyn Continuation {
        self.continuation()
            .expect("checked to be holomorphic before the relaxation")
    }
}

/// An activation continued to complex numbers.
pub trait Continuation {
    fn apply(&self, drive: Complex) -> Complex;
    fn inverse(&self, state: Complex) -> Complex;
    /// The potential of each unit, up to a constant.
    fn potential(&self, state: Complex) -> Complex;
}

pub fn log(x: Tensor<2>) -> Tensor<2> {
    x.clamp_min(TINY).log()
}

pub fn log_odds(x: Tensor<2>, complement: Tensor<2>) -> Tensor<2> {
    log(x) - log(complement)
}

/// `x ln x`, continued by 0 at 0.
pub fn x_log_x(x: Tensor<2>) -> Tensor<2> {
    log(x.clone()) * x
}
