//! The phase of an oscillator, as a point of the unit circle.

use burn::tensor::Tensor;

use super::levels::Levels;
use super::rule::Rule;

/// Squared lengths below this count as 0: a unit without a drive has no phase. Well within the range of
/// `f32`, and far below the squared length of any drive.
const TINY: f64 = 1e-30;

/// `u / |u|` of each pair `(cos φ, sin φ)`, all cosines of a layer before all sines.
pub struct Phase;

impl Rule for Phase {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        let [cosine, sine] = halves(drive);
        let square = cosine.clone().square() + sine.clone().square();
        let inverse_length = (square + TINY).sqrt().recip();
        pairs(cosine * inverse_length.clone(), sine * inverse_length)
    }

    /// The state itself: any positive multiple holds it.
    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        state
    }

    fn pull_back(&self, _response: Tensor<2>, _gradient: Tensor<2>) -> Tensor<2> {
        panic!("the phase of an oscillator does not say how strongly it is driven")
    }

    /// 0: nothing but the circle holds a phase.
    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        state.zeros_like()
    }

    fn range(&self) -> [f64; 2] {
        [-1.0, 1.0]
    }

    /// `φ = π/4`, halfway between the two phases at which a coordinate has no slope.
    fn rest(&self, _n_units: usize) -> f64 {
        core::f64::consts::FRAC_1_SQRT_2
    }

    /// Of the angle, which stays on the circle.
    fn round(&self, state: Tensor<2>, levels: Levels) -> Tensor<2> {
        let Some(bits) = levels.bits else {
            return state;
        };
        let step = core::f64::consts::TAU / (1_u64 << bits) as f64;
        let [cosine, sine] = halves(state);
        let angle = (sine.atan2(cosine) / step).round() * step;
        pairs(angle.clone().cos(), angle.sin())
    }

    /// `s + τ(τ·u)`, with `τ = (−sin φ, cos φ)` along the circle.
    fn along(&self, state: &Tensor<2>, drive: Tensor<2>) -> Tensor<2> {
        let [cosine, sine] = halves(state.clone());
        let [along_cosine, along_sine] = halves(drive);
        let slope = along_sine * cosine.clone() - along_cosine * sine.clone();
        pairs(
            cosine.clone() - sine.clone() * slope.clone(),
            sine + cosine * slope,
        )
    }
}

/// The cosines and the sines of a layer of oscillators.
///
/// # Shapes
/// - `state`: `[batch, 2 n]`, outputs: `[batch, n]`
pub fn halves(state: Tensor<2>) -> [Tensor<2>; 2] {
    let n = state.dims()[1] / 2;
    [state.clone().narrow(1, 0, n), state.narrow(1, n, n)]
}

/// A layer of oscillators with these cosines and sines.
pub fn pairs(cosine: Tensor<2>, sine: Tensor<2>) -> Tensor<2> {
    Tensor::cat(vec![cosine, sine], 1)
}
