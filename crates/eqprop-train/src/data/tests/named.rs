//! The data sets that are known by name and not downloaded.

use super::*;

/// Writes the four files of a data set: three training and two test images, with these labels.
fn write_named(dir: &Path, kind: DatasetKind, labels: impl Fn(usize) -> Vec<u8>) {
    let names = kind.idx_files().unwrap();
    fs::create_dir_all(dir).unwrap();
    for (pair, n) in names.chunks(2).zip([3, 2]) {
        fs::write(dir.join(pair[0]), images(n)).unwrap();
        fs::write(dir.join(pair[1]), labels(n)).unwrap();
    }
}

#[test]
fn emnist_is_upright_and_its_letters_begin_at_0() {
    let dir = tempdir().unwrap();
    for kind in [DatasetKind::EmnistLetters, DatasetKind::EmnistDigits] {
        let first = kind.first_label();
        let labels = |n: usize| {
            let mut bytes = header(&[2049, n as u32]);
            bytes.extend((0..n).map(|i| first + i as u8));
            bytes
        };
        // Both in one folder, as they are published.
        write_named(&dir.path().join("EMNIST/raw"), kind, labels);
    }
    let set = Dataset::load(DatasetKind::EmnistLetters, Some(dir.path())).unwrap();
    assert_eq!(set.train.labels, [0, 1, 2]);
    assert_eq!((set.train.n_classes, set.train.shape), (26, [1, 28, 28]));
    // Pixel `p` of image 1 is `(1 + p) mod 256` in the file, whose rows are columns.
    let stored = |row: usize, column: usize| f32::from((1 + row * 28 + column) as u8) / 255.0;
    let image = set.train.input(1);
    assert_eq!(image[3 * 28 + 5], stored(5, 3));
    assert_eq!(image[27], stored(27, 0));
    let digits = Dataset::load(DatasetKind::EmnistDigits, Some(dir.path())).unwrap();
    assert_eq!(
        (digits.train.labels, digits.train.n_classes),
        (vec![0, 1, 2], 10)
    );

    let path = dir
        .path()
        .join("EMNIST/raw/emnist-letters-test-labels-idx1-ubyte");
    fs::write(&path, [header(&[2049, 2]), vec![0, 1]].concat()).unwrap();
    let error = Dataset::load(DatasetKind::EmnistLetters, Some(dir.path())).unwrap_err();
    assert!(
        matches!(error, DataError::LabelOutOfRange { .. }),
        "{error}"
    );
    assert_names(&error, &path);
}

#[test]
fn a_label_of_qmnist_is_the_first_of_eight_numbers() {
    let dir = tempdir().unwrap();
    let labels = |n: usize| {
        // MNIST's first labels, which QMNIST has too.
        let numbers = (0..n as u32).flat_map(|i| [[5, 0, 4][i as usize], 7, 8, 9, 10, 11, 12, 13]);
        [
            header(&[3074, n as u32, 8]),
            header(&numbers.collect::<Vec<_>>()),
        ]
        .concat()
    };
    write_named(dir.path(), DatasetKind::Qmnist, labels);
    let set = Dataset::load(DatasetKind::Qmnist, Some(dir.path())).unwrap();
    assert_eq!(
        (set.train.labels, set.test.labels),
        (vec![5, 0, 4], vec![5, 0])
    );
    let path = dir.path().join("qmnist-train-labels-idx2-int");
    let mut bytes = labels(3);
    bytes[12] = 1;
    fs::write(&path, bytes).unwrap();
    let error = Dataset::load(DatasetKind::Qmnist, Some(dir.path())).unwrap_err();
    assert!(
        matches!(error, DataError::LabelOutOfRange { .. }),
        "{error}"
    );
}

#[test]
fn kmnist_is_found_by_its_folder_and_mnist_is_not_taken_for_it() {
    let dir = tempdir().unwrap();
    write_set(&dir.path().join("KMNIST/raw"));
    let set = Dataset::load(DatasetKind::Kmnist, Some(dir.path())).unwrap();
    assert_eq!(set.train.len(), 3);
    let set = dir.path().join("MNIST/raw");
    write_set(&set);
    let said = Dataset::load(DatasetKind::Kmnist, Some(&set))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("named after mnist, not after kmnist"),
        "{said}"
    );
}

#[test]
fn a_record_of_cifar_100_has_its_class_behind_the_coarse_one() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    let record = |i: usize| {
        let pixels = (0..3072).map(move |p| (i + p) as u8);
        [3, (97 + i) as u8].into_iter().chain(pixels)
    };
    fs::write(
        folder.join("train.bin"),
        (0..3).flat_map(record).collect::<Vec<_>>(),
    )
    .unwrap();
    fs::write(
        folder.join("test.bin"),
        (0..2).flat_map(record).collect::<Vec<_>>(),
    )
    .unwrap();
    let set = format::cifar_100(dir.path(), [3, 2]).unwrap();
    assert_eq!(
        (&set.train.labels[..], &set.test.labels[..]),
        (&[97, 98, 99][..], &[97, 98][..])
    );
    assert_eq!(set.train.input(1)[..2], [1.0 / 255.0, 2.0 / 255.0]);
    assert_eq!((set.train.shape, set.train.n_classes), ([3, 32, 32], 100));
    // The published sizes are asked for by name.
    let error = Dataset::load(DatasetKind::Cifar100, Some(dir.path())).unwrap_err();
    assert!(matches!(error, DataError::Truncated { .. }), "{error}");
}

#[test]
fn what_is_not_downloaded_says_which_files_it_needs() {
    for kind in DatasetKind::ALL {
        if kind.is_downloaded() || kind == DatasetKind::Digits {
            continue;
        }
        let said = DataError::NotDownloaded { kind }.to_string();
        assert!(said.contains("--data-dir DIR"), "{said}");
        assert!(
            kind.file_names().iter().all(|name| said.contains(name)),
            "{said}"
        );
    }
}
