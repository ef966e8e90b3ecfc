//! GPU backends, in `f32`: kernels in CubeCL, which run on CUDA, ROCm, Vulkan, Metal and WebGPU.
//!
//! A small network relaxes in one launch: a cube (thread block) runs its examples through all steps, with
//! their states in shared memory. A larger one takes a launch for each layer and step, which ends in the
//! response.

mod buffer;
mod by_layer;
mod custom;
mod descend;
mod in_one;
mod kernel;
mod launches;
mod network;
mod operations;
mod relax;

pub use descend::{computes_in_place, copied, descend, overwrite, overwrite_both};
pub use launches::launches;
pub use operations::{descend_along, factors, product, product_over_rows, summed_difference};
pub use relax::relax;
