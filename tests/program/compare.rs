//! `eqprop compare`.

mod faults;
mod resume;
mod vary;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::Place;
#[cfg(unix)]
use crate::place::signal;

const QUICK: [&str; 9] = [
    "compare",
    "--set",
    "n_train=100",
    "--epochs",
    "2",
    "--seeds",
    "2",
    "--methods",
    "eqprop,bptt,backprop",
];

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().expect("an array")
}

#[test]
fn a_comparison_reports_every_method_and_seed() {
    let place = Place::new();
    let results = place.json(&[&QUICK[..], &["--report", "out"]].concat());
    assert_eq!(array(&results["missing"]), &Vec::<Value>::new());
    let runs = array(&results["runs"]);
    let names: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run["seed"].as_u64().unwrap(),
                run["method"].as_str().unwrap(),
            )
        })
        .collect();
    let methods = ["eqprop", "bptt", "backprop"];
    let expected: Vec<_> = (0..2)
        .flat_map(|seed| methods.map(|method| (seed, method)))
        .collect();
    assert_eq!(names, expected);

    for (summary, method) in array(&results["summary"]).iter().zip(methods) {
        assert_eq!(summary["method"], method);
        let of_method = runs.iter().filter(|run| run["method"] == method);
        let errors: Vec<f64> = of_method
            .map(|run| run["epochs"][1]["test_error"].as_f64().unwrap())
            .collect();
        let [a, b] = errors[..] else {
            panic!("{errors:?}")
        };
        let found = &summary["test_error"];
        let close = |key: &str, expected: f64| {
            let found = found[key].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-12,
                "{key}: {found}, {expected}"
            );
        };
        close("mean", (a + b) / 2.0);
        close("deviation", (a - b).abs() / 2f64.sqrt());
        assert!(summary["seconds_per_epoch"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(results["summary"][2]["ratio_to_backprop"], 1.0);
    for step in array(&results["steps"]) {
        assert!(step["step"]["median"].as_f64().unwrap() > 0.0, "{step}");
        assert!(step["peak_memory"].as_u64().unwrap() > 0, "{step}");
    }
    // Three gradients, so three courses, which begin alike.
    let costs = [0, 1, 2].map(|run: usize| runs[run]["epochs"][0]["train_cost"].as_f64().unwrap());
    for (a, b) in [
        (costs[0], costs[1]),
        (costs[1], costs[2]),
        (costs[0], costs[2]),
    ] {
        assert!(a != b && (a - b).abs() < 0.1 * a, "{costs:?}");
    }

    let read = |name: &str| fs::read_to_string(place.path("out").join(name)).unwrap();
    let stored: Value = serde_json::from_str(&read("results.json")).unwrap();
    assert_eq!(stored, results);
    assert_eq!(read("results.csv").lines().count(), 1 + 2 * 2 * 3);
    let page = read("report.html");
    for part in [
        "eqprop",
        "bptt",
        "backprop",
        "<svg",
        "--report out",
        "nudged_steps",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    for outside in ["<script", "<link", "<img", "src=", "url(", "<?xml"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("not complete"));
}

#[test]
fn a_run_of_a_comparison_is_the_training_of_the_same_seed() {
    let place = Place::new();
    let results = place.json(&QUICK);
    let training = [
        "train",
        "--set",
        "n_train=100",
        "--epochs",
        "2",
        "--seed",
        "1",
        "--run",
        "r",
    ];
    let trained = place.json(&training);
    let run = &results["runs"][3];
    assert_eq!(
        (&run["method"], &run["seed"]),
        (&"eqprop".into(), &1.into())
    );
    assert_eq!(run["epochs"][1]["test_error"], trained["test_error"]);
    assert_eq!(run["epochs"][1]["train_error"], trained["train_error"]);
}

#[test]
fn the_table_has_a_line_for_each_method() {
    let text = Place::new().succeed(&QUICK);
    for part in [
        "test error",
        "× backprop",
        "peak memory",
        "±",
        "eqprop",
        "bptt",
        "backprop",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_keeps_what_it_has() {
    let place = Place::new();
    let arguments = [
        "compare",
        "--json",
        "--set",
        "n_train=400",
        "--epochs",
        "1000",
        "--methods",
        "eqprop,backprop",
        "--report",
        "out",
        // Long enough for the first epoch to have ended.
        "--save-every",
        "2000",
    ];
    let child = place.start(&arguments);
    let written = place.path("out").join("results.json");
    let start = Instant::now();
    let saved = place.path("out").join("checkpoints");
    // Results are there before anything is trained, checkpoints are not.
    while !saved.is_dir() && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("interrupted; missing: eqprop, seed 0: stopped after"),
        "{said}"
    );
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!array(&results["runs"][0]["epochs"]).is_empty());
    assert_eq!(array(&results["missing"]).len(), 6);
    let stored: Value = serde_json::from_slice(&fs::read(written).unwrap()).unwrap();
    assert_eq!(stored, results);
    let page = fs::read_to_string(place.path("out").join("report.html")).unwrap();
    assert!(page.contains("not complete"));
}

#[test]
fn a_training_that_diverges_is_reported_and_fails_the_program() {
    let place = Place::new();
    let rates = "learning_rates=[1e30, 1e30]";
    let arguments = [
        "compare",
        "--json",
        "--set",
        "n_train=100",
        "--epochs",
        "2",
        "--seeds",
        "1",
        "--methods",
        "backprop",
        "--set",
        rates,
    ];
    let outcome = place.run(&arguments);
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(
        outcome.stderr.contains("missing: backprop, seed 0:"),
        "{outcome:#?}"
    );
    let results: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(results["runs"][0]["failure"].is_string(), "{results}");
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_trained() {
    let place = Place::new();
    fs::write(place.path("file"), "not a folder").unwrap();
    let cases: [(&[&str], &[&str]); 7] = [
        (
            &["--methods", "eqprop,sgd"],
            &["`sgd`", "eqprop, cep, pep, nep"],
        ),
        (&["--methods", "eqprop,eqprop"], &["`eqprop`", "twice"]),
        (&["--seeds", "0"], &["at least one seed"]),
        (&["--epochs", "0"], &["epochs", "at least 1"]),
        (
            &["--methods", "exact", "--preset", "dhn-1h"],
            &["1034", "rbp"],
        ),
        (
            &["--set", r#"skips=[{"from": 1, "to": 1, "kind": "dense"}]"#],
            &["1 -> 1", "leave backprop out"],
        ),
        (&["--report", "file/report"], &["`file/report`", "--report"]),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&["compare"], arguments].concat(), expected);
    }
    // β ≤ −1 leaves the energy of a linear output without a lower bound.
    let arguments = [
        "compare",
        "--methods",
        "nep",
        "--set",
        "nudging=one_sided",
        "--set",
        "beta=1.5",
    ];
    place.refuse(&arguments, &["nep cannot be used here", "-1.5"]);
}
