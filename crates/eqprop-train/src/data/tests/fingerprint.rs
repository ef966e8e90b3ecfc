//! Hashes of data sets.

use sha2::{Digest, Sha256};

use super::*;
use crate::preset::Preset;

/// A data set of one image of 1×2 pixels in each split.
fn tiny(train: [f32; 2], test: [f32; 2]) -> Dataset {
    let examples = |inputs: [f32; 2]| Examples {
        inputs: inputs.to_vec(),
        labels: vec![3],
        shape: [1, 1, 2],
        n_classes: 10,
        targets: None,
        stream: None,
    };
    Dataset::new(DatasetKind::Mnist, examples(train), examples(test))
}

/// Data set whose training split is modified by `change`.
fn with_train(dataset: &Dataset, change: impl Fn(&mut Examples)) -> Dataset {
    let mut train = dataset.train.clone();
    change(&mut train);
    Dataset::new(&dataset.kind, train, dataset.test.clone())
}

#[test]
fn a_fingerprint_is_the_sha_256_of_the_format_in_the_documentation() {
    // By hand: images of bytes, and one with a pixel that no byte stands for.
    let set = tiny([0.0, 1.0], [51.0 / 255.0, 0.1]);
    let split = |image: &[u8]| {
        let counts = [1u64, 1, 1, 2, 10].map(u64::to_le_bytes).concat();
        [&counts[..], &[3], image].concat()
    };
    let last = [&[1], &0.2f32.to_le_bytes()[..], &0.1f32.to_le_bytes()].concat();
    let bytes = [b"mnist\0".to_vec(), split(&[0, 0, 255]), split(&last)].concat();
    let expected = Sha256::digest(bytes).into_iter();
    let expected: String = expected.map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(set.fingerprint(), expected);
}

#[test]
fn the_fingerprint_of_the_digits_is_the_same_everywhere() {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    // Also the result of another program for the same format.
    let expected = "94ab26ba947d796c6fca19e9cd0ff2f317568e1509ead0a0653c09ab86a89f22";
    assert_eq!(digits.fingerprint(), expected);
}

#[test]
fn a_fingerprint_changes_with_everything_that_was_read() {
    let set = tiny([0.0, 1.0], [1.0, 0.5]);
    let changed = [
        tiny([1.0, 0.5], [0.0, 1.0]),
        tiny([0.0, 1.0], [1.0, 0.5 + f32::EPSILON]),
        tiny([0.0, 254.0 / 255.0], [1.0, 0.5]),
        tiny([1.0, 0.0], [1.0, 0.5]),
        with_train(&set, |train| train.labels[0] = 4),
        with_train(&set, |train| train.shape = [1, 2, 1]),
        with_train(&set, |train| train.n_classes = 11),
        with_train(&set, |train| {
            train.labels.push(3);
            train.inputs.extend([0.0, 1.0]);
        }),
        Dataset::new(
            DatasetKind::FashionMnist,
            set.train.clone(),
            set.test.clone(),
        ),
    ];
    let mut fingerprints: Vec<_> = changed.iter().map(Dataset::fingerprint).collect();
    fingerprints.push(set.fingerprint());
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), changed.len() + 1);
}

#[test]
fn a_fingerprint_is_of_what_was_read_and_not_of_what_is_made_of_it() {
    let dir = tempdir().unwrap();
    write_set(dir.path());
    let plain = Dataset::load(DatasetKind::Mnist, Some(dir.path())).unwrap();
    for name in idx::FILE_NAMES {
        let path = dir.path().join(name);
        let packed = gzip(&fs::read(&path).unwrap());
        fs::write(dir.path().join(format!("{name}.gz")), packed).unwrap();
        fs::remove_file(path).unwrap();
    }
    let config = Preset::Dchn.config();
    let prepared = config.load_data(Some(dir.path())).unwrap();
    // Padded and normalized, from compressed files.
    assert_eq!(prepared.train.shape, [1, 32, 32]);
    assert_ne!(prepared.train.inputs[0], 0.0);
    assert_eq!(prepared.fingerprint(), plain.fingerprint());
}
