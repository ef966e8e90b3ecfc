//! Positions of zeros in left factors of products. Products with a 0 are skipped, even those with an
//! infinite number or NaN.

use core::ops::Range;

use super::left::{Left, TILE_ROWS, tiles};
use super::simd::vectorized;

/// Share of nonzero numbers above which skipping the zeros gains nothing.
const WORTH_SKIPPING: f64 = 0.9;

/// The rows of a tile that are nonzero at a position along the depth: bit `r` stands for row `r`.
type Pattern = u8;

/// Number of patterns.
pub const N_PATTERNS: usize = 1 << TILE_ROWS;

/// Positions along the depth where the rows of each tile of a left factor are nonzero. It keeps those of
/// its last use: which units of a layer are at 0 soon stays the same from step to step.
#[derive(Debug, Default)]
pub struct ZeroPattern {
    depth: usize,
    /// Offsets of the positions of each pattern, and the end of those of the last one; `None` where the
    /// whole depth is traversed.
    tiles: Vec<Option<[u32; N_PATTERNS + 1]>>,
    /// The positions of each tile, sorted by pattern.
    places: Vec<u32>,
    /// The pattern at each position of each tile.
    patterns: Vec<Pattern>,
    /// The patterns of the current tile.
    found: Vec<Pattern>,
}

/// Positions where the rows of a tile are nonzero.
#[derive(Debug, Clone, Copy)]
pub struct Positions<'a> {
    all: &'a [u32],
    bounds: &'a [u32; N_PATTERNS + 1],
}

impl<'a> Positions<'a> {
    /// The positions where the rows of `pattern` are nonzero and the others are 0, in order.
    #[inline(always)]
    pub fn of(self, pattern: usize) -> &'a [u32] {
        &self.all[self.bounds[pattern] as usize..self.bounds[pattern + 1] as usize]
    }
}

impl ZeroPattern {
    /// Assumes no zeros: the whole depth of all tiles is traversed.
    pub fn assume_none(&mut self) {
        self.depth = 0;
        self.tiles.clear();
    }

    /// Finds the positions in a left factor; if its rows have several runs, no zeros are assumed.
    pub fn find(&mut self, left: Left<'_>) {
        if left.runs != [0] {
            return self.assume_none();
        }
        let depth = left.run_length;
        let n_tiles = tiles(left.starts.len()).count();
        if (self.depth, self.tiles.len()) != (depth, n_tiles) {
            self.depth = depth;
            self.tiles.clear();
            self.tiles.resize(n_tiles, None);
            self.places.resize(n_tiles * depth, 0);
            self.patterns.clear();
            // As if no number were 0, which goes with `None`.
            for (_, height) in tiles(left.starts.len()) {
                let none = (1 << height) - 1;
                self.patterns.resize(self.patterns.len() + depth, none);
            }
            self.found.resize(depth, 0);
        }
        for (tile, (row, height)) in tiles(left.starts.len()).enumerate() {
            let found = &mut self.found[..];
            match height {
                TILE_ROWS => find_patterns(left.rows::<TILE_ROWS>(row, 0), found),
                2 => find_patterns(left.rows::<2>(row, 0), found),
                _ => find_patterns(left.rows::<1>(row, 0), found),
            }
            let patterns = &mut self.patterns[tile * depth..][..depth];
            if patterns != found {
                patterns.copy_from_slice(found);
                let places = &mut self.places[tile * depth..][..depth];
                self.tiles[tile] = sort(patterns, height, places);
            }
        }
    }

    /// The positions of a tile, or `None` where its whole depth is traversed.
    pub fn of_tile(&self, tile: usize) -> Option<Positions<'_>> {
        let bounds = self.tiles.get(tile)?.as_ref()?;
        let all = &self.places[tile * self.depth..][..self.depth];
        Some(Positions { all, bounds })
    }
}

fn find_patterns<const R: usize>(rows: [&[f32]; R], patterns: &mut [Pattern]) {
    vectorized(
        #[inline(always)]
        || {
            let rows = rows.map(|row| &row[..patterns.len()]);
            for (place, pattern) in patterns.iter_mut().enumerate() {
                *pattern = 0;
                for (r, row) in rows.iter().enumerate() {
                    *pattern |= Pattern::from(row[place] != 0.0) << r;
                }
            }
        },
    );
}

/// Sorts the positions along the depth of a tile by pattern, unless too few numbers are 0; returns the
/// offsets of the patterns and the end of the last one.
fn sort(patterns: &[Pattern], height: usize, places: &mut [u32]) -> Option<[u32; N_PATTERNS + 1]> {
    // The remainder has no effect, but shows the compiler that no bounds check is needed.
    let index = |pattern: Pattern| usize::from(pattern) % N_PATTERNS;
    let mut counts = [0u32; N_PATTERNS];
    for_each_in_words(patterns, |_, pattern| counts[index(pattern)] += 1);
    let numbers = (0u32..)
        .zip(counts)
        .map(|(pattern, n)| pattern.count_ones() * n);
    let all = (height * patterns.len()) as f64;
    if f64::from(numbers.sum::<u32>()) > WORTH_SKIPPING * all {
        return None;
    }
    let mut bounds = [0; N_PATTERNS + 1];
    for pattern in 1..N_PATTERNS {
        bounds[pattern + 1] = bounds[pattern] + counts[pattern];
    }
    let mut next = bounds;
    // Positions where all rows are 0 go after the others: that is faster than testing for them.
    next[0] = bounds[N_PATTERNS];
    for_each_in_words(patterns, |place, pattern| {
        let next = &mut next[index(pattern)];
        places[*next as usize] = place;
        *next += 1;
    });
    Some(bounds)
}

/// Visits all positions except those in words of zeros: images have long runs of zeros.
#[inline(always)]
fn for_each_in_words(patterns: &[Pattern], mut take: impl FnMut(u32, Pattern)) {
    const WORD: usize = 8;
    let (words, rest) = patterns.as_chunks::<WORD>();
    let mut place = 0;
    for word in words {
        if *word != [0; WORD] {
            (place..)
                .zip(word)
                .for_each(|(place, &pattern)| take(place, pattern));
        }
        place += WORD as u32;
    }
    (place..)
        .zip(rest)
        .for_each(|(place, &pattern)| take(place, pattern));
}

/// Columns of a matrix as rows of a left factor: for each tile of columns, the numbers that are adjacent in
/// the matrix, position by position along the depth, without the positions where all are 0.
#[derive(Debug)]
pub struct Columns {
    n_columns: usize,
    depth: usize,
    /// Positions, with room for the whole depth of each tile.
    places: Vec<u32>,
    entries: Vec<f32>,
    /// Number of positions of each tile.
    lengths: Vec<usize>,
}

/// Tiles packed together: adjacent numbers are read at once, and no tile waits for another.
const TILES_TOGETHER: usize = 4;

impl Columns {
    /// Packs some columns of a matrix whose rows are `stride` long.
    pub fn new(matrix: &[f32], stride: usize, columns: Range<usize>) -> Self {
        let depth = matrix.len() / stride;
        let n_tiles = tiles(columns.len()).count();
        let mut packed = Self {
            n_columns: columns.len(),
            depth,
            places: vec![0; depth * n_tiles],
            entries: vec![0.0; depth * columns.len()],
            lengths: Vec::with_capacity(n_tiles),
        };
        let together = TILES_TOGETHER * TILE_ROWS;
        let whole = columns.len() / together * together;
        for column in (0..whole).step_by(together) {
            packed.add::<TILES_TOGETHER, TILE_ROWS>(matrix, stride, columns.start, column);
        }
        for (column, height) in tiles(columns.len() - whole) {
            let column = whole + column;
            match height {
                TILE_ROWS => packed.add::<1, TILE_ROWS>(matrix, stride, columns.start, column),
                2 => packed.add::<1, 2>(matrix, stride, columns.start, column),
                _ => packed.add::<1, 1>(matrix, stride, columns.start, column),
            }
        }
        packed
    }

    /// Adds `T` tiles of `N` columns from `column` on, counted from column `first` of the matrix.
    fn add<const T: usize, const N: usize>(
        &mut self,
        matrix: &[f32],
        stride: usize,
        first: usize,
        column: usize,
    ) {
        let depth = self.depth;
        let places = &mut self.places[self.lengths.len() * depth..][..T * depth];
        let (entries, _) = self.entries[column * depth..][..T * N * depth].as_chunks_mut::<N>();
        let rows = matrix[first + column..].chunks(stride);
        let lengths = vectorized(
            #[inline(always)]
            || {
                let mut lengths = [0; T];
                for (place, row) in (0u32..).zip(rows) {
                    let (numbers, _) = row[..T * N].as_chunks::<N>();
                    // Bits without the sign.
                    let any = |of: &[f32; N]| of.iter().fold(0, |bits, x| bits | x.to_bits() << 1);
                    if numbers.iter().fold(0, |bits, of| bits | any(of)) == 0 {
                        continue;
                    }
                    for (tile, numbers) in numbers.iter().enumerate() {
                        // Always written; where all are 0, the next entry overwrites it.
                        let at = tile * depth + lengths[tile];
                        places[at] = place;
                        entries[at] = *numbers;
                        lengths[tile] += usize::from(any(numbers) != 0);
                    }
                }
                lengths
            },
        );
        self.lengths.extend(lengths);
    }

    /// The number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Numbers in a column.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The positions of a tile of `height` columns from `column` on, and the numbers of all its columns at
    /// each of them.
    pub fn of_tile(&self, tile: usize, column: usize, height: usize) -> (&[u32], &[f32]) {
        let (depth, n) = (self.depth, self.lengths[tile]);
        let places = &self.places[tile * depth..][..n];
        (places, &self.entries[column * depth..][..n * height])
    }
}
