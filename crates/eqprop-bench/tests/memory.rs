//! Memory of an estimate: independent of the number of steps, because no graph is recorded.
//!
//! A separate binary, because it counts every allocation of the process.
#![cfg(feature = "flex")]

#[path = "memory/sequences.rs"]
mod sequences;
#[path = "memory/streaming.rs"]
mod streaming;
#[path = "memory/updates.rs"]
mod updates;

use burn::module::Module;
use burn::tensor::Device;
use eqprop_bench::memory::{CountingAllocator, peak_of};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::preset::Preset;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The most bytes that `run` holds at once beyond what was in use before, once everything that it keeps for
/// later (threads, buffers of the matrix product) has been allocated.
fn settled_peak_of(run: impl Fn()) -> f64 {
    run();
    let ((), peak) = peak_of(run);
    peak as f64
}

/// A single test, so that nothing else allocates beside it.
#[test]
fn memory_grows_with_nothing_but_tracked_steps() {
    memory_does_not_grow_with_steps_unless_the_parameters_track_them();
    sequences::are_echoed_in_the_same_memory_however_long();
    updates::leave_nothing_behind();
    streaming::grows_with_labels_alone();
}

fn memory_does_not_grow_with_steps_unless_the_parameters_track_them() {
    let device = Device::flex();
    let network = Preset::Digits.config().network(&device).train();
    let batch = eqprop_testing::batch(64);

    for nudging in [
        Nudging::OneSided { beta: 0.5 },
        Nudging::Centered { beta: 0.5 },
    ] {
        let with = |n_steps| {
            let phase = || Relaxation::steps(Scheme::Asynchronous, n_steps);
            EquilibriumPropagation::new(nudging, phase(), phase())
        };
        let estimating = [10, 400].map(|n_steps| {
            settled_peak_of(|| drop(with(n_steps).estimate(&network, &batch, None)))
        });
        let [few, many] = estimating;
        // At the least the free state of 64 examples: the allocator counts.
        assert!(few > (64 * 138 * size_of::<f32>()) as f64, "{few} bytes");
        // Equal up to buffers that other threads give back a little later.
        assert!(
            (many / few - 1.0).abs() < 0.05,
            "{nudging:?}: {few} and {many} bytes"
        );

        // `infer` relaxes the parameters as they are given: on autodiff every step is recorded,
        // which is what backpropagation through time would cost. Forty times the steps, less
        // what does not depend on them.
        let tracking = [10, 400].map(|n_steps| {
            settled_peak_of(|| drop(with(n_steps).infer(&network, &batch.input, None)))
        });
        let [few, many] = tracking;
        assert!(many > 10.0 * few, "tracked: {few} and {many} bytes");
    }
}
