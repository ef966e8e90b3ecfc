//! Inputs that stay in their files: the same numbers as in memory, to the last bit.

mod faults;
mod training;

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use eqprop_train::data::{DataFiles, DataFormat, Dataset, DatasetKind, Examples, format};
use image::{GrayImage, RgbImage};
use tempfile::{TempDir, tempdir};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Height and width of the pictures.
const SIDE: usize = 6;

const N_PIXELS: usize = SIDE * SIDE;

/// A folder for files.
pub(super) struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn files(&self, name: &str) -> DataFiles {
        DataFiles::new(self.path(name).to_str().unwrap())
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Pixel `p` of picture `i`.
fn pixel(i: usize, p: usize) -> u8 {
    ((i * 31 + p * p * 7 + i * p + i * i) % 256) as u8
}

fn pixels(n: usize) -> Vec<u8> {
    (0..n * N_PIXELS)
        .map(|k| pixel(k / N_PIXELS, k % N_PIXELS))
        .collect()
}

/// Three classes, mixed.
fn label(i: usize) -> u8 {
    ((i * 5 + i / 4) % 3) as u8
}

fn labels(n: usize) -> Vec<u8> {
    (0..n).map(label).collect()
}

fn floats(numbers: impl IntoIterator<Item = f32>) -> Vec<u8> {
    numbers.into_iter().flat_map(f32::to_le_bytes).collect()
}

pub(super) fn idx(axes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, axes.len() as u8];
    file.extend(axes.iter().flat_map(|axis| axis.to_be_bytes()));
    file.extend(bytes);
    file
}

pub(super) fn npy(descr: &str, shape: &[usize], is_fortran: &str, bytes: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text =
        format!("{{'descr': '{descr}', 'fortran_order': {is_fortran}, 'shape': ({axes}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(bytes);
    file
}

pub(super) fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn safetensors(arrays: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut text, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    for (name, dtype, shape, bytes) in arrays {
        let offsets = [data.len(), data.len() + bytes.len()];
        let described = serde_json::json!({
            "dtype": dtype, "shape": shape, "data_offsets": offsets,
        });
        text.insert(name.to_string(), described);
        data.extend(bytes);
    }
    let text = serde_json::Value::from(text).to_string();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text.as_bytes());
    file.extend(data);
    file
}

/// IDX files of so many pictures, without a test part, in the folder `idx`.
pub(super) fn write_idx(place: &Place, n: usize) {
    let side = SIDE as u32;
    place.write(
        "idx/train-images-idx3-ubyte",
        idx(&[n as u32, side, side], &pixels(n)),
    );
    place.write("idx/train-labels-idx1-ubyte", idx(&[n as u32], &labels(n)));
}

/// Folders of images in gray, or in color, for each class; class by class, so that they are shuffled.
pub(super) fn write_images(place: &Place, name: &str, n: usize, has_colors: bool) {
    for i in 0..n {
        let folder = place.path(&format!("{name}/class-{}", label(i)));
        fs::create_dir_all(&folder).unwrap();
        // Of two sizes, so that they are scaled.
        let side = (SIDE + i % 2) as u32;
        let n_pixels = (side * side) as usize;
        let path = folder.join(format!("{}-{i}.png", label(i)));
        if has_colors {
            let bytes = (0..3 * n_pixels).map(|p| pixel(i, p)).collect();
            let image = RgbImage::from_raw(side, side, bytes).unwrap();
            image.save(path).unwrap();
        } else {
            let bytes = (0..n_pixels).map(|p| pixel(i, p)).collect();
            let image = GrayImage::from_raw(side, side, bytes).unwrap();
            image.save(path).unwrap();
        }
    }
}

/// CIFAR's files of so many records each, of three classes.
fn cifar(n_labels: usize, first: usize, n: usize) -> Vec<u8> {
    let record = |i: usize| {
        // That of the class is the last.
        let labels = (0..n_labels).map(move |k| label(i + n_labels - 1 - k));
        labels.chain((0..3072).map(move |p| pixel(i, p)))
    };
    (first..first + n).flat_map(record).collect()
}

/// Data of every format that can be streamed, by name.
pub(super) fn all(place: &Place) -> Vec<(&'static str, DataFiles)> {
    const N: usize = 700;
    let y = |n: usize| npy("|u1", &[n], "False", &labels(n));
    write_idx(place, N);
    write_images(place, "gray", 60, false);
    write_images(place, "color", 60, true);
    // The parts of a file of one's own, with a validation part too.
    for (part, n) in [("train", 50), ("val", 20), ("test", 20)] {
        place.write(
            &format!("parts/{part}_x.npy"),
            npy("|u1", &[n, SIDE, SIDE], "False", &pixels(n)),
        );
        place.write(&format!("parts/{part}_y.npy"), y(n));
        // The same with their channels behind the pixels.
        let colors = (0..n * 75).map(|k| f32::from(pixel(k / 75, k % 75)) / 300.0);
        place.write(
            &format!("color-parts/{part}_x.npy"),
            npy("<f4", &[n, 5, 5, 3], "False", &floats(colors)),
        );
        place.write(&format!("color-parts/{part}_y.npy"), y(n));
    }
    // Numbers of all sizes and signs, with quantities.
    let number = |k: usize| f32::from(pixel(k / 7, k % 7)) * 0.37 - 20.0 + k as f32 * 1e-3;
    let x = npy("<f4", &[N, 7], "False", &floats((0..N * 7).map(number)));
    let t = (0..N).map(|i| (number(7 * i) * 0.1).sin() + i as f32 * 1e-4);
    place.write(
        "quantities.npz",
        npz(
            &[
                ("x", x),
                ("y", npy("<f4", &[N], "False", &floats(t.clone()))),
            ],
            CompressionMethod::Stored,
        ),
    );
    // A column of classes among the inputs, big-endian.
    let column = |k: usize| match k % 4 {
        1 => f64::from(label(k / 4)),
        _ => f64::from(pixel(k / 4, k % 4)) - 0.5,
    };
    let rows = (0..4 * N).flat_map(|k| column(k).to_be_bytes());
    place.write(
        "rows.npy",
        npy(">f8", &[N, 4], "False", &rows.collect::<Vec<_>>()),
    );
    // Pictures with their channels behind the pixels.
    let colors = (0..N * 75).map(|k| f32::from(pixel(k / 75, k % 75)) / 300.0);
    place.write(
        "pictures.safetensors",
        safetensors(&[
            ("y", "U8", &[N], labels(N)),
            ("x", "F32", &[N, 5, 5, 3], floats(colors)),
        ]),
    );
    for (number, first) in [(1, 0), (2, 20)] {
        let name = format!("cifar/data_batch_{number}.bin");
        place.write(&name, cifar(1, first, 20));
    }
    place.write("cifar/test_batch.bin", cifar(1, 40, 15));
    place.write("cifar-100/train.bin", cifar(2, 0, 40));
    place.write("cifar-100/test.bin", cifar(2, 40, 15));
    let with_size = |files: DataFiles| DataFiles {
        image_size: Some([SIDE, SIDE]),
        ..files
    };
    vec![
        ("IDX", place.files("idx")),
        ("images in gray", with_size(place.files("gray"))),
        ("images in color", with_size(place.files("color"))),
        ("parts", place.files("parts")),
        ("parts in color", place.files("color-parts")),
        ("quantities", place.files("quantities.npz")),
        (
            "rows",
            DataFiles {
                target: Some("2".into()),
                ..place.files("rows.npy")
            },
        ),
        ("pictures", place.files("pictures.safetensors")),
        ("CIFAR-10", place.files("cifar")),
        (
            "CIFAR-100",
            DataFiles {
                format: Some(DataFormat::Cifar),
                ..place.files("cifar-100")
            },
        ),
    ]
}

fn bits(examples: &Examples) -> Vec<u32> {
    examples.inputs.iter().map(|x| x.to_bits()).collect()
}

/// Holds a streamed data set to one in memory, with what is made of each.
fn assert_same(name: &str, streamed: Dataset, in_memory: Dataset) {
    assert_eq!(streamed.kind, in_memory.kind, "{name}");
    assert_eq!(
        streamed.fingerprint(),
        in_memory.fingerprint(),
        "{name}: fingerprint"
    );
    let [channels, ..] = in_memory.train.shape;
    let (mean, deviation) = in_memory.train.channel_statistics();
    assert_eq!(
        streamed.train.channel_statistics(),
        (mean.clone(), deviation.clone())
    );
    assert_eq!(mean.len(), channels);
    for (streamed, in_memory) in [
        (streamed.train, in_memory.train),
        (streamed.test, in_memory.test),
    ] {
        let n = streamed.len();
        let changes: [&dyn Fn(Examples) -> Examples; 4] = [
            &|examples| examples,
            &|examples| examples.padded(1).normalized(&mean, &deviation),
            &|examples| examples.take(n - 2).split_tail(3).1,
            &|examples| examples.in_order(&[3, 1, 1, n - 1]).take(3),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (streamed, in_memory) = (change(streamed.clone()), change(in_memory.clone()));
            // Nothing is in memory before it is asked for.
            assert!(
                streamed.inputs.is_empty() && streamed.stream.is_some(),
                "{name}"
            );
            let streamed = streamed.in_memory().unwrap();
            assert!(!in_memory.inputs.is_empty(), "{name}");
            assert_eq!(bits(&streamed), bits(&in_memory), "{name}, change {number}");
            assert_eq!(streamed, in_memory, "{name}, change {number}");
        }
    }
}

#[test]
fn streamed_examples_are_those_in_memory_to_the_last_bit() {
    let place = Place::new();
    for (name, files) in all(&place) {
        let in_memory = files.look().unwrap();
        let streamed = files.look_streaming();
        let streamed = streamed.unwrap_or_else(|error| panic!("{name}: {error}"));
        // What was found says it all when the files are read again.
        let again = Dataset::stream(&in_memory.kind, None).unwrap();
        assert_same(name, streamed, in_memory.clone());
        assert_same(name, again, in_memory);
    }
}

#[test]
fn data_sets_with_a_name_are_streamed_as_they_are_in_memory() {
    let place = Place::new();
    let kind = DatasetKind::EmnistLetters;
    for (part, n) in [("train", 40u32), ("test", 12)] {
        let bytes = (0..n as usize * 784).map(|k| pixel(k / 784, k % 784));
        let images = idx(&[n, 28, 28], &bytes.collect::<Vec<_>>());
        place.write(
            &format!("emnist/emnist-letters-{part}-images-idx3-ubyte"),
            images,
        );
        // Letters are counted from 1.
        let labels: Vec<u8> = labels(n as usize).iter().map(|label| label + 1).collect();
        place.write(
            &format!("emnist/emnist-letters-{part}-labels-idx1-ubyte"),
            idx(&[n], &labels),
        );
    }
    let folder = place.path("");
    let streamed = Dataset::stream(kind, Some(&folder)).unwrap();
    assert_same(
        "EMNIST",
        streamed,
        Dataset::load(kind, Some(&folder)).unwrap(),
    );

    for number in 1..=5 {
        let name = format!("data_batch_{number}.bin");
        place.write(&name, cifar(1, 10 * number, 10));
    }
    place.write("test_batch.bin", cifar(1, 3, 10));
    let streamed = format::stream_cifar_10(&folder, 10).unwrap();
    let in_memory = format::cifar_10(&folder, 10).unwrap();
    assert_same("CIFAR-10", streamed, in_memory);
}
