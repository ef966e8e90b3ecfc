//! Rows of numbers at fixed places of a file.

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

/// Where the rows of a file are, and what they are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The first byte of the first row.
    pub start: u64,
    /// Bytes from row to row.
    pub stride: usize,
    /// Number of rows.
    pub n: usize,
    /// Numbers of a row.
    pub n_numbers: usize,
    pub element: Element,
    pub is_big_endian: bool,
}

impl Layout {
    /// Rows of bytes, one behind the other.
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

    /// Bytes of a row.
    fn n_bytes(&self) -> usize {
        self.n_numbers * self.element.n_bytes().unwrap_or(1)
    }

    /// The byte behind the last row.
    pub fn end(&self) -> u64 {
        match self.n {
            0 => self.start,
            n => self.start + (n - 1) as u64 * self.stride as u64 + self.n_bytes() as u64,
        }
    }
}

/// What tells that a file is still the same.
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
    /// Those of a file that is as long as they need.
    ///
    /// # Errors
    /// If it is not, or cannot be opened.
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

    /// The same, if the file ends with the last row.
    ///
    /// # Errors
    /// If it goes on.
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

    /// The file, if it is as it was.
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

    /// Adds the numbers of a range of rows, from the open file.
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
