//! Products of a few rows with a matrix, followed by elementwise operations.
//!
//! ```text
//! C ← A B,   C ← C + A B,   C ← clip(base + A B), …      A: [rows, depth],  B: [depth, columns]
//! ```
//!
//! `B` is cut into panels a few vectors wide. A tile of `C`, a few rows high and a panel wide, stays in
//! registers during the loop over the depth; a panel stays in cache during the loop over the rows. Products
//! with a 0, as at the edges of images and where units are clipped, are skipped: the positions along the
//! depth are traversed by which rows of the tile are 0 there.
//!
//! The order of a sum, and with it its last digits, therefore depends on the rows that share a tile.

use core::ops::Range;

use pulp::{Simd, WithSimd};

use super::ahead::Ahead;
use super::epilogue::Epilogue;
use super::left::{Left, TILE_ROWS, tiles};
use super::out::Out;
use super::panels::{Panel, Panels, lanes, panel_width};
use super::simd::dispatch;
use super::team::share_indices;
use super::zero_pattern::{Columns, N_PATTERNS, Positions, ZeroPattern};

/// The pattern of all rows of any tile.
const ALL_ROWS: usize = usize::MAX;

/// Vectors across a full panel where there are many registers.
const FULL: usize = 6;

/// Width in vectors up to which finding the zeros costs as much as multiplying by them.
const FEW_VECTORS: usize = 3;

/// Writes `A B`; row `r` of `C` begins at offset `r · stride` of `out`.
pub fn multiply(
    left: Left<'_>,
    right: &Panels,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
    stride: usize,
    zeros: &mut ZeroPattern,
) {
    multiply_on(1, left, right, epilogue, (Out::new(out), stride), zeros);
}

/// The same on up to `n_threads` threads, each for some of the columns, so that it reads no more of `B` than
/// those.
pub fn multiply_on(
    n_threads: usize,
    left: Left<'_>,
    right: &Panels,
    epilogue: Epilogue<'_>,
    (out, stride): (Out<'_>, usize),
    zeros: &mut ZeroPattern,
) {
    debug_assert_eq!(left.depth(), right.depth());
    if right.vectors() > FEW_VECTORS {
        zeros.find(left);
    } else {
        zeros.assume_none();
    }
    let source = Source::Rows(left, zeros);
    let n_panels = right.columns().div_ceil(panel_width());
    let n_parts = n_threads.min(n_panels);
    let bound = |part: usize| part * n_panels / n_parts;
    share_indices(n_parts, n_parts, |part| {
        // SAFETY: the panels of different parts have no column in common.
        #[allow(unsafe_code)]
        let out = unsafe { out.shared() };
        let panels = bound(part)..bound(part + 1);
        right.multiply(source, epilogue, (out, stride), panels);
    });
}

/// Writes `Aᵀ B`.
pub fn multiply_columns(
    left: &Columns,
    right: &Panels,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let panels = 0..right.columns().div_ceil(panel_width());
    let out = (Out::new(out), stride);
    right.multiply(Source::Columns(left), epilogue, out, panels);
}

/// Writes columns `columns` of the product with a matrix `[depth, stride]`, for a single use.
pub fn multiply_once(
    left: Left<'_>,
    right: &[f32],
    stride: usize,
    columns: Range<usize>,
    mut out: Out<'_>,
) {
    debug_assert_eq!(left.depth() * stride, right.len());
    let mut zeros = ZeroPattern::default();
    zeros.find(left);
    let source = Source::Rows(left, &zeros);
    let whole = columns.start + columns.len() / lanes() * lanes();
    for first in (columns.start..whole).step_by(panel_width()) {
        let part = first..whole.min(first + panel_width());
        // Read in place: packing it would cost more than it saves.
        let panel = Panel {
            data: &right[first..],
            stride,
            vectors: part.len() / lanes(),
        };
        set_panel(source, panel, (&mut out, stride), part);
    }
    let rest = whole..columns.end;
    if !rest.is_empty() {
        // A vector at the end of a row would reach into the next.
        let packed = Panels::of_one_panel(right, stride, rest.clone());
        let panel = packed.panel(0);
        set_panel(source, panel, (&mut out, stride), rest);
    }
}

/// Some of the rows of a left factor, and where they are 0.
#[derive(Debug)]
pub struct SomeRows<'a> {
    left: Left<'a>,
    zeros: ZeroPattern,
}

impl<'a> SomeRows<'a> {
    /// Rows that will be multiplied by `n_columns` columns.
    pub fn new(left: Left<'a>, n_columns: usize) -> Self {
        let mut zeros = ZeroPattern::default();
        if n_columns.div_ceil(lanes()) > FEW_VECTORS {
            zeros.find(left);
        }
        Self { left, zeros }
    }
}

/// Like [`multiply_once`], for enough rows that packing the right factor pays off: one panel at a time,
/// which stays in cache for all rows.
pub fn multiply_once_packed(
    rows: &[SomeRows<'_>],
    right: &[f32],
    stride: usize,
    columns: Range<usize>,
    mut out: Out<'_>,
) {
    for first in columns.clone().step_by(panel_width()) {
        let part = first..columns.end.min(first + panel_width());
        let packed = Panels::of_one_panel(right, stride, part.clone());
        let panel = packed.panel(0);
        let mut n_written = 0;
        for SomeRows { left, zeros } in rows {
            let source = Source::Rows(*left, zeros);
            let mut out = out.from(n_written * stride);
            set_panel(source, panel, (&mut out, stride), part.clone());
            n_written += left.starts.len();
        }
    }
}

/// A left factor.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Rows(Left<'a>, &'a ZeroPattern),
    Columns(&'a Columns),
}

impl Panels {
    /// Multiplies by some of the panels.
    fn multiply(
        &self,
        left: Source<'_>,
        epilogue: Epilogue<'_>,
        (mut out, stride): (Out<'_>, usize),
        panels: Range<usize>,
    ) {
        let width = panel_width();
        for index in panels.clone() {
            let columns = index * width..self.columns().min((index + 1) * width);
            let ahead = match index + 1 < panels.end && self.is_far() {
                true => Ahead::of(self.panel(columns.end).data),
                false => Ahead::nothing(),
            };
            let panel = self.panel(columns.start);
            multiply_panel(left, panel, ahead, epilogue, (&mut out, stride), columns);
        }
    }
}

/// Writes the product with a panel that is used once.
fn set_panel(
    left: Source<'_>,
    panel: Panel<'_>,
    out: (&mut Out<'_>, usize),
    columns: Range<usize>,
) {
    multiply_panel(left, panel, Ahead::nothing(), Epilogue::SET, out, columns);
}

fn multiply_panel(
    left: Source<'_>,
    panel: Panel<'_>,
    ahead: Ahead,
    epilogue: Epilogue<'_>,
    (out, stride): (&mut Out<'_>, usize),
    columns: Range<usize>,
) {
    struct Tiles<'a, 'o> {
        left: Source<'a>,
        panel: Panel<'a>,
        ahead: Ahead,
        epilogue: Epilogue<'a>,
        out: &'a mut Out<'o>,
        stride: usize,
        columns: Range<usize>,
    }

    /// Tiles for a panel of `V` vectors.
    struct OfWidth<'a, 'o, const V: usize>(Tiles<'a, 'o>);

    impl<const V: usize> WithSimd for OfWidth<'_, '_, V> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.rows::<S, V>(simd);
        }
    }

    impl Tiles<'_, '_> {
        /// Computes all tiles. It is a function for each width: in a debug build, the stack frame of one for
        /// all takes 2 MB.
        fn run<const V: usize>(self) {
            dispatch(OfWidth::<V>(self));
        }

        #[inline(always)]
        fn rows<S: Simd, const V: usize>(mut self, simd: S) {
            let (left, zeros) = match self.left {
                Source::Rows(left, zeros) => (left, zeros),
                Source::Columns(left) if V == FULL => {
                    // One half of the panel after the other: each stays in the L1 cache.
                    for half in [0, FULL / 2] {
                        self.columns::<S, { FULL / 2 }>(simd, left, half);
                    }
                    return;
                }
                Source::Columns(left) => return self.columns::<S, V>(simd, left, 0),
            };
            let n_rows = left.starts.len();
            let mut tiles = tiles(n_rows).enumerate().peekable();
            while let Some((index, (row, height))) = tiles.next() {
                if V == FULL
                    && let Some(&(next, (_, TILE_ROWS))) = tiles.peek()
                    && zeros.of_tile(index).is_none()
                    && zeros.of_tile(next).is_none()
                {
                    // Two tiles at once, one half of the panel after the other: as many sums, but half as
                    // many reads of the panel, which is larger than the L1 cache.
                    tiles.next();
                    for half in [0, FULL / 2] {
                        self.whole::<S, { 2 * TILE_ROWS }, { FULL / 2 }>(simd, left, row, half);
                    }
                    continue;
                }
                match height {
                    TILE_ROWS => self.tile::<S, TILE_ROWS, V>(simd, left, zeros, index, row),
                    2 => self.tile::<S, 2, V>(simd, left, zeros, index, row),
                    _ => self.tile::<S, 1, V>(simd, left, zeros, index, row),
                }
            }
        }

        /// Computes all tiles of columns, for `V` vectors from vector `first` on.
        #[inline(always)]
        fn columns<S: Simd, const V: usize>(&mut self, simd: S, left: &Columns, first: usize) {
            for (index, (row, height)) in tiles(left.n_columns()).enumerate() {
                let of_tile = left.of_tile(index, row, height);
                if of_tile.0.is_empty() && self.epilogue.keeps_out() {
                    continue;
                }
                match height {
                    TILE_ROWS => self.column_tile::<S, TILE_ROWS, V>(simd, of_tile, row, first),
                    2 => self.column_tile::<S, 2, V>(simd, of_tile, row, first),
                    _ => self.column_tile::<S, 1, V>(simd, of_tile, row, first),
                }
            }
        }

        /// Computes one tile of `R` columns.
        #[inline(always)]
        fn column_tile<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            (places, entries): (&[u32], &[f32]),
            row: usize,
            first: usize,
        ) {
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            for (&place, entries) in places.iter().zip(entries.chunks_exact(R)) {
                let rows = core::array::from_fn(|r| &entries[r..=r]);
                // SAFETY: the positions are below the depth, and each row has one number.
                #[allow(unsafe_code)]
                unsafe {
                    let vectors = self.panel.row::<S, V>(place as usize, first);
                    add_products::<S, R, V, ALL_ROWS>(simd, rows, 0, vectors, &mut sums);
                }
            }
            self.put(simd, row, first, sums);
        }

        /// Computes one tile of `R` rows and `V` vectors.
        #[inline(always)]
        fn tile<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            left: Left<'_>,
            zeros: &ZeroPattern,
            index: usize,
            row: usize,
        ) {
            // Separate sums for each way to traverse the depth: only then do they stay in registers.
            let Some(places) = zeros.of_tile(index) else {
                return self.whole::<S, R, V>(simd, left, row, 0);
            };
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            let rows = left.rows::<R>(row, 0);
            self.ahead.begin();
            let mut ahead = self.ahead;
            // A loop per pattern, so that none has to test which rows to skip.
            macro_rules! walk {
                ($($pattern:literal)*) => {$(
                    if $pattern < 1 << R {
                        self.walk::<S, R, V, $pattern>(simd, rows, places, &mut ahead, &mut sums);
                    }
                )*};
            }
            walk!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            const { assert!(N_PATTERNS == 16) };
            self.ahead = ahead;
            self.put(simd, row, 0, sums);
        }

        /// Computes one tile of `R` rows and `V` vectors from vector `first` on, over the whole depth.
        #[inline(always)]
        fn whole<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            left: Left<'_>,
            row: usize,
            first: usize,
        ) {
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            let mut ahead = self.ahead;
            ahead.begin();
            for (index, &run) in left.runs.iter().enumerate() {
                let rows = left.rows::<R>(row, run);
                let start = index * left.run_length;
                for place in 0..left.run_length {
                    // SAFETY: the panel is as deep as the runs together, and the rows are as long as the run.
                    #[allow(unsafe_code)]
                    unsafe {
                        let vectors = self.panel.row::<S, V>(start + place, first);
                        add_products::<S, R, V, ALL_ROWS>(simd, rows, place, vectors, &mut sums);
                    }
                    ahead.request();
                }
            }
            self.ahead = ahead;
            self.put(simd, row, first, sums);
        }

        /// Adds the products at the positions where exactly the rows of a pattern are nonzero.
        #[inline(always)]
        fn walk<S: Simd, const R: usize, const V: usize, const PATTERN: usize>(
            &self,
            simd: S,
            rows: [&[f32]; R],
            places: Positions<'_>,
            ahead: &mut Ahead,
            sums: &mut [[S::f32s; V]; R],
        ) {
            for &place in places.of(PATTERN) {
                let place = place as usize;
                // SAFETY: `ZeroPattern` finds positions within the single run; the rows are as long as it,
                // and the panel is as deep.
                #[allow(unsafe_code)]
                unsafe {
                    let vectors = self.panel.row::<S, V>(place, 0);
                    add_products::<S, R, V, PATTERN>(simd, rows, place, vectors, sums);
                }
                ahead.request();
            }
        }

        #[inline(always)]
        fn put<S: Simd, const R: usize, const V: usize>(
            &mut self,
            simd: S,
            row: usize,
            first: usize,
            sums: [[S::f32s; V]; R],
        ) {
            let start = self.columns.start + first * S::F32_LANES;
            let columns = start..self.columns.end.min(start + V * S::F32_LANES);
            self.epilogue
                .tile(simd, sums, [row, self.stride], columns, self.out);
        }
    }

    let depth = match left {
        Source::Rows(left, _) => left.depth(),
        Source::Columns(left) => left.depth(),
    };
    assert!(panel.has_rows(depth), "factors that do not fit");
    let tiles = Tiles {
        left,
        panel,
        ahead,
        epilogue,
        out,
        stride,
        columns,
    };
    match panel.vectors {
        1 => tiles.run::<1>(),
        2 => tiles.run::<2>(),
        3 => tiles.run::<3>(),
        4 => tiles.run::<4>(),
        5 => tiles.run::<5>(),
        _ => tiles.run::<FULL>(),
    }
}

/// Adds the products of the number at `place` in each row of a pattern and `V` vectors.
///
/// # Safety
/// Each row must be longer than `place`.
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
