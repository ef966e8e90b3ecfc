//! Finding the files of a data set and reading them strictly, plain or compressed by gzip.
//!
//! No more is unpacked than the format allows plus one byte, which is enough to notice a file
//! that goes on.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{DataError, DatasetKind};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The files `names` of `kind` from the first of `places` in `dir` that holds all of them.
///
/// Files of two places are never mixed: they may not belong together. The place `""` is `dir`
/// itself.
pub(super) fn locate<const N: usize>(
    kind: DatasetKind,
    dir: &Path,
    places: &[&str],
    names: [&str; N],
) -> Result<[PathBuf; N], DataError> {
    if !dir.is_dir() {
        return Err(DataError::NotADirectory { path: dir.into() });
    }
    let mut missing = Vec::new();
    for place in places {
        let place = dir.join(place);
        let found = names.map(|name| find(&place, name, &mut missing));
        if found.iter().all(Option::is_some) {
            return Ok(found.map(|path| path.expect("each was just seen to be there")));
        }
    }
    Err(DataError::MissingFiles {
        kind,
        paths: missing,
    })
}

/// The file `name` in `dir`, plain or compressed; if neither exists, both paths are `missing`.
fn find(dir: &Path, name: &str, missing: &mut Vec<PathBuf>) -> Option<PathBuf> {
    let candidates = [dir.join(name), dir.join(format!("{name}.gz"))];
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    if found.is_none() {
        missing.extend(candidates);
    }
    found
}

/// The most bytes that are made room for before they are read: a header may ask for more than there
/// is.
const MAX_RESERVED: usize = 1 << 16;

/// An open file, unpacked while it is read.
pub(super) struct DataFile<'a> {
    pub(super) path: &'a Path,
    reader: Box<dyn Read>,
    n_read: usize,
}

impl<'a> DataFile<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read {
            path: path.into(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(read_error)?);
        let start = file.fill_buf().map_err(read_error)?;
        if start.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        let reader: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
            if !start.starts_with(&GZIP_MAGIC) {
                return Err(DataError::NotGzip { path: path.into() });
            }
            // The decoder for several members also refuses what follows the last of them.
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path,
            reader,
            n_read: 0,
        })
    }

    /// Reads `n` bytes, or as many as there are.
    fn read_up_to(&mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::with_capacity(n.min(MAX_RESERVED));
        match self.reader.by_ref().take(n as u64).read_to_end(&mut bytes) {
            // A compressed file that is cut off ends in this error; the caller sees it as short.
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
        // an error like any other: all items are there, but the checksum is not.
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
