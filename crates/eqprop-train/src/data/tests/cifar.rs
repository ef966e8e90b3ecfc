//! The binary version of CIFAR-10, from a directory and from the published archive.

use super::*;
use crate::data::cifar::{FILE_NAMES, N_RECORDS, RECORD_BYTES, load};
use crate::data::stream::Residence;

/// Records of a file of the tests; a published one has 10,000.
const N: usize = 3;

/// The value of pixel `p` of record `record` of file `file`.
fn pixel(file: usize, record: usize, p: usize) -> u8 {
    (50 * file + 7 * record + p) as u8
}

/// File `file` with `n` records, whose labels count on from file to file.
fn file(file: usize, n: usize) -> Vec<u8> {
    let record = |record: usize| {
        let label = (file * N + record) % 10;
        let pixels = (0..RECORD_BYTES - 1).map(move |p| pixel(file, record, p));
        std::iter::once(label as u8).chain(pixels)
    };
    (0..n).flat_map(record).collect()
}

fn write_files(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for (index, name) in FILE_NAMES.iter().enumerate() {
        fs::write(dir.join(name), file(index, N)).unwrap();
    }
}

fn assert_is_the_generated_set(set: &Dataset) {
    assert_eq!(set.kind, DatasetKind::Cifar10);
    assert_eq!((set.train.len(), set.test.len()), (5 * N, N));
    let files = (0..6).flat_map(|file| (0..N).map(move |record| (file, record)));
    let examples = [&set.train, &set.test].into_iter();
    let examples = examples.flat_map(|split| (0..split.len()).map(move |i| (split, i)));
    for ((split, i), (file, record)) in examples.zip(files) {
        assert_eq!((split.shape, split.n_classes), ([3, 32, 32], 10));
        assert_eq!(usize::from(split.labels[i]), (file * N + record) % 10);
        // In the order of the file: channel, row, column.
        let pixels = (0..3072).map(|p| f32::from(pixel(file, record, p)) / 255.0);
        assert!(pixels.eq(split.input(i).iter().copied()));
    }
}

/// Loads a data set in which one file is replaced by `bytes` under the name `name`.
///
/// Asserts that the error names the file, and returns it with the directory that held it.
fn error_with(name: &str, bytes: &[u8]) -> (DataError, TempDir) {
    let dir = tempdir().unwrap();
    write_files(dir.path());
    let plain_name = name.strip_suffix(".gz").unwrap_or(name);
    fs::remove_file(dir.path().join(plain_name)).unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = load(dir.path(), N, Residence::Memory).map(drop);
    let error = error.expect_err("the file must be refused");
    assert_names(&error, &path);
    (error, dir)
}

#[test]
fn files_are_read_from_the_folders_of_the_published_archive_and_of_other_places() {
    for place in [
        "",
        "cifar-10-batches-bin",
        "cifar-10",
        "CIFAR10",
        "cifar-10-binary/cifar-10-batches-bin",
    ] {
        let dir = tempdir().unwrap();
        write_files(&dir.path().join(place));
        assert_is_the_generated_set(&load(dir.path(), N, Residence::Memory).unwrap());
    }
    // Its file names are its own, so that a folder of the name hides nothing.
    let dir = tempdir().unwrap();
    write_files(dir.path());
    fs::create_dir(dir.path().join("cifar-10")).unwrap();
    assert_is_the_generated_set(&load(dir.path(), N, Residence::Memory).unwrap());
}

#[test]
fn compressed_files_are_read_like_plain_ones() {
    let dir = tempdir().unwrap();
    write_files(dir.path());
    for name in &FILE_NAMES[2..] {
        let path = dir.path().join(name);
        let packed = gzip(&fs::read(&path).unwrap());
        fs::write(dir.path().join(format!("{name}.gz")), packed).unwrap();
        fs::remove_file(path).unwrap();
    }
    assert_is_the_generated_set(&load(dir.path(), N, Residence::Memory).unwrap());
}

#[test]
fn missing_files_are_named_with_what_is_there_in_their_stead() {
    let dir = tempdir().unwrap();
    write_files(&dir.path().join("cifar-10"));
    fs::remove_file(dir.path().join("cifar-10/data_batch_4.bin")).unwrap();
    fs::create_dir(dir.path().join("cifar-10-batches-py")).unwrap();
    fs::write(dir.path().join("cifar-10-batches-py/data_batch_1"), "").unwrap();
    fs::write(dir.path().join("cifar-10-binary.tar.gz"), "").unwrap();
    let error = Dataset::load(DatasetKind::Cifar10, Some(dir.path())).unwrap_err();
    let DataError::MissingFiles {
        incomplete, hints, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    let missing: Vec<_> = incomplete.iter().map(|place| &place.missing[..]).collect();
    assert_eq!(missing, [&["data_batch_4.bin"], &FILE_NAMES[..]]);
    let path = |name: &str| dir.path().join(name);
    let expected = [
        Hint::PythonVersion {
            path: path("cifar-10-batches-py"),
        },
        Hint::Archive {
            path: path("cifar-10-binary.tar.gz"),
        },
    ];
    assert_eq!(hints[..], expected);
    for part in [
        "it lacks data_batch_4.bin\n",
        "holds data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_5.bin",
        "the Python version of CIFAR-10",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "cifar-10-binary.tar.gz` is packed",
    ] {
        let message = error.to_string();
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_with_both_lengths() {
    let cut = &file(1, N)[..N * 3073 - 1];
    for (name, bytes) in [
        ("data_batch_2.bin", cut.to_vec()),
        ("data_batch_2.bin.gz", gzip(cut)),
    ] {
        let (error, _dir) = error_with(name, &bytes);
        let message = error.to_string();
        assert!(
            message.contains("expected 9219 bytes, found 9218"),
            "{message}"
        );
    }
    assert_error!(error_with("test_batch.bin", &[]), DataError::Empty { .. });
    // A published file is 10,000 records long.
    let dir = tempdir().unwrap();
    write_files(dir.path());
    let error = Dataset::load(DatasetKind::Cifar10, Some(dir.path())).unwrap_err();
    assert_names(&error, &dir.path().join("data_batch_1.bin"));
    assert!(matches!(
        error,
        DataError::Truncated {
            expected: 30_730_000,
            found: 9219,
            ..
        }
    ));
}

#[test]
fn bytes_after_the_last_record_are_refused() {
    let longer = [file(5, N), vec![0]].concat();
    for (name, bytes) in [
        ("test_batch.bin", longer.clone()),
        ("test_batch.bin.gz", gzip(&longer)),
    ] {
        assert_error!(
            error_with(name, &bytes),
            DataError::TrailingBytes { expected: 9219, .. }
        );
    }
}

#[test]
fn a_damaged_compressed_file_is_refused() {
    let mut packed = gzip(&file(0, N));
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert_error!(
        error_with("data_batch_1.bin.gz", &packed),
        DataError::Read { .. }
    );
    assert_error!(
        error_with("data_batch_1.bin.gz", &file(0, N)),
        DataError::NotGzip { .. }
    );
}

#[test]
fn a_label_beyond_the_classes_is_refused() {
    let mut bytes = file(2, N);
    bytes[2 * RECORD_BYTES] = 10;
    assert_error!(
        error_with("data_batch_3.bin", &bytes),
        DataError::LabelOutOfRange {
            index: 2,
            label: 10,
            n_classes: 10,
            ..
        }
    );
}

// --------------------------------------------------------------------------------------- archive

/// An entry of a tar archive, with a checksum that may be wrong.
fn entry(name: &str, kind: u8, content: &[u8], checksum_error: u32) -> Vec<u8> {
    let mut header = [0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    let checksum = header.iter().map(|&byte| u32::from(byte)).sum::<u32>() + checksum_error;
    header[148..155].copy_from_slice(format!("{checksum:06o}\0").as_bytes());
    let padding = content.len().next_multiple_of(512) - content.len();
    [&header[..], content, &vec![0; padding][..]].concat()
}

/// The published archive in small: a directory, another file, and those of the test.
fn archive(contents: &[Vec<u8>]) -> Vec<u8> {
    let place = "cifar-10-batches-bin/";
    let names = FILE_NAMES.iter().map(|name| format!("{place}{name}"));
    let files = names.zip(contents);
    let files = files.flat_map(|(name, content)| entry(&name, b'0', content, 0));
    let mut bytes = entry(place, b'5', &[], 0);
    bytes.extend(entry(&format!("{place}readme.html"), b'0', b"CIFAR-10", 0));
    bytes.extend(files);
    bytes.extend([0; 1024]);
    bytes
}

fn extract(bytes: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let files = archive::extract(&gzip(bytes), &FILE_NAMES, N * RECORD_BYTES);
    files.map_err(|error| error.to_string())
}

#[test]
fn the_files_of_the_archive_are_those_of_the_set() {
    let contents: Vec<_> = (0..6).map(|index| file(index, N)).collect();
    let cache = tempdir().unwrap();
    for (name, bytes) in extract(&archive(&contents)).unwrap() {
        download::store(cache.path(), name, &bytes).unwrap();
    }
    assert_is_the_generated_set(&load(cache.path(), N, Residence::Memory).unwrap());
}

#[test]
fn an_archive_without_the_files_is_refused() {
    let contents: Vec<_> = (0..5).map(|index| file(index, N)).collect();
    let error = extract(&archive(&contents)).unwrap_err();
    assert_eq!(error, "it lacks test_batch.bin");
    let mut contents = contents;
    contents.push(file(5, N - 1));
    let error = extract(&archive(&contents)).unwrap_err();
    assert_eq!(error, "test_batch.bin: expected 9219 bytes, found 6146");
}

#[test]
fn a_damaged_archive_is_refused() {
    let contents: Vec<_> = (0..6).map(|index| file(index, N)).collect();
    let whole = archive(&contents);
    assert!(extract(&whole[..whole.len() / 2]).is_err());
    let damaged = [entry("readme.html", b'0', b"CIFAR-10", 1), whole.clone()].concat();
    assert_eq!(extract(&damaged).unwrap_err(), "it holds a damaged header");
    // Neither an archive nor compressed.
    assert!(archive::extract(b"<html>", &FILE_NAMES, N * RECORD_BYTES).is_err());
    let mut packed = gzip(&whole);
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert!(archive::extract(&packed, &FILE_NAMES, N * RECORD_BYTES).is_err());
}

#[test]
fn a_failed_download_says_where_to_put_the_files() {
    let error = DataError::Download {
        dataset: DatasetKind::Cifar10,
        cache: PathBuf::from("/cache/burn-dataset/cifar-10"),
        reason: "no route to host".into(),
    };
    let message = error.to_string();
    for part in ["cifar-10 failed", "no route to host", "--data-dir DIR"]
        .into_iter()
        .chain(FILE_NAMES)
    {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("ubyte"), "{message}");
    assert_eq!(N_RECORDS * RECORD_BYTES, 30_730_000);
}
