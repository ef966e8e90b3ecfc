//! Products of a few rows with a matrix that stays the same for many steps.
//!
//! ```text
//! C ← A B   or   C ← C + A B,      A: [rows, depth],  B: [depth, columns]
//! ```
//!
//! `B` is cut into panels of a few vectors' width. A tile of `C`, some rows high and a panel wide,
//! stays in registers while the depth is walked; a panel stays in cache while the rows are.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile: with three vectors across, 24 accumulators of the 32 registers of AVX-512.
const TILE_ROWS: usize = 8;
/// Vectors across a full panel.
const PANEL_VECTORS: usize = 3;

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
    fn depth(&self) -> usize {
        self.runs.len() * self.run_length
    }
}

/// A right factor `[depth, columns]`, in panels: what is read together lies together.
#[derive(Debug, Clone)]
pub struct Panels {
    data: Vec<f32>,
    depth: usize,
    columns: usize,
    lanes: usize,
}

/// The columns `first .. first + n` of a right factor, with zeros behind them up to `vectors` full
/// vectors.
#[derive(Debug, Clone, Copy)]
struct Panel<'a> {
    data: &'a [f32],
    /// From a row to the next.
    stride: usize,
    vectors: usize,
}

/// How the result is put down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// `C ← A B`
    Set,
    /// `C ← C + A B`
    Add,
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

impl Panels {
    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = lanes();
        let width = PANEL_VECTORS * lanes;
        let mut data = Vec::with_capacity(depth * columns.next_multiple_of(lanes));
        for first in (0..columns).step_by(width) {
            let n = width.min(columns - first);
            let padded = n.next_multiple_of(lanes);
            for row in 0..depth {
                data.extend((first..first + n).map(|column| entry(row, column)));
                data.resize(data.len() + padded - n, 0.0);
            }
        }
        Self {
            data,
            depth,
            columns,
            lanes,
        }
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
            // All panels before this one are full.
            data: &self.data[first * self.depth..][..stride * self.depth],
            stride,
            vectors: stride / self.lanes,
        }
    }
}

/// `C ← A B` or `C ← C + A B`; row `r` of `C` begins at `r · stride` of `out`.
pub fn multiply(left: Left<'_>, right: &Panels, write: Write, out: &mut [f32], stride: usize) {
    debug_assert_eq!(left.depth(), right.depth);
    for first in (0..right.columns).step_by(PANEL_VECTORS * right.lanes) {
        let columns = first..right.columns.min(first + PANEL_VECTORS * right.lanes);
        multiply_panel(left, right.panel(first), write, out, stride, columns);
    }
}

/// As [`multiply`], with a right factor `[depth, columns]` as it lies in memory, for a single use:
/// packing it would cost as much as the product.
pub fn multiply_once(
    left: Left<'_>,
    right: &[f32],
    columns: usize,
    write: Write,
    out: &mut [f32],
    stride: usize,
) {
    let depth = left.depth();
    debug_assert_eq!(depth * columns, right.len());
    let lanes = lanes();
    let width = PANEL_VECTORS * lanes;
    for first in (0..columns).step_by(width) {
        let end = columns.min(first + width);
        let panel = Panel {
            data: &right[first..],
            stride: columns,
            vectors: PANEL_VECTORS,
        };
        if end - first == width {
            multiply_panel(left, panel, write, out, stride, first..end);
        } else {
            // Vectors at the end of a row would reach into the next.
            let rest = Panels::new(depth, end - first, |row, column| {
                right[row * columns + first + column]
            });
            multiply_panel(left, rest.panel(0), write, out, stride, first..end);
        }
    }
}

fn multiply_panel(
    left: Left<'_>,
    panel: Panel<'_>,
    write: Write,
    out: &mut [f32],
    stride: usize,
    columns: core::ops::Range<usize>,
) {
    struct Tiles<'a> {
        left: Left<'a>,
        panel: Panel<'a>,
        write: Write,
        out: &'a mut [f32],
        stride: usize,
        columns: core::ops::Range<usize>,
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
            let n_rows = self.left.starts.len();
            let mut row = 0;
            while row < n_rows {
                let rest = n_rows - row;
                row += match rest {
                    TILE_ROWS.. => self.tile::<S, TILE_ROWS, V>(simd, row),
                    6.. => self.tile::<S, 6, V>(simd, row),
                    4.. => self.tile::<S, 4, V>(simd, row),
                    2.. => self.tile::<S, 2, V>(simd, row),
                    _ => self.tile::<S, 1, V>(simd, row),
                };
            }
        }

        /// One tile of `R` rows and `V` vectors; returns `R`.
        #[inline(always)]
        fn tile<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize) -> usize {
            let Left {
                data,
                starts,
                runs,
                run_length,
            } = self.left;
            let Panel {
                data: right,
                stride: right_stride,
                ..
            } = self.panel;
            let starts: [usize; R] = core::array::from_fn(|r| starts[row + r]);
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            let mut depth = 0;
            for &run in runs {
                let rows: [&[f32]; R] =
                    core::array::from_fn(|r| &data[starts[r] + run..][..run_length]);
                let panel = right[depth * right_stride..].chunks(right_stride);
                for (k, vectors) in panel.take(run_length).enumerate() {
                    let (vectors, _) = S::as_simd_f32s(&vectors[..V * S::F32_LANES]);
                    for r in 0..R {
                        // SAFETY: each row was cut to `run_length` numbers, and `take` keeps `k` below
                        // that. The compiler does not see it, and a check per number would cost a
                        // third of the speed of all products.
                        #[allow(unsafe_code)]
                        let entry = unsafe { *rows[r].get_unchecked(k) };
                        let entry = simd.splat_f32s(entry);
                        for v in 0..V {
                            sums[r][v] = simd.mul_add_f32s(entry, vectors[v], sums[r][v]);
                        }
                    }
                }
                depth += run_length;
            }
            let n = self.columns.len();
            for (r, sums) in sums.iter().enumerate() {
                let out = &mut self.out[(row + r) * self.stride + self.columns.start..][..n];
                for (out, &sum) in out.chunks_mut(S::F32_LANES).zip(sums) {
                    let sum = match self.write {
                        Write::Set => sum,
                        Write::Add => simd.add_f32s(simd.partial_load_f32s(out), sum),
                    };
                    simd.partial_store_f32s(out, sum);
                }
            }
            R
        }
    }

    Arch::new().dispatch(Tiles {
        left,
        panel,
        write,
        out,
        stride,
        columns,
    });
}
