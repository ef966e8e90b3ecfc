//! Rows of numbers at fixed offsets in a file.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::DataError;
use super::super::files::Element;

/// Rows of a file: row `i` begins at byte `start + i · stride`.
#[derive(Debug, PartialEq)]
pub(crate) struct Records {
    path: PathBuf,
    layout: Layout,
    seen: Seen,
}

/// Layout of the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Offset of the first row in bytes.
    pub start: u64,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Number of rows.
    pub n: usize,
    /// Number of values per row.
    pub n_numbers: usize,
    pub element: Element,
    pub is_big_endian: bool,
}

impl Layout {
    /// Describes contiguous rows of bytes.
    pub fn of_bytes(start: u64, n: usize, n_numbers: usize) -> Self {
        Self {
            start,
            stride: n_numbers,
            n,
            n_numbers,
            element: Element::U8,
            is_big_endian: false,
        }
    }

    /// Returns the length of a row in bytes.
    fn n_bytes(&self) -> usize {
        self.n_numbers * self.element.n_bytes().unwrap_or(1)
    }

    /// Returns the offset after the last row.
    pub fn end(&self) -> u64 {
        match self.n {
            0 => self.start,
            n => self.start + (n - 1) as u64 * self.stride as u64 + self.n_bytes() as u64,
        }
    }
}

/// Properties by which a change of a file is detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Option<SystemTime>,
}

impl Seen {
    fn of(path: &Path, file: &File) -> Result<Self, DataError> {
        let found = file.metadata().map_err(read_error(path))?;
        Ok(Self {
            length: found.len(),
            modified: found.modified().ok(),
        })
    }
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    let path = path.into();
    |source| DataError::Read { path, source }
}

impl Records {
    /// Opens the records of a file that is long enough for them.
    ///
    /// # Errors
    /// If it is too short, or cannot be opened.
    pub fn new(path: &Path, layout: Layout) -> Result<Self, DataError> {
        let file = File::open(path).map_err(read_error(path))?;
        let seen = Seen::of(path, &file)?;
        if seen.length < layout.end() {
            return Err(DataError::Truncated {
                path: path.into(),
                expected: layout.end() as usize,
                found: seen.length as usize,
            });
        }
        Ok(Self {
            path: path.into(),
            layout,
            seen,
        })
    }

    /// Checks that the file ends with the last row.
    ///
    /// # Errors
    /// If it continues.
    pub fn whole(self) -> Result<Self, DataError> {
        match self.seen.length == self.layout.end() {
            true => Ok(self),
            false => Err(DataError::TrailingBytes {
                path: self.path,
                expected: self.layout.end() as usize,
            }),
        }
    }

    pub fn len(&self) -> usize {
        self.layout.n
    }

    pub fn n_numbers(&self) -> usize {
        self.layout.n_numbers
    }

    /// Opens the file, if it has not changed.
    pub fn open(&self) -> Result<File, DataError> {
        let file = File::open(&self.path).map_err(read_error(&self.path))?;
        match Seen::of(&self.path, &file)? == self.seen {
            true => Ok(file),
            false => Err(self.is_other()),
        }
    }

    fn is_other(&self) -> DataError {
        DataError::Changed {
            path: self.path.clone(),
        }
    }

    /// Appends the numbers of a range of rows, from the open file.
    pub fn read(
        &self,
        rows: Range<usize>,
        file: &mut File,
        inputs: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        let Layout {
            start,
            stride,
            element,
            is_big_endian,
            ..
        } = self.layout;
        let n_bytes = self.layout.n_bytes();
        let first = start + rows.start as u64 * stride as u64;
        let mut bytes = vec![0; rows.len().saturating_sub(1) * stride + n_bytes];
        let read = file.seek(SeekFrom::Start(first));
        let read = read.and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => self.is_other(),
            _ => read_error(&self.path)(source),
        })?;
        for row in bytes.chunks(stride) {
            element.extend(inputs, &row[..n_bytes], is_big_endian);
        }
        Ok(())
    }
}
