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

pub(super) use super::kind::IDX_FILES as FILE_NAMES;
use super::{
    DataError, Dataset, DatasetKind, Examples, place,
    reader::{self, DataFile},
};

const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
const MAX_PIXEL: f32 = 255.0;

/// One of the two splits: the names of its files, the most items they may hold, and the first labels
/// with which each data set is published, which tell the two apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) images_name: &'static str,
    pub(super) labels_name: &'static str,
    max_items: usize,
    published: [(DatasetKind, [u8; 10]); 2],
}

impl Split {
    /// The data set that is published with these labels; files that are neither, or hold less than
    /// ten, may be of either.
    fn published_as(self, labels: &[u8]) -> Option<DatasetKind> {
        let found = |(_, first): &(_, [u8; 10])| labels.starts_with(first);
        let published = self.published.into_iter().find(found);
        published.map(|(kind, _)| kind)
    }
}

pub(super) const TRAIN: Split = Split {
    images_name: FILE_NAMES[0],
    labels_name: FILE_NAMES[1],
    max_items: 60_000,
    published: [
        (DatasetKind::Mnist, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
        (DatasetKind::FashionMnist, [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]),
    ],
};

pub(super) const TEST: Split = Split {
    images_name: FILE_NAMES[2],
    labels_name: FILE_NAMES[3],
    max_items: 10_000,
    published: [
        (DatasetKind::Mnist, [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
        (DatasetKind::FashionMnist, [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
    ],
};

/// Loads `kind` from the places for `dir`.
pub(super) fn load(kind: DatasetKind, dir: &Path) -> Result<Dataset, DataError> {
    let located = place::locate(kind, dir, FILE_NAMES)?;
    let [train_images, train_labels, test_images, test_labels] = &located.paths;
    let train = read_split(kind, TRAIN, train_images, train_labels)?;
    let test = read_split(kind, TEST, test_images, test_labels)?;
    // What is published is believed whatever the directory is called.
    if TRAIN.published_as(&train.labels).is_none()
        && let Some(found) = place::named_after(&located.place)
        && found != kind
    {
        return Err(DataError::NamedAfterOther {
            path: located.place,
            kind,
            found,
        });
    }
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
    match split.published_as(&label_bytes) {
        Some(found) if found != kind => {
            return Err(DataError::OtherDataset {
                path: labels.into(),
                kind,
                found,
            });
        }
        _ => {}
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
