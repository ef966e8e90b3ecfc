//! Weights: safetensors, and the files that PyTorch writes.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use bolero::check;
use burn::tensor::Device;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use eqprop_train::config::TrainingConfig;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::preset::Preset;
use eqprop_train::weights::{WeightsError, WeightsFile};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::reader::{Input, Limit, Reader};
use crate::seed::{FILE, Files, Seed};

type Network = EquilibriumNetwork<AnyField, AnyCost>;

/// A number takes up to eight bytes more while it is converted, and may be one byte in the file; a
/// tensor without numbers is a name of a few bytes in the file, and an entry in several maps.
const LIMIT: Limit = Limit {
    times: 64,
    plus: 1 << 20,
};

/// PyTorch files may unpack to 16 times their size and 1 MiB more, and while a number is converted it takes
/// up to 20 bytes more instead of 4. A pickle of single bytes becomes objects of 100 bytes each.
const PYTORCH_LIMIT: Limit = Limit {
    times: 128,
    plus: 8 << 20,
};

/// A pickle can copy its contents: the reader allows a million objects.
const COPIES: Limit = Limit {
    times: 0,
    plus: 256 << 20,
};

/// Settings of the networks of the seeds: see `tests/weights/generate.py`.
const NETWORKS: [&[(&str, &str)]; 4] = [
    &[("hidden", "[12]")],
    &[("hidden", "[12]"), ("cost", "cross_entropy")],
    &[
        (
            "hidden",
            r#"[{"channels": 4, "kernel": 3, "pooling": {"max": 2}}, {"channels": 6, "kernel": 2}]"#,
        ),
        ("cost", "cross_entropy"),
        ("learning_rates", "[0.1, 0.1, 0.1]"),
    ],
    &[(
        "hidden",
        r#"[{"channels": 4, "kernel": 3, "pooling": {"average": 2}}]"#,
    )],
];

fn networks() -> Vec<Network> {
    let network = |settings: &&[(&str, &str)]| {
        let config = settings.iter().fold(
            Preset::Digits.config(),
            |config: TrainingConfig, (key, value)| config.with_override(key, value).unwrap(),
        );
        config.network(&Device::flex())
    };
    NETWORKS.iter().map(network).collect()
}

/// Opens a file and loads it into each network; no error if it fits one.
fn read(networks: &[Network], path: &Path) -> Result<(), WeightsError> {
    let file = WeightsFile::open(path)?;
    let mut result = Ok(());
    for network in networks {
        match file.load(network.clone()) {
            Ok(_) => return Ok(()),
            Err(error) => result = Err(error),
        }
    }
    result
}

/// Changes the header as JSON, with a corrected length, or the bytes.
fn change_safetensors(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let (bytes, donor) = (&seed.files[0].1, &donor.files[0].1);
    let changed = match header_and_data(bytes) {
        Some((header, data)) if input.is_inside => {
            let header = input.edit(header.to_vec(), donor);
            [&(header.len() as u64).to_le_bytes(), &header[..], data].concat()
        }
        _ => input.mutate(bytes.clone(), donor),
    };
    vec![(FILE.to_string(), changed)]
}

/// The header of a safetensors file, and the numbers after it.
pub fn header_and_data(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)
}

#[test]
fn safetensors_files() {
    let networks = networks();
    let read = |folder: &Path| read(&networks, &folder.join(FILE));
    let reader = Reader::new("safetensors", LIMIT, change_safetensors, read);
    check!().with_type().for_each(|input| reader.check(input));
}

/// Changes an entry of a zip archive, or the bytes.
fn change_pytorch(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let (bytes, donor) = (&seed.files[0].1, &donor.files[0].1);
    let changed = match entries(bytes) {
        Some(mut entries) if input.is_inside => {
            // The pickle half of the time: all else is numbers.
            let is_pickle = |(name, _): &(String, Vec<u8>)| name.ends_with("data.pkl");
            let pickle = entries.iter().position(is_pickle).unwrap_or(0);
            let part = input.part(2 * entries.len());
            let index = if part < entries.len() { part } else { pickle };
            let content = std::mem::take(&mut entries[index].1);
            entries[index].1 = input.mutate(content, donor);
            zipped(&entries, input.part.is_multiple_of(8))
        }
        _ => input.mutate(bytes.clone(), donor),
    };
    vec![(FILE.to_string(), changed)]
}

/// Name and content of each file in a zip archive.
pub fn entries(bytes: &[u8]) -> Option<Files> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let entries = (0..archive.len()).map(|index| {
        let mut entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        Some((name, content))
    });
    let entries: Option<Files> = entries.collect();
    entries.filter(|entries| !entries.is_empty())
}

/// A zip archive of these files.
pub fn zipped(entries: &Files, is_deflated: bool) -> Vec<u8> {
    let method = if is_deflated {
        CompressionMethod::Deflated
    } else {
        CompressionMethod::Stored
    };
    let options = SimpleFileOptions::default().compression_method(method);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn pytorch_files() {
    let networks = networks();
    let read = |folder: &Path| read(&networks, &folder.join(FILE));
    let reader = Reader::new("pytorch", PYTORCH_LIMIT, change_pytorch, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn archives_that_unpack_to_much_are_refused_first() {
    let networks = networks();
    let read = |folder: &Path| read(&networks, &folder.join(FILE));
    // The seeds are read as they are: to change them is to pack megabytes.
    Reader::new("pytorch-bombs", PYTORCH_LIMIT, change_pytorch, read);
}

#[test]
fn a_pickle_that_copies_its_lists_is_refused_in_time() {
    let networks = networks();
    let read = |folder: &Path| read(&networks, &folder.join(FILE));
    Reader::new("pytorch-copies", COPIES, change_pytorch, read);
}
