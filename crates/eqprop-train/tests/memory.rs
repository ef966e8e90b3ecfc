//! Memory of an estimate: independent of the number of steps, because no graph is recorded.
//!
//! A binary of its own, because it counts every allocation of the process.
#![cfg(feature = "flex")]
#![allow(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::Device;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::data::{Dataset, DatasetKind};
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::preset::Preset;

use burn::data::dataloader::DataLoader;

/// The system's allocator, with the bytes in use and their maximum counted.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(in_use, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `run` held at once beyond what was in use before it, once what it keeps
/// for later (threads, buffers of the matrix product) is there.
fn peak_of(run: impl Fn()) -> f64 {
    run();
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    (PEAK.load(Ordering::Relaxed) - before) as f64
}

/// One test, so that nothing else allocates beside it.
#[test]
fn memory_does_not_grow_with_steps_unless_the_parameters_track_them() {
    let device = Device::flex();
    let network = Preset::Digits.config().network(&device).train();
    let digits = Dataset::load(DatasetKind::Digits, None).expect("the digits are built in");
    let batches = BatchLoader::new(&digits.train.take(64), 64, Order::Sequential, &device);
    let batch: Batch = batches
        .iter()
        .next()
        .expect("one batch")
        .expect("in memory");

    for nudging in [
        Nudging::OneSided { beta: 0.5 },
        Nudging::Centered { beta: 0.5 },
    ] {
        let with = |n_steps| {
            let phase = || Relaxation::steps(Scheme::Asynchronous, n_steps);
            EquilibriumPropagation::new(nudging, phase(), phase())
        };
        let estimating = [10, 400]
            .map(|n_steps| peak_of(|| drop(with(n_steps).estimate(&network, &batch, None))));
        let [few, many] = estimating;
        // Equal up to buffers that other threads give back a little later.
        assert!(
            (many / few - 1.0).abs() < 0.05,
            "{nudging:?}: {few} and {many} bytes"
        );

        // `infer` relaxes the parameters as they are given: on autodiff every step is recorded,
        // which is what backpropagation through time would cost. Forty times the steps, less
        // what does not depend on them.
        let tracking = [10, 400]
            .map(|n_steps| peak_of(|| drop(with(n_steps).infer(&network, &batch.input, None))));
        let [few, many] = tracking;
        assert!(many > 10.0 * few, "tracked: {few} and {many} bytes");
    }
}
