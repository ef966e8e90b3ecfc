//! A strict reader of CIFAR-10 in its binary version.
//!
//! ```text
//! file:   10,000 records
//! record: label | 1024 bytes of red | 1024 of green | 1024 of blue, each 32×32 row-major
//! ```
//!
//! The files have no header: every one must be exactly as long as its records. All files of a
//! split are read and checked before its inputs are allocated, which take four times the space.
//!
//! # Reference
//! A. Krizhevsky (2009), *Learning Multiple Layers of Features from Tiny Images*,
//! <https://www.cs.toronto.edu/~kriz/cifar.html>

use std::path::{Path, PathBuf};

pub(super) use super::kind::CIFAR_FILES as FILE_NAMES;
use super::{
    DataError, Dataset, DatasetKind, Examples, place,
    reader::{self, DataFile},
};

const KIND: DatasetKind = DatasetKind::Cifar10;
const MAX_PIXEL: f32 = 255.0;
const N_PIXELS: usize = 3 * 32 * 32;

/// Records of a published file.
pub(super) const N_RECORDS: usize = 10_000;

/// Bytes of a record: its label and its pixels.
pub(super) const RECORD_BYTES: usize = 1 + N_PIXELS;

/// Loads CIFAR-10 from the places for `dir`. Each file has `n_records` records.
pub(super) fn load(dir: &Path, n_records: usize) -> Result<Dataset, DataError> {
    let paths = place::locate(KIND, dir, FILE_NAMES)?.paths;
    let (test, train) = paths.split_last().expect("there are six files");
    let train = read_split(train, n_records)?;
    let test = read_split(std::slice::from_ref(test), n_records)?;
    Ok(Dataset::new(KIND, train, test))
}

/// Reads the files of a split, one after the other.
fn read_split(paths: &[PathBuf], n_records: usize) -> Result<Examples, DataError> {
    let files = paths.iter().map(|path| read_file(path, n_records));
    let files = files.collect::<Result<Vec<_>, _>>()?;

    let n = n_records * files.len();
    let mut inputs = Vec::with_capacity(n * N_PIXELS);
    let mut labels = Vec::with_capacity(n);
    for record in files
        .iter()
        .flat_map(|file| file.chunks_exact(RECORD_BYTES))
    {
        labels.push(record[0]);
        inputs.extend(record[1..].iter().map(|&p| f32::from(p) / MAX_PIXEL));
    }
    Ok(Examples {
        inputs,
        labels,
        shape: KIND.image_shape(),
        n_classes: KIND.n_classes(),
    })
}

/// The bytes of a file of `n_records` records whose labels name classes.
fn read_file(path: &Path, n_records: usize) -> Result<Vec<u8>, DataError> {
    let bytes = DataFile::open(path)?.read_rest(n_records * RECORD_BYTES)?;
    let labels: Vec<u8> = bytes.iter().step_by(RECORD_BYTES).copied().collect();
    reader::check_labels(path, &labels, KIND.n_classes())?;
    Ok(bytes)
}
