//! Dividing work among threads.

use core::mem::MaybeUninit;

use super::team::share;

/// Number of threads among which to divide `work`, so that each gets at least `worth`: with less, a second
/// thread costs more than it saves.
pub fn threads_for(work: usize, worth: usize) -> usize {
    (work / worth).clamp(1, rayon::current_num_threads())
}

/// Appends `n` numbers, which `write` writes over zeros in parts of `part` numbers, on `n_threads` threads.
/// The thread that writes a part zeroes it just before, so that it is in its cache: zeroing all parts
/// first, on one thread, would take as long as the product of a small batch.
pub fn append_in_parts(
    numbers: &mut Vec<f32>,
    n: usize,
    part: usize,
    n_threads: usize,
    write: impl Fn(usize, &mut [f32]) + Sync,
) {
    numbers.reserve(n);
    let parts = numbers.spare_capacity_mut()[..n].chunks_mut(part);
    share(parts.enumerate().collect(), n_threads, |(index, part)| {
        part.fill(MaybeUninit::new(0.0));
        // SAFETY: the part was filled.
        #[allow(unsafe_code)]
        let part = unsafe { part.assume_init_mut() };
        write(index, part);
    });
    // SAFETY: the parts cover all `n` numbers, and were filled.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(numbers.len() + n);
    }
}
