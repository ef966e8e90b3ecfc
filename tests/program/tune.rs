//! `eqprop tune`.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

#[cfg(unix)]
use crate::place::{self, Outcome};
use crate::place::{Place, QUICK};

/// A search of one second.
const SHORT: [&str; 9] = [
    "tune",
    "--set",
    "n_train=300",
    "--epochs",
    "3",
    "--trials",
    "8",
    "--seeds",
    "3",
];

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns all results of a search except those that depend on the clock.
fn found(folder: &Path) -> Value {
    let mut state = json(&folder.join("tune.json"));
    for trial in state["tuning"]["trials"].as_array_mut().unwrap() {
        for measured in trial["measured"].as_array_mut().unwrap() {
            measured["seconds"] = 0.into();
        }
    }
    let runs = &mut state["confirmation"]["runs"];
    for run in runs.as_array_mut().unwrap() {
        for epoch in run["epochs"].as_array_mut().unwrap() {
            let epoch = epoch.as_object_mut().unwrap();
            epoch.retain(|name, _| !name.starts_with("seconds"));
        }
    }
    serde_json::json!({"tuning": state["tuning"], "runs": state["confirmation"]["runs"]})
}

#[test]
fn a_search_ends_with_a_configuration_that_every_command_takes() {
    let place = Place::new();
    let report = place.json(&[&SHORT[..], &["--report", "out"]].concat());
    let folder = place.path("out");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    let expected = ["effects.svg", "trials.csv", "tune.json", "tuned.json"];
    assert_eq!(names, expected, "nothing else is left");

    let tuned = json(&folder.join("tuned.json"));
    assert_eq!(tuned, report["tuned"]);
    assert_eq!(tuned["epochs"], 3);
    // The examples held out for the choice are now trained on.
    assert_eq!(tuned["data"]["n_validation"], 0);
    assert_eq!(report["trials"], 8);
    let confirmed = &report["confirmation"];
    assert_eq!(confirmed["first"], "start");
    // Those of the search are 0 to 2.
    assert_eq!(confirmed["seeds"], serde_json::json!([3, 4, 5]));
    let verdict = report["verdict"].as_str().unwrap();
    assert!(verdict.contains("test error"), "{verdict}");

    let mut trials = csv::Reader::from_path(folder.join("trials.csv")).unwrap();
    let header = trials.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = trials.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8);
    let cell = |row: usize, name: &str| {
        let place = header.iter().position(|column| column == name).unwrap();
        rows[row][place].to_string()
    };
    assert_eq!(
        (cell(0, "origin"), cell(1, "origin")),
        ("start".into(), "fidelity".into())
    );
    assert_eq!(
        (cell(0, "beta"), cell(0, "free_steps")),
        ("0.5".into(), "15".into())
    );
    assert_eq!(
        (cell(0, "steps"), cell(0, "epochs")),
        ("27".into(), "3".into())
    );
    let svg = fs::read_to_string(folder.join("effects.svg")).unwrap();
    assert!(svg.contains("free steps T") && !svg.contains("no data"));

    let config = ["--config", "out/tuned.json", "--set", "n_train=80"];
    place.succeed(&[&["train", "--run", "run"], &config[..]].concat());
    place.succeed(&[&["fidelity", "--batch", "20"], &config[..]].concat());
    let mut run = json(&place.path("run/config.json"))["training"].clone();
    assert_eq!(run["data"]["n_train"], 80);
    run["data"]["n_train"] = tuned["data"]["n_train"].clone();
    assert_eq!(run, tuned);
    // That of a run is one too.
    let again = [
        "train",
        "--config",
        "run/config.json",
        "--run",
        "again",
        "--epochs",
        "1",
    ];
    place.succeed(&again);
    let again = json(&place.path("again/config.json"))["training"].clone();
    assert_eq!(again["phases"], tuned["phases"]);
}

/// Waits until the search in `folder` has measured `n_trials` trials; returns false if it ends earlier.
fn wait_for(child: &mut Child, folder: &Path, n_trials: usize) -> bool {
    loop {
        let state = fs::read_to_string(folder.join("tune.json"));
        let state = state
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let trials = state.map(|state| state["tuning"]["trials"].as_array().unwrap().len());
        if trials.is_some_and(|trials| trials >= n_trials) {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
}

#[cfg(unix)]
#[test]
fn a_search_that_is_stopped_goes_on_to_the_same_end() {
    let place = Place::new();
    place.succeed(&[&SHORT[..], &["--report", "whole"]].concat());
    let expected = found(&place.path("whole"));
    for (signal, n_trials) in [("-INT", 1), ("-KILL", 3), ("-INT", 5), ("-TERM", 8)] {
        let folder = format!("stopped{signal}{n_trials}");
        let mut child = place.start(&[&SHORT[..], &["--report", &folder]].concat());
        let is_running = wait_for(&mut child, &place.path(&folder), n_trials);
        place::signal(&child, signal);
        let outcome = Outcome::end(child);
        if is_running && outcome.code == Some(1) {
            let command = format!("go on with `eqprop tune --resume {folder}`");
            assert!(outcome.stderr.contains(&command), "{outcome:#?}");
        }
        place.succeed(&["tune", "--resume", &folder]);
        assert!(
            found(&place.path(&folder)) == expected,
            "{folder}: {:#}",
            found(&place.path(&folder))
        );
        // Nothing is left to do.
        place.succeed(&["tune", "--resume", &folder]);
        assert!(found(&place.path(&folder)) == expected, "{folder}");
        assert!(!place.path(&folder).join("trials").exists());
        assert!(!place.path(&folder).join("checkpoints").exists());
    }
}

#[test]
fn a_search_keeps_to_its_minutes() {
    let place = Place::new();
    let arguments = [
        "tune",
        "--minutes",
        "0.1",
        "--seeds",
        "3",
        "--report",
        "out",
    ];
    let report = place.json(&arguments);
    // A machine that is busy takes longer for the last piece of work.
    assert!(report["seconds"].as_f64().unwrap() < 60.0, "{report}");
    assert!(report["trials"].as_u64().unwrap() >= 1);
    let plan = &report["plan"];
    assert!(plan["epochs"].as_u64().unwrap() <= 40, "{plan}");
    assert_eq!(plan["n_validation"], 239, "a sixth of 1437");
}

#[test]
fn only_what_is_named_is_searched() {
    let place = Place::new();
    let only = ["--only", "rate,beta", "--report", "out"];
    let report = place.json(&[&SHORT[..], &only].concat());
    let mut names: Vec<&String> = report["found"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["beta", "rate"]);
    assert_eq!(report["tuned"]["phases"]["free_steps"], 15);
    assert_eq!(report["steps"], serde_json::json!([27, 27]));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    place.succeed(&[&SHORT[..], &["--report", "there"]].concat());
    fs::write(place.path("no.json"), "{\"beta\": 1}").unwrap();
    fs::create_dir(place.path("damaged")).unwrap();
    let state = fs::read_to_string(place.path("there/tune.json")).unwrap();
    let newer = state.replacen("\"format\": 1", "\"format\": 99", 1);
    assert_ne!(newer, state);
    fs::write(place.path("damaged/tune.json"), newer).unwrap();
    fs::write(place.path("damaged/.lock"), "").unwrap();
    for (arguments, expected) in [
        (
            &["--minutes", "0"][..],
            &["--minutes", "greater than 0"][..],
        ),
        (&["--minutes", "-1"], &["--minutes", "greater than 0"]),
        (&["--minutes", "nan"], &["--minutes", "greater than 0"]),
        (&["--minutes", "soon"], &["--minutes"]),
        (&["--trials", "0"], &["--trials", "at least 1"]),
        (&["--seeds", "0"], &["--seeds", "at least 1"]),
        (&["--epochs", "0"], &["epochs", "at least 1"]),
        (&["--only", "momentum"], &["momentum", "rate_ratio"]),
        (
            &[
                "--only",
                "free_steps",
                "--preset",
                "pcn-mnist",
                "--dataset",
                "digits",
            ],
            &["nothing is left to search"],
        ),
        (
            &["--set", "n_train=10"],
            &["10 training examples", "at least 20"],
        ),
        (&["--set", "beta=0"], &["beta"]),
        (&["--report", "there"], &["there already", "--resume"]),
        (&["--resume", "run"], &["holds no search", "tune.json"]),
        (&["--resume", "nowhere"], &["holds no search"]),
        (&["--resume", "damaged"], &["format 99", "newer"]),
        (&["--resume", "there", "--seed", "1"], &["--seed"]),
        (
            &["--resume", "there", "--trials", "99"],
            &["decides only once", "--config"],
        ),
        (&["--config", "no.json"], &["no.json", "configuration"]),
        (
            &["--config", "nothing.json"],
            &["cannot read", "nothing.json"],
        ),
        (
            &["--config", "run/config.json", "--preset", "digits"],
            &["--config", "--preset"],
        ),
    ] {
        place.refuse(&[&["tune"], arguments].concat(), expected);
    }
}

#[test]
fn classes_that_count_as_much_as_others_are_searched_for() {
    let place = Place::new();
    place.succeed(
        &[
            &SHORT[..],
            &["--set", "class_weights=balanced", "--report", "r"],
        ]
        .concat(),
    );
    let trials = fs::read_to_string(place.path("r/trials.csv")).unwrap();
    assert!(trials.lines().count() > 8, "{trials}");
}
