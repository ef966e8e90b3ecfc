//! Left factors of products, and the tiles of rows in which they are processed.

/// Rows of a tile. With more, there would be too many patterns of zeros for a loop each.
pub const TILE_ROWS: usize = 4;

/// Rows of the left factor, each of them one or several runs of consecutive numbers, at the same offsets in
/// every row: the rows of a matrix, or the patches of feature maps that a kernel covers.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The numbers of all rows.
    pub data: &'a [f32],
    /// Offset of each row.
    pub starts: &'a [usize],
    /// Offsets of the runs of a row from its start.
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

    /// The run at offset `run` of `R` rows.
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
