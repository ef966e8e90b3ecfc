//! On the CPU backend `flex`, in `f32`: over slices of its tensors.
//!
//! The weights are packed once, each thread takes its own examples through all steps, and nothing is
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
    prediction_error, product, product_over_rows,
};

/// The whole relaxation, or `None` if it has a part that this cannot do.
pub fn relax(problem: &Problem<'_>, start: &State) -> Option<Settled> {
    match &problem.drives {
        Drives::Sums { constant, edges } => graph::relax(problem, constant, edges, start),
        Drives::Predictions(chain) => chain::relax(problem, chain, start),
    }
}
