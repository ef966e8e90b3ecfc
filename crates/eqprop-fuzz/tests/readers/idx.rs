//! MNIST's four IDX files, plain and compressed.

use std::io::{Read, Write};
use std::path::Path;

use bolero::check;
use eqprop_train::data::{DataError, Dataset, DatasetKind};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::reader::{Input, Limit, Reader};
use crate::seed::{Files, Seed};

/// A pixel is a byte in the file and another four bytes as a number in memory, and while they are read
/// there is twice the room for the bytes: 8, and deflate unpacks to at most 1032 times as much.
const LIMIT: Limit = Limit {
    times: 8 * 1032,
    plus: 1 << 20,
};

/// Plain files unpack to themselves.
const PLAIN_LIMIT: Limit = Limit {
    times: 16,
    plus: 1 << 20,
};

/// Changes one of the files.
pub fn change(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let mut files = seed.files.clone();
    let index = input.part(files.len());
    let donor = &donor.files[input.part(donor.files.len())].1;
    let (name, bytes) = &mut files[index];
    let old = std::mem::take(bytes);
    *bytes = match unpacked(&old) {
        Some(content) if name.ends_with(".gz") && input.is_inside => {
            packed(&input.mutate(content, donor))
        }
        _ => input.mutate(old, donor),
    };
    files
}

/// Unpacks gzip data.
pub fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = GzDecoder::new(bytes).read_to_end(&mut content);
    read.is_ok().then_some(content)
}

/// Packs `content` with gzip.
pub fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn read(folder: &Path) -> Result<(), DataError> {
    Dataset::load(DatasetKind::Mnist, Some(folder)).map(drop)
}

#[test]
fn plain_idx_files() {
    let reader = Reader::new("idx", PLAIN_LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn compressed_idx_files() {
    let reader = Reader::new("idx-gzip", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}
