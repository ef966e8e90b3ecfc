//! Products of whole batches: with weights for a single use, and sums of outer products over the batch,
//! which are gradients.

use super::epilogue::Epilogue;
use super::left::{Left, TILE_ROWS};
use super::out::Out;
use super::panels::{Panels, lanes};
use super::product::{SomeRows, multiply, multiply_columns, multiply_once, multiply_once_packed};
use super::simd::vectorized;
use super::team::{share, share_indices};
use super::threads::{append_each, append_in_parts, threads_for};
use super::zero_pattern::{Columns, ZeroPattern};

/// Minimum number of multiplications per thread.
const WORTH_A_THREAD: usize = 1_000_000;
/// Minimum number of rows for which packing the weights pays off for a single use: where they are read in
/// place, most vectors cross a cache line boundary.
const WORTH_PACKING: usize = 48;
/// Rows of a gradient that are written together, so that they stay in cache.
const ROWS_AT_ONCE: usize = 64;

/// One half of a difference of outer products, `½[Δ ⊗ Σ + Σ ⊗ Δ]`, with differences and sums of the
/// factors, so that close states lose no digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// `½ Δ_pre ⊗ Σ_post`
    Difference,
    /// `½ Σ_pre ⊗ Δ_post`
    Sum,
}

/// Presynaptic values in the two states that are contrasted.
#[derive(Debug, Clone, Copy)]
pub enum Pre<'a> {
    /// The same in both.
    Same(&'a [f32]),
    /// Those of the first and of the second.
    Two(&'a [f32], &'a [f32]),
}

impl<'a> Pre<'a> {
    /// A part of each.
    pub fn map(self, part: impl Fn(&'a [f32]) -> &'a [f32]) -> Self {
        match self {
            Self::Same(both) => Self::Same(part(both)),
            Self::Two(first, second) => Self::Two(part(first), part(second)),
        }
    }
}

/// Presynaptic and postsynaptic factors whose outer products sum to the halves of
/// `scale · Σ_batch [pre ⊗ post (first) − pre ⊗ post (second)]`: `Δ` and `½Σ`, `Σ` and `½Δ`, stacked along
/// the rows. If `pre` is the same in both states, they are `pre`, returned as `None`, and `Δ`.
pub fn factors(
    halves: &[Half],
    pre: Pre<'_>,
    post: [&[f32]; 2],
    scale: f32,
) -> (Option<Vec<f32>>, Vec<f32>) {
    let half = 0.5 * scale;
    let (mut below, mut above) = (Vec::new(), Vec::new());
    match pre {
        Pre::Same(_) => {
            combine(post, &mut above, |a, b| (a - b) * scale);
            return (None, above);
        }
        Pre::Two(a, b) => {
            below.reserve(halves.len() * a.len());
            above.reserve(halves.len() * post[0].len());
            for of in halves {
                match of {
                    Half::Difference => {
                        combine([a, b], &mut below, |a, b| a - b);
                        combine(post, &mut above, |a, b| (a + b) * half);
                    }
                    Half::Sum => {
                        combine([a, b], &mut below, |a, b| a + b);
                        combine(post, &mut above, |a, b| (a - b) * half);
                    }
                }
            }
        }
    }
    (Some(below), above)
}

fn combine([first, second]: [&[f32]; 2], out: &mut Vec<f32>, of: impl Fn(f32, f32) -> f32 + Sync) {
    debug_assert_eq!(first.len(), second.len());
    append_each(out, first.len(), |places, out| {
        let pairs = first[places.clone()].iter().zip(&second[places]);
        vectorized(
            #[inline(always)]
            || {
                for (out, (&a, &b)) in out.iter_mut().zip(pairs) {
                    *out = of(a, b);
                }
            },
        );
    });
}

/// `belowᵀ above`, `[n_in, n_out]`.
pub fn product_over_rows(below: &[f32], above: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let product = OverRows::new(below, above, shape);
    let [n_in, n_out] = shape;
    let mut out = Vec::new();
    let part = ROWS_AT_ONCE * n_out;
    append_in_parts(
        &mut out,
        n_in * n_out,
        part,
        product.n_threads,
        |index, out| {
            product.put(index, Epilogue::SET, out);
        },
    );
    out
}

/// `out ← out + factor · belowᵀ above`, `[n_in, n_out]`.
pub fn add_product_over_rows(
    factor: f32,
    below: &[f32],
    above: &[f32],
    shape: [usize; 2],
    out: &mut [f32],
) {
    let above: Vec<f32> = above.iter().map(|x| x * factor).collect();
    let product = OverRows::new(below, &above, shape);
    let parts = out
        .chunks_mut(ROWS_AT_ONCE * shape[1])
        .enumerate()
        .collect();
    share(parts, product.n_threads, |(index, out)| {
        product.put(index, Epilogue::ADD, out);
    });
}

/// `belowᵀ above`, computed some rows at a time.
struct OverRows<'a> {
    below: &'a [f32],
    right: Panels,
    n_in: usize,
    n_threads: usize,
}

impl<'a> OverRows<'a> {
    fn new(below: &'a [f32], above: &[f32], [n_in, n_out]: [usize; 2]) -> Self {
        Self {
            right: Panels::of_columns(above, n_out, 0..n_out),
            n_in,
            n_threads: threads_for(below.len() * n_out, WORTH_A_THREAD),
            below,
        }
    }

    /// Writes part `index` of the rows.
    fn put(&self, index: usize, epilogue: Epilogue<'_>, out: &mut [f32]) {
        let units = index * ROWS_AT_ONCE..self.n_in.min((index + 1) * ROWS_AT_ONCE);
        let left = Columns::new(self.below, self.n_in, units);
        multiply_columns(&left, &self.right, epilogue, out, self.right.columns());
    }
}

/// `x W` for a single use, `[batch, n_out]`.
///
/// Each thread computes some of the columns, so that it reads only that part of the weights.
pub fn product(x: &[f32], weights: &[f32], [batch, n_in, n_out]: [usize; 3]) -> Vec<f32> {
    let starts: Vec<usize> = (0..batch).map(|row| row * n_in).collect();
    let left = Left::matrix(x, &starts, n_in);
    let n_threads = threads_for(batch * n_in * n_out, WORTH_A_THREAD);
    let n_vectors = n_out.div_ceil(lanes());
    if n_vectors < n_threads && batch >= WORTH_PACKING {
        return product_by_rows(left, weights, [n_out, n_threads]);
    }
    let n_parts = n_threads.min(n_vectors);
    let bound = |part: usize| n_out.min(part * n_vectors / n_parts * lanes());
    let rows = match batch < WORTH_PACKING {
        true => Vec::new(),
        false => rows_of(left, n_out, n_threads),
    };
    let n = batch * n_out;
    let mut numbers = Vec::with_capacity(n);
    // SAFETY: each part begins by zeroing its columns.
    #[allow(unsafe_code)]
    let spare = unsafe { Out::unwritten(&mut numbers.spare_capacity_mut()[..n]) };
    share_indices(n_parts, n_parts, |part| {
        // SAFETY: the parts have no column in common.
        #[allow(unsafe_code)]
        let mut out = unsafe { spare.shared() };
        let columns = bound(part)..bound(part + 1);
        for row in 0..batch {
            out.zero(row * n_out + columns.start..row * n_out + columns.end);
        }
        if rows.is_empty() {
            multiply_once(left, weights, n_out, columns, out);
        } else {
            multiply_once_packed(&rows, weights, n_out, columns, out);
        }
    });
    // SAFETY: the parts cover all columns, and were zeroed.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(n);
    }
    numbers
}

/// The same, with the rows divided among threads, for outputs with too few columns to divide.
fn product_by_rows(left: Left<'_>, weights: &[f32], [n_out, n_threads]: [usize; 2]) -> Vec<f32> {
    let right = Panels::of_columns(weights, n_out, 0..n_out);
    let n = left.starts.len().div_ceil(n_threads);
    let n = n.next_multiple_of(TILE_ROWS);
    let mut out = Vec::new();
    let n_numbers = left.starts.len() * n_out;
    append_in_parts(&mut out, n_numbers, n * n_out, n_threads, |index, out| {
        let starts = &left.starts[index * n..][..out.len() / n_out];
        let (left, mut zeros) = (Left { starts, ..left }, ZeroPattern::default());
        multiply(left, &right, Epilogue::SET, out, n_out, &mut zeros);
    });
    out
}

/// The rows of a left factor in parts, each searched for zeros by one thread.
fn rows_of(left: Left<'_>, n_columns: usize, n_threads: usize) -> Vec<SomeRows<'_>> {
    let n = left.starts.len().div_ceil(n_threads);
    let starts = left.starts.chunks(n.next_multiple_of(TILE_ROWS));
    let mut rows: Vec<Option<SomeRows<'_>>> = starts.clone().map(|_| None).collect();
    let parts = rows.iter_mut().zip(starts).collect();
    share(parts, n_threads, |(rows, starts)| {
        *rows = Some(SomeRows::new(Left { starts, ..left }, n_columns));
    });
    rows.into_iter().flatten().collect()
}
