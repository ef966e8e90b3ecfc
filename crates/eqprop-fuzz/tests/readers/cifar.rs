//! CIFAR-10's six files, here with one record each, and the archive that they are published in.

use std::path::Path;

use bolero::check;
use eqprop_train::data::{DataError, format};

use crate::idx::change;
use crate::reader::{Limit, Reader};

/// That of compressed IDX files, except that all files of a split are in memory before their numbers
/// are.
const LIMIT: Limit = Limit {
    times: 8 * 1032,
    plus: 1 << 20,
};

const PLAIN_LIMIT: Limit = Limit {
    times: 16,
    plus: 1 << 20,
};

/// Number of records of each file in the seeds.
const N_RECORDS: usize = 1;

/// The files that the archives of the seeds hold, and their size.
const PACKED: ([&str; 2], usize) = (["data_batch_1.bin", "test_batch.bin"], 600);

fn read(folder: &Path) -> Result<(), DataError> {
    format::cifar_10(folder, N_RECORDS).map(drop)
}

#[test]
fn plain_cifar_files() {
    let reader = Reader::new("cifar", PLAIN_LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn compressed_cifar_files() {
    let reader = Reader::new("cifar-gzip", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn cifar_archives() {
    let read = |folder: &Path| {
        let bytes = std::fs::read(folder.join("archive.tar.gz"))?;
        let (names, n_bytes) = PACKED;
        format::archive(&bytes, &names, n_bytes).map(drop)
    };
    // Other files are unpacked and dropped, in pieces.
    let reader = Reader::new("archive", PLAIN_LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}
