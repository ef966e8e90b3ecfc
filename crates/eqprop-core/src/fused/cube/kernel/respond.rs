//! Responses of units to their drives.

use cubecl::prelude::*;

use super::plan::Rule;

/// `σ(drive)` of unit `unit` of `n`.
#[cube]
pub fn respond(drive: f32, unit: usize, #[comptime] n: usize, #[comptime] rule: Rule) -> f32 {
    let mut value = drive;
    if comptime!(matches!(rule, Rule::Clip(_))) {
        let [low, high] = comptime!(match rule {
            Rule::Clip([low, high]) => [f32::from_bits(low), f32::from_bits(high)],
            _ => [0.0, 0.0],
        });
        value = clip(drive, low, high);
    } else if comptime!(rule == Rule::Halves) {
        if unit < comptime!(n / 2) {
            value = select(drive < 0.0, 0.0, drive);
        } else {
            value = select(drive > 0.0, 0.0, drive);
        }
    } else if comptime!(rule == Rule::Logistic) {
        value = 1.0 / (1.0 + f32::exp(2.0 - 4.0 * drive));
    } else if comptime!(rule == Rule::HyperbolicTangent) {
        value = f32::tanh(drive);
    }
    value
}

/// `clip(u, low, high)`; NaN passes through.
#[cube]
fn clip(u: f32, #[comptime] low: f32, #[comptime] high: f32) -> f32 {
    let mut clipped = u;
    if comptime!(low.is_finite()) {
        clipped = select(clipped < low, low, clipped);
    }
    if comptime!(high.is_finite()) {
        clipped = select(clipped > high, high, clipped);
    }
    // Compilers turn the selections above into a minimum and a maximum, which drop NaN.
    let size = u32::reinterpret(u) & 0x7fff_ffffu32;
    select(size > 0x7f80_0000u32, u, clipped)
}

/// The larger absolute value, with NaN above all numbers. Bits are compared, because shaders may treat NaN
/// arbitrarily in sums and comparisons.
#[cube]
pub fn larger<N: Size>(first: Vector<f32, N>, second: Vector<f32, N>) -> Vector<f32, N> {
    let size = Vector::<u32, N>::new(0x7fff_ffffu32);
    let first = Vector::<u32, N>::reinterpret(first) & size;
    let second = Vector::<u32, N>::reinterpret(second) & size;
    Vector::<f32, N>::reinterpret(max(first, second))
}
