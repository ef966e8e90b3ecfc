//! Products with a right factor of few columns, as in front of output layers: in a panel, most of each
//! vector would be empty.
//!
//! Vectors run along the depth instead, and each element of the result is the sum of a vector's lanes.

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::panels::lanes;
use super::short::{SHORT_BLOCK, SHORT_SIDE, ShortProduct};

/// Rows whose sums are computed together: with the columns of a block, 20 accumulators of the 32 registers
/// of AVX-512.
const TILE_ROWS: usize = 4;

/// A right factor `[depth, columns]` with few columns, in blocks of columns: within a block, one vector of
/// each column follows another along the depth.
#[derive(Debug)]
pub struct Narrow {
    data: Aligned,
    depth: usize,
    columns: usize,
}

impl Narrow {
    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = lanes();
        let padded = depth.next_multiple_of(lanes);
        let mut data = Aligned::zeros(padded * columns.next_multiple_of(SHORT_BLOCK));
        for column in 0..columns {
            let first = column / SHORT_BLOCK * SHORT_BLOCK * padded + column % SHORT_BLOCK * lanes;
            let vectors = data[first..].chunks_mut(SHORT_BLOCK * lanes);
            for (vector, out) in vectors.take(padded / lanes).enumerate() {
                let rows = vector * lanes..depth.min((vector + 1) * lanes);
                for (out, row) in out.iter_mut().zip(rows) {
                    *out = entry(row, column);
                }
            }
        }
        Self {
            data,
            depth,
            columns,
        }
    }
}

impl WithSimd for ShortProduct<'_, Narrow> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let n_rows = self.left.starts.len();
        let mut row = 0;
        while row < n_rows {
            row += match n_rows - row {
                TILE_ROWS.. => self.tile::<S, TILE_ROWS>(simd, row),
                2.. => self.tile::<S, 2>(simd, row),
                _ => self.tile::<S, 1>(simd, row),
            };
        }
    }
}

impl ShortProduct<'_, Narrow> {
    /// Computes `R` rows of the result.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, simd: S, row: usize) -> usize {
        let rows = self.left.rows::<R>(row, 0);
        let right = S::as_simd_f32s(&self.right.data).0;
        let block = self.right.depth.div_ceil(S::F32_LANES) * SHORT_BLOCK;
        let mut sums = [[0.0; SHORT_SIDE]; R];
        for (index, block) in right.chunks_exact(block).enumerate() {
            let vectors = sums_of_products::<S, R>(simd, rows, block);
            for r in 0..R {
                for c in 0..SHORT_BLOCK {
                    sums[r][index * SHORT_BLOCK + c] = simd.reduce_sum_f32s(vectors[r][c]);
                }
            }
        }
        for first in (0..self.right.columns).step_by(S::F32_LANES) {
            let columns = first..self.right.columns.min(first + S::F32_LANES);
            let mut tile = [[simd.splat_f32s(0.0)]; R];
            for r in 0..R {
                tile[r][0] = simd.partial_load_f32s(&sums[r][columns.clone()]);
            }
            self.epilogue
                .tile(simd, tile, [row, self.stride], columns, &mut self.out);
        }
        R
    }
}

/// The products of `R` rows with a block of columns, each a vector of partial sums.
///
/// Loops instead of closures, which are compiled without the machine's vectors where they are not inlined.
#[inline(always)]
fn sums_of_products<S: Simd, const R: usize>(
    simd: S,
    rows: [&[f32]; R],
    block: &[S::f32s],
) -> [[S::f32s; SHORT_BLOCK]; R] {
    let mut sums = [[simd.splat_f32s(0.0); SHORT_BLOCK]; R];
    let mut left = [simd.splat_f32s(0.0); R];
    let mut columns = block.chunks_exact(SHORT_BLOCK);
    for place in 0..rows[0].len() / S::F32_LANES {
        for r in 0..R {
            left[r] = S::as_simd_f32s(rows[r]).0[place];
        }
        let columns = columns.next().expect("as deep as the rows");
        add_products(simd, left, columns, &mut sums);
    }
    if let Some(columns) = columns.next() {
        for r in 0..R {
            left[r] = simd.partial_load_f32s(S::as_simd_f32s(rows[r]).1);
        }
        add_products(simd, left, columns, &mut sums);
    }
    sums
}

/// Adds the products of a vector of each row with one of each column.
#[inline(always)]
fn add_products<S: Simd, const R: usize>(
    simd: S,
    left: [S::f32s; R],
    columns: &[S::f32s],
    sums: &mut [[S::f32s; SHORT_BLOCK]; R],
) {
    let mut right = [simd.splat_f32s(0.0); SHORT_BLOCK];
    right.copy_from_slice(columns);
    for r in 0..R {
        for c in 0..SHORT_BLOCK {
            sums[r][c] = simd.mul_add_f32s(left[r], right[c], sums[r][c]);
        }
    }
}
