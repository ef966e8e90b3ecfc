//! Computations over slices of `f32` with the CPU's vectors and threads: products, zero patterns,
//! convolutions, responses, updates. They know numbers and shapes, but nothing of tensors or networks.
//!
//! All `unsafe` code for CPUs is here: it skips a bounds check per number, skips zeros that would be
//! written twice, and shares work between threads.

mod ahead;
mod aligned;
pub mod channels_last;
pub mod convolution;
pub mod descent;
pub mod epilogue;
mod left;
mod narrow;
mod out;
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
mod transposed;
mod zero_pattern;

pub use left::{Left, TILE_ROWS};
pub use panels::CACHE;
pub use right::Right;
pub use shallow::Shallow;
pub use zero_pattern::ZeroPattern;
