//! Left factors of products, and where they are 0. A product with 0 is left out, also that with a
//! number that is infinite or none.

use core::ops::Range;

use super::product::{Left, TILE_ROWS, tiles};

/// Above this share of places that are not 0, walking past the rest gains nothing.
const WORTH_SKIPPING: f64 = 0.9;

/// The places along the depth where some row of a tile is not 0, for each tile of a left factor.
#[derive(Debug, Default)]
pub struct Nonzero {
    places: Vec<u32>,
    /// Where the places of each tile begin and end in `places`; `None` where all of its depth is walked.
    tiles: Vec<Option<(usize, usize)>>,
    /// The bits of all rows of a tile, together.
    bits: Vec<u32>,
}

/// Where the rows of a tile are not 0.
#[derive(Debug, Clone, Copy)]
pub enum Places<'a> {
    /// Anywhere.
    All,
    /// Here, in order.
    Some(&'a [u32]),
}

impl Nonzero {
    /// Takes all of the depth of all tiles.
    pub fn assume_none(&mut self) {
        self.tiles.clear();
    }

    /// Finds the places in a left factor; in one of several runs they are not looked for.
    pub fn find(&mut self, left: Left<'_>) {
        self.tiles.clear();
        self.places.clear();
        if left.runs != [0] {
            return;
        }
        let depth = left.run_length;
        for (row, height) in tiles(left.starts.len()) {
            let starts = &left.starts[row..row + height];
            self.bits.clear();
            self.bits.resize(depth, 0);
            for &start in starts {
                let values = &left.data[start..][..depth];
                for (bits, x) in self.bits.iter_mut().zip(values) {
                    *bits |= x.to_bits();
                }
            }
            let first = self.places.len();
            self.places.resize(first + depth, 0);
            let places = &mut self.places[first..];
            let mut n = 0;
            for (place, bits) in (0u32..).zip(&self.bits) {
                places[n] = place;
                // The sign of a 0 does not matter.
                n += usize::from(bits << 1 != 0);
            }
            let few = (n as f64) < WORTH_SKIPPING * depth as f64;
            self.places.truncate(first + if few { n } else { 0 });
            self.tiles.push(few.then_some((first, first + n)));
        }
    }

    /// The places of a tile.
    pub fn of_tile(&self, tile: usize) -> Places<'_> {
        match self.tiles.get(tile) {
            Some(&Some((first, end))) => Places::Some(&self.places[first..end]),
            _ => Places::All,
        }
    }
}

/// Columns of a matrix as rows of a left factor: for each tile of them the numbers that are side by side
/// in the matrix, one place along the depth after the other, without the places where all are 0.
#[derive(Debug)]
pub struct Columns {
    n_columns: usize,
    places: Vec<u32>,
    entries: Vec<f32>,
    /// Where the places and the entries of each tile begin.
    tiles: Vec<[usize; 2]>,
}

impl Columns {
    /// Packs some columns of a matrix whose rows are `stride` long.
    pub fn new(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        let depth = matrix.len() / stride;
        let n_tiles = tiles(columns.len()).count();
        let mut packed = Self {
            n_columns: columns.len(),
            places: vec![0; depth * n_tiles],
            entries: vec![0.0; depth * columns.len()],
            tiles: vec![[0, 0]],
        };
        for (column, height) in tiles(columns.len()) {
            let matrix = &matrix[columns.start + column..];
            match height {
                TILE_ROWS => packed.add::<TILE_ROWS>(matrix, stride),
                2 => packed.add::<2>(matrix, stride),
                _ => packed.add::<1>(matrix, stride),
            }
        }
        packed
    }

    /// Adds a tile of the first `N` columns of a matrix.
    fn add<const N: usize>(&mut self, matrix: &[f32], stride: usize) {
        let [mut n, mut end] = self.tiles[self.tiles.len() - 1];
        for (place, row) in (0u32..).zip(matrix.chunks(stride)) {
            // Written in any case, and overwritten by the next where all are 0.
            let entries = &row[..N];
            self.places[n] = place;
            self.entries[end..end + N].copy_from_slice(entries);
            let bits = entries.iter().fold(0, |bits, x| bits | x.to_bits());
            let is_any = usize::from(bits << 1 != 0);
            (n, end) = (n + is_any, end + N * is_any);
        }
        self.tiles.push([n, end]);
    }

    /// The number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The places of a tile, and for each of them the numbers of all its columns.
    pub fn of_tile(&self, tile: usize) -> (&[u32], &[f32]) {
        let ([place, entry], [end, entries_end]) = (self.tiles[tile], self.tiles[tile + 1]);
        (&self.places[place..end], &self.entries[entry..entries_end])
    }
}
