//! Dividing work among threads.

use core::mem::MaybeUninit;
use core::ops::Range;

use super::team::share;

/// Minimum number of copied or combined numbers per thread.
const WORTH_A_THREAD: usize = 50_000;
/// Numbers that a thread takes at a time, so that they stay in its cache.
const TOGETHER: usize = 1 << 14;

/// Number of threads among which to divide `work`, so that each gets at least `worth`: with less, a second
/// thread costs more than it saves.
pub fn threads_for(work: usize, worth: usize) -> usize {
    (work / worth).clamp(1, rayon::current_num_threads())
}

/// Appends `n` numbers, which `write` writes over zeros in parts of `part` numbers, on `n_threads` threads.
pub fn append_in_parts(
    numbers: &mut Vec<f32>,
    n: usize,
    part: usize,
    n_threads: usize,
    write: impl Fn(usize, &mut [f32]) + Sync,
) {
    let parts = (0..n).step_by(part).map(|start| part.min(n - start));
    append_for(numbers, parts.enumerate(), n_threads, write);
}

/// Appends `n` numbers, which `write` computes from those at the same places of other lists: it is given the
/// places of each part.
pub fn append_each(
    numbers: &mut Vec<f32>,
    n: usize,
    write: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let n_threads = threads_for(n, WORTH_A_THREAD);
    append_in_parts(numbers, n, TOGETHER, n_threads, |index, out| {
        let start = index * TOGETHER;
        write(start..start + out.len(), out);
    });
}

/// What `write` writes over zeros for each item, one after the other; items come with their lengths.
pub fn collected<T: Send>(
    items: impl Iterator<Item = (T, usize)> + Clone,
    write: impl Fn(T, &mut [f32]) + Sync,
) -> Vec<f32> {
    let n = items.clone().map(|(_, length)| length).sum();
    let mut numbers = Vec::new();
    append_for(&mut numbers, items, threads_for(n, WORTH_A_THREAD), write);
    numbers
}

/// `n` copies of a list, one after the other.
pub fn repeated(list: &[f32], n: usize) -> Vec<f32> {
    let parts = (0..n).flat_map(|_| list.chunks(TOGETHER));
    let parts = parts.map(|part| (part, part.len()));
    collected(parts, |part, out| out.copy_from_slice(part))
}

/// Appends what `write` writes for each item. The thread that writes a part zeroes it just before, so that it is
/// in its cache: zeroing all parts first, on one thread, would take as long as the product of a small batch.
fn append_for<T: Send>(
    numbers: &mut Vec<f32>,
    items: impl Iterator<Item = (T, usize)> + Clone,
    n_threads: usize,
    write: impl Fn(T, &mut [f32]) + Sync,
) {
    let n = items.clone().map(|(_, length)| length).sum();
    numbers.reserve(n);
    let mut rest = &mut numbers.spare_capacity_mut()[..n];
    let mut parts = Vec::new();
    for (item, length) in items {
        let (part, after) = rest.split_at_mut(length);
        parts.push((item, part));
        rest = after;
    }
    assert!(rest.is_empty(), "lengths that change");
    share(parts, n_threads, |(item, part)| {
        part.fill(MaybeUninit::new(0.0));
        // SAFETY: the part was filled.
        #[allow(unsafe_code)]
        let part = unsafe { part.assume_init_mut() };
        write(item, part);
    });
    // SAFETY: the parts cover all `n` numbers, and were filled.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(numbers.len() + n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Different numbers.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|number| number as f32).collect()
    }

    #[test]
    fn parts_follow_each_other_whatever_their_length() {
        let all = numbers(4 * WORTH_A_THREAD);
        for lengths in [
            vec![],
            vec![0],
            vec![3, 0, 5],
            vec![1, 3 * WORTH_A_THREAD, 7],
        ] {
            let n: usize = lengths.iter().sum();
            let starts = lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end - length)
            });
            let found = collected(starts.zip(lengths.iter().copied()), |start, out| {
                assert!(out.iter().all(|&x| x == 0.0));
                out.copy_from_slice(&all[start..start + out.len()]);
            });
            assert!(found == all[..n], "{lengths:?}");
        }
    }

    #[test]
    fn copies_follow_each_other() {
        for n in [0, 1, TOGETHER + 1, WORTH_A_THREAD] {
            let list = numbers(n);
            assert!(repeated(&list, 3) == list.repeat(3), "{n}");
        }
        assert!(repeated(&numbers(5), 0).is_empty());
    }

    #[test]
    fn each_number_is_computed_from_those_at_its_place() {
        for n in [0, 1, TOGETHER, TOGETHER + 1, 3 * WORTH_A_THREAD] {
            let list = numbers(n);
            let mut out = vec![-1.0];
            append_each(&mut out, n, |places, out| {
                for (out, x) in out.iter_mut().zip(&list[places]) {
                    *out = 2.0 * x;
                }
            });
            let expected = list.iter().map(|x| 2.0 * x);
            assert!(
                out[0] == -1.0 && out[1..].iter().copied().eq(expected),
                "{n}"
            );
        }
    }
}
