//! Strict reading of data files, plain or compressed by gzip.
//!
//! No more is unpacked than the format allows plus one byte, which is enough to detect a file that continues.
//! And no more memory is allocated than the file can fill, whatever its header says.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use super::DataError;
use super::memory::{MAX_RATIO, SHARE, memory};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An open file, decompressed while it is read.
pub(super) struct DataFile<'a> {
    pub(super) path: &'a Path,
    reader: Box<dyn Read>,
    n_read: usize,
    /// Largest number of bytes that it can hold.
    capacity: u64,
}

impl<'a> DataFile<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read {
            path: path.into(),
            source,
        };
        let file = File::open(path).map_err(read_error)?;
        let mut capacity = file.metadata().map_err(read_error)?.len();
        let mut file = BufReader::new(file);
        let start = file.fill_buf().map_err(read_error)?;
        if start.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        let reader: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
            if !start.starts_with(&GZIP_MAGIC) {
                return Err(DataError::NotGzip { path: path.into() });
            }
            capacity = capacity.saturating_mul(MAX_RATIO);
            // The multi-member decoder also refuses trailing data.
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path,
            reader,
            n_read: 0,
            capacity,
        })
    }

    /// Returns `n`, limited to the number of bytes that the file can hold.
    pub(super) fn at_most(&self, n: usize) -> usize {
        usize::try_from(self.capacity).map_or(n, |capacity| capacity.min(n))
    }

    /// Reads `n` bytes, or as many as are left.
    fn read_up_to(&mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::with_capacity(self.at_most(n));
        match self.reader.by_ref().take(n as u64).read_to_end(&mut bytes) {
            // A truncated compressed file ends in this error; the caller sees it as short.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(source) => {
                return Err(DataError::Read {
                    path: self.path.into(),
                    source,
                });
            }
            Ok(_) => {}
        }
        self.n_read += bytes.len();
        if self.n_read == 0 {
            return Err(DataError::Empty {
                path: self.path.into(),
            });
        }
        Ok(bytes)
    }

    /// Reads the rest, up to half of the memory; anything beyond is cut off.
    pub(super) fn read_all(self) -> Result<Vec<u8>, DataError> {
        let most = (SHARE * memory()) as u64;
        let mut bytes = Vec::new();
        match self.reader.take(most).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(DataError::Read {
                path: self.path.into(),
                source,
            }),
        }
    }

    /// Returns a reader of the decompressed bytes.
    pub(super) fn into_reader(self) -> Box<dyn Read> {
        self.reader
    }

    /// Reads the next `n` bytes.
    pub(super) fn read(&mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let expected = self.n_read + n;
        let bytes = self.read_up_to(n)?;
        if bytes.len() < n {
            return Err(DataError::Truncated {
                path: self.path.into(),
                expected,
                found: self.n_read,
            });
        }
        Ok(bytes)
    }

    /// Reads the next `n` bytes, which must be the last ones.
    pub(super) fn read_rest(mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let bytes = self.read(n)?;
        // Asking for one byte more also makes the decoder verify the checksum. Here an early end is
        // an error like any other: all items are present, but the checksum is not.
        let mut rest = Vec::new();
        match self.reader.take(1).read_to_end(&mut rest) {
            Ok(0) => Ok(bytes),
            Ok(_) => Err(DataError::TrailingBytes {
                path: self.path.into(),
                expected: self.n_read,
            }),
            Err(source) => Err(DataError::Read {
                path: self.path.into(),
                source,
            }),
        }
    }
}

/// Refuses the first of `labels` that is not below `n_classes`.
pub(super) fn check_labels(path: &Path, labels: &[u8], n_classes: usize) -> Result<(), DataError> {
    match labels.iter().position(|&l| usize::from(l) >= n_classes) {
        None => Ok(()),
        Some(index) => Err(DataError::LabelOutOfRange {
            path: path.into(),
            index,
            label: labels[index],
            n_classes,
        }),
    }
}
