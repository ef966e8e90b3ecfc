use std::fs;
use std::path::PathBuf;

use image::{GrayImage, RgbImage};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::data::{DataSource, DatasetKind};

mod arrays;
mod formats;
mod labels;
mod quantities;
mod rules;

/// A folder for files.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self, name: &str) -> DataFiles {
        DataFiles::new(self.path(name).to_str().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn gray(&self, name: &str, [height, width]: [u32; 2], pixels: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
        image.save(path).unwrap();
    }
}

/// Gray pictures of 6×5 pixels: bytes that differ from picture to picture, and a label each.
struct Pictures {
    pixels: Vec<[u8; 30]>,
    labels: Vec<u8>,
}

impl Pictures {
    fn new(n: usize, n_classes: usize) -> Self {
        let pixel = |i: usize, p: usize| ((i * 31 + p * p * 7 + i * p) % 256) as u8;
        Self {
            pixels: (0..n)
                .map(|i| std::array::from_fn(|p| pixel(i, p)))
                .collect(),
            labels: (0..n)
                .map(|i| ((i * 5 + i / 4) % n_classes) as u8)
                .collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.pixels.concat()
    }

    fn len(&self) -> u32 {
        self.labels.len() as u32
    }
}

/// An IDX file.
fn idx(kind: u8, axes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, axes.len() as u8];
    file.extend(axes.iter().flat_map(|axis| axis.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A file of NumPy.
fn npy(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    npy_in(descr, shape, "False", bytes)
}

fn npy_in(descr: &str, shape: &[usize], fortran: &str, bytes: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({axes}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(bytes);
    file
}

/// A file of several arrays.
fn npz(arrays: &[(&str, Vec<u8>)], is_packed: bool) -> Vec<u8> {
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    let method = match is_packed {
        true => CompressionMethod::Deflated,
        false => CompressionMethod::Stored,
    };
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A file of safetensors.
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

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn found(dataset: &Dataset) -> &Findings {
    dataset.kind.files().unwrap().found.as_ref().unwrap()
}

/// Error text, with its sources, for files that cannot be used.
#[track_caller]
fn refused(files: &DataFiles) -> String {
    let error = files.look().map(|dataset| dataset.kind).unwrap_err();
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    said
}
