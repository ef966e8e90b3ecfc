//! Every reader of a file, given malformed files; see the README.
//!
//! One binary with one target at a time: memory is counted for the whole process.

mod checkpoint;
mod cifar;
mod config;
mod edit;
mod idx;
mod mutation;
mod own_data;
mod picture;
mod reader;
mod results;
mod seed;
mod weights;

use eqprop_bench::memory::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
