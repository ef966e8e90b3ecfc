//! Checkpoints, as `--resume` reads them.

use std::path::Path;

use bolero::check;
use burn::tensor::Device;
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::data::{Dataset, DatasetKind};
use eqprop_train::training::Training;
use serde_json::{Value, json};

use crate::config::n_parameters;
use crate::reader::{Input, Limit, Reader};
use crate::seed::{Files, Seed};

/// Numbers take as much memory as in the file, and twice that while a training takes them over; that
/// training has a network, examples and their batches.
const LIMIT: Limit = Limit {
    times: 64,
    plus: 8 << 20,
};

const MANIFEST: &str = "manifest.json";

/// Trainings are made of networks up to this size.
const MAX_PARAMETERS: f64 = 20_000.0;

/// Changes a file, half of the time with a corrected manifest.
fn change(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let mut files = seed.files.clone();
    let index = input.part(files.len());
    let donor = &donor.files[input.part(donor.files.len())].1;
    let (name, bytes) = &mut files[index];
    let old = std::mem::take(bytes);
    *bytes = if name.ends_with(".json") {
        input.edit(old, donor)
    } else {
        input.mutate(old, donor)
    };
    if input.is_inside && files[index].0 != MANIFEST {
        write_manifest(&mut files);
    }
    files
}

/// Writes the size and the checksum of each file into the manifest.
fn write_manifest(files: &mut Files) {
    let find = |files: &Files, wanted: &str| files.iter().position(|(name, _)| name == wanted);
    let index = find(files, MANIFEST).expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&files[index].1).expect("JSON");
    for entry in manifest["files"].as_array_mut().expect("a list") {
        let name = entry["name"].as_str().expect("a name");
        let bytes = &files[find(files, name).expect("a file")].1;
        entry["bytes"] = json!(bytes.len());
        entry["crc32"] = json!(crc32fast::hash(bytes));
    }
    files[index].1 = manifest.to_string().into_bytes();
}

/// Loads the checkpoint and continues from it.
fn read(run: &Path, digits: &Dataset, device: &Device) -> Result<(), String> {
    let checkpoint = Checkpoint::load_latest(run).map_err(|error| error.to_string())?;
    let checkpoint = checkpoint.ok_or("no checkpoint")?;
    let config = checkpoint.state.config.clone();
    config.validate().map_err(|error| error.to_string())?;
    if n_parameters(&config) > MAX_PARAMETERS {
        return Ok(());
    }
    let training = Training::new(config, digits, device).map_err(|error| error.to_string())?;
    let restored = training.restore(checkpoint);
    restored.map(drop).map_err(|error| error.to_string())
}

#[test]
fn checkpoints() {
    let device = Device::flex();
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    let digits = Dataset::new(digits.kind, digits.train.take(8), digits.test.take(8));
    let read = |folder: &Path| read(folder.parent().expect("a run folder"), &digits, &device);
    let reader = Reader::new("checkpoint", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}
