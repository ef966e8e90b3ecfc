//! Run folders with damaged files: each file is named in the refusal and left as it is.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::place::Place;

const CHECKPOINT: &str = "run/checkpoint-000002";
const RESUME: [&str; 6] = ["train", "--resume", "--run", "run", "--epochs", "3"];

/// A run of two epochs with all kinds of state.
fn trained() -> Place {
    let place = Place::new();
    place.succeed(&[
        "train",
        "--run",
        "run",
        "--epochs",
        "2",
        "--set",
        "n_train=40",
        "--set",
        "start=particles",
        "--set",
        "momentum=0.5",
        "--set",
        "learning_rates=[0.05,0.01]",
    ]);
    place
}

/// Restores the bytes of a file when dropped, so that one run serves many cases.
struct Original(PathBuf, Vec<u8>);

impl Original {
    fn of(path: PathBuf) -> Self {
        let bytes = fs::read(&path).unwrap();
        Self(path, bytes)
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        fs::write(&self.0, &self.1).unwrap();
    }
}

#[test]
fn every_file_of_a_checkpoint_is_checked_before_it_is_used() {
    let place = trained();
    let files = [
        "model.bpk",
        "optimizer.bpk",
        "scheduler.bpk",
        "particles.bpk",
        "state.json",
    ];
    for name in files {
        let original = Original::of(place.path(CHECKPOINT).join(name));
        let path = format!("{CHECKPOINT}/{name}");
        let (file, bytes) = (&original.0, &original.1);
        for index in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1;
            fs::write(file, flipped).unwrap();
            place.refuse(&RESUME, &[&path, "damaged", "restore it, or remove"]);
        }
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        place.refuse(&RESUME, &[&path, "damaged"]);
        fs::write(file, "").unwrap();
        place.refuse(&RESUME, &[&path, "damaged"]);
        fs::remove_file(file).unwrap();
        place.refuse(&RESUME, &[&path, "cannot read"]);
    }
    // All files are back: nothing else kept the run from going on.
    place.succeed(&RESUME);
    assert!(place.path("run/checkpoint-000003").is_dir());
    assert!(!place.path(CHECKPOINT).exists());
}

#[test]
fn a_damaged_manifest_is_refused() {
    let place = trained();
    let path = format!("{CHECKPOINT}/manifest.json");
    let original = Original::of(place.path(&path));
    let (file, bytes) = (&original.0, &original.1);
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    place.refuse(&RESUME, &[&path]);
    fs::write(file, "").unwrap();
    place.refuse(&RESUME, &[&path]);
    fs::remove_file(file).unwrap();
    place.refuse(&RESUME, &[&path, "cannot read"]);
    let mut manifest: Value = serde_json::from_slice(bytes).unwrap();
    manifest["version"] = 999.into();
    fs::write(file, manifest.to_string()).unwrap();
    place.refuse(
        &RESUME,
        &[
            &path,
            "format 999",
            "use the version of eqprop that wrote it",
        ],
    );
}

#[test]
fn a_changed_configuration_is_refused() {
    let place = trained();
    let original = Original::of(place.path("run/config.json"));
    let (file, bytes) = (&original.0, &original.1);
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    place.refuse(&RESUME, &["run/config.json", "not a run configuration"]);
    place.refuse(&["evaluate", "run"], &["run/config.json"]);
    let change = |key: &str, value: Value| {
        let mut config: Value = serde_json::from_slice(bytes).unwrap();
        let parts = key.split('.');
        *parts.fold(&mut config["training"], |part, name| &mut part[name]) = value;
        fs::write(file, config.to_string()).unwrap();
    };
    change("phases.nudging.centered.beta", 0.25.into());
    place.refuse(&RESUME, &["the configuration was changed", "beta"]);
    change("batch_size", 0.into());
    place.refuse(
        &RESUME,
        &["run/config.json", "batch_size must be at least 1"],
    );
    change("network.hidden", vec![7].into());
    place.refuse(&["evaluate", "run"], &["run/model.bpk", "does not fit"]);
}

#[test]
fn a_run_without_a_model_or_with_a_damaged_one_is_refused() {
    let place = trained();
    let original = Original::of(place.path("run/model.bpk"));
    let (file, bytes) = (&original.0, &original.1);
    let mut wrong_magic = bytes.clone();
    wrong_magic[0] ^= 0xff;
    let damaged = [
        wrong_magic,
        bytes[..bytes.len() / 2].to_vec(),
        bytes[..bytes.len() - 1].to_vec(),
        b"not a model".to_vec(),
        Vec::new(),
    ];
    for bytes in damaged {
        fs::write(file, bytes).unwrap();
        for command in ["evaluate", "relax"] {
            place.refuse(&[command, "run"], &["`run/model.bpk`", "damaged"]);
        }
    }
    fs::remove_file(file).unwrap();
    place.refuse(
        &["evaluate", "run"],
        &["no model yet", "--resume --run run"],
    );
    // The other files can be made again from the checkpoint, as the message says.
    place.succeed(&["train", "--resume", "--run", "run"]);
    assert!(place.path("run/model.bpk").is_file());
}
