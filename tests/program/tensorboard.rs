//! `eqprop train --tensorboard`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place::{Place, QUICK};

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_event = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("events.out.tfevents.")
    };
    entries.filter(is_event).collect()
}

/// Returns the values of a curve in the only event file of `folder`, in order: its name is followed by key 2,
/// of 32 bits.
fn values(folder: &Path, curve: &str) -> Vec<f32> {
    let [path] = &event_files(folder)[..] else {
        panic!("not one event file")
    };
    let bytes = fs::read(path).unwrap();
    let key = [curve.as_bytes(), &[2 << 3 | 5]].concat();
    let found = bytes
        .windows(key.len() + 4)
        .filter(|window| window.starts_with(&key));
    found
        .map(|window| f32::from_le_bytes(window[key.len()..].try_into().unwrap()))
        .collect()
}

/// Reads a column of `metrics.csv`.
fn column(run: &Path, name: &str) -> Vec<f32> {
    let mut reader = csv::Reader::from_path(run.join("metrics.csv")).unwrap();
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|found| found == name)
        .unwrap();
    let rows = reader
        .records()
        .map(|row| row.unwrap()[place].parse().unwrap());
    rows.collect()
}

#[test]
fn the_events_hold_what_the_metrics_do_however_often_a_run_goes_on() {
    let place = Place::new();
    let run = place.path("run");
    place.succeed(&[&QUICK[..], &["--run", "run", "--tensorboard"]].concat());
    // The folder of the run has events: it goes on with them unasked.
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "4"]);
    place.succeed(&["train", "--resume", "--run", "run"]);
    for (curve, name) in [
        ("error/train", "train_error"),
        ("error/test", "test_error"),
        ("cost/train", "train_cost"),
        ("training/residual", "residual"),
    ] {
        let found = values(&run, curve);
        assert_eq!(found.len(), 4, "{curve}");
        assert_eq!(found, column(&run, name), "{curve}");
    }
    // A record that a killed process left half written.
    let [path] = &event_files(&run)[..] else {
        panic!("not one event file")
    };
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len() - 9]).unwrap();
    place.succeed(&["train", "--resume", "--run", "run"]);
    assert_eq!(values(&run, "error/test"), column(&run, "test_error"));
}

#[test]
fn events_are_written_where_they_are_asked_for_and_nowhere_else() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "without"]].concat());
    assert!(event_files(&place.path("without")).is_empty());
    let arguments = ["--tensorboard", "logs/first", "--run", "elsewhere"];
    place.succeed(&[&QUICK[..], &arguments].concat());
    assert!(event_files(&place.path("elsewhere")).is_empty());
    assert_eq!(values(&place.path("logs/first"), "error/test").len(), 2);
    fs::write(place.path("file"), "").unwrap();
    let arguments = ["--tensorboard", "file/in", "--run", "refused"];
    let outcome = place.run(&[&QUICK[..], &arguments].concat());
    outcome.failed(&["TensorBoard", "file/in"]);
}

#[test]
fn the_events_of_another_run_are_not_overwritten() {
    let place = Place::new();
    let train = |run: &'static str| {
        let own = ["--run", run, "--tensorboard", "logs"];
        [&QUICK[..], &own].concat()
    };
    place.succeed(&train("one"));
    place.refuse(&train("other"), &["`logs` has the events of another run"]);
    assert!(!place.path("other").exists());
}
