use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use tempfile::{TempDir, tempdir};

use super::*;

const SHAPE: [usize; 2] = [28, 28];
const N_PIXELS: usize = 28 * 28;

// ------------------------------------------------------------------------------- generated files

fn header(fields: &[u32]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|field| field.to_be_bytes())
        .collect()
}

/// An image file in which pixel `p` of image `i` has the value `(i + p) mod 256`.
fn images(n: usize) -> Vec<u8> {
    let mut bytes = header(&[2051, n as u32, 28, 28]);
    bytes.extend((0..n).flat_map(|i| (0..N_PIXELS).map(move |p| (i + p) as u8)));
    bytes
}

/// A label file with the labels 0, 1, …, 9, 0, …
fn labels(n: usize) -> Vec<u8> {
    let mut bytes = header(&[2049, n as u32]);
    bytes.extend((0..n).map(|i| (i % 10) as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes a valid data set of three training and two test examples.
fn write_set(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for (name, bytes) in idx::FILE_NAMES
        .iter()
        .zip([images(3), labels(3), images(2), labels(2)])
    {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

/// Loads a data set in which one file is replaced by `bytes` under the name `name`.
///
/// Asserts that the error names the file, and returns it with the directory that held it.
fn error_with(name: &str, bytes: &[u8]) -> (DataError, TempDir) {
    let dir = tempdir().unwrap();
    write_set(dir.path());
    let plain_name = name.strip_suffix(".gz").unwrap_or(name);
    fs::remove_file(dir.path().join(plain_name)).unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = Dataset::load(DatasetKind::Mnist, Some(dir.path()))
        .map(drop)
        .expect_err("the file must be refused");
    assert_names(&error, &path);
    (error, dir)
}

fn assert_names(error: &DataError, path: &Path) {
    let message = error.to_string();
    assert!(
        message.contains(&path.display().to_string()),
        "`{}` is not named in: {message}",
        path.display()
    );
}

macro_rules! assert_error {
    ($error:expr, $pattern:pat $(if $guard:expr)?) => {
        let (error, _dir) = $error;
        assert!(
            matches!(error, $pattern $(if $guard)?),
            "unexpected error: {error:?}"
        );
    };
}

mod cifar;
mod examples;
mod fingerprint;
mod named;
mod place;

// ----------------------------------------------------------------------------------------- names

#[test]
fn names_survive_text_and_serde() {
    for kind in DatasetKind::ALL {
        assert_eq!(kind.to_string().parse::<DatasetKind>().unwrap(), kind);
        assert_eq!(
            serde_json::to_string(&kind).unwrap(),
            format!("\"{kind}\""),
            "serde and Display must agree"
        );
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let message = "MNIST".parse::<DatasetKind>().unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown data set `MNIST`; did you mean `mnist`?; expected one of digits, mnist, fashion-mnist, cifar-10, kmnist, qmnist, emnist-balanced, emnist-byclass, emnist-bymerge, emnist-digits, emnist-letters, emnist-mnist, cifar-100, or a file or folder that exists"
    );
}

// ---------------------------------------------------------------------------------------- digits

#[test]
fn digits_are_split_into_1437_and_360_with_equal_class_shares() {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (1437, 360));
    for split in [&digits.train, &digits.test] {
        assert_eq!(split.inputs.len(), split.len() * 64);
        assert_eq!((split.shape, split.n_classes), ([1, 8, 8], 10));
    }
    let n_per_class = |examples: &Examples| {
        let mut counts = [0; 10];
        for &label in &examples.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    };
    let (train, test) = (n_per_class(&digits.train), n_per_class(&digits.test));
    // Class sizes 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 times 360/1797, by hand.
    assert_eq!(test, [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]);
    let sizes: Vec<i32> = train.iter().zip(test).map(|(a, b)| a + b).collect();
    assert_eq!(sizes, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}

#[test]
fn digits_have_no_example_in_both_splits() {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    for i in 0..digits.test.len() {
        for j in 0..digits.train.len() {
            assert_ne!(
                digits.test.input(i),
                digits.train.input(j),
                "test example {i} is training example {j}"
            );
        }
    }
}

#[test]
fn digits_are_scaled_to_the_unit_interval() {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    let all = || digits.train.inputs.iter().chain(&digits.test.inputs);
    assert!(all().all(|x| (0.0..=1.0).contains(x)));
    // Both ends are reached, and every value is a sixteenth.
    assert!(all().any(|&x| x == 0.0) && all().any(|&x| x == 1.0));
    assert!(all().all(|x| (x * 16.0).fract() == 0.0));
    // The first row of the file, a zero, is a training example: 0, 0, 5, 13, 9, 1, 0, 0.
    assert_eq!(
        digits.train.input(0)[..8],
        [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|x: f32| x / 16.0)
    );
    assert_eq!(digits.train.labels[0], 0);
}

#[test]
fn test_examples_are_evenly_spaced_within_their_class() {
    let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
    let chosen: Vec<usize> = digits::choose_test(&labels, 2, 4)
        .iter()
        .enumerate()
        .filter_map(|(i, &is_test)| is_test.then_some(i))
        .collect();
    // Two of six in each class: the members 1 and 4 of the class.
    assert_eq!(chosen, [2, 3, 8, 9]);
}

// ----------------------------------------------------------------------------- reading IDX files

fn assert_is_the_generated_set(set: &Dataset) {
    assert_eq!(set.train.labels, [0, 1, 2]);
    assert_eq!(set.test.labels, [0, 1]);
    for split in [&set.train, &set.test] {
        assert_eq!((split.shape, split.n_classes), ([1, 28, 28], 10));
        for i in 0..split.len() {
            let expected: Vec<f32> = (0..N_PIXELS)
                .map(|p| f32::from((i + p) as u8) / 255.0)
                .collect();
            assert_eq!(split.input(i), expected);
        }
    }
}

#[test]
fn compressed_files_are_read_like_plain_ones() {
    let dir = tempdir().unwrap();
    let place = dir.path().join("mnist");
    write_set(&place);
    // The test images stay plain: both kinds may stand side by side.
    for name in [0, 1, 3].map(|i| idx::FILE_NAMES[i]) {
        let bytes = fs::read(place.join(name)).unwrap();
        fs::write(place.join(format!("{name}.gz")), gzip(&bytes)).unwrap();
        fs::remove_file(place.join(name)).unwrap();
    }
    assert_is_the_generated_set(&Dataset::load(DatasetKind::Mnist, Some(dir.path())).unwrap());
}

#[test]
fn the_download_cache_is_read_after_it_is_stored() {
    let cache = tempdir().unwrap();
    for (place, split, n) in [("train", idx::TRAIN, 3), ("test", idx::TEST, 2)] {
        let dir = cache.path().join(place);
        download::store(&dir, split.images_name, &images(n)).unwrap();
        download::store(&dir, split.labels_name, &labels(n)).unwrap();
        // Nothing but the two files is left behind.
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    }
    assert_is_the_generated_set(
        &download::read_cache(
            DatasetKind::FashionMnist,
            cache.path(),
            stream::Residence::Memory,
        )
        .unwrap(),
    );
}

// --------------------------------------------------------------------------- files that are wrong

#[test]
fn labels_in_place_of_images_are_told_apart_from_a_wrong_file() {
    assert_error!(
        error_with("train-images-idx3-ubyte", &labels(3)),
        DataError::LabelsInsteadOfImages { .. }
    );
    assert_error!(
        error_with("train-labels-idx1-ubyte", &images(3)),
        DataError::ImagesInsteadOfLabels { .. }
    );
}

#[test]
fn a_wrong_magic_number_is_refused() {
    assert_error!(
        error_with("t10k-images-idx3-ubyte", &header(&[7, 2, 28, 28])),
        DataError::WrongMagic {
            expected: 2051,
            found: 7,
            ..
        }
    );
    // A compressed file without the ending `.gz` shows in its magic number, 0x1f8b0800.
    assert_error!(
        error_with("t10k-labels-idx1-ubyte", &gzip(&labels(2))),
        DataError::WrongMagic {
            expected: 2049,
            found: 0x1f8b_0800,
            ..
        }
    );
}

#[test]
fn images_of_another_size_are_refused() {
    assert_error!(
        error_with("train-images-idx3-ubyte", &header(&[2051, 3, 28, 32])),
        DataError::WrongImageShape {
            expected: SHAPE,
            found: [28, 32],
            ..
        }
    );
}

#[test]
fn a_count_beyond_the_split_is_refused_before_the_items_are_read() {
    // No item follows these headers: an error about length would mean that reading had begun.
    assert_error!(
        error_with(
            "train-images-idx3-ubyte",
            &header(&[2051, u32::MAX, 28, 28])
        ),
        DataError::TooManyItems {
            limit: 60_000,
            found: u32::MAX,
            ..
        }
    );
    assert_error!(
        error_with("t10k-labels-idx1-ubyte", &header(&[2049, 10_001])),
        DataError::TooManyItems {
            limit: 10_000,
            found: 10_001,
            ..
        }
    );
    // The largest count allowed passes on to the check of the length.
    assert_error!(
        error_with("t10k-labels-idx1-ubyte", &header(&[2049, 10_000])),
        DataError::Truncated {
            expected: 10_008,
            found: 8,
            ..
        }
    );
}

#[test]
fn a_file_without_items_is_refused() {
    assert_error!(
        error_with("train-images-idx3-ubyte", &images(0)),
        DataError::NoItems { .. }
    );
    assert_error!(
        error_with("train-labels-idx1-ubyte", &labels(0)),
        DataError::NoItems { .. }
    );
}

#[test]
fn an_empty_file_is_refused_also_when_compressed() {
    for (name, bytes) in [
        ("train-images-idx3-ubyte", vec![]),
        ("train-images-idx3-ubyte.gz", vec![]),
        ("train-labels-idx1-ubyte.gz", gzip(&[])),
    ] {
        assert_error!(error_with(name, &bytes), DataError::Empty { .. });
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_with_both_lengths() {
    let expected_length = 16 + 3 * N_PIXELS;
    let cut = &images(3)[..expected_length - 1];
    for (name, bytes) in [
        ("train-images-idx3-ubyte", cut.to_vec()),
        ("train-images-idx3-ubyte.gz", gzip(cut)),
    ] {
        let (error, _dir) = error_with(name, &bytes);
        assert!(matches!(error, DataError::Truncated { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains("expected 2368 bytes, found 2367"),
            "{message}"
        );
    }
    assert_error!(
        error_with("train-labels-idx1-ubyte", &header(&[2049, 3])[..6]),
        DataError::Truncated {
            expected: 8,
            found: 6,
            ..
        }
    );
}

#[test]
fn a_compressed_file_that_is_cut_short_or_damaged_is_refused() {
    let packed = gzip(&images(3));
    assert_error!(
        error_with("train-images-idx3-ubyte.gz", &packed[..packed.len() / 2]),
        DataError::Truncated { expected: 2368, .. }
    );
    // The last eight bytes are the checksum and the length.
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let (error, _dir) = error_with("train-images-idx3-ubyte.gz", &damaged);
    assert!(matches!(error, DataError::Read { .. }), "{error:?}");
    assert!(error.source().is_some());
}

#[test]
fn a_compressed_file_that_lacks_its_checksum_is_refused() {
    let packed = gzip(&images(3));
    let (error, _dir) = error_with("train-images-idx3-ubyte.gz", &packed[..packed.len() - 8]);
    assert!(matches!(error, DataError::Read { .. }), "{error:?}");
}

#[test]
fn bytes_after_the_last_item_are_refused() {
    for (name, bytes, length) in [
        ("train-images-idx3-ubyte", images(3), 16 + 3 * N_PIXELS),
        ("train-labels-idx1-ubyte", labels(3), 8 + 3),
    ] {
        let longer = [bytes, vec![0]].concat();
        for (name, longer) in [
            (name.to_string(), longer.clone()),
            (format!("{name}.gz"), gzip(&longer)),
        ] {
            assert_error!(
                error_with(&name, &longer),
                DataError::TrailingBytes { expected, .. } if expected == length
            );
        }
    }
}

#[test]
fn a_label_beyond_the_classes_is_refused() {
    let mut bytes = labels(3);
    bytes[8 + 1] = 10;
    assert_error!(
        error_with("train-labels-idx1-ubyte", &bytes),
        DataError::LabelOutOfRange {
            index: 1,
            label: 10,
            n_classes: 10,
            ..
        }
    );
}

#[test]
fn unequal_numbers_of_images_and_labels_are_refused() {
    let (error, dir) = error_with("train-labels-idx1-ubyte", &labels(4));
    assert!(matches!(
        error,
        DataError::CountMismatch {
            n_images: 3,
            n_labels: 4,
            ..
        }
    ));
    assert_names(&error, &dir.path().join("train-images-idx3-ubyte"));
}

#[test]
fn content_that_is_not_gzip_is_refused_under_a_gz_name() {
    assert_error!(
        error_with("train-images-idx3-ubyte.gz", &images(3)),
        DataError::NotGzip { .. }
    );
}

// -------------------------------------------------------------------------------------- download

#[test]
fn a_failed_download_says_where_to_put_the_files() {
    let error = DataError::Download {
        dataset: DatasetKind::Mnist,
        cache: PathBuf::from("/cache/burn-dataset/mnist"),
        reason: "no route to host".into(),
    };
    let message = error.to_string();
    for part in [
        "mnist failed",
        "no route to host",
        "--data-dir DIR",
        "EQPROP_DATA",
        "/cache/burn-dataset/mnist",
    ]
    .into_iter()
    .chain(idx::FILE_NAMES)
    {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}
