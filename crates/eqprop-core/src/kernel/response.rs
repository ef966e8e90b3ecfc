//! How layers respond to their drives.

use super::simd::{logistic, vectorized};

/// A response `σ`, with its bounds if it clips.
#[derive(Debug, Clone, Copy)]
pub enum Response {
    /// Clips to two bounds.
    Clip([f32; 2]),
    /// At least 0 in the first half of the units, at most 0 in the second.
    Halves,
    /// `1 / (1 + e^{−(4u − 2)})`
    Logistic,
    /// `tanh u`
    HyperbolicTangent,
}

/// Clips to the bounds; NaN passes through.
#[inline(always)]
pub fn clip(x: f32, [low, high]: [f32; 2]) -> f32 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Turns the drive in `next` into the new state of a layer of `n` units, from `state`.
pub fn respond(
    response: Response,
    step_size: Option<f32>,
    n: usize,
    state: &[f32],
    next: &mut [f32],
) {
    vectorized(
        #[inline(always)]
        || match response {
            Response::Clip(bounds) => advance(bounds, step_size, state, next),
            Response::Halves => {
                for (next, state) in next.chunks_exact_mut(n).zip(state.chunks_exact(n)) {
                    let (up, down) = next.split_at_mut(n / 2);
                    let (state_up, state_down) = state.split_at(n / 2);
                    advance([0.0, f32::INFINITY], step_size, state_up, up);
                    advance([f32::NEG_INFINITY, 0.0], step_size, state_down, down);
                }
            }
            Response::Logistic => next.iter_mut().for_each(|s| *s = logistic(*s * 4.0 - 2.0)),
            Response::HyperbolicTangent => next.iter_mut().for_each(|s| *s = s.tanh()),
        },
    );
}

/// Moves a layer to the drive in `next`, or by a step of the flow toward it, and clips it to the bounds.
#[inline(always)]
fn advance(bounds: [f32; 2], step_size: Option<f32>, state: &[f32], next: &mut [f32]) {
    match step_size {
        None => next.iter_mut().for_each(|s| *s = clip(*s, bounds)),
        Some(step_size) => {
            let keep = 1.0 - step_size;
            for (next, s) in next.iter_mut().zip(state) {
                *next = clip(s * keep + *next * step_size, bounds);
            }
        }
    }
}

/// `f = σ(a)`
pub fn apply(drive: &[f32], bounds: [f32; 2], out: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (out, &drive) in out.iter_mut().zip(drive) {
                *out = clip(drive, bounds);
            }
        },
    );
}

/// `σ′(a) (h − σ(a))`
pub fn error(state: &[f32], drive: &[f32], [low, high]: [f32; 2], out: &mut Vec<f32>) {
    out.resize(drive.len(), 0.0);
    // Comparisons with NaN are false, so an infinite bound never clips.
    let [low, high] = [low, high].map(|end| if end.is_finite() { end } else { f32::NAN });
    vectorized(
        #[inline(always)]
        || {
            for ((out, &h), &a) in out.iter_mut().zip(state).zip(drive) {
                // A unit exactly at an end of its range passes nothing on either.
                let is_clipped = (a <= low) | (a >= high);
                *out = if is_clipped { 0.0 } else { h - a };
            }
        },
    );
}
