//! Measures memory by counting allocations.

#![allow(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};

use mimalloc::MiMalloc;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// An allocator that counts the bytes in use and keeps the pages it frees.
///
/// A training step allocates and frees the same few tensors of megabytes over and over. The system's
/// allocator returns such pages at once and requests them again, each with a page fault, which takes more
/// than half of the time of a small network's step, for EP and backprop alike.
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

// SAFETY: every call goes to mimalloc unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}

fn count(size: usize) {
    let in_use = IN_USE.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(in_use, Ordering::Relaxed);
}

/// Returns the result of `run`, and the most bytes that the process held at once while it ran, beyond what it
/// held before. Counts all threads; 0 if [`CountingAllocator`] is not installed.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = run();
    (result, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}
