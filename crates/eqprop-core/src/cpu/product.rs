//! Products of a few rows with a matrix, and what becomes of them unit by unit.
//!
//! ```text
//! C ← A B,   C ← C + A B,   C ← clip(base + A B), …      A: [rows, depth],  B: [depth, columns]
//! ```
//!
//! `B` is cut into panels of a few vectors' width. A tile of `C`, some rows high and a panel wide,
//! stays in registers while the depth is walked; a panel stays in cache while the rows are. Products
//! with a 0, as images have at their edges and layers have where units are clipped, are left out: the
//! walk goes from place to place by which rows of the tile are 0 there.
//!
//! The order of a sum so depends on the rows that share a tile, and its last digits with it.

use core::ops::Range;

use pulp::{Simd, WithSimd};

use super::finish::Finish;
use super::narrow::Narrow;
use super::nonzero::{Columns, N_PATTERNS, Nonzero, Places};
use super::panels::{Panel, Panels, lanes, panel_width};
use super::shallow::Shallow;
use super::simd::dispatch;

/// Rows of a tile. More would have too many patterns of zeros to have a loop for each.
pub const TILE_ROWS: usize = 4;
/// The pattern of all rows of any tile.
const ALL_ROWS: usize = N_PATTERNS - 1;

/// Vectors of columns for which it costs as much to look for zeros as to multiply with them.
const FEW_VECTORS: usize = 3;

/// The most columns of a narrow right factor and rows of a shallow one, which come in blocks: in AVX-512's
/// registers there is place for a tile of all of them.
pub(super) const SHORT_SIDE: usize = 10;
/// Numbers in a block.
pub(super) const SHORT_BLOCK: usize = 5;

/// Whether a side of a right factor is so short that a layout of its own is faster than panels here: at most
/// two thirds of a vector.
fn is_short(side: usize) -> bool {
    let filled = side.next_multiple_of(SHORT_BLOCK);
    (1..=SHORT_SIDE).contains(&filled) && 3 * filled <= 2 * lanes()
}

/// Rows of the left factor, each of them one or several runs of consecutive numbers at the same
/// distances: the rows of a matrix, or the patches that a kernel sees in feature maps.
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
}

impl Left<'_> {
    pub(super) fn depth(&self) -> usize {
        self.runs.len() * self.run_length
    }
}

/// A right factor that many rows are multiplied with, laid out as is fastest for its size.
#[derive(Debug)]
pub enum Right {
    /// Any size.
    Panels(Panels),
    /// A few columns.
    Narrow(Narrow),
    /// A few rows.
    Shallow(Shallow),
}

impl Right {
    /// Packs a matrix `[depth, columns]` that lies row by row.
    pub fn of_rows(matrix: &[f32], depth: usize, columns: usize) -> Self {
        let entry = |row: usize, column| matrix[row * columns + column];
        Self::small(depth, columns, entry)
            .unwrap_or_else(|| Self::Panels(Panels::of_columns(matrix, columns, 0..columns)))
    }

    /// Packs the transpose of a matrix `[columns, depth]` that lies row by row.
    pub fn of_transposed(matrix: &[f32], depth: usize, columns: usize) -> Self {
        let entry = |row, column: usize| matrix[column * depth + row];
        Self::small(depth, columns, entry)
            .unwrap_or_else(|| Self::Panels(Panels::of_transposed(matrix, columns)))
    }

    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        Self::small(depth, columns, &entry)
            .unwrap_or_else(|| Self::Panels(Panels::new(depth, columns, entry)))
    }

    fn small(
        depth: usize,
        columns: usize,
        entry: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Option<Self> {
        if is_short(columns) {
            Some(Self::Narrow(Narrow::new(depth, columns, entry)))
        } else if is_short(depth) {
            Some(Self::Shallow(Shallow::new(depth, columns, entry)))
        } else {
            None
        }
    }

    /// As [`multiply`]; rows of `left` must be one run.
    pub fn multiply(
        &self,
        left: Left<'_>,
        finish: Finish<'_>,
        out: &mut [f32],
        stride: usize,
        nonzero: &mut Nonzero,
    ) {
        match self {
            Self::Panels(right) => multiply(left, right, finish, out, stride, nonzero),
            Self::Narrow(right) => dispatch(Product {
                left,
                right,
                finish,
                out,
                stride,
            }),
            Self::Shallow(right) => dispatch(Product {
                left,
                right,
                finish,
                out,
                stride,
            }),
        }
    }
}

/// A product with a right factor that is narrow or shallow, where the rows of the left one are one run; row
/// `r` of the result begins at `r · stride` of `out`.
pub(super) struct Product<'a, R> {
    pub left: Left<'a>,
    pub right: &'a R,
    pub finish: Finish<'a>,
    pub out: &'a mut [f32],
    pub stride: usize,
}

/// Tiles of rows: the first row and the number of rows of each.
pub(super) fn tiles(n_rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut row = 0;
    core::iter::from_fn(move || {
        let first = row;
        let height = match n_rows - first {
            0 => return None,
            TILE_ROWS.. => TILE_ROWS,
            2.. => 2,
            _ => 1,
        };
        row += height;
        Some((first, height))
    })
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
    debug_assert_eq!(left.depth(), right.depth());
    if right.vectors() > FEW_VECTORS {
        nonzero.find(left);
    } else {
        nonzero.assume_none();
    }
    right.multiply(Source::Rows(left, nonzero), finish, out, stride);
}

/// Puts down `Aᵀ B`, as [`multiply`].
pub fn multiply_columns(left: &Columns, right: &Panels, out: &mut [f32], stride: usize) {
    right.multiply(Source::Columns(left), Finish::SET, out, stride);
}

/// Puts down the product with columns `columns` of a matrix `[depth, right_stride]`, for a single use.
pub fn multiply_once(
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    columns: Range<usize>,
    out: &mut [f32],
) {
    debug_assert_eq!(left.depth() * right_stride, right.len());
    let mut nonzero = Nonzero::default();
    nonzero.find(left);
    let source = Source::Rows(left, &nonzero);
    let n = columns.len();
    let whole = n / lanes() * lanes();
    for first in (0..whole).step_by(panel_width()) {
        let part = first..whole.min(first + panel_width());
        // As it lies in memory: to pack it would cost more than it saves.
        let panel = Panel {
            data: &right[columns.start + first..],
            stride: right_stride,
            vectors: part.len() / lanes(),
        };
        multiply_panel(source, panel, Finish::SET, out, n, part);
    }
    if whole < n {
        // A vector at the end of a row would reach into the next.
        let rest = Panels::of_columns(right, right_stride, columns.start + whole..columns.end);
        multiply_panel(source, rest.panel(0), Finish::SET, out, n, whole..n);
    }
}

/// A left factor.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Rows(Left<'a>, &'a Nonzero),
    Columns(&'a Columns),
}

impl Panels {
    fn multiply(&self, left: Source<'_>, finish: Finish<'_>, out: &mut [f32], stride: usize) {
        let width = panel_width();
        for first in (0..self.columns()).step_by(width) {
            let columns = first..self.columns().min(first + width);
            multiply_panel(left, self.panel(first), finish, out, stride, columns);
        }
    }
}

fn multiply_panel(
    left: Source<'_>,
    panel: Panel<'_>,
    finish: Finish<'_>,
    out: &mut [f32],
    stride: usize,
    columns: Range<usize>,
) {
    struct Tiles<'a> {
        left: Source<'a>,
        panel: Panel<'a>,
        finish: Finish<'a>,
        out: &'a mut [f32],
        stride: usize,
        columns: Range<usize>,
    }

    impl WithSimd for Tiles<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            match self.panel.vectors {
                1 => self.rows::<S, 1>(simd),
                2 => self.rows::<S, 2>(simd),
                3 => self.rows::<S, 3>(simd),
                4 => self.rows::<S, 4>(simd),
                5 => self.rows::<S, 5>(simd),
                _ => self.rows::<S, 6>(simd),
            }
        }
    }

    impl Tiles<'_> {
        #[inline(always)]
        fn rows<S: Simd, const V: usize>(mut self, simd: S) {
            let n_rows = match self.left {
                Source::Rows(left, _) => left.starts.len(),
                Source::Columns(left) => left.n_columns(),
            };
            for (index, (row, height)) in tiles(n_rows).enumerate() {
                match height {
                    TILE_ROWS => self.tile::<S, TILE_ROWS, V>(simd, index, row),
                    2 => self.tile::<S, 2, V>(simd, index, row),
                    _ => self.tile::<S, 1, V>(simd, index, row),
                }
            }
        }

        /// One tile of `R` rows and `V` vectors.
        #[inline(always)]
        fn tile<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            index: usize,
            row: usize,
        ) {
            // Sums of its own for each way to walk: only then do they stay in registers.
            match self.left {
                Source::Rows(left, nonzero) => match nonzero.of_tile(index) {
                    None => {
                        let mut sums = [[simd.splat_f32s(0.0); V]; R];
                        for (index, &run) in left.runs.iter().enumerate() {
                            let rows = left.rows::<R>(row, run);
                            let first = index * left.run_length;
                            for place in 0..left.run_length {
                                let vectors = self.panel.row::<S, V>(first + place);
                                // SAFETY: the rows are as long as the run.
                                #[allow(unsafe_code)]
                                unsafe {
                                    add_products::<S, R, V, ALL_ROWS>(
                                        simd, rows, place, vectors, &mut sums,
                                    );
                                }
                            }
                        }
                        self.put(simd, row, sums);
                    }
                    Some(places) => {
                        let mut sums = [[simd.splat_f32s(0.0); V]; R];
                        let rows = left.rows::<R>(row, 0);
                        // A loop for each pattern, so that none has to ask which rows to leave out.
                        macro_rules! walk {
                            ($($pattern:literal)*) => {$(
                                if $pattern < 1 << R {
                                    self.walk::<S, R, V, $pattern>(simd, rows, places, &mut sums);
                                }
                            )*};
                        }
                        walk!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                        const { assert!(N_PATTERNS == 16) };
                        self.put(simd, row, sums);
                    }
                },
                Source::Columns(left) => {
                    let mut sums = [[simd.splat_f32s(0.0); V]; R];
                    let (places, entries) = left.of_tile(index);
                    for (&place, entries) in places.iter().zip(entries.chunks_exact(R)) {
                        let vectors = self.panel.row::<S, V>(place as usize);
                        let rows = core::array::from_fn(|r| &entries[r..=r]);
                        // SAFETY: each row has a number.
                        #[allow(unsafe_code)]
                        unsafe {
                            add_products::<S, R, V, ALL_ROWS>(simd, rows, 0, vectors, &mut sums);
                        }
                    }
                    self.put(simd, row, sums);
                }
            }
        }

        /// Adds the products at the places where the rows of a pattern, and no others, are not 0.
        #[inline(always)]
        fn walk<S: Simd, const R: usize, const V: usize, const PATTERN: usize>(
            &self,
            simd: S,
            rows: [&[f32]; R],
            places: Places<'_>,
            sums: &mut [[S::f32s; V]; R],
        ) {
            for &place in places.of(PATTERN) {
                let place = place as usize;
                let vectors = self.panel.row::<S, V>(place);
                // SAFETY: `Nonzero` finds places in the one run, which the rows are as long as.
                #[allow(unsafe_code)]
                unsafe {
                    add_products::<S, R, V, PATTERN>(simd, rows, place, vectors, sums);
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
            let columns = self.columns.clone();
            self.finish
                .tile(simd, sums, [row, self.stride], columns, self.out);
        }
    }

    dispatch(Tiles {
        left,
        panel,
        finish,
        out,
        stride,
        columns,
    });
}

impl<'a> Left<'a> {
    /// A run of `R` rows.
    #[inline(always)]
    pub(super) fn rows<const R: usize>(self, row: usize, run: usize) -> [&'a [f32]; R] {
        let starts: [usize; R] = core::array::from_fn(|r| self.starts[row + r]);
        core::array::from_fn(|r| &self.data[starts[r] + run..][..self.run_length])
    }
}

/// Adds the products of the number at `place` of each row of a pattern with `V` vectors.
///
/// # Safety
/// Each row must be longer than the place.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_products<S: Simd, const R: usize, const V: usize, const PATTERN: usize>(
    simd: S,
    rows: [&[f32]; R],
    place: usize,
    vectors: &[S::f32s],
    sums: &mut [[S::f32s; V]; R],
) {
    // Read once: they stay in registers for all rows.
    let mut right = [simd.splat_f32s(0.0); V];
    right.copy_from_slice(vectors);
    for r in 0..R {
        if PATTERN >> r & 1 == 0 {
            continue;
        }
        // SAFETY: by the contract. A check per number would cost a third of the speed of all products.
        let entry = unsafe { *rows[r].get_unchecked(place) };
        let entry = simd.splat_f32s(entry);
        for v in 0..V {
            sums[r][v] = simd.mul_add_f32s(entry, right[v], sums[r][v]);
        }
    }
}

#[cfg(test)]
mod tests;
