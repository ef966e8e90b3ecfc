//! Quantities in place of classes, in every command that uses data or runs.

use std::fs;

use eqprop_bench::method::Method;
use eqprop_testing::Numbers;
use serde_json::Value;

use crate::place::Place;

/// Standard deviation of the noise added to the [`smooth`] function.
const NOISE: f64 = 0.5;

/// A smooth function of eight inputs.
fn smooth(x: &[f64]) -> f64 {
    let product = x[1] * x[2] + 0.5 * x[3] * x[3];
    10.0 + 3.0 * ((2.0 * x[0]).sin() + product + (x[4] + x[5]).cos() - 0.7 * x[6] + 0.3 * x[7])
}

/// Examples with eight inputs, the noisy function, and a second quantity.
fn lines(n: usize, numbers: &mut Numbers) -> Vec<(Vec<f64>, f64, f64)> {
    let line = |_| {
        let x = numbers.list(8, -1.0, 1.0);
        // The sum of twelve has the deviation 1, and is about normal.
        let noise: f64 = numbers.list(12, -0.5, 0.5).iter().sum();
        let y = smooth(&x) + NOISE * noise;
        let z = -1e-3 * (x[0] + x[7]);
        (x, y, z)
    };
    (0..n).map(line).collect()
}

fn write_table(place: &Place, name: &str, lines: &[(Vec<f64>, f64, f64)]) {
    let mut text = String::from("x1,x2,x3,x4,x5,x6,x7,x8,height,slope\n");
    for (x, y, z) in lines {
        let x: Vec<String> = x.iter().map(f64::to_string).collect();
        text += &format!("{},{y},{z}\n", x.join(","));
    }
    fs::write(place.path(name), text).unwrap();
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// Returns the summary of an arm of a comparison.
fn summary<'a>(report: &'a Value, arm: &str) -> &'a Value {
    let mut summaries = report["summary"].as_array().unwrap().iter();
    summaries.find(|found| found["arm"] == arm).unwrap()
}

#[test]
fn a_smooth_function_is_learned_as_well_as_by_backprop() {
    let place = Place::new();
    write_table(&place, "smooth.csv", &lines(5000, &mut Numbers(1)));
    let compare = [
        "compare",
        "--dataset=smooth.csv",
        "--target=height",
        "--methods=eqprop,backprop",
        "--seeds=1",
        "--epochs=10",
        "--report=report",
    ];
    let report = place.json(&compare);
    let of = |arm: &str| number(&summary(&report, arm)["r_squared"]["mean"]);
    let (eqprop, backprop) = (of("eqprop"), of("backprop"));
    assert!((eqprop - backprop).abs() < 0.02, "{eqprop} {backprop}");
    // The noise leaves 0.974 of the variance of 9.7.
    assert!(eqprop > 0.9, "{eqprop}");
    let page = fs::read_to_string(place.path("report/report.html")).unwrap();
    assert!(page.contains("R² (test)") && page.contains("test mean error"));
}

#[test]
fn a_table_with_two_quantities_trains_by_one_command() {
    let place = Place::new();
    let lines = lines(250, &mut Numbers(2));
    write_table(&place, "two.csv", &lines);
    let data = ["--dataset=two.csv", "--target=height,slope"];
    let short = ["--epochs=15", "--set=hidden=[16]", "--set=n_validation=40"];
    let train = [&["train", "--run=run"][..], &data, &short].concat();
    let summary = place.json(&train);
    let test = number(&summary["r_squared"]["test"]);
    assert!(test > 0.3 && test < 1.0, "{test}");
    assert!(number(&summary["r_squared"]["validation"]) < 1.0);

    let evaluation = place.json(&["evaluate", "run"]);
    assert_eq!(evaluation["test_r_squared"], summary["r_squared"]["test"]);
    assert_eq!(evaluation["test_error"], summary["test_error"]);
    let quantities = evaluation["quantities"].as_array().unwrap();
    let shares = quantities.iter().map(|found| number(&found["r_squared"]));
    assert!((shares.sum::<f64>() / 2.0 - test).abs() < 1e-12);
    let errors: Vec<f64> = quantities
        .iter()
        .map(|found| number(&found["mean_error"]))
        .collect();
    assert!(errors[0] > 100.0 * errors[1], "{errors:?}");
    let text = place.succeed(&["evaluate", "run"]);
    for part in [
        "test mean error",
        "(R² 0.",
        "height: mean error",
        "slope: mean error",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }

    // Predictions are near what is wanted, in its units.
    let predictions = place.json(&["predict", "run", "two.csv"]);
    let predictions = predictions["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 250);
    let pairs = predictions.iter().zip(&lines);
    let errors = pairs.map(|(found, line)| (number(&found["quantities"]["height"]) - line.1).abs());
    let mean = errors.sum::<f64>() / 250.0;
    assert!(mean < 2.0, "{mean}");
    let text = place.succeed(&["predict", "run", "two.csv"]);
    assert!(
        text.starts_with("two.csv, example 1: height ") && text.contains(", slope "),
        "{text}"
    );

    // All files of the run.
    let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    let head = metrics.lines().next().unwrap();
    for name in ["train_r_squared", "validation_r_squared", "test_r_squared"] {
        assert!(head.split(',').any(|found| found == name), "{head}");
    }
    let fit = fs::read_to_string(place.path("run/fit.svg")).unwrap();
    for part in ["height", "slope", "predicted", "true"] {
        assert!(fit.contains(part), "{part}");
    }
    assert!(fit.matches("<circle").count() >= 100);
    let curves = fs::read_to_string(place.path("run/curves.svg")).unwrap();
    assert!(curves.contains("Mean error") && !curves.contains("Classification"));

    // All that looks at runs and data.
    place.succeed(&["fidelity", "--run=run", "--batches=1", "--batch=8"]);
    let relaxed = place.json(&["relax", "run", "--examples=2"]);
    assert_eq!(relaxed["predicted"].as_array().unwrap().len(), 2);
    let bench = [
        "bench",
        "--preset=digits",
        "--methods=eqprop,backprop",
        "--rounds=1",
    ];
    place.succeed(&[&bench[..], &data].concat());
    let report = place.json(&["data", "two.csv", "--target=height,slope"]);
    assert_eq!(
        (&report["n_classes"], &report["classes"]),
        (&0.into(), &Value::Array(vec![]))
    );
    assert_eq!(report["quantities"][1]["name"], "slope");
    assert_eq!(report["network"], "8-128-2");
    assert!(
        (number(&report["quantities"][0]["mean"]) - 12.3).abs() < 1.0,
        "{report}"
    );
    let resumed = place.json(&["train", "--resume", "--run=run", "--epochs=16"]);
    assert_eq!(resumed["epochs"], 16);
    place.succeed(&["export", "run", "weights.safetensors"]);
}

#[test]
fn every_method_learns_quantities_and_is_held_against_the_others() {
    let place = Place::new();
    write_table(&place, "few.csv", &lines(100, &mut Numbers(3)));
    let compare = ["compare", "--dataset=few.csv", "--target=height"];
    let short = ["--seeds=3", "--epochs=2", "--set=hidden=[8]"];
    // The holomorphic one asks for other units.
    let others = Method::ALL
        .into_iter()
        .filter(|&method| method != Method::Holomorphic);
    let others: Vec<&str> = others.map(Method::name).collect();
    let methods = format!("--methods={}", others.join(","));
    let all = [&compare[..], &short, &[&methods, "--report=report"]].concat();
    let report = place.json(&all);
    let holomorphic = ["--methods=holomorphic", "--set=hidden_activation=tanh"];
    place.succeed(&[&compare[..], &short, &holomorphic].concat());
    let summaries = report["summary"].as_array().unwrap();
    assert!(summaries.len() > 5, "{report}");
    for summary in summaries {
        assert_eq!(summary["n_finished"], 3, "{summary}");
        assert!(number(&summary["r_squared"]["mean"]) < 1.0, "{summary}");
    }
    let differences = report["differences"].as_array().unwrap();
    for found in differences {
        // Right and wrong are of classes.
        assert!(
            found["examples"].is_null() && found["p"].is_array(),
            "{found}"
        );
    }
    let csv = fs::read_to_string(place.path("report/results.csv")).unwrap();
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .ends_with("test_r_squared,train_r_squared"),
        "{csv}"
    );
}

#[test]
fn quantities_that_cannot_be_learned_are_refused_with_one_clear_message() {
    for (name, text, arguments, expected) in [
        (
            "text among quantities",
            "a,y\n1,0.5\n2,tall\n3,1.5\n4,2.5\n",
            &["--target=y", "--task=regression"][..],
            &["the target `tall` in line 3, column y"][..],
        ),
        (
            "no number",
            "a,y\n1,0.5\n2,nan\n3,1.5\n4,2.5\n",
            &["--target=y", "--task=regression"],
            &["lacks 1 values, the first in line 3, column y"],
        ),
        (
            "always the same",
            "a,y\n1,0.5\n2,0.5\n3,0.5\n4,0.5\n",
            &["--target=y", "--task=regression"],
            &["the quantity `y` is 0.5 in all training examples"],
        ),
        (
            "no such column",
            "a,y\n1,0.5\n2,1.5\n",
            &["--target=y,z"],
            &["no column `z`", "a, y"],
        ),
        (
            "a class in two columns",
            "a,y,z\n1,0,1\n2,1,1\n",
            &["--target=y,z", "--task=classification"],
            &["y, z are named as targets", "the task `regression`"],
        ),
        (
            "an unknown task",
            "a,y\n1,0.5\n2,1.5\n",
            &["--task=regresion"],
            &["unknown task `regresion`; did you mean `regression`?"],
        ),
    ] {
        let place = Place::new();
        fs::write(place.path("bad.csv"), text).unwrap();
        eprintln!("{name}");
        place.refuse(&[&["data", "bad.csv"], arguments].concat(), expected);
        let train = ["train", "--dataset=bad.csv"];
        place.refuse(&[&train[..], arguments].concat(), expected);
    }
    let place = Place::new();
    write_table(&place, "few.csv", &lines(30, &mut Numbers(4)));
    let train = ["train", "--dataset=few.csv", "--task=regression"];
    for (setting, expected) in [
        (
            "--set=cost=cross_entropy",
            "\"cross_entropy\" is for classes",
        ),
        ("--set=output_activation=hard_sigmoid", "no values below 0"),
    ] {
        place.refuse(&[&train[..], &[setting]].concat(), &[expected]);
    }
    place.refuse(
        &["train", "--task=regression"],
        &["--task says how to read files"],
    );
}

#[test]
fn a_search_finds_values_by_the_mean_error_of_quantities() {
    let place = Place::new();
    let lines = lines(400, &mut Numbers(5));
    write_table(&place, "some.csv", &lines);
    let tune = [
        "tune",
        "--dataset=some.csv",
        "--target=height",
        "--trials=8",
    ];
    let short = [
        "--epochs=4",
        "--seeds=3",
        "--set=hidden=[16]",
        "--report=out",
    ];
    let report = place.json(&[&tune[..], &short].concat());
    assert_eq!(report["trials"], 8);
    // Of heights with a deviation of three, not of shares.
    let error = number(&report["validation_error"]);
    assert!(error > 0.2 && error < 4.0, "{report}");
    let verdict = report["verdict"].as_str().unwrap();
    assert!(!verdict.replace("95 %", "").contains('%'), "{verdict}");
    assert!(!verdict.contains("points"), "{verdict}");
    let mut trials = csv::Reader::from_path(place.path("out/trials.csv")).unwrap();
    let column = trials
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "validation_error");
    let errors = trials.records().map(|record| {
        let cell = record.unwrap()[column.unwrap()].to_string();
        cell.parse::<f64>().unwrap_or(f64::INFINITY)
    });
    let errors: Vec<f64> = errors.collect();
    // The result is better than most of the trials.
    let n_worse = errors.iter().filter(|other| **other >= error).count();
    assert!(errors.len() == 8 && n_worse >= 5, "{error}: {errors:?}");
    let svg = fs::read_to_string(place.path("out/effects.svg")).unwrap();
    assert!(svg.contains("mean validation error") && !svg.contains("(%)"));
    let text = place.succeed(&["tune", "--resume=out"]);
    assert!(text.contains("mean validation error"), "{text}");
    let train = [
        "train",
        "--config=out/tuned.json",
        "--run=run",
        "--epochs=1",
    ];
    place.succeed(&train);
}
