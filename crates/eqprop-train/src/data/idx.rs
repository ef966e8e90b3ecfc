//! A strict reader of the IDX files of MNIST and of the data sets in its format.
//!
//! ```text
//! images: magic 2051 | n | height | width | n · height · width bytes, row-major
//! labels: magic 2049 | n |                  n bytes
//! QMNIST: magic 3074 | n | 8 |              n · 8 numbers, the first of which is the label
//! ```
//!
//! Header fields and QMNIST's numbers are big-endian and have 32 bits. A header is not trusted: its count is
//! checked against the size of the split before anything is allocated.
//!
//! # Reference
//! Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits*.

use std::path::Path;
use std::sync::Arc;

pub(super) use super::kind::IDX_FILES as FILE_NAMES;
use super::{
    DataError, Dataset, DatasetKind, Examples,
    change::Change,
    files::Scaling,
    place,
    reader::{self, DataFile},
    stream::{InputStream, Layout, Records, Residence, check_unpacked},
};

const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
const QMNIST_LABELS_MAGIC: u32 = 3074;

/// Numbers per label of QMNIST.
const QMNIST_NUMBERS: usize = 8;

/// Number of bytes before the images.
const IMAGES_HEADER: u64 = 16;

const MAX_PIXEL: f32 = 255.0;

/// One of the two splits: the names of its files, whether it is the test split, and the first published
/// labels of MNIST and Fashion-MNIST, by which the two are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) images_name: &'static str,
    pub(super) labels_name: &'static str,
    is_test: bool,
    published: [(DatasetKind, [u8; 10]); 2],
}

impl Split {
    /// Returns the largest number of items that its files may hold.
    fn max_items(self, kind: DatasetKind) -> usize {
        if self.is_test {
            kind.most_test_examples()
        } else {
            kind.most_examples()
        }
    }

    /// Returns the data set published with these labels; files that match none, or hold fewer than ten
    /// labels, may be of any.
    fn published_as(self, labels: &[u8]) -> Option<DatasetKind> {
        let found = |(_, first): &(_, [u8; 10])| labels.starts_with(first);
        let published = self.published.into_iter().find(found);
        published.map(|(kind, _)| kind)
    }
}

pub(super) const TRAIN: Split = Split {
    images_name: FILE_NAMES[0],
    labels_name: FILE_NAMES[1],
    is_test: false,
    published: [
        (DatasetKind::Mnist, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
        (DatasetKind::FashionMnist, [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]),
    ],
};

pub(super) const TEST: Split = Split {
    images_name: FILE_NAMES[2],
    labels_name: FILE_NAMES[3],
    is_test: true,
    published: [
        (DatasetKind::Mnist, [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
        (DatasetKind::FashionMnist, [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
    ],
};

/// Loads `kind` from the search paths for `dir`.
pub(super) fn load(
    kind: DatasetKind,
    dir: &Path,
    residence: Residence,
) -> Result<Dataset, DataError> {
    let names = kind.idx_files().expect("these are read here");
    let located = place::locate(kind, dir, *names)?;
    let [train_images, train_labels, test_images, test_labels] = &located.paths;
    let train = read_split(kind, TRAIN, train_images, train_labels, residence)?;
    let test = read_split(kind, TEST, test_images, test_labels, residence)?;
    // Published labels override the name of the directory.
    if place::has_names_of_mnist(kind)
        && TRAIN.published_as(&train.labels).is_none()
        && let Some(found) = place::named_after(&located.place)
        && found != kind
    {
        return Err(DataError::NamedAfterOther {
            path: located.place,
            kind,
            found,
        });
    }
    Dataset::of(kind, train, test)
}

/// Reads the images and the labels of a split.
pub(super) fn read_split(
    kind: DatasetKind,
    split: Split,
    images: &Path,
    labels: &Path,
    residence: Residence,
) -> Result<Examples, DataError> {
    let shape = kind.image_shape();
    let max_items = split.max_items(kind);
    let (n_images, pixels) = read_images(images, shape, max_items, residence)?;
    let label_bytes = read_labels(labels, kind, max_items)?;
    if n_images != label_bytes.len() {
        return Err(DataError::CountMismatch {
            images: images.into(),
            n_images,
            labels: labels.into(),
            n_labels: label_bytes.len(),
        });
    }
    match split.published_as(&label_bytes) {
        // QMNIST has the labels of MNIST.
        Some(found) if found != kind && place::has_names_of_mnist(kind) => {
            return Err(DataError::OtherDataset {
                path: labels.into(),
                kind,
                found,
            });
        }
        _ => {}
    }
    let n_inputs = kind.n_inputs();
    let (inputs, stream) = match pixels {
        Pixels::InMemory(mut pixels) => {
            if kind.is_transposed() {
                transpose(&mut pixels, shape);
            }
            let inputs = pixels.iter().map(|&p| f32::from(p) / MAX_PIXEL);
            (inputs.collect(), None)
        }
        Pixels::InFile(mut pixels) => {
            if kind.is_transposed() {
                let places = Arc::new(upright(shape).collect());
                pixels = pixels.changed(Change::Arrange { places, n_inputs });
            }
            let scaling = Scaling::Bytes;
            let scaled = pixels.changed(Change::Scale { scaling, n_inputs });
            (Vec::new(), Some(scaled))
        }
    };
    Ok(Examples {
        inputs,
        labels: label_bytes,
        shape,
        n_classes: kind.n_classes(),
        targets: None,
        stream,
    })
}

/// Bytes of all images, or their location.
enum Pixels {
    InMemory(Vec<u8>),
    InFile(InputStream),
}

/// Reads the number of images, and their pixels as `[n, height, width]`: the format has one channel.
fn read_images(
    path: &Path,
    [_, height, width]: [usize; 3],
    max_items: usize,
    residence: Residence,
) -> Result<(usize, Pixels), DataError> {
    if residence == Residence::Files {
        check_unpacked(path)?;
    }
    let mut file = DataFile::open(path)?;
    match file.read_u32()? {
        IMAGES_MAGIC => {}
        LABELS_MAGIC => return Err(DataError::LabelsInsteadOfImages { path: path.into() }),
        found => return Err(file.wrong_magic(IMAGES_MAGIC, found)),
    }
    let n = file.read_count(max_items)?;
    let expected = [height, width];
    let found = [file.read_u32()?, file.read_u32()?];
    // A dimension too large for `usize` cannot be the expected one.
    if found.map(|length| usize::try_from(length).ok()) != expected.map(Some) {
        return Err(DataError::WrongImageShape {
            path: path.into(),
            expected,
            found,
        });
    }
    let n_pixels = height * width;
    let pixels = match residence {
        Residence::Memory => Pixels::InMemory(file.read_rest(n * n_pixels)?),
        Residence::Files => {
            let layout = Layout::of_bytes(IMAGES_HEADER, n, n_pixels);
            Pixels::InFile(Records::new(path, layout)?.whole()?.into())
        }
    };
    Ok((n, pixels))
}

/// Transposes images whose columns were written as rows.
fn transpose(pixels: &mut [u8], shape: [usize; 3]) {
    let [_, height, width] = shape;
    let mut image_upright = vec![0; height * width];
    for image in pixels.chunks_exact_mut(height * width) {
        for (pixel, place) in image_upright.iter_mut().zip(upright(shape)) {
            *pixel = image[place];
        }
        image.copy_from_slice(&image_upright);
    }
}

/// Returns the index in the file of each pixel of an upright image.
fn upright([_, height, width]: [usize; 3]) -> impl Iterator<Item = usize> {
    (0..height * width).map(move |place| place % width * height + place / width)
}

/// Reads the labels, which must be below the number of classes, counted from 0.
fn read_labels(path: &Path, kind: DatasetKind, max_items: usize) -> Result<Vec<u8>, DataError> {
    let mut file = DataFile::open(path)?;
    let expected = match kind {
        DatasetKind::Qmnist => QMNIST_LABELS_MAGIC,
        _ => LABELS_MAGIC,
    };
    match file.read_u32()? {
        found if found == expected => {}
        IMAGES_MAGIC => return Err(DataError::ImagesInsteadOfLabels { path: path.into() }),
        found => return Err(file.wrong_magic(expected, found)),
    }
    let n = file.read_count(max_items)?;
    let first = kind.first_label();
    let labels = if expected == QMNIST_LABELS_MAGIC {
        read_first_numbers(file, n)?
    } else {
        file.read_rest(n)?
    };
    // A label below the first wraps around to one above all others.
    let labels: Vec<u8> = labels
        .iter()
        .map(|label| label.wrapping_sub(first))
        .collect();
    reader::check_labels(path, &labels, kind.n_classes())?;
    Ok(labels)
}

/// Reads the first number of each label of QMNIST; one that is not a byte is not a label.
fn read_first_numbers(mut file: DataFile, n: usize) -> Result<Vec<u8>, DataError> {
    let found = file.read_u32()?;
    if found as usize != QMNIST_NUMBERS {
        return Err(file.wrong_magic(QMNIST_NUMBERS as u32, found));
    }
    let bytes = file.read_rest(n * QMNIST_NUMBERS * size_of::<u32>())?;
    let labels = bytes.chunks_exact(QMNIST_NUMBERS * size_of::<u32>());
    Ok(labels
        .map(|label| match label[..4] {
            [0, 0, 0, label] => label,
            _ => u8::MAX,
        })
        .collect())
}

/// The header of an IDX file.
impl DataFile<'_> {
    /// Reads one field.
    fn read_u32(&mut self) -> Result<u32, DataError> {
        let bytes = self.read(size_of::<u32>())?;
        let bytes = bytes.try_into().expect("as many bytes as asked for");
        Ok(u32::from_be_bytes(bytes))
    }

    /// Reads the number of items and checks it before it determines the size of an allocation.
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
