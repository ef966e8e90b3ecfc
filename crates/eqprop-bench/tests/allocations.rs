//! Allocations of a fused relaxation: their number is the same for few steps and for many, because no step
//! allocates.
//!
//! A separate binary, because it counts every allocation of the process.
#![cfg(feature = "flex")]
#![allow(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Distribution, Tensor};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::Relaxation;
use eqprop_train::preset::Preset;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Additional steps, and the most allocations that threads may make meanwhile to pass on work: less than one
/// per step.
const MORE_STEPS: usize = 100;
const SLACK: usize = MORE_STEPS / 2;

/// A single test, so that nothing else allocates beside it.
#[test]
fn a_step_of_a_relaxation_allocates_nothing() {
    for preset in [
        "paper-1h",
        "paper-2h",
        "dhn-1h",
        "conv-mnist",
        "pcn-mnist",
        "drn-xs",
    ] {
        let preset: Preset = preset.parse().expect("a preset");
        let config = preset.config();
        let network = config.network(&Device::flex());
        let estimator = config.estimator();
        let energy = &network.energy;
        let uniform = Distribution::Uniform(0.0, 1.0);
        let shape = [8, config.energy().input.n_units()];
        let input = Tensor::random(shape, uniform, &Device::flex());
        let target = Tensor::random(
            [8, config.data.dataset.n_classes()],
            uniform,
            &Device::flex(),
        );
        let beta = Tensor::full([8, 1], 0.1, &Device::flex());
        let clamped = energy.clamp(&input);
        let start = energy.start(&input, &clamped);
        let free = TotalEnergy::<_, AnyCost>::free(energy, &clamped);
        let nudged = TotalEnergy::nudged(energy, &clamped, &network.cost, &target, beta);
        for (phase, total) in [(&estimator.free, free), (&estimator.nudged, nudged)] {
            let count = |n_steps: usize| {
                let relaxation = Relaxation::steps(phase.dynamics, n_steps);
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                drop(relaxation.relax(&total, start.clone()));
                ALLOCATIONS.load(Ordering::Relaxed) - before
            };
            // Allocates whatever is packed and kept for later.
            count(3);
            let [few, many] = [3, 3 + MORE_STEPS].map(count);
            assert!(few > 0, "the allocator does not count");
            assert!(
                many <= few + SLACK,
                "{preset:?}: {few} allocations in 3 steps, {many} in {MORE_STEPS} more"
            );
        }
    }
}
