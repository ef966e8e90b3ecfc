//! How layers respond to their drives.

use burn::tensor::Tensor;

use super::Floats;
use super::simd::{logistic, vectorized};
use crate::activation::Activation;

/// A response `σ` and, for a quadratic potential, its bounds.
#[derive(Debug, Clone, Copy)]
pub enum Response {
    Clip([f32; 2]),
    Diode,
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
            Activation::Diode => Self::Diode,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Tanh => Self::Tanh,
            Activation::Softmax => return None,
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

/// A number for each example or for all, and for each unit of a layer or for all.
#[derive(Debug)]
pub struct Factor {
    numbers: Floats,
    dims: [usize; 2],
}

impl Factor {
    /// `[batch or 1, n_units or 1]`.
    pub fn of(tensor: &Tensor<2>) -> Option<Self> {
        Some(Self {
            numbers: Floats::of(tensor)?,
            dims: tensor.dims(),
        })
    }

    /// Whether it is for this many examples and units.
    pub fn is_for(&self, dims: [usize; 2]) -> bool {
        self.dims
            .iter()
            .zip(dims)
            .all(|(&n, of)| [1, of].contains(&n))
    }

    /// The numbers for the units of an example, over and over.
    pub fn of_example(&self, example: usize) -> impl Iterator<Item = f32> {
        let [n_rows, n] = self.dims;
        let row = if n_rows == 1 { 0 } else { example };
        self.numbers.slice()[row * n..][..n].iter().copied().cycle()
    }
}

/// Turns the drive in `next` into what a layer of `n` units moves to from `state`.
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
            Response::Diode => {
                for (next, state) in next.chunks_exact_mut(n).zip(state.chunks_exact(n)) {
                    let (up, down) = next.split_at_mut(n / 2);
                    let (state_up, state_down) = state.split_at(n / 2);
                    advance([0.0, f32::INFINITY], step_size, state_up, up);
                    advance([f32::NEG_INFINITY, 0.0], step_size, state_down, down);
                }
            }
            Response::Sigmoid => next.iter_mut().for_each(|s| *s = logistic(*s * 4.0 - 2.0)),
            Response::Tanh => next.iter_mut().for_each(|s| *s = s.tanh()),
        },
    );
}

/// Moves a layer to the drive in `next`, or a step of the flow towards it, between the bounds.
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
