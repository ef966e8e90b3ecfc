//! Where the left factor of a product is 0.

use super::product::{Left, tiles};

/// Above this share of places that are not 0, walking past the rest gains nothing.
const WORTH_SKIPPING: f64 = 0.9;

/// The places along the depth where some row of a tile is not 0, for each tile of a left factor.
///
/// A product with 0 is left out, also that with a number that is infinite or none.
#[derive(Debug, Default)]
pub struct Nonzero {
    places: Vec<u32>,
    /// Where the places of each tile end in `places`, or that all of its depth is walked.
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
            self.collect_bits(left, starts);
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

    fn collect_bits(&mut self, left: Left<'_>, starts: &[usize]) {
        let Left {
            data,
            run_length,
            step,
            ..
        } = left;
        self.bits.clear();
        self.bits.resize(run_length, 0);
        let neighbors = starts.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if step > 1 && neighbors {
            // Columns of a matrix: at each place the rows of the tile stand side by side.
            for (place, bits) in self.bits.iter_mut().enumerate() {
                let values = &data[starts[0] + place * step..][..starts.len()];
                *bits = values.iter().fold(0, |bits, x| bits | x.to_bits());
            }
            return;
        }
        for &start in starts {
            let values = data[start..].iter().step_by(step);
            for (bits, x) in self.bits.iter_mut().zip(values) {
                *bits |= x.to_bits();
            }
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
