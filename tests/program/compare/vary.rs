//! Comparisons of settings and presets.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::array;
use super::resume::{assert_equal, stored};
use crate::place::Place;

/// Two values of β, three seeds.
const VARY: [&str; 9] = [
    "compare",
    "--vary",
    "beta=0.2,0.5",
    "--set",
    "n_train=100",
    "--seeds",
    "3",
    "--epochs",
    "2",
];

fn names(results: &Value, of: &str) -> Vec<String> {
    let names = array(&results[of]).iter();
    let names = names.map(|found| found["arm"].as_str().unwrap().to_string());
    names.collect()
}

#[test]
fn values_are_compared_as_methods_are() {
    let place = Place::new();
    let outcome = place.run(&[&VARY[..], &["--report", "out"]].concat());
    let outcome = outcome.succeeded();
    let text = format!("{}\n{}", outcome.stdout, outcome.stderr);
    let results = stored(&place.path("out"));
    assert_eq!(names(&results, "summary"), ["beta=0.2", "beta=0.5"]);
    assert_eq!(
        names(&results, "runs")[..3],
        ["beta=0.2", "beta=0.5", "beta=0.2"]
    );
    assert_eq!(names(&results, "steps"), ["beta=0.2", "beta=0.5"]);
    assert_eq!(
        results["arms"][1]["values"],
        serde_json::json!([["beta", "0.5"]])
    );
    assert_eq!(
        results["vary"][0]["values"],
        serde_json::json!(["0.2", "0.5"])
    );

    // Each run is the training with that value.
    let training = "train --set n_train=100 --epochs 2 --seed 1 --set beta=0.2 --run r";
    let training: Vec<&str> = training.split(' ').collect();
    let trained = place.json(&training);
    let run = &results["runs"][2];
    assert_eq!(
        (&run["seed"], &run["method"]),
        (&1.into(), &"eqprop".into())
    );
    assert_eq!(run["epochs"][1]["test_error"], trained["test_error"]);

    // The stored correctness of each example is what the error counts.
    for run in array(&results["runs"]) {
        let bits = run["correct"]["bits"].as_str().unwrap();
        let digits = bits
            .chars()
            .map(|digit| digit.to_digit(16).unwrap().count_ones());
        let n_correct: u32 = digits.sum();
        let error = 1.0 - f64::from(n_correct) / run["correct"]["n_examples"].as_f64().unwrap();
        assert!((error - run["epochs"][1]["test_error"].as_f64().unwrap()).abs() < 1e-12);
    }
    let difference = &results["differences"][0];
    let errors = |arm: usize| (0..3).map(move |seed| 2 * seed + arm);
    let error = |run: usize| {
        results["runs"][run]["epochs"][1]["test_error"]
            .as_f64()
            .unwrap()
    };
    let mean = errors(0)
        .zip(errors(1))
        .map(|(a, b)| error(a) - error(b))
        .sum::<f64>()
        / 3.0;
    assert!((difference["error"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(difference["error"]["low"].as_f64().unwrap() < mean);
    assert!(difference["examples"]["p"].as_f64().unwrap() <= 1.0);
    assert!(difference["verdict"].is_string());

    for part in [
        "arm ",
        "beta=0.2 − beta=0.5",
        "difference of the test errors",
        "6 trainings will take about",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("× backprop"), "{text}");
    let page = fs::read_to_string(place.path("out/report.html")).unwrap();
    for part in [
        "beta=0.2 − beta=0.5",
        "Differences",
        "<polygon",
        "beta = 0.5",
        "McNemar",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let csv = |name: &str| fs::read_to_string(place.path("out").join(name)).unwrap();
    assert!(
        csv("results.csv")
            .lines()
            .nth(1)
            .unwrap()
            .ends_with(",beta=0.2")
    );
    assert_eq!(csv("differences.csv").lines().count(), 2);
}

#[test]
fn presets_methods_and_values_are_combined() {
    let place = Place::new();
    let arguments = [
        "compare",
        "--vary",
        "preset=digits,drn-xs",
        "--dataset",
        "digits",
        "--vary",
        "batch_size=10,20",
        "--methods",
        "eqprop,rbp",
        "--set",
        "n_train=40",
        "--seeds",
        "1",
        "--epochs",
        "1",
    ];
    let results = place.json(&arguments);
    let arms: Vec<_> = array(&results["arms"])
        .iter()
        .map(|arm| arm["name"].as_str().unwrap())
        .collect();
    assert_eq!(arms.len(), 8);
    assert_eq!(
        (arms[0], arms[7]),
        ("digits eqprop batch_size=10", "drn-xs rbp batch_size=20")
    );
    assert_eq!(results["missing"], serde_json::json!([]));
    assert_eq!(array(&results["differences"]).len(), 28);
    assert!(
        place
            .path("runs/compare-digits-drn-xs/report.html")
            .is_file()
    );
}

#[test]
fn options_of_methods_are_set_and_varied() {
    let place = Place::new();
    let arguments = [
        "compare",
        "--methods",
        "eqprop,holomorphic,stochastic",
        "--set",
        "hidden_activation=tanh",
        "--set",
        "n_train=24",
        "--vary",
        "holomorphic.n_points=2,6",
        "--seeds",
        "1",
        "--epochs",
        "1",
    ];
    // Langevin dynamics need other layers.
    place.refuse(&arguments, &["`stochastic` cannot be trained", "Langevin"]);
    let arguments = arguments.map(|argument| {
        if argument.contains("stoch") {
            "eqprop,holomorphic"
        } else {
            argument
        }
    });
    let results = place.json(&arguments);
    assert_eq!(
        names(&results, "summary"),
        [
            "eqprop",
            "holomorphic holomorphic.n_points=2",
            "holomorphic holomorphic.n_points=6"
        ]
    );
    let arguments = [
        "compare",
        "--methods",
        "stochastic,weight-perturbation,continual",
        "--set",
        "stochastic.burn_in=2",
        "--set",
        "weight-perturbation.n_draws=2",
        "--set",
        "n_train=16",
        "--seeds",
        "1",
        "--epochs",
        "1",
    ];
    let results = place.json(&arguments);
    assert_eq!(results["options"]["stochastic"]["burn_in"], 2);
    assert_eq!(results["options"]["weight-perturbation"]["n_draws"], 2);
    assert_eq!(array(&results["runs"]).len(), 3);
}

#[test]
fn what_cannot_be_varied_is_refused_before_anything_is_trained() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["--vary", "betta=1,2"],
            &["unknown key `betta`", "did you mean `beta`?"],
        ),
        (
            &["--vary", "beta=0.1"],
            &["`beta` has one value, 0.1", "--set beta=0.1"],
        ),
        (&["--vary", "beta"], &["expected KEY=VALUE,VALUE"]),
        (
            &["--vary", "seed=1,2"],
            &["`seed` cannot be varied", "--seeds"],
        ),
        (
            &["--vary", "beta=0.1,x"],
            &["`x` does not fit the key `beta`"],
        ),
        (
            &["--vary", "preset=digits,digitz"],
            &["did you mean `digits`?"],
        ),
        (
            &["--vary", "method=eqprop,eqporp"],
            &["did you mean `eqprop`?"],
        ),
        (
            &["--presets", "digits,paper-1h"],
            &["`digits` and `paper-1h`", "--dataset"],
        ),
        (
            &["--set", "holomorphic.n_point=2"],
            &["did you mean `holomorphic.n_points`?"],
        ),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&["compare"], arguments].concat(), expected);
    }
}

#[test]
fn fewer_than_three_seeds_carry_no_verdict() {
    let place = Place::new();
    let two = VARY.map(|argument| if argument == "3" { "2" } else { argument });
    let text = place.succeed(&two);
    assert!(
        text.contains("no verdict: that takes 3 finished seeds at least"),
        "{text}"
    );
}

#[test]
fn values_methods_and_seeds_that_are_added_are_those_of_a_larger_comparison() {
    let place = Place::new();
    let small = VARY.map(|argument| if argument == "3" { "1" } else { argument });
    place.succeed(&[&small[..], &["--report", "small"]].concat());
    let more = [
        "--vary",
        "beta=0.1",
        "--methods",
        "backprop",
        "--seeds",
        "2",
        "--epochs",
        "3",
    ];
    place.succeed(&[&["compare", "--resume", "--report", "small"][..], &more].concat());
    let large = [
        "compare",
        "--vary",
        "beta=0.2,0.5,0.1",
        "--set",
        "n_train=100",
        "--seeds",
        "2",
        "--epochs",
        "3",
        "--methods",
        "eqprop,backprop",
        "--report",
        "large",
    ];
    place.succeed(&large);
    assert_equal(&place.path("small"), &place.path("large"));
    let before = stored(&place.path("small"));
    place.succeed(&["compare", "--resume", "--report", "small"]);
    assert_eq!(stored(&place.path("small")), before);
    let resume = ["compare", "--resume", "--report", "small"];
    place.refuse(
        &[&resume[..], &["--vary", "batch_size=4,5"]].concat(),
        &["does not vary `batch_size` but beta"],
    );
    place.refuse(
        &[&resume[..], &["--presets", "dhn-1h"]].concat(),
        &["does not vary `preset`"],
    );
}

#[cfg(unix)]
#[test]
fn arms_that_were_killed_end_as_if_they_had_not_been() {
    let place = Place::new();
    let long = [
        "compare",
        "--vary",
        r#"hidden_activation={"clipped_relu": {"max": 2}},tanh"#,
        "--methods",
        "random-sign,weight-perturbation",
        "--set",
        "n_train=200",
        "--set",
        "momentum=0.5",
        "--seeds",
        "2",
        "--epochs",
        "12",
        "--set",
        "learning_rates=[0.001,0.001]",
        "--save-every",
        "0",
    ];
    place.succeed(&[&long[..], &["--report", "whole"]].concat());
    let arguments = [&long[..], &["--report", "killed"]].concat();
    let mut child = place
        .command(&arguments)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let saved = place.path("killed/checkpoints");
    let n_saved = |saved: &Path| fs::read_dir(saved).map_or(0, Iterator::count);
    while n_saved(&saved) < 3 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(n_saved(&saved) >= 3, "it was faster than this test");
    place.succeed(&["compare", "--resume", "--report", "killed"]);
    assert_equal(&place.path("killed"), &place.path("whole"));
    assert!(!saved.exists());
}
