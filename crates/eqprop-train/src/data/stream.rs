//! Inputs that stay in their files and are read on demand.

mod pictures;
mod records;

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::DataError;
use super::change::Change;
pub(super) use pictures::{Form, Pictures, decode};
pub(super) use records::{Layout, Records};

/// Numbers that a thread reads at a time when visiting all examples.
const NUMBERS_AT_A_TIME: usize = 1 << 18;

/// Largest number of examples that it reads at a time.
const EXAMPLES_AT_A_TIME: usize = 512;

/// Storage of inputs that are not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Residence {
    /// All in memory.
    Memory,
    /// In their files.
    Files,
}

/// Refuses a compressed file, from which single examples cannot be read.
pub(super) fn check_unpacked(path: &Path) -> Result<(), DataError> {
    match path.extension().is_some_and(|end| end == "gz") {
        false => Ok(()),
        true => Err(DataError::NotStreamed {
            path: path.into(),
            reason: "it is compressed; `gunzip` unpacks it",
        }),
    }
}

/// Inputs of examples that are read from their files on demand; see
/// [`Dataset::stream`](super::Dataset::stream).
///
/// Memory holds only their locations: eight bytes per example if their order differs from that of the files,
/// and the names of image files. The inputs are those that would be in memory, to the last bit.
#[derive(Debug, Clone, PartialEq)]
pub struct InputStream {
    pieces: Vec<Arc<Piece>>,
    /// Row of each example within the pieces, if they are reordered.
    order: Option<Arc<Vec<usize>>>,
    /// Range of the examples.
    range: Range<usize>,
    changes: Vec<Change>,
    n_inputs: usize,
}

/// A block of rows of numbers.
#[derive(Debug, PartialEq)]
enum Piece {
    Records(Records),
    Pictures(Pictures),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Pictures(pictures) => pictures.len(),
        }
    }

    /// Returns the number of values per row.
    fn n_numbers(&self) -> usize {
        match self {
            Self::Records(records) => records.n_numbers(),
            Self::Pictures(pictures) => pictures.n_numbers(),
        }
    }

    /// Appends a range of rows. `file` caches an open file.
    fn read(
        &self,
        rows: Range<usize>,
        file: &mut Option<File>,
        inputs: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        match self {
            Self::Records(records) => {
                let file = match file {
                    Some(file) => file,
                    None => file.insert(records.open()?),
                };
                records.read(rows, file, inputs)
            }
            Self::Pictures(pictures) => pictures.read(rows, inputs),
        }
    }
}

impl From<Records> for InputStream {
    fn from(records: Records) -> Self {
        Self::of(vec![Arc::new(Piece::Records(records))])
    }
}

impl From<Pictures> for InputStream {
    fn from(pictures: Pictures) -> Self {
        Self::of(vec![Arc::new(Piece::Pictures(pictures))])
    }
}

impl InputStream {
    fn of(pieces: Vec<Arc<Piece>>) -> Self {
        Self {
            range: 0..pieces.iter().map(|piece| piece.len()).sum(),
            n_inputs: pieces.first().map_or(0, |piece| piece.n_numbers()),
            pieces,
            order: None,
            changes: Vec::new(),
        }
    }

    /// Concatenates streams; `None` if their changes differ or examples were selected from them.
    pub(super) fn joined(streams: Vec<Self>) -> Option<Self> {
        let first = streams.first()?;
        let (changes, n_inputs) = (first.changes.clone(), first.n_inputs);
        let is_alike = |stream: &Self| stream.changes == changes && stream.order.is_none();
        if !streams.iter().all(is_alike) {
            return None;
        }
        let pieces = streams.into_iter().flat_map(|stream| stream.pieces);
        Some(Self {
            changes,
            n_inputs,
            ..Self::of(pieces.collect())
        })
    }

    /// Returns the number of examples.
    pub(super) fn len(&self) -> usize {
        self.range.len()
    }

    /// Returns the examples at these indices, in this order.
    pub(super) fn select(&self, indices: &[usize]) -> Self {
        let rows: Vec<usize> = indices.iter().map(|&index| self.row(index)).collect();
        Self {
            range: 0..rows.len(),
            order: Some(Arc::new(rows)),
            ..self.clone()
        }
    }

    /// Returns a range of the examples.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let start = self.range.start;
        Self {
            range: start + range.start..start + range.end,
            ..self.clone()
        }
    }

    /// Returns the same examples with `change` applied to each when it is read.
    pub(super) fn changed(mut self, change: Change) -> Self {
        self.n_inputs = change.n_inputs(self.n_inputs);
        self.changes.push(change);
        self
    }

    fn row(&self, index: usize) -> usize {
        let place = self.range.start + index;
        self.order.as_ref().map_or(place, |order| order[place])
    }

    /// Reads the inputs of these examples, in their order.
    pub(crate) fn read(
        &self,
        indices: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<f32>, DataError> {
        let rows: Vec<usize> = indices.into_iter().map(|index| self.row(index)).collect();
        let n_numbers = self.pieces.first().map_or(0, |piece| piece.n_numbers());
        let mut inputs = Vec::with_capacity(rows.len() * n_numbers);
        let mut files: Vec<Option<File>> = self.pieces.iter().map(|_| None).collect();
        // Neighbors in a file are read together.
        for run in rows.chunk_by(|row, next| *next == row + 1) {
            let mut rest = run[0]..run[0] + run.len();
            for (piece, file) in self.pieces.iter().zip(&mut files) {
                let n = piece.len();
                let here = rest.start.min(n)..rest.end.min(n);
                if !here.is_empty() {
                    piece.read(here, file, &mut inputs)?;
                }
                rest = rest.start.saturating_sub(n)..rest.end.saturating_sub(n);
            }
        }
        let changes = self.changes.iter();
        Ok(changes.fold(inputs, |inputs, change| change.apply(inputs)))
    }

    /// Passes the first `n` examples to `look` in order, a block at a time, until `look` breaks. Threads read
    /// ahead, and only their current blocks are in memory.
    pub(super) fn visit(
        &self,
        n: usize,
        mut look: impl FnMut(&[f32]) -> Result<ControlFlow<()>, DataError>,
    ) -> Result<(), DataError> {
        let at_a_time = NUMBERS_AT_A_TIME / self.n_inputs.max(1);
        let at_a_time = at_a_time.clamp(1, EXAMPLES_AT_A_TIME);
        let parts: Vec<usize> = (0..n).step_by(at_a_time).collect();
        for starts in parts.chunks(rayon::current_num_threads()) {
            let read = starts
                .par_iter()
                .map(|&start| self.read(start..n.min(start + at_a_time)));
            // In order, so that of several bad files the same one is always reported.
            let read: Vec<_> = read.collect();
            for inputs in read {
                if look(&inputs?)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
