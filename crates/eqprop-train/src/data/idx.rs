//! A strict reader of the IDX files in which MNIST and Fashion-MNIST are published.
//!
//! ```text
//! images: magic 2051 | n | height | width | n · height · width bytes, row-major
//! labels: magic 2049 | n |                  n bytes
//! ```
//!
//! Header fields are big-endian 32-bit numbers. A header is not trusted: its count is held
//! against the size of the split before anything is allocated.
//!
//! # Reference
//! Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits*.

use std::path::Path;

use super::{
    DataError, Dataset, DatasetKind, Examples,
    reader::{self, DataFile},
};

const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
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
    let places = ["", kind.name()];
    let [train_images, train_labels, test_images, test_labels] =
        reader::locate(kind, dir, &places, FILE_NAMES)?;
    let train = read_split(kind, TRAIN, &train_images, &train_labels)?;
    let test = read_split(kind, TEST, &test_images, &test_labels)?;
    Ok(Dataset::new(kind, train, test))
}

/// Reads the images and the labels of a split.
pub(super) fn read_split(
    kind: DatasetKind,
    split: Split,
    images: &Path,
    labels: &Path,
) -> Result<Examples, DataError> {
    let shape = kind.image_shape();
    let (n_images, pixels) = read_images(images, shape, split.max_items)?;
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
        shape,
        n_classes: kind.n_classes(),
    })
}

/// The number of images, and their pixels as `[n, height, width]`: the format knows one channel.
fn read_images(
    path: &Path,
    [_, height, width]: [usize; 3],
    max_items: usize,
) -> Result<(usize, Vec<u8>), DataError> {
    let mut file = DataFile::open(path)?;
    match file.read_u32()? {
        IMAGES_MAGIC => {}
        LABELS_MAGIC => return Err(DataError::LabelsInsteadOfImages { path: path.into() }),
        found => return Err(file.wrong_magic(IMAGES_MAGIC, found)),
    }
    let n = file.read_count(max_items)?;
    let expected = [height, width];
    let found = [file.read_u32()?, file.read_u32()?];
    // A dimension too large for `usize` cannot be one we expect.
    if found.map(|length| usize::try_from(length).ok()) != expected.map(Some) {
        return Err(DataError::WrongImageShape {
            path: path.into(),
            expected,
            found,
        });
    }
    Ok((n, file.read_rest(n * height * width)?))
}

/// The labels, each below `n_classes`.
fn read_labels(path: &Path, n_classes: usize, max_items: usize) -> Result<Vec<u8>, DataError> {
    let mut file = DataFile::open(path)?;
    match file.read_u32()? {
        LABELS_MAGIC => {}
        IMAGES_MAGIC => return Err(DataError::ImagesInsteadOfLabels { path: path.into() }),
        found => return Err(file.wrong_magic(LABELS_MAGIC, found)),
    }
    let n = file.read_count(max_items)?;
    let labels = file.read_rest(n)?;
    reader::check_labels(path, &labels, n_classes)?;
    Ok(labels)
}

/// The header of an IDX file.
impl DataFile<'_> {
    /// Reads one field.
    fn read_u32(&mut self) -> Result<u32, DataError> {
        let bytes = self.read(size_of::<u32>())?;
        let bytes = bytes.try_into().expect("as many bytes as asked for");
        Ok(u32::from_be_bytes(bytes))
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

    fn wrong_magic(&self, expected: u32, found: u32) -> DataError {
        DataError::WrongMagic {
            path: self.path.into(),
            expected,
            found,
        }
    }
}
