//! Runs that are killed and resumed.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use eqprop_train::config::TrainingConfig;
use eqprop_train::learner::EquilibriumLearner;
use serde_json::Value;

use crate::place::Place;
#[cfg(unix)]
use crate::place::{self, Outcome};

const EPOCHS: usize = 8;

/// A training in which all state matters: optimizer, particles, signs, order, learning rate. An epoch has 53
/// updates, which is not a multiple of the 50 between two measurements.
fn train<'a>(run: &'a str, epochs: &'a str) -> Vec<&'a str> {
    vec![
        "train",
        "--run",
        run,
        "--epochs",
        epochs,
        "--set",
        "n_train=420",
        "--set",
        "nudging=random_sign",
        "--set",
        "start=particles",
        "--set",
        "momentum=0.5",
        "--set",
        "learning_rates=[0.05,0.01]",
        "--checkpoint-every",
        "7",
    ]
}

/// Resumes a run, or starts it if it has no folder yet.
fn go_on<'a>(place: &Place, run: &'a str) -> Vec<&'a str> {
    if place.path(run).join("config.json").is_file() {
        vec!["train", "--resume", "--run", run, "--checkpoint-every", "7"]
    } else {
        train(run, "8")
    }
}

/// Returns every parameter of a run's model, as bits.
pub fn parameters(run: &Path) -> Vec<Vec<u32>> {
    struct Collector(Vec<Vec<u32>>);

    impl ModuleVisitor for Collector {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let values = parameter.val().into_data();
            self.0
                .push(values.iter::<f32>().map(f32::to_bits).collect());
        }
    }

    let config = fs::read_to_string(run.join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let config: TrainingConfig = serde_json::from_value(config["training"].clone()).unwrap();
    let learner = EquilibriumLearner::new(config.network(&Device::flex()), config.estimator());
    let bytes = Bytes::from_bytes_vec(fs::read(run.join("model.bpk")).unwrap());
    let record = ModuleRecord::from_bytes(bytes).unwrap();
    let mut collector = Collector(Vec::new());
    learner
        .try_load_record(record)
        .unwrap()
        .visit(&mut collector);
    assert_eq!(collector.0.len(), 4, "two weights and two biases");
    collector.0
}

/// Reads `metrics.csv` without the columns that depend on the clock.
pub fn metrics(run: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(run.join("metrics.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        let columns = header.iter().zip(&row);
        let columns = columns.filter(|(name, _)| !name.starts_with("seconds"));
        columns.map(|(_, value)| value.to_string()).collect()
    };
    reader
        .records()
        .map(|record| row(record.unwrap()))
        .collect()
}

#[track_caller]
fn assert_equal(found: &Path, expected: &Path) {
    assert_eq!(metrics(found), metrics(expected));
    assert!(
        parameters(found) == parameters(expected),
        "other parameters"
    );
}

/// Returns the epoch of the latest checkpoint, or `None` before the run folder is complete.
fn epoch_reached(run: &Path) -> Option<usize> {
    let names = fs::read_dir(run).ok()?.flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let epochs = names.filter_map(|name| {
        let place = name.strip_prefix("checkpoint-")?;
        place.split('-').next()?.parse().ok()
    });
    let latest = epochs.max();
    latest.or_else(|| run.join("config.json").is_file().then_some(0))
}

/// Kills `child` a moment after the run has reached `epoch`; returns whether it was still training.
fn kill_after(mut child: Child, run: &Path, epoch: usize, moment: Duration) -> bool {
    while epoch_reached(run).is_none_or(|reached| reached < epoch) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "ended before epoch {epoch}"
        );
        sleep(Duration::from_millis(1));
    }
    sleep(moment);
    let was_training = child.try_wait().unwrap().is_none();
    // On Unix this is SIGKILL: the program cannot tidy up.
    child.kill().unwrap();
    child.wait().unwrap();
    was_training
}

#[test]
fn a_run_that_was_killed_ends_as_if_it_had_not_been() {
    let place = Place::new();
    let clock = Instant::now();
    place.succeed(&train("whole", "8"));
    let epoch_time = clock.elapsed() / EPOCHS as u32;
    let whole = place.path("whole");

    let mut n_killed = 0;
    for moment in 0..10 {
        // Ten moments spread evenly over the run, in the middle of its epochs.
        let epochs = EPOCHS as f32 * (moment as f32 + 0.5) / 10.0;
        let (epoch, within) = (epochs as usize, epoch_time.mul_f32(epochs.fract()));
        let name = format!("killed-{moment}");
        let run = place.path(&name);
        let child = place.start(&go_on(&place, &name));
        n_killed += usize::from(kill_after(child, &run, epoch, within));
        // Every other run is killed twice more.
        for extra in 1..=if moment % 2 == 0 { 0 } else { 2 } {
            let reached = epoch_reached(&run).unwrap();
            if reached < EPOCHS {
                let child = place.start(&go_on(&place, &name));
                let epoch = (reached + extra - 1).min(EPOCHS);
                n_killed += usize::from(kill_after(child, &run, epoch, within));
            }
        }
        place.succeed(&go_on(&place, &name));
        assert_equal(&run, &whole);
    }
    // Where the machine is busy a few kills come too late; the others must have hit.
    assert!(n_killed >= 8, "only {n_killed} kills came before the end");

    // Another seed gives other parameters, so the comparison can fail.
    place.succeed(&[&train("other", "8")[..], &["--seed", "1"]].concat());
    assert!(parameters(&place.path("other")) != parameters(&whole));
    assert_ne!(metrics(&place.path("other")), metrics(&whole));
}

/// Reads a number from the environment, for longer tests by hand.
fn from_environment(name: &str, default: usize) -> usize {
    let found = std::env::var(name).ok();
    found
        .and_then(|number| number.parse().ok())
        .unwrap_or(default)
}

#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_by_any_signal_at_any_moment_ends_as_if_it_had_not_been() {
    let place = Place::new();
    let clock = Instant::now();
    place.succeed(&train("whole", "8"));
    let time = clock.elapsed();
    // More by hand: EQPROP_KILLS=100.
    let n_moments = from_environment("EQPROP_KILLS", 9);
    let mut n_stopped = 0;
    for moment in 0..n_moments {
        let signal = ["-TERM", "-INT", "-KILL", "-HUP"][moment % 4];
        let name = format!("it's-{moment}");
        let child = place.start(&train(&name, "8"));
        sleep(time.mul_f32((moment as f32 + 0.5) / n_moments as f32));
        place::signal(&child, signal);
        let output = child.wait_with_output().unwrap();
        let is_stopped = !output.status.success();
        n_stopped += usize::from(is_stopped);
        if is_stopped && output.status.code().is_some() {
            // It tidied up: what it did last is kept, so that nothing is done twice.
            let names = fs::read_dir(place.path(&name)).unwrap().flatten();
            let mut names = names.map(|entry| entry.file_name().into_string().unwrap());
            assert!(names.any(|name| name.starts_with("checkpoint-")), "{name}");
        }
        place.succeed(&go_on(&place, &name));
        assert_equal(&place.path(&name), &place.path("whole"));
    }
    assert!(
        n_stopped > n_moments / 2,
        "only {n_stopped} of {n_moments} were stopped"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_stops_at_once_and_says_how_to_go_on() {
    let place = Place::new();
    place.succeed(&train("whole", "8"));
    let child = place.start(&train("it's mine", "8"));
    let run = place.path("it's mine");
    while epoch_reached(&run).is_none_or(|reached| reached < 1) {
        sleep(Duration::from_millis(1));
    }
    place::signal(&child, "-INT");
    let outcome = Outcome::end(child).failed(&["interrupted"]);
    let stderr = outcome.stderr;
    assert!(epoch_reached(&run).unwrap() < EPOCHS);
    // A shell takes the advice as it stands.
    let (_, advice) = stderr.split_once("go on with `eqprop").unwrap();
    let (arguments, _) = advice.split_once('`').unwrap();
    let mut shell = place.shell(&format!("exec \"$0\" {arguments}"));
    assert!(
        shell.stderr(Stdio::null()).status().unwrap().success(),
        "{advice}"
    );
    assert_equal(&run, &place.path("whole"));
}

#[test]
fn a_run_that_was_killed_while_it_started_can_be_started_again() {
    let place = Place::new();
    for milliseconds in [0, 2, 4, 8, 16, 32, 64] {
        let name = format!("run-{milliseconds}");
        let mut child = place.start(&train(&name, "8"));
        sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        place.succeed(&go_on(&place, &name));
    }
    // The worst moment: the folder is there, and its first file is half-written.
    fs::create_dir(place.path("run")).unwrap();
    fs::write(place.path("run/.writing-AbCdEf"), "{").unwrap();
    place.succeed(&go_on(&place, "run"));
    assert_equal(&place.path("run"), &place.path("run-64"));
}

#[test]
fn what_a_killed_process_left_behind_does_no_harm() {
    let place = Place::new();
    place.succeed(&train("run", "2"));
    let half = place.path("run/.writing-AbCdEf");
    fs::create_dir(&half).unwrap();
    fs::write(place.path("run/.writing-GhIjKl"), "{").unwrap();
    fs::write(half.join("state.json"), "{").unwrap();
    // Killed between the checkpoint and the other files: those are of an earlier epoch.
    fs::remove_file(place.path("run/model.bpk")).unwrap();
    fs::write(place.path("run/metrics.csv"), "epoch\n").unwrap();
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "3"]);
    assert!(!half.exists(), "the half checkpoint is still there");
    assert!(!place.path("run/.writing-GhIjKl").exists());
    place.succeed(&train("whole", "3"));
    assert_equal(&place.path("run"), &place.path("whole"));
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let place = Place::new();
    let first = place.json(&train("run", "2"));
    let before = place.contents();
    let model = parameters(&place.path("run"));
    let again = place.json(&["train", "--resume", "--run", "run"]);
    assert_eq!(first, again);
    let after = place.contents();
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    let other: Vec<_> = before
        .keys()
        .filter(|&path| before[path] != after[path])
        .collect();
    assert!(other.is_empty(), "changed: {other:?}");
    assert_eq!(parameters(&place.path("run")), model);
}

#[test]
fn more_epochs_extend_a_run_as_if_it_had_been_longer_from_the_start() {
    let place = Place::new();
    place.succeed(&train("run", "2"));
    let summary = place.json(&["train", "--resume", "--run", "run", "--epochs", "5"]);
    assert_eq!(summary["epochs"], 5);
    place.succeed(&train("whole", "5"));
    assert_equal(&place.path("run"), &place.path("whole"));
}
