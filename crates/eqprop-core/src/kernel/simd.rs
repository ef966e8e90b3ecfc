//! Passes over slices with the widest vectors of this machine.

#[cfg(any(test, debug_assertions))]
pub mod widths;

use pulp::{Arch, Simd, WithSimd};

/// Runs `work` with the widest vectors that this machine has, or, in tests, with those that
/// [`widths`] names.
#[inline(always)]
pub fn dispatch<W: WithSimd>(work: W) -> W::Output {
    #[cfg(any(test, debug_assertions))]
    if let Some(width) = widths::chosen() {
        return width.run(work);
    }
    Arch::new().dispatch(work)
}

/// [`dispatch`] for code without explicit vectors, which is compiled for those of the machine.
#[inline(always)]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    dispatch(work)
}

/// `out ← out + factor · row`.
#[inline(always)]
pub fn add_scaled<S: Simd>(simd: S, factor: f32, row: &[f32], out: &mut [f32]) {
    let (vectors, rest) = S::as_simd_f32s(row);
    let (out_vectors, out_rest) = S::as_mut_simd_f32s(out);
    let factors = simd.splat_f32s(factor);
    for (out, &x) in out_vectors.iter_mut().zip(vectors) {
        *out = simd.mul_add_f32s(factors, x, *out);
    }
    for (out, &x) in out_rest.iter_mut().zip(rest) {
        *out += factor * x;
    }
}

/// The largest `|a − b|`, or NaN if a difference is not a number.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    vectorized(
        #[inline(always)]
        || {
            // Without a sign, floats are ordered like their bits, with NaN above all numbers.
            let bits = a.iter().zip(b).map(|(a, b)| (a - b).abs().to_bits());
            f32::from_bits(bits.fold(0, u32::max))
        },
    )
}

/// The logistic function `1 / (1 + e^{−u})`, with Cephes' polynomial for `e^r`: within two units in the
/// last place, without a function call.
#[inline(always)]
pub fn logistic(u: f32) -> f32 {
    // Beyond this the result is 0 or 1 in f32; NaN passes through.
    let x = -u.clamp(-88.0, 88.0);
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 · 2²³ rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * core::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let power = p * r * r + r + 1.0;
    // n lies within ±127, so that both halves of 2ⁿ are normal numbers.
    let half = (n * 0.5) as i32;
    let scale = |exponent: i32| f32::from_bits(((exponent + 127) << 23) as u32);
    1.0 / (1.0 + power * scale(half) * scale(n as i32 - half))
}

/// Passes a [`VectorWork`] to [`dispatch`].
pub struct WithVectors<F>(pub F);

/// Work written for any width of vectors.
pub trait VectorWork {
    /// Does the work with the vectors of `simd`.
    fn run<S: Simd>(self, simd: S);
}

impl<F: VectorWork> WithSimd for WithVectors<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run(simd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logistic_function_is_right_to_two_units_in_the_last_place() {
        let grid = (-3000..=3000).map(|n| n as f32 * 0.03);
        for u in grid {
            let expected = 1.0 / (1.0 + (-f64::from(u)).exp());
            let error = (f64::from(logistic(u)) - expected).abs();
            // A unit in the last place of f32 is at most 2⁻²³ of the number.
            assert!(error <= expected * 2.5e-7 + 1e-37, "{u}: {error:e}");
        }
        assert!(logistic(f32::NAN).is_nan());
        assert_eq!(logistic(f32::INFINITY), 1.0);
    }

    #[test]
    fn a_difference_that_is_not_a_number_stays() {
        assert_eq!(largest_difference(&[1.0, 5.0, 2.0], &[0.0, 1.0, 2.0]), 4.0);
        assert!(largest_difference(&[f32::NAN, 5.0], &[0.0, 1.0]).is_nan());
        assert!(largest_difference(&[5.0, f32::INFINITY], &[1.0, f32::INFINITY]).is_nan());
    }
}
