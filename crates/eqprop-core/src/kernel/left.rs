//! Left factors of products, and the tiles of rows that they are taken in.

/// Rows of a tile. More would have too many patterns of zeros to have a loop for each.
pub const TILE_ROWS: usize = 4;

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

impl<'a> Left<'a> {
    /// The rows of a matrix, `depth` numbers each.
    pub fn matrix(data: &'a [f32], starts: &'a [usize], depth: usize) -> Self {
        Self {
            data,
            starts,
            runs: &[0],
            run_length: depth,
        }
    }

    pub fn depth(&self) -> usize {
        self.runs.len() * self.run_length
    }

    /// A run of `R` rows.
    #[inline(always)]
    pub fn rows<const R: usize>(self, row: usize, run: usize) -> [&'a [f32]; R] {
        let starts: [usize; R] = core::array::from_fn(|r| self.starts[row + r]);
        core::array::from_fn(|r| &self.data[starts[r] + run..][..self.run_length])
    }
}

/// Tiles of rows: the first row and the number of rows of each.
pub fn tiles(n_rows: usize) -> impl Iterator<Item = (usize, usize)> {
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
