//! How layers respond to their drives.

use core::ops::Range;

use super::Floats;
use super::simd::{logistic, vectorized};
use crate::activation::Activation;

/// A response `σ` and, for a quadratic potential, its bounds.
#[derive(Debug, Clone, Copy)]
pub enum Response {
    Clip([f32; 2]),
    Sigmoid,
    Tanh,
}

impl Response {
    pub fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::HardSigmoid => Self::Clip([0.0, 1.0]),
            Activation::Relu => Self::Clip([0.0, f32::INFINITY]),
            Activation::ClippedRelu { max } => Self::Clip([0.0, max as f32]),
            Activation::Identity => Self::Clip([f32::NEG_INFINITY, f32::INFINITY]),
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Tanh => Self::Tanh,
            _ => return None,
        })
    }
}

/// Between the bounds; NaN passes through.
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

/// A number per example, or one for all.
pub fn scalars<'a>(
    numbers: &'a Floats,
    rows: &Range<usize>,
) -> impl Iterator<Item = f32> + use<'a> {
    let numbers = numbers.slice();
    rows.clone().map(move |row| match numbers {
        [all] => *all,
        each => each[row],
    })
}

/// Turns the drive in `next` into what a layer moves to from `state`.
pub fn respond(response: Response, step_size: Option<f32>, state: &[f32], next: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || match (response, step_size) {
            (Response::Clip(bounds), None) => {
                next.iter_mut().for_each(|s| *s = clip(*s, bounds));
            }
            (Response::Clip(bounds), Some(step_size)) => {
                let keep = 1.0 - step_size;
                for (next, s) in next.iter_mut().zip(state) {
                    *next = clip(s * keep + *next * step_size, bounds);
                }
            }
            (Response::Sigmoid, _) => {
                next.iter_mut().for_each(|s| *s = logistic(*s * 4.0 - 2.0));
            }
            (Response::Tanh, _) => next.iter_mut().for_each(|s| *s = s.tanh()),
        },
    );
}
