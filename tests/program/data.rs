//! MNIST files, valid and invalid.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::place::{Outcome, Place};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";
const FILES: [&str; 4] = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS];

/// A small network on the data in `data`.
const TRAIN: [&str; 10] = [
    "train",
    "--dataset",
    "mnist",
    "--epochs",
    "1",
    "--set",
    "hidden=[16]",
    "--data-dir",
    "data",
    "--run=run",
];

fn header(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// Images with one bright row each, whose height tells the label.
fn images(n: u32) -> Vec<u8> {
    let mut bytes = header(&[2051, n, 28, 28]);
    for index in 0..n as usize {
        let mut image = [0; 28 * 28];
        let row = 2 * (index % 10);
        image[28 * row..28 * (row + 1)].fill(255);
        bytes.extend(image);
    }
    bytes
}

fn labels(n: u32) -> Vec<u8> {
    let mut bytes = header(&[2049, n]);
    bytes.extend((0..n).map(|index| (index % 10) as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The four files of a small MNIST, in the order of `FILES`.
fn good_files() -> [Vec<u8>; 4] {
    [images(40), labels(40), images(20), labels(20)]
}

fn place_with_data() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    for (name, bytes) in FILES.iter().zip(good_files()) {
        fs::write(place.path("data").join(name), bytes).unwrap();
    }
    place
}

#[test]
fn good_files_are_read_plain_and_compressed() {
    let place = place_with_data();
    let plain = place.json(&TRAIN);
    assert_eq!(plain["dataset"], "mnist");
    let plain = place.json(&["evaluate", "run", "--data-dir", "data"]);
    assert_eq!(plain["n_examples"], 20);

    fs::create_dir_all(place.path("packed/mnist")).unwrap();
    for (name, bytes) in FILES.iter().zip(good_files()) {
        let path = place.path("packed/mnist").join(format!("{name}.gz"));
        fs::write(path, gzip(&bytes)).unwrap();
    }
    let packed = place.json(&["evaluate", "run", "--data-dir", "packed"]);
    assert_eq!(packed["test_cost"], plain["test_cost"]);
    let mut command = place.command(&["evaluate", "run", "--json"]);
    command.env("EQPROP_DATA", "packed");
    let named = Outcome::of(command).succeeded();
    let named: serde_json::Value = serde_json::from_str(&named.stdout).unwrap();
    assert_eq!(named["test_cost"], plain["test_cost"]);
}

#[test]
fn bad_files_are_refused_by_name() {
    let cut = |mut bytes: Vec<u8>, n: usize| {
        bytes.truncate(bytes.len() - n);
        bytes
    };
    let huge = header(&[2051, u32::MAX, 28, 28]);
    let mut wrong_label = labels(40);
    wrong_label[8 + 3] = 10;
    let mut damaged = gzip(&images(40));
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let cases = [
        (TRAIN_IMAGES, cut(images(40), 1), "cut short"),
        (TEST_LABELS, cut(labels(20), 5), "cut short"),
        (TRAIN_IMAGES, header(&[2051]), "cut short"),
        (TRAIN_IMAGES, Vec::new(), "is empty"),
        (TRAIN_IMAGES, images(0), "no items"),
        (TRAIN_IMAGES, huge, "4294967295 items"),
        (TEST_LABELS, header(&[2049, 10_001]), "at most 10000"),
        (TRAIN_IMAGES, labels(40), "holds labels, but images"),
        (TEST_LABELS, images(20), "holds images, but labels"),
        (TRAIN_IMAGES, header(&[2051, 40, 32, 32]), "32x32"),
        (TEST_IMAGES, b"<html>404</html>".to_vec(), "magic number"),
        (TRAIN_LABELS, labels(39), "40 images"),
        (TRAIN_LABELS, wrong_label, "label 10"),
        (TRAIN_LABELS, [labels(40), vec![0]].concat(), "goes on"),
    ];
    for (name, bytes, expected) in cases {
        let place = place_with_data();
        fs::write(place.path("data").join(name), bytes).unwrap();
        place.refuse(&TRAIN, &[name, expected]);
    }
    let cases = [
        (images(40), "not compressed by gzip"),
        (gzip(&images(40)[..500]), "cut short"),
        (cut(gzip(&images(40)), 30), "cut short"),
        (damaged, "`data/"),
    ];
    for (bytes, expected) in cases {
        let place = place_with_data();
        fs::remove_file(place.path("data").join(TRAIN_IMAGES)).unwrap();
        let name = format!("{TRAIN_IMAGES}.gz");
        fs::write(place.path("data").join(&name), bytes).unwrap();
        place.refuse(&TRAIN, &[&name, expected]);
    }
}

#[test]
fn missing_files_are_named_with_what_is_there() {
    let place = place_with_data();
    fs::remove_file(place.path("data").join(TEST_LABELS)).unwrap();
    place.refuse(
        &TRAIN,
        &["`data` holds t10k-images", "lacks t10k-labels-idx1-ubyte"],
    );
    fs::rename(place.path("data"), place.path("FashionMNIST")).unwrap();
    fs::write(place.path("FashionMNIST").join(TEST_LABELS), labels(20)).unwrap();
    let mut elsewhere = TRAIN;
    elsewhere[8] = ".";
    place.refuse(
        &elsewhere,
        &[
            "holds FashionMNIST/;",
            "`./FashionMNIST` holds files as those of fashion-mnist",
        ],
    );
    place.refuse(
        &TRAIN,
        &["`data`", "not a directory", "holds FashionMNIST/"],
    );
    fs::write(place.path("data"), "a file").unwrap();
    place.refuse(&TRAIN, &["`data`", "not a directory"]);
}

/// A small network on the Fashion-MNIST in a folder.
fn train_fashion(data: &str) -> Vec<&str> {
    let mut arguments = TRAIN.to_vec();
    arguments[2] = "fashion-mnist";
    arguments[8] = data;
    arguments
}

#[test]
fn fashion_mnist_is_not_answered_with_mnist() {
    let place = place_with_data();
    let fashion = place.path("data/FashionMNIST/raw");
    fs::create_dir_all(&fashion).unwrap();
    for (name, bytes) in FILES
        .iter()
        .zip([images(30), labels(30), images(10), labels(10)])
    {
        fs::write(fashion.join(name), bytes).unwrap();
    }
    place.succeed(&train_fashion("data"));
    let evaluation = place.json(&["evaluate", "run", "--data-dir", "data"]);
    assert_eq!(evaluation["n_examples"], 10);
    // A folder that lacks a file is not passed over for the files above it.
    fs::remove_dir_all(place.path("run")).unwrap();
    fs::remove_file(fashion.join(TEST_LABELS)).unwrap();
    place.refuse(
        &train_fashion("data"),
        &[
            "data/FashionMNIST/raw`",
            TEST_LABELS,
            "`data` itself is not taken",
        ],
    );
    // Nor are files taken that are known to be MNIST's, or that lie in a folder of that name.
    fs::remove_dir_all(place.path("data/FashionMNIST")).unwrap();
    let published = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4].repeat(4);
    let bytes = [header(&[2049, 40]), published].concat();
    fs::write(place.path("data").join(TRAIN_LABELS), bytes).unwrap();
    place.refuse(
        &train_fashion("data"),
        &["data/train-labels-idx1-ubyte` is of mnist, not of fashion-mnist"],
    );
    fs::write(place.path("data").join(TRAIN_LABELS), labels(40)).unwrap();
    fs::rename(place.path("data"), place.path("mnist")).unwrap();
    place.refuse(
        &train_fashion("mnist"),
        &["`mnist` is named after mnist, not after fashion-mnist"],
    );
}

#[test]
fn a_run_cannot_be_resumed_without_its_data() {
    let place = place_with_data();
    place.succeed(&TRAIN);
    fs::remove_file(place.path("data").join(TRAIN_LABELS)).unwrap();
    place.refuse(
        &[
            "train",
            "--resume",
            "--run",
            "run",
            "--epochs",
            "2",
            "--data-dir",
            "data",
        ],
        &[TRAIN_LABELS],
    );
}

#[test]
fn a_download_that_fails_names_the_way_by_hand() {
    let place = Place::new();
    for dataset in ["mnist", "fashion-mnist"] {
        let mut expected = vec![dataset, "--data-dir", "EQPROP_DATA"];
        expected.extend(FILES);
        place.refuse(&["train", "--dataset", dataset], &expected);
    }
}
