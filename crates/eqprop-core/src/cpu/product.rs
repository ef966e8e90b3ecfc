//! Products of a few rows with a matrix, and what becomes of them unit by unit.
//!
//! ```text
//! C ← A B,   C ← C + A B,   C ← clip(base + A B), …      A: [rows, depth],  B: [depth, columns]
//! ```
//!
//! `B` is cut into panels of a few vectors' width. A tile of `C`, some rows high and a panel wide,
//! stays in registers while the depth is walked; a panel stays in cache while the rows are. Where
//! all rows of a tile are 0, as images are at their edges, the walk skips the depth.

use core::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::finish::Finish;
use super::nonzero::{Nonzero, Places};

/// Rows of a tile: with three vectors across, 24 accumulators of the 32 registers of AVX-512.
pub const TILE_ROWS: usize = 8;
/// Vectors across a full panel.
const PANEL_VECTORS: usize = 3;

/// Rows of the left factor, each of them one or several runs of numbers at the same distances: the
/// rows or the columns of a matrix, or the patches that a kernel sees in feature maps.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// Where all rows lie.
    pub data: &'a [f32],
    /// Where each row begins.
    pub starts: &'a [usize],
    /// Where the runs of a row begin, counted from its start.
    pub runs: &'a [usize],
    /// Numbers in a run.
    pub run_length: usize,
    /// From a number of a run to the next.
    pub step: usize,
}

impl Left<'_> {
    pub(super) fn depth(&self) -> usize {
        self.runs.len() * self.run_length
    }
}

/// Tiles of rows: the first row and the number of rows of each.
pub(super) fn tiles(n_rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut row = 0;
    core::iter::from_fn(move || {
        let first = row;
        let height = match n_rows - first {
            0 => return None,
            TILE_ROWS.. => TILE_ROWS,
            6.. => 6,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        row += height;
        Some((first, height))
    })
}

/// A right factor `[depth, columns]`, in panels: what is read together lies together.
#[derive(Debug, Clone)]
pub struct Panels {
    data: Vec<f32>,
    depth: usize,
    columns: usize,
    lanes: usize,
}

/// Some columns of a right factor, with anything behind them up to `vectors` full vectors.
#[derive(Debug, Clone, Copy)]
struct Panel<'a> {
    data: &'a [f32],
    /// From a row to the next.
    stride: usize,
    vectors: usize,
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
    /// Packs a right factor of which `row(row, columns, out)` writes some columns of a row.
    fn by_rows(
        depth: usize,
        columns: usize,
        row: impl Fn(usize, Range<usize>, &mut [f32]),
    ) -> Self {
        Self::by_panels(depth, columns, |columns, stride, panel| {
            for (index, out) in panel.chunks_exact_mut(stride).enumerate() {
                row(index, columns.clone(), &mut out[..columns.len()]);
            }
        })
    }

    /// Packs a right factor of which `fill(columns, stride, out)` writes a panel, `[depth, stride]`.
    fn by_panels(
        depth: usize,
        columns: usize,
        fill: impl Fn(Range<usize>, usize, &mut [f32]),
    ) -> Self {
        let lanes = lanes();
        let width = PANEL_VECTORS * lanes;
        let mut data = vec![0.0; depth * columns.next_multiple_of(lanes)];
        for first in (0..columns).step_by(width) {
            let columns = first..columns.min(first + width);
            let stride = columns.len().next_multiple_of(lanes);
            // All panels before this one are full.
            let panel = &mut data[first * depth..][..stride * depth];
            fill(columns, stride, panel);
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
        Self::by_rows(depth, columns, |row, columns, out| {
            for (column, out) in columns.zip(out) {
                *out = entry(row, column);
            }
        })
    }

    /// Packs some columns of a matrix `[depth, stride]` that lies row by row.
    pub fn of_columns(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        let depth = matrix.len().checked_div(stride).unwrap_or(0);
        Self::by_rows(depth, columns.len(), |row, part, out| {
            let start = row * stride + columns.start + part.start;
            out.copy_from_slice(&matrix[start..][..out.len()]);
        })
    }

    /// Packs the transpose of a matrix `[columns, depth]` that lies row by row.
    pub fn of_transposed(matrix: &[f32], columns: usize) -> Self {
        /// Numbers of a row that are read at once: the line of the cache that they lie in.
        const BLOCK: usize = 16;
        let depth = matrix.len().checked_div(columns).unwrap_or(0);
        Self::by_panels(depth, columns, |columns, stride, panel| {
            let rows = &matrix[columns.start * depth..columns.end * depth];
            for (block, out) in panel.chunks_mut(BLOCK * stride).enumerate() {
                for (column, row) in rows.chunks_exact(depth).enumerate() {
                    let values = row[block * BLOCK..].iter();
                    let places = out.iter_mut().skip(column).step_by(stride);
                    places.zip(values).for_each(|(out, &value)| *out = value);
                }
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
    fn panel(&self, first: usize) -> Panel<'_> {
        let n = (PANEL_VECTORS * self.lanes).min(self.columns - first);
        let stride = n.next_multiple_of(self.lanes);
        Panel {
            data: &self.data[first * self.depth..][..stride * self.depth],
            stride,
            vectors: stride / self.lanes,
        }
    }
}

/// Puts down `A B`; row `r` of `C` begins at `r · stride` of `out`.
pub fn multiply(
    left: Left<'_>,
    right: &Panels,
    finish: Finish<'_>,
    out: &mut [f32],
    stride: usize,
    nonzero: &mut Nonzero,
) {
    debug_assert_eq!(left.depth(), right.depth);
    let width = PANEL_VECTORS * right.lanes;
    // To find the zeros costs as much as to multiply with a few columns.
    if right.columns > width {
        nonzero.find(left);
    } else {
        nonzero.assume_none();
    }
    for first in (0..right.columns).step_by(width) {
        let columns = first..right.columns.min(first + width);
        let panel = right.panel(first);
        multiply_panel(left, panel, finish, out, stride, columns, nonzero);
    }
}

/// Puts down the product with columns `columns` of a matrix `[depth, right_stride]` as it lies in
/// memory, for a single use: packing it would cost as much as the product.
pub fn multiply_once(
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    columns: Range<usize>,
    out: &mut [f32],
) {
    debug_assert_eq!(left.depth() * right_stride, right.len());
    let (n, width) = (columns.len(), panel_width());
    let mut nonzero = Nonzero::default();
    nonzero.find(left);
    for first in (0..n).step_by(width) {
        let part = first..n.min(first + width);
        let from = columns.start + first;
        if part.len() == width {
            let panel = Panel {
                data: &right[from..],
                stride: right_stride,
                vectors: PANEL_VECTORS,
            };
            multiply_panel(left, panel, Finish::SET, out, n, part, &nonzero);
        } else {
            // Vectors at the end of a row would reach into the next.
            let rest = Panels::of_columns(right, right_stride, from..columns.end);
            multiply_panel(left, rest.panel(0), Finish::SET, out, n, part, &nonzero);
        }
    }
}

fn multiply_panel(
    left: Left<'_>,
    panel: Panel<'_>,
    finish: Finish<'_>,
    out: &mut [f32],
    stride: usize,
    columns: Range<usize>,
    nonzero: &Nonzero,
) {
    struct Tiles<'a> {
        left: Left<'a>,
        panel: Panel<'a>,
        finish: Finish<'a>,
        out: &'a mut [f32],
        stride: usize,
        columns: Range<usize>,
        nonzero: &'a Nonzero,
    }

    impl WithSimd for Tiles<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            match self.panel.vectors {
                1 => self.rows::<S, 1>(simd),
                2 => self.rows::<S, 2>(simd),
                _ => self.rows::<S, PANEL_VECTORS>(simd),
            }
        }
    }

    impl Tiles<'_> {
        #[inline(always)]
        fn rows<S: Simd, const V: usize>(mut self, simd: S) {
            for (index, (row, height)) in tiles(self.left.starts.len()).enumerate() {
                let places = self.nonzero.of_tile(index);
                match height {
                    TILE_ROWS => self.tile::<S, TILE_ROWS, V>(simd, row, places),
                    6 => self.tile::<S, 6, V>(simd, row, places),
                    4 => self.tile::<S, 4, V>(simd, row, places),
                    2 => self.tile::<S, 2, V>(simd, row, places),
                    _ => self.tile::<S, 1, V>(simd, row, places),
                }
            }
        }

        /// One tile of `R` rows and `V` vectors.
        #[inline(always)]
        fn tile<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            row: usize,
            places: Places<'_>,
        ) {
            let Left {
                data,
                starts,
                runs,
                run_length,
                step,
            } = self.left;
            let starts: [usize; R] = core::array::from_fn(|r| starts[row + r]);
            let reach = (run_length - 1) * step + 1;
            // One loop with sums of its own for each way to walk: only then do they stay in registers.
            match places {
                Places::All => {
                    let mut sums = [[simd.splat_f32s(0.0); V]; R];
                    for (index, &run) in runs.iter().enumerate() {
                        let rows: [&[f32]; R] =
                            core::array::from_fn(|r| &data[starts[r] + run..][..reach]);
                        let first = index * run_length;
                        for place in 0..run_length {
                            let vectors = self.panel.row::<S, V>(first + place);
                            // SAFETY: `run_length` numbers, `step` apart, are within the reach.
                            #[allow(unsafe_code)]
                            unsafe {
                                add_products(simd, rows, place * step, vectors, &mut sums);
                            }
                        }
                    }
                    self.put(simd, row, sums);
                }
                Places::Some(places) => {
                    let mut sums = [[simd.splat_f32s(0.0); V]; R];
                    let rows: [&[f32]; R] = core::array::from_fn(|r| &data[starts[r]..][..reach]);
                    for &place in places {
                        let place = place as usize;
                        let vectors = self.panel.row::<S, V>(place);
                        // SAFETY: `Nonzero` finds places below the depth, the length of the one run.
                        #[allow(unsafe_code)]
                        unsafe {
                            add_products(simd, rows, place * step, vectors, &mut sums);
                        }
                    }
                    self.put(simd, row, sums);
                }
            }
        }

        #[inline(always)]
        fn put<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            row: usize,
            sums: [[S::f32s; V]; R],
        ) {
            let start = row * self.stride + self.columns.start;
            let place = [start, self.columns.len(), self.stride];
            self.finish.tile(simd, sums, place, self.out);
        }
    }

    Arch::new().dispatch(Tiles {
        left,
        panel,
        finish,
        out,
        stride,
        columns,
        nonzero,
    });
}

impl Panel<'_> {
    #[inline(always)]
    fn row<S: Simd, const V: usize>(&self, row: usize) -> &[S::f32s] {
        S::as_simd_f32s(&self.data[row * self.stride..][..V * S::F32_LANES]).0
    }
}

/// Adds the products of the number at `place` of each row with `V` vectors.
///
/// # Safety
/// Each row must reach to the place.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_products<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: [&[f32]; R],
    place: usize,
    vectors: &[S::f32s],
    sums: &mut [[S::f32s; V]; R],
) {
    for r in 0..R {
        // SAFETY: by the contract. A check per number would cost a third of the speed of all products.
        let entry = unsafe { *rows[r].get_unchecked(place) };
        let entry = simd.splat_f32s(entry);
        for v in 0..V {
            sums[r][v] = simd.mul_add_f32s(entry, vectors[v], sums[r][v]);
        }
    }
}
