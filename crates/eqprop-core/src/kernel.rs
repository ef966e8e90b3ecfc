//! Computations over slices of `f32` with the processor's vectors and threads: products, zero patterns,
//! convolutions, responses, updates. They know numbers and shapes, and nothing of tensors or networks.
//!
//! The only module with `unsafe` code: what it skips is a check of bounds per number, and zeros that
//! would be written twice.

mod aligned;
pub mod channels_last;
pub mod convolution;
pub mod descent;
pub mod epilogue;
mod left;
mod narrow;
pub mod outer;
pub mod pair;
mod panels;
mod product;
pub mod response;
mod right;
mod shallow;
mod short;
pub mod simd;
pub mod team;
pub mod threads;
mod zero_pattern;

pub use left::{Left, TILE_ROWS};
pub use right::Right;
pub use shallow::Shallow;
pub use zero_pattern::ZeroPattern;
