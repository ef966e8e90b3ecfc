//! Reading ahead.

/// Numbers that will be needed soon, requested a little at a time between computations: a core reads from the
/// cache that all share, or from memory, no faster than it computes, and this does both at once. The order in
/// which a product reads is too irregular for a processor to do it by itself. Only x86-64 has a request in
/// stable Rust; elsewhere nothing is requested.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    next: *const f32,
    end: *const f32,
    step: usize,
}

/// Numbers of a cache line.
const LINE: usize = 16;
/// Lines that are requested at a time.
const LINES: usize = 2;

impl Ahead {
    /// Requests nothing new.
    pub fn nothing() -> Self {
        Self::of(&[])
    }

    /// Requests these numbers.
    pub fn of(numbers: &[f32]) -> Self {
        let numbers = numbers.as_ptr_range();
        Self {
            next: numbers.start,
            end: numbers.end,
            step: 0,
        }
    }

    /// Leaves out the numbers of `n` requests, which another loop makes.
    #[inline(always)]
    pub fn skip(&mut self, n: usize) {
        self.next = self.next.wrapping_add(n * LINES * LINE);
    }

    /// Begins a loop that requests some of them.
    #[inline(always)]
    pub fn begin(&mut self) {
        self.step = if self.next < self.end {
            LINES * LINE
        } else {
            0
        };
    }

    /// Requests the next ones, without waiting for them.
    #[inline(always)]
    pub fn request(&mut self) {
        #[cfg(target_arch = "x86_64")]
        for line in 0..LINES {
            use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: a request for any address is valid, and reads nothing.
            #[allow(unsafe_code)]
            unsafe {
                _mm_prefetch::<_MM_HINT_T1>(self.next.wrapping_add(line * LINE).cast());
            }
        }
        self.next = self.next.wrapping_add(self.step);
    }
}
