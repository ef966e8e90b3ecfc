//! The computations for GPUs: they know buffers, shapes and strides, and nothing of the crate.

// Reasons for what clippy finds in what `#[cube]` makes of a function: it is written for a compiler of its own.
#![allow(
    clippy::manual_div_ceil,
    clippy::needless_range_loop,
    clippy::useless_conversion,
    missing_docs,
    reason = "the attribute writes out functions of its own for each of these"
)]

pub mod advance;
pub mod descend;
pub mod nudge;
pub mod outer;
pub mod plan;
pub mod respond;
pub mod settle;
