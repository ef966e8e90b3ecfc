//! Entry point to the fast code: a whole relaxation as one computation, where a backend provides one.
//!
//! A relaxation repeats a few products and elementwise passes hundreds of times. As tensor operations, each
//! of them allocates, packs its factors and dispatches work to threads every time. A backend that can do
//! better is a folder here, and only this file and [`operations`] know of it. Its results are the same up
//! to the order of summation, which `tests/it/fused.rs` checks.
//!
//! The problem comes as data, so nothing here knows about energies, costs or dynamics.

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

/// Runs the whole relaxation; `None` if it must run step by step, because no code here supports its
/// backend, its precision or a part of it, or because a tensor is on autodiff.
pub(crate) fn relax(problem: &Problem<'_>, start: &State) -> Option<Settled> {
    flex::relax(problem, start).or_else(|| cube::relax(problem, start))
}
