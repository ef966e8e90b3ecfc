//! Sharing work out to threads.

use core::mem::MaybeUninit;

use super::team::share;

/// How many threads to share `work` out to, where each should get at least `worth`: with less, a second
/// thread costs more than it saves.
pub fn threads_for(work: usize, worth: usize) -> usize {
    (work / worth).clamp(1, rayon::current_num_threads())
}

/// Appends `n` numbers, which `write` writes in parts of `part`, over zeros, on so many threads. The thread that writes a part
/// puts the zeros there just before, so that it finds them in its cache: all at once, on one thread, would
/// take as long as the product of a small batch.
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
    // SAFETY: the parts are all of the `n` numbers, and were filled.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(numbers.len() + n);
    }
}
