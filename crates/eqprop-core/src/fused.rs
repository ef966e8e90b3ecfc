//! The door to fast code: a whole relaxation as one computation, where a backend has one.
//!
//! A relaxation repeats a few products and passes hundreds of times. As operations on tensors each of
//! them allocates, packs its factors and hands work to threads anew. A backend that can do better is a
//! folder here, and only this file and [`operations`] know of it. What it computes is the same, in another
//! order of summation: `tests/it/fused.rs` ties the two together.
//!
//! The problem comes as data, so that nothing here knows energies, costs or dynamics.

#[cfg(feature = "cube")]
mod cube;
#[cfg(not(feature = "cube"))]
#[path = "fused/none.rs"]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(not(feature = "flex"))]
#[path = "fused/none.rs"]
mod flex;
pub(crate) mod operations;
mod packed;
mod problem;

pub use self::packed::Packed;
pub use self::problem::*;
use crate::state::State;

/// The whole relaxation, or `None` if it must go step by step: on a backend, in a precision or with parts
/// that nothing here is made for, or on autodiff.
pub(crate) fn relax(problem: &Problem<'_>, start: &State) -> Option<Settled> {
    flex::relax(problem, start).or_else(|| cube::relax(problem, start))
}
