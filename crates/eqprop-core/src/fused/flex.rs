//! CPU backend `flex`, in `f32`: computations over slices of its tensors.
//!
//! The weights are packed once, each thread runs its own examples through all steps, and next to nothing is
//! allocated within a step.

mod batch;
mod chain;
mod floats;
mod graph;
mod operations;
mod packed;

use super::{Drives, Problem, Settled};
use crate::state::State;
pub use operations::{
    convolution, convolution_contrast, descend, descend_along, factors, prediction,
    prediction_error, product, product_over_rows, repeated,
};

/// Runs the whole relaxation; `None` if a part of it is not supported here.
pub fn relax(problem: &Problem<'_>, start: &State) -> Option<Settled> {
    match &problem.drives {
        Drives::Sums { constant, edges } => graph::relax(problem, constant, edges, start),
        Drives::Predictions(chain) => chain::relax(problem, chain, start),
    }
}
