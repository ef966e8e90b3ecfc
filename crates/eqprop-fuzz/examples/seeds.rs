//! Writes the seeds of the fuzz targets: small files of every kind that is read, in today's format.
//!
//! ```sh
//! cargo run --release -p eqprop-fuzz --example seeds
//! ```
//!
//! Files of older versions, and files that once caused a failure, stay beside them.

use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use eqprop_bench::comparison::{Comparison, Plan, StoredComparison, Variation};
use eqprop_bench::method::Method;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataFiles, DataFormat, Dataset, DatasetKind, Findings, Scaling};
use eqprop_train::preset::Preset;
use eqprop_train::training::Training;
use eqprop_train::weights::save_safetensors;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A small network.
const SMALL: [(&str, &str); 5] = [
    ("hidden", "[12]"),
    ("n_train", "8"),
    ("batch_size", "4"),
    ("epochs", "1"),
    ("free_steps", "4"),
];

fn main() {
    data();
    archive();
    own_data();
    weights();
    for preset in Preset::ALL {
        let text = serde_json::to_string_pretty(&preset.config()).unwrap();
        write("config", &format!("valid-{}.json", preset.name()), text);
    }
    let text = serde_json::to_string_pretty(&Preset::Digits.config_for(found())).unwrap();
    write("config", "valid-own-data.json", text);
    checkpoint("plain", &[], false);
    let all = [
        ("start", "particles"),
        ("momentum", "0.5"),
        ("schedule", "cosine"),
        ("cost", "cross_entropy"),
        ("learning_rates", "[0.1, 0.1]"),
    ];
    checkpoint("particles", &all, false);
    checkpoint("paused", &[("start", "previous")], true);
    results();
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn write(folder: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = seeds().join(folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// IDX files of two and one images, and CIFAR files of one record, plain and compressed.
fn data() {
    let header =
        |fields: &[u32]| -> Vec<u8> { fields.iter().flat_map(|f| f.to_be_bytes()).collect() };
    let pixels = |n: usize| (0..n).map(|i| (i % 251) as u8 / 16 * 16);
    for (split, n) in [("train", 2), ("t10k", 1)] {
        let mut images = header(&[2051, n, 28, 28]);
        images.extend(pixels(784 * n as usize));
        let mut labels = header(&[2049, n]);
        labels.extend((0..n).map(|i| i as u8));
        for (kind, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            let name = format!("{split}-{kind}-ubyte");
            write("idx/valid", &name, &bytes);
            write("idx-gzip/valid", &format!("{name}.gz"), packed(&bytes));
        }
    }
    for batch in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        let record: Vec<u8> = std::iter::once(7).chain(pixels(3072)).collect();
        write("cifar/valid", &format!("{batch}.bin"), &record);
        write(
            "cifar-gzip/valid",
            &format!("{batch}.bin.gz"),
            packed(&record),
        );
    }
}

/// A table with its findings.
fn found() -> DataFiles {
    DataFiles {
        found: Some(Findings {
            format: DataFormat::Csv,
            shape: [1, 1, 3],
            classes: vec!["a".into(), "b".into()],
            quantities: None,
            labels: Vec::new(),
            columns: ["length", "width", "age"].map(String::from).to_vec(),
            scaling: Scaling::Standard {
                mean: vec![0.5, 1.5, 30.0],
                deviation: vec![1.0, 0.0, 10.0],
            },
            mean: vec![0.0],
            deviation: vec![1.0],
            n_train: 80,
            n_test: 20,
        }),
        ..DataFiles::new("table.csv")
    }
}

/// A table, arrays and IDX files, of a few examples of two classes.
fn own_data() {
    let mut table = String::from("length,width,kind\n");
    for i in 0..8 {
        table += &format!("{}.5,{},{}\n", i, 10 - i, ["a", "b"][i % 2]);
    }
    write("table/valid", "table.csv", &table);
    write("table-gzip/valid", "table.csv.gz", packed(table.as_bytes()));
    write("table/valid-parts", "train.tsv", table.replace(',', "\t"));
    write("table/valid-parts", "test.tsv", table.replace(',', "\t"));

    let npy = |descr: &str, shape: &str, bytes: &[u8]| {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let length = (text.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), bytes].concat()
    };
    let pixels: Vec<u8> = (0..6 * 4).map(|i| i * 10).collect();
    let x = npy("|u1", "6, 2, 2", &pixels);
    let labels: Vec<u8> = (0..6u8)
        .flat_map(|i| i64::from(i % 2).to_le_bytes())
        .collect();
    let y = npy("<i8", "6,", &labels);
    let names = npy(
        "<U1",
        "6,",
        &b"abcabc".map(u32::from).map(u32::to_le_bytes).concat(),
    );
    write("arrays/valid", "X.npy", &x);
    write("arrays/valid", "y.npy", &y);
    write("arrays-gzip/valid", "X.npy.gz", packed(&x));
    write("arrays-gzip/valid", "y.npy.gz", packed(&y));
    let idx = |kind: u8, axes: &[u32], bytes: &[u8]| {
        let axes_bytes: Vec<u8> = axes.iter().flat_map(|axis| axis.to_be_bytes()).collect();
        [&[0, 0, kind, axes.len() as u8], &axes_bytes[..], bytes].concat()
    };
    write(
        "arrays/valid-idx",
        "some-images",
        idx(8, &[6, 2, 2], &pixels),
    );
    write(
        "arrays/valid-idx",
        "some-labels",
        idx(8, &[6], &[1, 2, 1, 2, 1, 2]),
    );

    for (name, y) in [("valid", &y), ("valid-texts", &names)] {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in [("x.npy", &x), ("y.npy", y)] {
            archive
                .start_file(name, SimpleFileOptions::default())
                .unwrap();
            archive.write_all(bytes).unwrap();
        }
        let bytes = archive.finish().unwrap().into_inner();
        write(&format!("npz/{name}"), "arrays.npz", bytes);
    }
    let header = r#"{"x":{"dtype":"U8","shape":[6,2,2],"data_offsets":[0,24]},"y":{"dtype":"I64","shape":[6],"data_offsets":[24,72]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    let bytes = [&length, header.as_bytes(), &pixels, &labels].concat();
    write("data-safetensors/valid", "arrays.safetensors", bytes);

    let photo = image::GrayImage::from_fn(12, 10, |x, y| image::Luma([(x * 17 + y * 5) as u8]));
    let mut jpeg = Cursor::new(Vec::new());
    photo.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    write("picture", "valid-photo.jpg", jpeg.into_inner());
}

/// A compressed tar archive with two wanted files and another one.
fn archive() {
    let mut tar = Vec::new();
    for (name, n_bytes) in [
        ("batches/data_batch_1.bin", 600),
        ("batches/readme.html", 88),
        ("batches/test_batch.bin", 600),
    ] {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{n_bytes:011o}").as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        let checksum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{checksum:06o}\0").as_bytes());
        tar.extend(header);
        tar.extend((0..n_bytes).map(|i: usize| i as u8));
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    write("archive/valid", "archive.tar.gz", packed(&tar));
}

/// A safetensors file, and the PyTorch files for the tests of the library.
fn weights() {
    let folder = seeds().join("safetensors");
    fs::create_dir_all(&folder).unwrap();
    for (name, cost) in [
        ("valid-dense", "squared_error"),
        ("valid-readout", "cross_entropy"),
    ] {
        let network =
            small(&[("cost", cost), ("learning_rates", "[0.1, 0.1]")]).network(&Device::flex());
        save_safetensors(&network, &folder.join(name), &[("eqprop", "{}")]).unwrap();
    }
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/weights");
    for entry in fs::read_dir(published).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|end| end == "pt" || end == "tar")
        {
            let name = path.file_name().unwrap().to_str().unwrap();
            write(
                "pytorch",
                &format!("valid-{name}"),
                fs::read(&path).unwrap(),
            );
        }
    }
}

fn small(settings: &[(&str, &str)]) -> TrainingConfig {
    let settings = SMALL.iter().chain(settings);
    settings.fold(Preset::Digits.config(), |config, (key, value)| {
        config.with_override(key, value).unwrap()
    })
}

fn digits() -> Dataset {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    Dataset::new(digits.kind, digits.train.take(8), digits.test.take(8))
}

/// A checkpoint after one epoch, or within it.
fn checkpoint(name: &str, settings: &[(&str, &str)], is_paused: bool) {
    let mut training = Training::new(small(settings), &digits(), &Device::flex()).unwrap();
    let go_on = |_| match is_paused {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    training.run_epoch(go_on).unwrap();
    let run = tempfile::tempdir().unwrap();
    training.checkpoint().save(run.path()).unwrap();
    let mut folders = fs::read_dir(run.path()).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        write(&format!("checkpoint/valid-{name}"), file, bytes);
    }
}

/// A comparison of two methods with two seeds, and one that also varies a setting.
fn results() {
    let mut plan = Plan::new(
        small(&[("epochs", "2")]),
        vec![Method::Eqprop, Method::Backprop],
    );
    compared("valid.json", plan.clone());
    plan.vary = vec![Variation {
        key: "beta".to_string(),
        values: vec!["0.2".to_string(), "0.5".to_string()],
    }];
    compared("valid-arms.json", plan);
}

fn compared(file: &str, plan: Plan) {
    let mut comparison = Comparison::of(plan, 2).unwrap();
    let digits = digits();
    let all = comparison.train(
        |_| &digits,
        &Device::flex(),
        None,
        |_| ControlFlow::Continue(()),
    );
    assert!(all.unwrap().is_continue());
    let [preset, device, command] = ["digits", "flex", "eqprop compare"].map(String::from);
    let data = digits.fingerprint().to_string();
    let stored = StoredComparison::new(comparison, preset, device, data, command);
    let text = serde_json::to_string(&stored).unwrap();
    write("results", file, text);
}
