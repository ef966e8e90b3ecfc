//! Right factors of products, laid out as they are read.

use core::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Vectors across a full panel.
pub const PANEL_VECTORS: usize = 3;

/// A right factor `[depth, columns]`, in panels: what is read together lies together.
#[derive(Debug, Clone)]
pub struct Panels {
    data: Vec<f32>,
    depth: usize,
    columns: usize,
    pub(super) lanes: usize,
}

/// Some columns of a right factor, filled up to `vectors` full vectors.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// The first row and what follows it.
    pub data: &'a [f32],
    /// From a row to the next.
    pub stride: usize,
    /// Vectors of a row.
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

    Arch::new().dispatch(Lanes)
}

/// The width of a full panel.
pub fn panel_width() -> usize {
    PANEL_VECTORS * lanes()
}

impl Panels {
    /// Packs a right factor of which `add(columns, padding, out)` adds some columns to a list, row by
    /// row, each row with zeros behind it.
    fn pack(
        depth: usize,
        columns: usize,
        mut add: impl FnMut(Range<usize>, usize, &mut Vec<f32>),
    ) -> Self {
        let lanes = lanes();
        let width = PANEL_VECTORS * lanes;
        let mut data = Vec::with_capacity(depth * columns.next_multiple_of(lanes));
        for first in (0..columns).step_by(width) {
            let columns = first..columns.min(first + width);
            let padding = columns.len().next_multiple_of(lanes) - columns.len();
            add(columns, padding, &mut data);
        }
        Self {
            data,
            depth,
            columns,
            lanes,
        }
    }

    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        Self::pack(depth, columns, |columns, padding, out| {
            for row in 0..depth {
                out.extend(columns.clone().map(|column| entry(row, column)));
                out.resize(out.len() + padding, 0.0);
            }
        })
    }

    /// Packs some columns of a matrix that lies row by row, `stride` numbers each.
    pub fn of_columns(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        let depth = matrix.len().checked_div(stride).unwrap_or(0);
        Self::pack(depth, columns.len(), |part, padding, out| {
            let part = columns.start + part.start..columns.start + part.end;
            for row in matrix.chunks_exact(stride) {
                out.extend_from_slice(&row[part.clone()]);
                out.resize(out.len() + padding, 0.0);
            }
        })
    }

    /// Packs the transpose of a matrix `[columns, depth]` that lies row by row.
    pub fn of_transposed(matrix: &[f32], columns: usize) -> Self {
        /// Numbers of a row that are read at once: the line of the cache that they lie in.
        const BLOCK: usize = 16;
        let depth = matrix.len().checked_div(columns).unwrap_or(0);
        let mut block = Vec::new();
        Self::pack(depth, columns, |columns, padding, out| {
            let stride = columns.len() + padding;
            let rows = &matrix[columns.start * depth..columns.end * depth];
            block.clear();
            block.resize(BLOCK * stride, 0.0);
            for first in (0..depth).step_by(BLOCK) {
                let n = BLOCK.min(depth - first);
                for (column, row) in rows.chunks_exact(depth).enumerate() {
                    let places = block.iter_mut().skip(column).step_by(stride);
                    let values = &row[first..first + n];
                    places.zip(values).for_each(|(out, &value)| *out = value);
                }
                out.extend_from_slice(&block[..n * stride]);
            }
        })
    }

    /// The number of rows.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The panel that begins at column `first`.
    pub fn panel(&self, first: usize) -> Panel<'_> {
        let n = (PANEL_VECTORS * self.lanes).min(self.columns - first);
        let stride = n.next_multiple_of(self.lanes);
        Panel {
            data: &self.data[first * self.depth..][..stride * self.depth],
            stride,
            vectors: stride / self.lanes,
        }
    }
}

impl Panel<'_> {
    /// The vectors of a row.
    #[inline(always)]
    pub fn row<S: Simd, const V: usize>(&self, row: usize) -> &[S::f32s] {
        S::as_simd_f32s(&self.data[row * self.stride..][..V * S::F32_LANES]).0
    }
}
