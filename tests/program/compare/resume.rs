//! Comparisons that are killed, resumed and extended.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

#[cfg(unix)]
use crate::place::signal;
use crate::place::{Outcome, Place};

/// A comparison in which all state matters: optimizer, particles, signs, order. Its trainings are saved as
/// often as possible, also within epochs.
const COMPARE: [&str; 17] = [
    "compare",
    "--methods",
    "eqprop,rbp,backprop",
    "--seeds",
    "2",
    "--epochs",
    "4",
    "--set",
    "n_train=420",
    "--set",
    "nudging=random_sign",
    "--set",
    "start=particles",
    "--set",
    "momentum=0.5",
    "--save-every",
    "0",
];

/// The fields that depend on the clock or the command line.
const TIMES: [&str; 9] = [
    "seconds",
    "seconds_estimating",
    "seconds_optimizing",
    "seconds_per_epoch",
    "seconds_to_common_error",
    "ratio_to_backprop",
    "steps",
    "machine",
    "command",
];

/// Returns `value` without the fields that depend on the clock or the command line.
fn timeless(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(key, _)| !TIMES.contains(&key.as_str()));
            kept.map(|(key, value)| (key.clone(), timeless(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(timeless).collect(),
        value => value.clone(),
    }
}

pub fn stored(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("results.json")).unwrap()).unwrap()
}

/// Expects two folders to hold the same results, for the methods that both have timed.
#[track_caller]
pub fn assert_equal(found: &Path, expected: &Path) {
    let (found, expected) = (stored(found), stored(expected));
    assert_eq!(timeless(&found), timeless(&expected));
    let methods = |results: &Value| {
        let steps = results["steps"].as_array().unwrap().iter();
        steps.map(|step| step["method"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(methods(&found), methods(&expected));
}

/// Resumes a comparison, or starts it if it has no state yet.
fn go_on(place: &Place, report: &str) -> Vec<String> {
    let resume = [
        "compare",
        "--resume",
        "--save-every",
        "0",
        "--report",
        report,
    ];
    let arguments = if place.path(report).join("results.json").is_file() {
        resume.to_vec()
    } else {
        [&COMPARE[..], &["--report", report]].concat()
    };
    arguments.into_iter().map(str::to_string).collect()
}

fn start(place: &Place, arguments: &[String]) -> Child {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place.start(&arguments)
}

/// `EQPROP_KILLS=100 cargo test --release -p eqprop-bench --test program killed` tries a hundred moments.
#[cfg(unix)]
#[test]
fn a_comparison_that_was_killed_ends_as_if_it_had_not_been() {
    let kills = std::env::var("EQPROP_KILLS").ok();
    let kills: u32 = kills.map_or(8, |number| number.parse().unwrap());
    let place = Place::new();
    let clock = Instant::now();
    place.succeed(&[&COMPARE[..], &["--report", "whole"]].concat());
    let whole_time = clock.elapsed();

    let (mut n_killed, mut n_saved) = (0, 0);
    for kill in 0..kills {
        let report = format!("killed-{kill}");
        // Moments that fill the time evenly, in an order that is none; every other one is SIGTERM.
        let share = |kill: u32| (f64::from(kill) * 0.618_033_988_749_895 + 0.05).fract();
        for again in 0..=kill % 3 {
            let child = start(&place, &go_on(&place, &report));
            sleep(whole_time.mul_f64(share(kill + 7 * again)));
            signal(&child, if kill % 2 == 0 { "-KILL" } else { "-TERM" });
            let output = child.wait_with_output().unwrap();
            n_killed += u32::from(!output.status.success());
            n_saved += u32::from(place.path(&report).join("checkpoints").is_dir());
        }
        let arguments = go_on(&place, &report);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        place.succeed(&arguments);
        assert_equal(&place.path(&report), &place.path("whole"));
        let is_left = place.path(&report).join("checkpoints").exists();
        assert!(!is_left, "{report}: checkpoints of what has ended are left");
        fs::remove_dir_all(place.path(&report)).unwrap();
    }
    // Where the machine is busy a few kills come too late; the others must have hit.
    assert!(
        2 * n_killed >= kills,
        "only {n_killed} kills came before the end"
    );
    assert!(
        4 * n_saved >= kills,
        "only {n_saved} kills left a checkpoint"
    );
}

#[cfg(unix)]
#[test]
fn a_comparison_that_is_terminated_says_how_to_go_on() {
    let place = Place::new();
    let report = "it's a report";
    let arguments = [&COMPARE[..15], &["--report", report, "--device", "flex"]].concat();
    let whole = [&COMPARE[..15], &["--report", "whole"]].concat();
    let epochs = |arguments: &[&'static str]| -> Vec<String> {
        let longer = arguments
            .iter()
            .map(|&argument| if argument == "4" { "20" } else { argument });
        longer.map(str::to_string).collect()
    };
    let mut saved = epochs(&arguments);
    saved.extend(["--save-every", "100"].map(str::to_string));
    let child = start(&place, &saved);
    // Trainings are in progress.
    while !place.path(report).join("checkpoints").is_dir() {
        sleep(Duration::from_millis(5));
    }
    let clock = Instant::now();
    signal(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    assert!(
        clock.elapsed() < Duration::from_secs(5),
        "{:?}",
        clock.elapsed()
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        text.contains("training error") && text.contains("backprop"),
        "{text}"
    );
    assert!(said.contains("error: interrupted; missing: "), "{said}");

    let (_, command) = said.split_once("go on with `").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    assert!(command.contains("--device flex"), "{command}");
    let program = Path::new(env!("CARGO_BIN_EXE_eqprop"));
    let mut shell = place.command(&[]);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let environment: Vec<_> = shell
        .get_envs()
        .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
        .collect();
    let folder = shell.get_current_dir().unwrap().to_path_buf();
    shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", path);
    for (name, value) in environment {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Outcome::of(shell).succeeded();
    let whole: Vec<String> = epochs(&whole);
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    place.succeed(&whole);
    assert_equal(&place.path(report), &place.path("whole"));
}

#[test]
fn an_extended_comparison_is_one_that_was_larger_from_the_start() {
    let quick = ["compare", "--set", "n_train=100"];
    let place = Place::new();
    let small = ["--methods", "eqprop", "--seeds", "1", "--epochs", "2"];
    place.succeed(&[&quick[..], &small, &["--report", "small"]].concat());
    let larger = ["--methods", "backprop", "--seeds", "2", "--epochs", "3"];
    place.succeed(&[&["compare", "--resume", "--report", "small"][..], &larger].concat());
    let large = [
        "--methods",
        "eqprop,backprop",
        "--seeds",
        "2",
        "--epochs",
        "3",
    ];
    place.succeed(&[&quick[..], &large, &["--report", "large"]].concat());
    assert_equal(&place.path("small"), &place.path("large"));
    let command = stored(&place.path("small"))["command"].clone();
    assert!(
        command.as_str().unwrap().ends_with(
            " --epochs 2 --report small && eqprop compare --resume \
             --report small --methods backprop --seeds 2 --epochs 3"
        ),
        "{command}"
    );

    // Nothing is left to do; nothing changes.
    let before = stored(&place.path("small"));
    place.succeed(&["compare", "--resume", "--report", "small"]);
    assert_eq!(stored(&place.path("small")), before);
}

#[test]
fn a_failed_method_stays_failed_and_the_others_count() {
    let place = Place::new();
    let diverging = [
        "compare",
        "--set",
        "n_train=100",
        "--epochs",
        "2",
        "--seeds",
        "1",
        "--methods",
        "backprop",
        "--set",
        "learning_rates=[1e30, 1e30]",
        "--report",
        "out",
    ];
    assert_eq!(place.run(&diverging).code, Some(1));
    let before = stored(&place.path("out"));
    let again = place.run(&["compare", "--resume", "--report", "out"]);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("missing: backprop, seed 0:"),
        "{again:#?}"
    );
    assert_eq!(stored(&place.path("out")), before);
}

#[test]
fn what_cannot_be_gone_on_with_is_refused() {
    let place = Place::new();
    let quick = [
        "compare",
        "--set",
        "n_train=100",
        "--epochs",
        "2",
        "--seeds",
        "2",
    ];
    place.succeed(&[&quick[..], &["--methods", "eqprop", "--report", "out"]].concat());
    let cosine = [
        "--set",
        "schedule=cosine",
        "--methods",
        "eqprop",
        "--report",
        "cosine",
    ];
    place.succeed(&[&quick[..], &cosine].concat());
    fs::create_dir(place.path("empty")).unwrap();

    let resume = ["compare", "--resume", "--report"];
    let cases: [(&[&str], &[&str]); 8] = [
        (&["out", "--seeds", "1"], &["2 seeds", "1 would not extend"]),
        (&["out", "--epochs", "1"], &["2 epochs"]),
        (&["out", "--epochs", "0"], &["2 epochs"]),
        (&["out", "--preset", "dhn-1h"], &["--preset", "--resume"]),
        (&["out", "--seed", "1"], &["--seed", "--resume"]),
        (&["out", "--methods", "sgd"], &["`sgd`"]),
        (
            &["cosine", "--epochs", "3"],
            &["cosine", "new comparison of 3"],
        ),
        (&["empty"], &["`empty` holds no comparison", "results.json"]),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&resume[..], arguments].concat(), expected);
    }
    place.refuse(&["compare", "--resume"], &["--report"]);
    place.refuse(
        &[&quick[..], &["--report", "out"]].concat(),
        &[
            "`out/results.json` is there already",
            "--report",
            "--resume",
        ],
    );

    let file = place.path("out").join("results.json");
    let good = stored(&place.path("out"));
    let refuse = |text: &str, expected: &[&str]| {
        fs::write(&file, text).unwrap();
        place.refuse(&[&resume[..], &["out"]].concat(), expected);
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let text = good.to_string();
    refuse(&text[..text.len() / 2], &["`out/results.json`", "damaged"]);
    refuse("", &["damaged"]);
    refuse(&with("/format", 7.into()), &["format 7", "up to 3"]);
    refuse(&with("/format", Value::Null), &["no format"]);
    refuse(&with("/runs/0/seed", 9.into()), &["seed 9", "damaged"]);
    refuse(&with("/runs/0/seed", 1.into()), &["twice", "damaged"]);
    refuse(
        &with("/runs/0/epochs/0/epoch", 3.into()),
        &["do not count from 1 to 2"],
    );
    refuse(
        &with("/runs/0/epochs/0/test_error", Value::Null),
        &["no error"],
    );
    refuse(
        &with("/seeds", serde_json::json!([0, 5])),
        &["seeds", "damaged"],
    );
    refuse(
        &with("/methods", serde_json::json!([])),
        &["at least one method"],
    );
    refuse(&with("/data", "other".into()), &["data", "--data-dir"]);
    fs::write(&file, text).unwrap();
    place.succeed(&[&resume[..], &["out"]].concat());
}

#[test]
fn absurd_numbers_of_seeds_and_epochs_are_refused() {
    let place = Place::new();
    let most = "18446744073709551615";
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--seeds", most], &[most, "at most 10000"]),
        (&["--seeds", "10001"], &["10001 seeds"]),
        (&["--seed", most, "--seeds", "2"], &["2 seeds", most]),
        (&["--epochs", most], &["epochs"]),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&["compare"], arguments].concat(), expected);
    }
}
