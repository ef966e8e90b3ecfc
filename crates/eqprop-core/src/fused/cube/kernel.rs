//! GPU kernels: they know buffers, shapes and strides, but nothing of the rest of the crate.

// These lints fire in the functions that `#[cube]` generates, which are written for a compiler of its own.
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
