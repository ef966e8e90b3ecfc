//! Products with the transpose of a matrix that is packed for products with the matrix itself, so that large
//! weights that are needed in both directions are stored, and read from memory, once.
//!
//! ```text
//! C ← A Bᵀ      A: [rows, columns],  B: [depth, columns] in panels,  C: [rows, depth]
//! ```
//!
//! Vectors run along the columns, and each element of the result is the sum of a vector's lanes. Zeros are not
//! skipped.

use core::ops::Range;

use pulp::{Simd, WithSimd};

use super::ahead::Ahead;
use super::epilogue::Epilogue;
use super::left::{Left, TILE_ROWS, tiles};
use super::out::Out;
use super::panels::{Panels, lanes, panel_width};
use super::simd::dispatch;
use super::team::share_indices;

/// Rows of `B` whose sums are computed together where there are 32 registers: with those of `A`, 24
/// accumulators.
const MANY: usize = 6;
/// The same for 16 registers.
const FEW: usize = 3;

/// Writes `A Bᵀ`, like [`multiply_on`](super::product::multiply_on); each row of `left` must be one run.
pub fn multiply_transposed(
    n_threads: usize,
    left: Left<'_>,
    right: &Panels,
    epilogue: Epilogue<'_>,
    (out, stride): (Out<'_>, usize),
) {
    assert_eq!(left.depth(), right.columns(), "factors that do not fit");
    let together = if lanes() >= 16 { MANY } else { FEW };
    let n_tiles = right.depth().div_ceil(together);
    let n_parts = n_threads.min(n_tiles);
    let bound = |part: usize| right.depth().min(part * n_tiles / n_parts * together);
    share_indices(n_parts, n_parts, |part| {
        // SAFETY: different parts have no column in common.
        #[allow(unsafe_code)]
        let out = unsafe { out.shared() };
        dispatch(Transposed {
            left,
            right,
            epilogue,
            out,
            stride,
            range: bound(part)..bound(part + 1),
        });
    });
}

/// Some columns of the product.
struct Transposed<'a> {
    left: Left<'a>,
    right: &'a Panels,
    epilogue: Epilogue<'a>,
    out: Out<'a>,
    stride: usize,
    range: Range<usize>,
}

impl WithSimd for Transposed<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::F32_LANES >= 16 {
            self.all::<S, MANY>(simd);
        } else {
            self.all::<S, FEW>(simd);
        }
    }
}

impl Transposed<'_> {
    #[inline(always)]
    fn all<S: Simd, const N: usize>(mut self, simd: S) {
        let Range { mut start, end } = self.range;
        while start + N <= end {
            self.column_tiles::<S, N>(simd, start);
            start += N;
        }
        for column in start..end {
            self.column_tiles::<S, 1>(simd, column);
        }
    }

    /// Computes `N` columns, which read `N` rows of `B`: they stay in the L1 cache for all rows of `A`.
    #[inline(always)]
    fn column_tiles<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        for (row, height) in tiles(self.left.starts.len()) {
            match height {
                TILE_ROWS => self.tile::<S, TILE_ROWS, N>(simd, row, first),
                2 => self.tile::<S, 2, N>(simd, row, first),
                _ => self.tile::<S, 1, N>(simd, row, first),
            }
        }
    }

    /// Computes one tile of `R` rows and `N` columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const N: usize>(&mut self, simd: S, row: usize, first: usize) {
        let rows = self.left.rows::<R>(row, 0);
        let (mut left, mut rest) = ([&[][..]; R], [&[][..]; R]);
        for r in 0..R {
            (left[r], rest[r]) = S::as_simd_f32s(rows[r]);
        }
        let n_whole = left[0].len();
        let n_vectors = n_whole + usize::from(!rest[0].is_empty());
        let (width, depth) = (panel_width(), self.right.depth());
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        let (mut of_left, mut of_right) = ([simd.splat_f32s(0.0); R], [simd.splat_f32s(0.0); N]);
        let mut start = 0;
        for panel in self.right.data().chunks(width * depth) {
            let n = (width / S::F32_LANES).min(n_vectors - start);
            let stride = n * S::F32_LANES;
            let (now, next) = panel[first * stride..].split_at(N * stride);
            let right = S::as_simd_f32s(now).0;
            // Of the rows of the next tile, the part that belongs to these rows of `A`.
            let mut ahead = Ahead::of(next);
            ahead.skip(row / TILE_ROWS * n);
            ahead.begin();
            let whole = n.min(n_whole - start);
            assert!(right.len() == N * n && left.iter().all(|left| left.len() == n_whole));
            for v in 0..whole {
                // SAFETY: `right` is as long, and `start + whole` is at most `n_whole`. Checks would cost half
                // of the speed.
                #[allow(unsafe_code)]
                unsafe {
                    for r in 0..R {
                        of_left[r] = *left[r].get_unchecked(start + v);
                    }
                    for (k, vector) in of_right.iter_mut().enumerate() {
                        *vector = *right.get_unchecked(k * n + v);
                    }
                }
                add_products(simd, of_left, of_right, &mut sums);
                ahead.request();
            }
            if whole < n {
                for r in 0..R {
                    of_left[r] = simd.partial_load_f32s(rest[r]);
                }
                for (k, vector) in of_right.iter_mut().enumerate() {
                    *vector = right[k * n + whole];
                }
                add_products(simd, of_left, of_right, &mut sums);
            }
            start += n;
        }
        let mut numbers = [[0.0; MANY]; R];
        for r in 0..R {
            for n in 0..N {
                numbers[r][n] = simd.reduce_sum_f32s(sums[r][n]);
            }
        }
        for start in (0..N).step_by(S::F32_LANES) {
            let part = start..N.min(start + S::F32_LANES);
            let mut tile = [[simd.splat_f32s(0.0)]; R];
            for r in 0..R {
                tile[r][0] = simd.partial_load_f32s(&numbers[r][part.clone()]);
            }
            let columns = first + part.start..first + part.end;
            let place = [row, self.stride];
            self.epilogue
                .tile(simd, tile, place, columns, &mut self.out);
        }
    }
}

/// Adds the products of a vector of each row of `A` with one of each row of `B`.
#[inline(always)]
fn add_products<S: Simd, const R: usize, const N: usize>(
    simd: S,
    left: [S::f32s; R],
    right: [S::f32s; N],
    sums: &mut [[S::f32s; N]; R],
) {
    for r in 0..R {
        for n in 0..N {
            sums[r][n] = simd.mul_add_f32s(left[r], right[n], sums[r][n]);
        }
    }
}
