//! Memory, counted where it is allocated.

#![allow(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with the bytes in use counted.
///
/// A program that measures memory installs it:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: eqprop_bench::memory::CountingAllocator =
///     eqprop_bench::memory::CountingAllocator;
///
/// let (_, peak) = eqprop_bench::memory::peak_of(|| vec![0u8; 1 << 20]);
/// assert!(peak >= 1 << 20);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(layout: Layout) {
    let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
    PEAK.fetch_max(in_use, Ordering::Relaxed);
}

/// What `run` returns, and the most bytes that the process held at once while it ran, beyond what
/// it held before. Counts all threads; 0 where [`CountingAllocator`] is not installed.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = run();
    (result, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}
