//! A hash of a data set.
//!
//! ```text
//! data set: name | 0 | training split | test split
//!           "files" | 0 | name of each class and 0 | both splits, for the user's own files
//! split:    n | channels | height | width | n_classes | labels | images
//!           and of quantities: 2 | name of each and 0 | eight bytes for each mean, deviation and value
//!           and of multiple labels: 3 | name of each and 0 | a byte for each value
//! image:    0 | a byte b for each pixel, if each is b/255 exactly
//!           1 | four bytes for each pixel otherwise
//! ```
//!
//! Counts have eight bytes; all numbers are little-endian. Images are published in bytes, and a
//! byte is hashed in a quarter of the time of the `f32` that it was made into.

use sha2::{Digest, Sha256};

use super::{DataError, DataSource, Examples, TargetKind, Targets};

const MAX_PIXEL: f32 = 255.0;

/// Computes the SHA-256 of a data set, in lower-case hexadecimal digits.
pub(super) fn of(source: &DataSource, splits: [&Examples; 2]) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    match source {
        DataSource::BuiltIn(kind) => {
            hash.update(kind.name());
            hash.update([0]);
        }
        DataSource::Files(files) => {
            hash.update("files");
            hash.update([0]);
            for class in files.found.iter().flat_map(|found| &found.classes) {
                hash.update(class);
                hash.update([0]);
            }
        }
    }
    for split in splits {
        add_split(&mut hash, split)?;
    }
    let digits = hash.finalize().into_iter();
    Ok(digits.map(|byte| format!("{byte:02x}")).collect())
}

fn add_split(hash: &mut Sha256, split: &Examples) -> Result<(), DataError> {
    let [channels, height, width] = split.shape;
    for count in [split.len(), channels, height, width, split.n_classes] {
        hash.update((count as u64).to_le_bytes());
    }
    hash.update(&split.labels);
    if let Some(targets) = &split.targets {
        add_targets(hash, targets);
    }
    // Images without pixels add nothing.
    let n_pixels = split.n_inputs().max(1);
    let mut bytes = Vec::with_capacity(n_pixels);
    let examples = split.view(split.len());
    examples.visit(|inputs| {
        let images = inputs.chunks(n_pixels);
        images.for_each(|image| add_image(hash, image, &mut bytes));
    })
}

/// Hashes an image; `bytes` is a reused buffer.
fn add_image(hash: &mut Sha256, image: &[f32], bytes: &mut Vec<u8>) {
    bytes.clear();
    // Adding one half and truncating: rounding takes a call for each pixel on processors without an
    // instruction for it. Values other than a byte over 255 are detected below.
    bytes.extend(image.iter().map(|&x| (x * MAX_PIXEL + 0.5) as u8));
    let pairs = image.iter().zip(&*bytes);
    if pairs.fold(true, |same, (&x, &b)| {
        same & (x == f32::from(b) / MAX_PIXEL)
    }) {
        hash.update([0]);
        hash.update(&*bytes);
    } else {
        hash.update([1]);
        for x in image {
            hash.update(x.to_le_bytes());
        }
    }
}

fn add_targets(hash: &mut Sha256, Targets { values, kind }: &Targets) {
    let mut add_names = |mark: u8, names: &[String]| {
        hash.update([mark]);
        for name in names {
            hash.update(name);
            hash.update([0]);
        }
    };
    match kind {
        TargetKind::Quantities(quantities) => {
            add_names(2, &quantities.names);
            let scaling = quantities.mean.iter().chain(&quantities.deviation);
            let values = values.iter().map(|&value| f64::from(value));
            for number in scaling.copied().chain(values) {
                hash.update(number.to_le_bytes());
            }
        }
        TargetKind::Labels(names) => {
            add_names(3, names);
            let values: Vec<u8> = values.iter().map(|&value| value as u8).collect();
            hash.update(&values);
        }
    }
}
