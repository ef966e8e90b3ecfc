//! Right factors of products, stored in the order in which they are read.

use core::ops::Range;

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::simd::dispatch;
use super::threads::{append_in_parts, threads_for};

/// Minimum number of elements to pack per thread.
const WORTH_A_THREAD: usize = 50_000;

/// Bytes of a core's private cache on most current machines.
pub const CACHE: usize = 1 << 20;

/// A right factor `[depth, columns]` in panels: numbers that are read together are stored together.
#[derive(Debug)]
pub struct Panels {
    data: Aligned,
    depth: usize,
    columns: usize,
    lanes: usize,
}

/// Some columns of a right factor, padded to `vectors` full vectors.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// The numbers from the first row on.
    pub data: &'a [f32],
    /// Offset from one row to the next.
    pub stride: usize,
    /// Vectors per row.
    pub vectors: usize,
}

/// The width of this machine's vectors.
pub fn lanes() -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }

    dispatch(Lanes)
}

/// Vectors across a full panel. With the four rows of a tile they make 24 accumulators of the 32 registers
/// of AVX-512, or 12 of 16.
fn panel_vectors() -> usize {
    if lanes() >= 16 { 6 } else { 3 }
}

/// The width of a full panel.
pub fn panel_width() -> usize {
    panel_vectors() * lanes()
}

impl Panels {
    /// Packs a right factor. `write(columns, stride, out)` writes some of its columns row by row, at
    /// offsets of `stride`, over zeros.
    fn pack(
        depth: usize,
        columns: usize,
        write: impl Fn(Range<usize>, usize, &mut [f32]) + Sync,
    ) -> Self {
        let lanes = lanes();
        let width = panel_width();
        let n = depth * columns.next_multiple_of(lanes);
        let part = (depth * width).max(1);
        let write_panel = |index: usize, out: &mut [f32]| {
            let columns = index * width..columns.min((index + 1) * width);
            let stride = columns.len().next_multiple_of(lanes);
            write(columns, stride, out);
        };
        let n_threads = threads_for(n, WORTH_A_THREAD);
        let data = Aligned::new(n, |data| {
            append_in_parts(data, n, part, n_threads, write_panel)
        });
        Self {
            data,
            depth,
            columns,
            lanes,
        }
    }

    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        Self::pack(depth, columns, |columns, stride, out| {
            for (row, out) in out.chunks_exact_mut(stride).enumerate() {
                for (out, column) in out.iter_mut().zip(columns.clone()) {
                    *out = entry(row, column);
                }
            }
        })
    }

    /// Packs some columns of a row-major matrix whose rows are `stride` long.
    pub fn of_columns(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        let depth = matrix.len().checked_div(stride).unwrap_or(0);
        let start = columns.start;
        Self::pack(depth, columns.len(), |part, out_stride, out| {
            let part = start + part.start..start + part.end;
            let rows = matrix.chunks_exact(stride);
            for (row, out) in rows.zip(out.chunks_exact_mut(out_stride)) {
                out[..part.len()].copy_from_slice(&row[part.clone()]);
            }
        })
    }

    /// Like [`of_columns`](Self::of_columns), for at most one panel of columns of a matrix that is not empty:
    /// without writing zeros first.
    pub fn of_one_panel(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        assert!(columns.len() <= panel_width(), "columns for one panel");
        let depth = matrix.len() / stride;
        let padded = columns.len().next_multiple_of(lanes());
        let data = Aligned::new(depth * padded, |data| {
            for row in matrix.chunks_exact(stride) {
                data.extend_from_slice(&row[columns.clone()]);
                data.resize(data.len() + padded - columns.len(), 0.0);
            }
        });
        Self {
            data,
            depth,
            columns: columns.len(),
            lanes: lanes(),
        }
    }

    /// Packs the transpose of a row-major matrix `[columns, depth]`.
    pub fn of_transposed(matrix: &[f32], columns: usize) -> Self {
        /// Numbers of a row that are read at once: one cache line.
        const BLOCK: usize = 16;
        let depth = matrix.len().checked_div(columns).unwrap_or(0);
        Self::pack(depth, columns, |columns, stride, out| {
            let rows = &matrix[columns.start * depth..columns.end * depth];
            for (block, out) in out.chunks_mut(BLOCK * stride).enumerate() {
                let first = block * BLOCK;
                let n = BLOCK.min(depth - first);
                for (column, row) in rows.chunks_exact(depth).enumerate() {
                    let places = out.iter_mut().skip(column).step_by(stride);
                    let values = &row[first..first + n];
                    places.zip(values).for_each(|(out, &value)| *out = value);
                }
            }
        })
    }

    /// Whether it is too large for a core's own cache, beside all else that is read.
    pub fn is_far(&self) -> bool {
        size_of_val(&self.data[..]) > CACHE / 2
    }

    /// Vectors per row.
    pub fn vectors(&self) -> usize {
        self.columns.div_ceil(self.lanes)
    }

    /// The number of rows.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All panels.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The panel that begins at column `first`.
    pub fn panel(&self, first: usize) -> Panel<'_> {
        let n = panel_width().min(self.columns - first);
        let stride = n.next_multiple_of(self.lanes);
        Panel {
            data: &self.data[first * self.depth..][..stride * self.depth],
            stride,
            vectors: stride / self.lanes,
        }
    }
}

impl Panel<'_> {
    /// Whether there are at least `depth` rows.
    pub fn has_rows(&self, depth: usize) -> bool {
        match depth.checked_sub(1) {
            Some(last) => last * self.stride + self.vectors * lanes() <= self.data.len(),
            None => true,
        }
    }

    /// `V` vectors of a row, from vector `first` on.
    ///
    /// # Safety
    /// The panel must [have](Self::has_rows) more than `row` rows, of at least `first + V` vectors.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub unsafe fn row<S: Simd, const V: usize>(&self, row: usize, first: usize) -> &[S::f32s] {
        let start = row * self.stride + first * S::F32_LANES;
        // SAFETY: by the contract. A check per row costs a tenth of the speed of products with few vectors,
        // and more where its jump crosses a cache line.
        let row = unsafe { self.data.get_unchecked(start..start + V * S::F32_LANES) };
        S::as_simd_f32s(row).0
    }
}
