//! A strict reader of CIFAR-10 and CIFAR-100 in their binary versions.
//!
//! ```text
//! file:   10,000 records
//! record: label | 1024 bytes of red | 1024 of green | 1024 of blue, each 32×32 row-major
//! ```
//!
//! CIFAR-100 has two files, of 50,000 and 10,000 records, with a coarse label before the label.
//!
//! The files have no header: every one must be exactly as long as its records. All files of a
//! split are read and checked before its inputs are allocated, which take four times the space.
//!
//! # Reference
//! A. Krizhevsky (2009), *Learning Multiple Layers of Features from Tiny Images*,
//! <https://www.cs.toronto.edu/~kriz/cifar.html>

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::change::Change;
use super::files::Scaling;
use super::kind::CIFAR_100_FILES;
pub(super) use super::kind::CIFAR_FILES as FILE_NAMES;
use super::{
    DataError, Dataset, DatasetKind, Examples, place,
    reader::{self, DataFile},
    stream::{InputStream, Layout, Records, Residence, check_unpacked},
};

const MAX_PIXEL: f32 = 255.0;
pub(super) const N_PIXELS: usize = 3 * 32 * 32;

/// Number of records of a published file.
pub(super) const N_RECORDS: usize = 10_000;

/// Number of records of each file of CIFAR-100.
pub(super) const N_RECORDS_100: [usize; 2] = [50_000, 10_000];

/// Length of a CIFAR-10 record in bytes: its label and its pixels.
pub(super) const RECORD_BYTES: usize = 1 + N_PIXELS;

/// Loads CIFAR-10 from the search paths for `dir`. Each file has `n_records` records.
pub(super) fn load(
    dir: &Path,
    n_records: usize,
    residence: Residence,
) -> Result<Dataset, DataError> {
    let kind = DatasetKind::Cifar10;
    let paths = place::locate(kind, dir, FILE_NAMES)?.paths;
    let (test, train) = paths.split_last().expect("there are six files");
    let train = read_split(kind, train, n_records, residence)?;
    let test = read_split(kind, std::slice::from_ref(test), n_records, residence)?;
    Dataset::of(kind, train, test)
}

/// Loads CIFAR-100 from the search paths for `dir`, with these numbers of training and test records.
pub(super) fn load_100(
    dir: &Path,
    n_records: [usize; 2],
    residence: Residence,
) -> Result<Dataset, DataError> {
    let kind = DatasetKind::Cifar100;
    let [train, test] = place::locate(kind, dir, CIFAR_100_FILES)?.paths;
    let [n_train, n_test] = n_records;
    let train = read_split(kind, &[train], n_train, residence)?;
    let test = read_split(kind, &[test], n_test, residence)?;
    Dataset::of(kind, train, test)
}

/// Reads the files of a split, one after the other.
fn read_split(
    kind: DatasetKind,
    paths: &[PathBuf],
    n_records: usize,
    residence: Residence,
) -> Result<Examples, DataError> {
    if residence == Residence::Files {
        return stream_split(kind, paths, n_records);
    }
    let n_labels = n_labels(kind);
    let files = paths.iter().map(|path| read_file(kind, path, n_records));
    let files = files.collect::<Result<Vec<_>, _>>()?;

    let n = n_records * files.len();
    let mut inputs = Vec::with_capacity(n * N_PIXELS);
    let mut labels = Vec::with_capacity(n);
    for record in files
        .iter()
        .flat_map(|file| file.chunks_exact(n_labels + N_PIXELS))
    {
        labels.push(record[n_labels - 1]);
        inputs.extend(record[n_labels..].iter().map(|&p| f32::from(p) / MAX_PIXEL));
    }
    Ok(Examples {
        inputs,
        labels,
        shape: kind.image_shape(),
        n_classes: kind.n_classes(),
        targets: None,
        stream: None,
    })
}

/// Reads the labels of a split, and leaves the pixels in the files.
fn stream_split(
    kind: DatasetKind,
    paths: &[PathBuf],
    n_records: usize,
) -> Result<Examples, DataError> {
    let n_labels = n_labels(kind);
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for path in paths {
        check_unpacked(path)?;
        let (file_labels, file_pixels) = streams(path, n_labels, n_records)?;
        let mut own = Vec::with_capacity(n_records);
        file_labels.visit(n_records, |labels| {
            own.extend(labels.iter().map(|&label| label as u8));
            Ok(ControlFlow::Continue(()))
        })?;
        reader::check_labels(path, &own, kind.n_classes())?;
        labels.extend(own);
        pixels.push(file_pixels);
    }
    let pixels = InputStream::joined(pixels).expect("nothing was done to them");
    Ok(Examples {
        inputs: Vec::new(),
        labels,
        shape: kind.image_shape(),
        n_classes: kind.n_classes(),
        targets: None,
        stream: Some(pixels.changed(Change::Scale {
            scaling: Scaling::Bytes,
            n_inputs: N_PIXELS,
        })),
    })
}

/// Returns labels and pixels of a file of `n_records` records with `n_labels` labels each, the last of which
/// counts.
pub(super) fn streams(
    path: &Path,
    n_labels: usize,
    n_records: usize,
) -> Result<(InputStream, InputStream), DataError> {
    let layout = |first: usize, n_numbers: usize| Layout {
        stride: n_labels + N_PIXELS,
        ..Layout::of_bytes(first as u64, n_records, n_numbers)
    };
    let labels = Records::new(path, layout(n_labels - 1, 1))?;
    let pixels = Records::new(path, layout(n_labels, N_PIXELS))?;
    Ok((labels.into(), pixels.whole()?.into()))
}

/// Reads a file of `n_records` records and checks that the labels are valid classes.
fn read_file(kind: DatasetKind, path: &Path, n_records: usize) -> Result<Vec<u8>, DataError> {
    let n_labels = n_labels(kind);
    let bytes = DataFile::open(path)?.read_rest(n_records * (n_labels + N_PIXELS))?;
    let labels = bytes.iter().skip(n_labels - 1);
    let labels: Vec<u8> = labels.step_by(n_labels + N_PIXELS).copied().collect();
    reader::check_labels(path, &labels, kind.n_classes())?;
    Ok(bytes)
}

/// Returns the number of labels before the pixels of a record; the last is the class.
fn n_labels(kind: DatasetKind) -> usize {
    match kind {
        DatasetKind::Cifar100 => 2,
        _ => 1,
    }
}
