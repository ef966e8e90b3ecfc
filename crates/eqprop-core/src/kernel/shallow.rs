//! Products with a right factor of few rows, as in the feedback from an output layer.
//!
//! So little is added to each element of the result that reading and writing it is most of the work: this
//! is done row by row, in memory order.

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::panels::lanes;
use super::short::{SHORT_BLOCK, SHORT_SIDE, ShortProduct};

/// Rows processed together: their values stay in 20 of the 32 registers of AVX-512.
const TILE_ROWS: usize = 2;
/// Vectors processed together.
pub const TILE_VECTORS: usize = 2;

/// A right factor `[depth, columns]` with few rows, stored in tiles of columns.
#[derive(Debug)]
pub struct Shallow {
    data: Aligned,
    depth: usize,
    columns: usize,
}

impl Shallow {
    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let width = TILE_VECTORS * lanes();
        let filled = depth.next_multiple_of(SHORT_BLOCK);
        let mut data = Aligned::zeros(filled * columns.next_multiple_of(width));
        let tiles = data.chunks_exact_mut((filled * width).max(1));
        for (tile, first) in tiles.zip((0..columns).step_by(width)) {
            for (row, out) in tile.chunks_exact_mut(width).take(depth).enumerate() {
                for (out, column) in out.iter_mut().zip(first..columns) {
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

impl Shallow {
    /// Tile by tile, `TILE_VECTORS` vectors of each row, then zeros for the rows that fill up a block.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The number of rows.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

impl WithSimd for ShortProduct<'_, Shallow> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.right.depth <= SHORT_BLOCK {
            self.rows::<S, SHORT_BLOCK>(simd);
        } else {
            self.rows::<S, SHORT_SIDE>(simd);
        }
    }
}

impl ShortProduct<'_, Shallow> {
    #[inline(always)]
    fn rows<S: Simd, const D: usize>(mut self, simd: S) {
        let n_rows = self.left.starts.len();
        let mut row = 0;
        while row < n_rows {
            row += match n_rows - row {
                TILE_ROWS.. => self.tiles::<S, TILE_ROWS, D>(simd, row),
                _ => self.tiles::<S, 1, D>(simd, row),
            };
        }
    }

    /// Computes all tiles of `R` rows.
    #[inline(always)]
    fn tiles<S: Simd, const R: usize, const D: usize>(&mut self, simd: S, row: usize) -> usize {
        let rows = self.left.rows::<R>(row, 0);
        let mut left = [[simd.splat_f32s(0.0); D]; R];
        for r in 0..R {
            for (left, &x) in left[r].iter_mut().zip(rows[r]) {
                *left = simd.splat_f32s(x);
            }
        }
        let right = S::as_simd_f32s(&self.right.data).0;
        let width = TILE_VECTORS * S::F32_LANES;
        for (index, right) in right.chunks_exact(D * TILE_VECTORS).enumerate() {
            let mut sums = [[simd.splat_f32s(0.0); TILE_VECTORS]; R];
            for d in 0..D {
                for r in 0..R {
                    for v in 0..TILE_VECTORS {
                        let x = right[d * TILE_VECTORS + v];
                        sums[r][v] = simd.mul_add_f32s(left[r][d], x, sums[r][v]);
                    }
                }
            }
            let columns = index * width..self.right.columns.min((index + 1) * width);
            self.epilogue
                .tile(simd, sums, [row, self.stride], columns, &mut self.out);
        }
        R
    }
}
