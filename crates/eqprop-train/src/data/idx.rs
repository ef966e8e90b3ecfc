//! A strict reader of the IDX files in which MNIST and Fashion-MNIST are published.
//!
//! ```text
//! images: magic 2051 | n | height | width | n · height · width bytes, row-major
//! labels: magic 2049 | n |                  n bytes
//! ```
//!
//! Header fields are big-endian 32-bit numbers. A header is not trusted: its count is held
//! against the size of the split before anything is allocated, and no more is unpacked than the
//! header promises plus one byte, which is enough to notice a file that goes on.
//!
//! # Reference
//! Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits*.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{DataError, Dataset, DatasetKind, Examples};

const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const MAX_PIXEL: f32 = 255.0;

/// The four files of a data set, as they are published.
pub(super) const FILE_NAMES: [&str; 4] = [
    TRAIN.images_name,
    TRAIN.labels_name,
    TEST.images_name,
    TEST.labels_name,
];

/// One of the two splits: the names of its files, and the most items they may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) images_name: &'static str,
    pub(super) labels_name: &'static str,
    max_items: usize,
}

pub(super) const TRAIN: Split = Split {
    images_name: "train-images-idx3-ubyte",
    labels_name: "train-labels-idx1-ubyte",
    max_items: 60_000,
};

pub(super) const TEST: Split = Split {
    images_name: "t10k-images-idx3-ubyte",
    labels_name: "t10k-labels-idx1-ubyte",
    max_items: 10_000,
};

/// Loads `kind` from `dir`, or from the directory in it that is named after the data set.
pub(super) fn load(kind: DatasetKind, dir: &Path) -> Result<Dataset, DataError> {
    if !dir.is_dir() {
        return Err(DataError::NotADirectory { path: dir.into() });
    }
    let mut missing = Vec::new();
    for dir in [dir.to_path_buf(), dir.join(kind.name())] {
        // Files of two directories are never mixed: they may not belong together.
        let found = FILE_NAMES.map(|name| find(&dir, name, &mut missing));
        if let [
            Some(train_images),
            Some(train_labels),
            Some(test_images),
            Some(test_labels),
        ] = found
        {
            return Ok(Dataset {
                kind,
                train: read_split(kind, TRAIN, &train_images, &train_labels)?,
                test: read_split(kind, TEST, &test_images, &test_labels)?,
            });
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

/// Reads the images and the labels of a split.
pub(super) fn read_split(
    kind: DatasetKind,
    split: Split,
    images: &Path,
    labels: &Path,
) -> Result<Examples, DataError> {
    let (n_images, pixels) = read_images(images, kind.image_shape(), split.max_items)?;
    let label_bytes = read_labels(labels, kind.n_classes(), split.max_items)?;
    if n_images != label_bytes.len() {
        return Err(DataError::CountMismatch {
            images: images.into(),
            n_images,
            labels: labels.into(),
            n_labels: label_bytes.len(),
        });
    }
    Ok(Examples {
        inputs: pixels.iter().map(|&p| f32::from(p) / MAX_PIXEL).collect(),
        labels: label_bytes,
        n_inputs: kind.n_inputs(),
        n_classes: kind.n_classes(),
    })
}

/// The number of images, and their pixels as `[n, height, width]`.
fn read_images(
    path: &Path,
    shape: [usize; 2],
    max_items: usize,
) -> Result<(usize, Vec<u8>), DataError> {
    let mut file = IdxFile::open(path)?;
    match file.read_u32()? {
        IMAGES_MAGIC => {}
        LABELS_MAGIC => return Err(DataError::LabelsInsteadOfImages { path: path.into() }),
        found => return Err(file.wrong_magic(IMAGES_MAGIC, found)),
    }
    let n = file.read_count(max_items)?;
    let found = [file.read_u32()?, file.read_u32()?];
    // A dimension too large for `usize` cannot be one we expect.
    if found.map(|length| usize::try_from(length).ok()) != shape.map(Some) {
        return Err(DataError::WrongImageShape {
            path: path.into(),
            expected: shape,
            found,
        });
    }
    let [height, width] = shape;
    Ok((n, file.read_items(n * height * width)?))
}

/// The labels, each below `n_classes`.
fn read_labels(path: &Path, n_classes: usize, max_items: usize) -> Result<Vec<u8>, DataError> {
    let mut file = IdxFile::open(path)?;
    match file.read_u32()? {
        LABELS_MAGIC => {}
        IMAGES_MAGIC => return Err(DataError::ImagesInsteadOfLabels { path: path.into() }),
        found => return Err(file.wrong_magic(LABELS_MAGIC, found)),
    }
    let n = file.read_count(max_items)?;
    let labels = file.read_items(n)?;
    match labels.iter().position(|&l| usize::from(l) >= n_classes) {
        None => Ok(labels),
        Some(index) => Err(DataError::LabelOutOfRange {
            path: path.into(),
            index,
            label: labels[index],
            n_classes,
        }),
    }
}

/// An open IDX file, unpacked while it is read.
struct IdxFile<'a> {
    path: &'a Path,
    reader: Box<dyn Read>,
    n_read: usize,
}

impl<'a> IdxFile<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
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
        let mut bytes = Vec::with_capacity(n);
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
        Ok(bytes)
    }

    /// Reads one field of the header.
    fn read_u32(&mut self) -> Result<u32, DataError> {
        let expected = self.n_read + size_of::<u32>();
        let bytes = self.read_up_to(size_of::<u32>())?;
        if self.n_read == 0 {
            return Err(DataError::Empty {
                path: self.path.into(),
            });
        }
        match bytes.try_into() {
            Ok(bytes) => Ok(u32::from_be_bytes(bytes)),
            Err(_) => Err(self.truncated(expected)),
        }
    }

    /// Reads the number of items and checks it, so that it may size an allocation.
    fn read_count(&mut self, max_items: usize) -> Result<usize, DataError> {
        let found = self.read_u32()?;
        match usize::try_from(found) {
            Ok(0) => Err(DataError::NoItems {
                path: self.path.into(),
            }),
            Ok(n) if n <= max_items => Ok(n),
            _ => Err(DataError::TooManyItems {
                path: self.path.into(),
                limit: max_items,
                found,
            }),
        }
    }

    /// Reads the `n` bytes after the header, which must be the last ones.
    fn read_items(mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let expected = self.n_read + n;
        let items = self.read_up_to(n)?;
        if items.len() < n {
            return Err(self.truncated(expected));
        }
        // Asking for one byte more also makes the decoder verify the checksum. Here an early end is
        // an error like any other: all items are there, but the checksum is not.
        let mut rest = Vec::new();
        match self.reader.take(1).read_to_end(&mut rest) {
            Ok(0) => Ok(items),
            Ok(_) => Err(DataError::TrailingBytes {
                path: self.path.into(),
                expected,
            }),
            Err(source) => Err(DataError::Read {
                path: self.path.into(),
                source,
            }),
        }
    }

    fn truncated(&self, expected: usize) -> DataError {
        DataError::Truncated {
            path: self.path.into(),
            expected,
            found: self.n_read,
        }
    }

    fn wrong_magic(&self, expected: u32, found: u32) -> DataError {
        DataError::WrongMagic {
            path: self.path.into(),
            expected,
            found,
        }
    }
}
