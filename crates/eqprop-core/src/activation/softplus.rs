//! The softplus, a smooth ReLU.

use core::f64::consts::{LN_2, PI};

use burn::tensor::Tensor;

use super::rule::{Rule, log};

/// `ln(1 + e^u)` with `G(s) = ½s² + Li₂(e^{−s})`, where `Li₂` is the dilogarithm.
pub struct Softplus;

impl Rule for Softplus {
    /// `max(u, 0) + ln(1 + e^{−|u|})`, which overflows nowhere.
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        drive.clone().clamp_min(0.0) + drive.abs().neg().exp().log1p()
    }

    /// `ln(e^s − 1) = s + ln(1 − e^{−s})`
    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        let [_, rest] = parts(&state);
        state + log(rest)
    }

    /// `σ′(u) = 1 − e^{−σ(u)}`
    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let [_, slope] = parts(&response);
        gradient * slope
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        let [z, rest] = parts(&state);
        let small = dilogarithm(log(rest.clone()).neg());
        // Li₂(z) = π²/6 − ln z ln(1 − z) − Li₂(1 − z) for z near 1, with ln z = −s.
        let large = state.clone() * log(rest) - dilogarithm(state.clone()) + PI * PI / 6.0;
        let dilogarithm = small.mask_where(z.greater_elem(0.5), large);
        state.square() * 0.5 + dilogarithm
    }

    fn range(&self) -> [f64; 2] {
        [0.0, f64::INFINITY]
    }

    fn rest(&self, _n_units: usize) -> f64 {
        LN_2
    }
}

/// `e^{−s}` and `1 − e^{−s}`, by `t = tanh(s/2)` so that the second loses no digits near 0.
fn parts(state: &Tensor<2>) -> [Tensor<2>; 2] {
    let t = (state.clone() * 0.5).tanh();
    let whole = t.clone() + 1.0;
    [(1.0 - t.clone()) / whole.clone(), t * 2.0 / whole]
}

/// `Li₂(z)` from `w = −ln(1 − z)`, at most `ln 2`: the series `Σ B_n w^{n+1}/(n+1)!` with Bernoulli's
/// numbers, to 1e-14.
fn dilogarithm(w: Tensor<2>) -> Tensor<2> {
    const ODD: [f64; 7] = [
        1.0,
        1.0 / 36.0,
        -1.0 / 3600.0,
        1.0 / 211_680.0,
        -1.0 / 10_886_400.0,
        1.0 / 526_901_760.0,
        -691.0 / (2730.0 * 6_227_020_800.0),
    ];
    let square = w.clone().square();
    let series = ODD
        .iter()
        .rev()
        .fold(w.zeros_like(), |sum, &term| sum * square.clone() + term);
    series * w - square * 0.25
}
