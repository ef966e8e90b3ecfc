//! Which files are taken for which data set.

use super::*;

/// A data set whose labels begin with `first` in both splits, told apart by its number of examples.
fn write_labeled(dir: &Path, first: [u8; 10], n_train: usize) {
    fs::create_dir_all(dir).unwrap();
    let labels = |n: usize| {
        let labels = first.iter().cycle().take(n).copied();
        [header(&[2049, n as u32]), labels.collect()].concat()
    };
    let files = [images(n_train), labels(n_train), images(10), labels(10)];
    for (name, bytes) in idx::FILE_NAMES.iter().zip(files) {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

const MNIST: [u8; 10] = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4];
const FASHION_MNIST: [u8; 10] = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5];
/// Of nobody's data set.
const OWN: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

fn n_train(kind: DatasetKind, dir: &Path) -> Result<usize, DataError> {
    Dataset::load(kind, Some(dir)).map(|set| set.train.len())
}

fn message(kind: DatasetKind, dir: &Path) -> String {
    Dataset::load(kind, Some(dir)).unwrap_err().to_string()
}

#[test]
fn files_are_found_in_the_layouts_that_people_have() {
    for (kind, places) in [
        (
            DatasetKind::Mnist,
            ["", "raw", "mnist", "MNIST/raw", "Mnist"],
        ),
        (
            DatasetKind::FashionMnist,
            [
                "",
                "fashion-mnist",
                "FashionMNIST/raw",
                "fashion_mnist",
                "fashion",
            ],
        ),
    ] {
        for place in places {
            let dir = tempdir().unwrap();
            write_set(&dir.path().join(place));
            let set = Dataset::load(kind, Some(dir.path())).unwrap();
            assert_eq!(set.kind, kind);
            assert_is_the_generated_set(&set);
        }
    }
}

#[test]
fn files_are_found_under_the_names_that_people_have() {
    let dotted = |name: &str| name.replace("-idx", ".idx");
    let split = |name: &str| {
        if name.starts_with("t10k") {
            "test"
        } else {
            "train"
        }
    };
    let layouts: [&dyn Fn(&str) -> String; 5] = [
        &dotted,
        &|name| format!("{}.gz", dotted(name)),
        &|name| format!("{name}/{name}"),
        &|name| format!("{name}/{}", dotted(name)),
        &|name| format!("{}/{name}", split(name)),
    ];
    for layout in layouts {
        let dir = tempdir().unwrap();
        write_set(dir.path());
        for name in idx::FILE_NAMES {
            let published = dir.path().join(name);
            let bytes = fs::read(&published).unwrap();
            fs::remove_file(published).unwrap();
            let path = dir.path().join(layout(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let is_packed = path.extension().is_some_and(|end| end == "gz");
            fs::write(path, if is_packed { gzip(&bytes) } else { bytes }).unwrap();
        }
        let set = Dataset::load(DatasetKind::Mnist, Some(dir.path())).unwrap();
        assert_is_the_generated_set(&set);
    }
}

#[test]
fn a_folder_named_after_the_data_set_comes_before_the_directory_that_it_is_in() {
    let dir = tempdir().unwrap();
    write_labeled(dir.path(), OWN, 20);
    write_labeled(&dir.path().join("FashionMNIST/raw"), OWN, 30);
    assert_eq!(n_train(DatasetKind::FashionMnist, dir.path()).unwrap(), 30);
    assert_eq!(n_train(DatasetKind::Mnist, dir.path()).unwrap(), 20);
    write_labeled(&dir.path().join("mnist"), OWN, 40);
    assert_eq!(n_train(DatasetKind::Mnist, dir.path()).unwrap(), 40);
    // Also where the directory is named after the other one.
    assert_eq!(
        n_train(DatasetKind::Mnist, &dir.path().join("FashionMNIST/..")).unwrap(),
        40
    );
}

#[test]
fn a_folder_named_after_the_data_set_is_not_passed_over_when_it_lacks_files() {
    let dir = tempdir().unwrap();
    let named = dir.path().join("fashion-mnist");
    write_labeled(dir.path(), OWN, 20);
    write_labeled(&named, OWN, 30);
    fs::remove_file(named.join("train-labels-idx1-ubyte")).unwrap();
    let error = Dataset::load(DatasetKind::FashionMnist, Some(dir.path())).unwrap_err();
    assert_names(&error, &named);
    assert!(matches!(
        &error,
        DataError::MissingFiles { passed_over: Some(passed_over), incomplete, .. }
            if passed_over == dir.path() && incomplete[0].missing == ["train-labels-idx1-ubyte"]
    ));
    fs::remove_dir_all(&named).unwrap();
    fs::create_dir(&named).unwrap();
    let said = message(DatasetKind::FashionMnist, dir.path());
    assert!(said.contains("fashion-mnist` is empty"), "{said}");
    assert!(said.contains("itself is not taken"), "{said}");
    // Where the directory has the name itself, its files are of the data set all the same.
    let outer = dir.path().join("Fashion-MNIST");
    write_labeled(&outer, OWN, 50);
    fs::create_dir(outer.join("fashion")).unwrap();
    assert_eq!(n_train(DatasetKind::FashionMnist, &outer).unwrap(), 50);
}

#[test]
fn published_files_are_refused_under_the_name_of_the_other_data_set() {
    for (labels, own, other) in [
        (MNIST, DatasetKind::Mnist, DatasetKind::FashionMnist),
        (FASHION_MNIST, DatasetKind::FashionMnist, DatasetKind::Mnist),
    ] {
        // Wherever they are: the name of a folder does not make one data set the other.
        for place in ["", own.name(), other.name()] {
            let dir = tempdir().unwrap();
            let dir = dir.path().join(place);
            write_labeled(&dir, labels, 20);
            assert_eq!(n_train(own, &dir).unwrap(), 20);
            let error = Dataset::load(other, Some(&dir)).unwrap_err();
            assert_names(&error, &dir.join("train-labels-idx1-ubyte"));
            assert!(matches!(
                error,
                DataError::OtherDataset { kind, found, .. } if (kind, found) == (other, own)
            ));
        }
    }
    // The test split is looked at as well.
    let dir = tempdir().unwrap();
    write_labeled(dir.path(), FASHION_MNIST, 20);
    let test = [header(&[2049, 10]), vec![7, 2, 1, 0, 4, 1, 4, 9, 5, 9]].concat();
    fs::write(dir.path().join("t10k-labels-idx1-ubyte"), test).unwrap();
    let said = message(DatasetKind::FashionMnist, dir.path());
    assert!(
        said.contains("t10k-labels-idx1-ubyte` is of mnist"),
        "{said}"
    );
}

#[test]
fn files_of_ones_own_are_not_taken_from_a_directory_named_after_the_other_data_set() {
    let dir = tempdir().unwrap();
    for (place, own, other) in [
        ("mnist", DatasetKind::Mnist, DatasetKind::FashionMnist),
        ("MNIST/raw", DatasetKind::Mnist, DatasetKind::FashionMnist),
        (
            "FashionMNIST",
            DatasetKind::FashionMnist,
            DatasetKind::Mnist,
        ),
    ] {
        let dir = dir.path().join(place);
        write_labeled(&dir, OWN, 20);
        assert_eq!(n_train(own, &dir).unwrap(), 20);
        let error = Dataset::load(other, Some(&dir)).unwrap_err();
        assert_names(&error, &dir);
        assert!(matches!(
            error,
            DataError::NamedAfterOther { kind, found, .. } if (kind, found) == (other, own)
        ));
    }
    let elsewhere = dir.path().join("mine");
    write_labeled(&elsewhere, OWN, 20);
    for kind in [DatasetKind::Mnist, DatasetKind::FashionMnist] {
        assert_eq!(n_train(kind, &elsewhere).unwrap(), 20);
    }
}

#[test]
fn files_of_two_places_are_not_mixed() {
    let dir = tempdir().unwrap();
    let (first, second) = (dir.path().join("MNIST"), dir.path().join("mnist"));
    write_set(&first);
    write_set(&second);
    fs::remove_file(first.join("train-labels-idx1-ubyte")).unwrap();
    fs::remove_file(second.join("train-images-idx3-ubyte")).unwrap();
    let error = Dataset::load(DatasetKind::Mnist, Some(dir.path())).unwrap_err();
    let DataError::MissingFiles { incomplete, .. } = &error else {
        panic!("{error:?}")
    };
    let missing: Vec<_> = incomplete
        .iter()
        .map(|place| place.missing.clone())
        .collect();
    assert_eq!(
        missing,
        [["train-labels-idx1-ubyte"], ["train-images-idx3-ubyte"]]
    );
}

// ---------------------------------------------------------------------------------- what is there

#[test]
fn a_missing_file_is_named_with_what_is_there() {
    let dir = tempdir().unwrap();
    write_set(dir.path());
    fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    let error = Dataset::load(DatasetKind::Mnist, Some(dir.path())).unwrap_err();
    assert_names(&error, dir.path());
    let said = error.to_string();
    let expected = "holds other/, t10k-images-idx3-ubyte, train-images-idx3-ubyte, \
                    train-labels-idx1-ubyte; it lacks t10k-labels-idx1-ubyte\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn the_files_of_another_data_set_are_pointed_out() {
    let dir = tempdir().unwrap();
    write_labeled(&dir.path().join("MNIST/raw"), MNIST, 20);
    let said = message(DatasetKind::FashionMnist, dir.path());
    assert!(
        said.contains("MNIST` holds files as those of mnist"),
        "{said}"
    );
    write_labeled(&dir.path().join("clothes"), OWN, 20);
    let said = message(DatasetKind::FashionMnist, dir.path());
    assert!(
        said.contains("clothes` holds files of these names"),
        "{said}"
    );
    assert_eq!(said.matches("` holds files").count(), 2, "{said}");
    let said = message(DatasetKind::Cifar10, &dir.path().join("MNIST"));
    assert!(
        said.contains("MNIST` holds files as those of mnist"),
        "{said}"
    );
    assert!(
        said.contains("holds raw/; it lacks data_batch_1.bin"),
        "{said}"
    );
}

#[test]
fn a_list_of_what_is_there_is_short() {
    let dir = tempdir().unwrap();
    for n in 0..40 {
        fs::write(dir.path().join(format!("{n:02}{}", "x".repeat(200))), "").unwrap();
    }
    fs::write(dir.path().join("00\n"), "").unwrap();
    let said = message(DatasetKind::Mnist, dir.path());
    assert!(said.contains("holds 00?, 00xxxx"), "{said}");
    assert!(said.contains("x…, 10xx"), "{said}");
    assert!(said.contains("x… and 29 more; it lacks"), "{said}");
    assert!(said.len() < 2000, "{said}");
}

#[test]
fn a_directory_that_does_not_exist_is_named_with_its_neighbors() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("mnist")).unwrap();
    let path = dir.path().join("mnsit");
    let error = Dataset::load(DatasetKind::Mnist, Some(&path)).unwrap_err();
    assert!(matches!(error, DataError::NotADirectory { .. }));
    assert_names(&error, &path);
    assert!(error.to_string().contains("holds mnist/"), "{error}");
    let error = Dataset::load(DatasetKind::Mnist, Some(&path.join("deeper"))).unwrap_err();
    assert!(matches!(
        error,
        DataError::NotADirectory { beside: None, .. }
    ));
}

#[cfg(unix)]
#[test]
fn names_that_are_not_text_are_listed_and_passed_over() {
    use std::os::unix::ffi::OsStrExt;

    let dir = tempdir().unwrap();
    let dir = dir.path().join(OsStr::from_bytes(b"x\xff"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join(OsStr::from_bytes(b"y\xff")), "").unwrap();
    let said = message(DatasetKind::Mnist, &dir);
    assert!(said.contains("holds y\u{fffd}; it lacks"), "{said}");
    write_set(&dir);
    assert_eq!(n_train(DatasetKind::Mnist, &dir).unwrap(), 3);
}

#[test]
fn no_more_memory_is_taken_than_a_file_can_fill() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("short");
    fs::write(&path, header(&[2051, 60_000, 28, 28])).unwrap();
    let mut file = reader::DataFile::open(&path).unwrap();
    assert!(file.read(16).unwrap().capacity() <= 16);
    assert_eq!(file.at_most(60_000 * 28 * 28), 16);
    let packed = dir.path().join("short.gz");
    fs::write(&packed, gzip(&header(&[2051, 60_000, 28, 28]))).unwrap();
    let file = reader::DataFile::open(&packed).unwrap();
    assert!(file.at_most(60_000 * 28 * 28) < 50_000);
}
