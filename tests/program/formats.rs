//! Run folders and exports of other versions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::place::Place;

/// The formats that older versions wrote, each with the results of its version.
const FORMS: [&str; 2] = ["form-1", "form-2"];

fn form(name: &str) -> (PathBuf, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let folder = folder.join(name);
    let expected = fs::read_to_string(folder.join("expected.json")).unwrap();
    (folder, serde_json::from_str(&expected).unwrap())
}

/// Expects the results of an older version, up to rounding on another machine. Another seed changes the cost
/// by some 0.02.
#[track_caller]
fn assert_found(found: &Value, expected: &Value) {
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    for (key, tolerance) in [("test_cost", 2e-4), ("test_error", 0.01)] {
        let off = (number(found, key) - number(expected, key)).abs();
        assert!(off <= tolerance, "{key}: {found} and {expected}");
    }
}

/// Changes a JSON file of a run.
fn change(place: &Place, file: &str, change: impl Fn(&mut Value)) {
    let path = place.path(file);
    let mut value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn older_runs_predict_as_they_did_and_go_on_as_they_would_have() {
    for (folder, expected) in FORMS.map(form) {
        let place = Place::new();
        for (run, expected) in expected.as_object().unwrap() {
            place.copy(&folder.join(run), run);
            for (after, expected) in expected.as_object().unwrap() {
                let epochs = after.split(' ').nth(1).unwrap();
                let resume = ["train", "--resume", "--run", run, "--epochs", epochs];
                let evaluate = || place.json(&["evaluate", run]);
                if epochs == "2" && run != "paused" {
                    assert_found(&evaluate(), expected);
                    // With nothing to do it is written anew.
                    place.succeed(&resume);
                } else {
                    let found = place.json(&resume)["test_error"].as_f64().unwrap();
                    let expected = expected["test_error"].as_f64().unwrap();
                    assert!((found - expected).abs() <= 0.01, "{run}: {found}");
                }
                assert_found(&evaluate(), expected);
            }
            // Now it is of this version's form, and knows its data.
            let config = fs::read_to_string(place.path(run).join("config.json")).unwrap();
            let config: Value = serde_json::from_str(&config).unwrap();
            assert_eq!(config["format"], 3);
            assert!(config["training"]["phases"].is_object());
            assert_eq!(config["data"]["fingerprint"].as_str().unwrap().len(), 64);
        }
    }
}

#[test]
fn a_comparison_of_an_older_form_goes_on() {
    let (folder, _) = form("form-2");
    let place = Place::new();
    place.copy(&folder.join("comparison"), "out");
    let read = |path: PathBuf| -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let before = read(folder.join("comparison/results.json"));
    place.succeed(&["compare", "--resume", "--report", "out", "--epochs", "3"]);
    let after = read(place.path("out/results.json"));
    assert_eq!(after["format"], 3);
    assert!(after["config"]["phases"].is_object());
    let errors = |results: &Value| -> Vec<f64> {
        let runs = results["runs"].as_array().unwrap().iter();
        let epochs = runs.flat_map(|run| run["epochs"].as_array().unwrap().iter().take(2));
        let errors = epochs.map(|epoch| epoch["test_error"].as_f64().unwrap());
        errors.collect()
    };
    let (before, after) = (errors(&before), errors(&after));
    assert_eq!(before.len(), 12);
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() <= 0.01, "{before}, {after}");
    }
}

#[test]
fn comparisons_of_methods_go_on_as_arms() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/comparisons-2");
    let place = Place::new();
    let read = |path: PathBuf| -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let before = read(folder.join("whole/results.json"));
    place.copy(&folder.join("whole"), "out");
    let text = place.succeed(&["compare", "--resume", "--report", "out", "--seeds", "3"]);
    assert!(text.contains("eqprop − cl"), "{text}");
    let after = read(place.path("out/results.json"));
    assert_eq!(after["format"], 3);
    let runs = after["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 9);
    // Finished trainings still count, and now have the name of their arm.
    for (before, after) in before["runs"].as_array().unwrap().iter().zip(runs) {
        assert_eq!(before["epochs"], after["epochs"]);
        assert_eq!(
            (&after["arm"], &after["correct"]),
            (&before["method"], &Value::Null)
        );
    }
    assert!(runs[8]["correct"]["bits"].is_string());
    assert_eq!(after["steps"][1]["arm"], "cl");
    assert_eq!(before["steps"][1]["step"], after["steps"][1]["step"]);

    // Where trainings were in progress, they go on from their checkpoints.
    place.copy(&folder.join("killed"), "killed");
    let outcome = place.run(&["compare", "--resume", "--report", "killed"]);
    outcome.succeeded();
    let after = read(place.path("killed/results.json"));
    let state = folder.join("killed/checkpoints/0-eqprop/checkpoint-000008-000013/state.json");
    let before = read(state);
    let first = &before["records"][0];
    assert_eq!(after["runs"][0]["epochs"][0]["seconds"], first["seconds"]);
    assert_eq!(after["missing"], serde_json::json!([]));
    assert!(!place.path("killed/checkpoints").exists());
}

#[test]
fn what_form_1_called_the_test_error_of_a_validation_is_the_validation_error() {
    let (folder, _) = form("form-1");
    let place = Place::new();
    place.copy(&folder.join("validation"), "run");
    let metrics = || csv::Reader::from_path(place.path("run/metrics.csv")).unwrap();
    let column = |name: &str| {
        let mut reader = metrics();
        let index = reader
            .headers()
            .unwrap()
            .iter()
            .position(|found| found == name)
            .unwrap();
        let cells = reader
            .records()
            .map(|record| record.unwrap()[index].to_string());
        cells.collect::<Vec<_>>()
    };
    let before = column("test_error");
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "3"]);
    let after = column("validation_error");
    assert_eq!(after[..2], before);
    let test = column("test_error");
    assert!(
        test[0].is_empty() && test[1].is_empty() && !test[2].is_empty(),
        "{test:?}"
    );
}

#[test]
fn an_export_of_an_older_form_is_imported() {
    for (folder, expected) in FORMS.map(form) {
        let place = Place::new();
        let weights = folder.join("weights.safetensors");
        place.succeed(&["import", weights.to_str().unwrap(), "--run", "run"]);
        assert_found(
            &place.json(&["evaluate", "run"]),
            &expected["plain"]["after 2 epochs"],
        );
    }
}

#[test]
fn a_configuration_without_a_newer_field_has_its_default() {
    let (folder, expected) = form("form-1");
    let place = Place::new();
    place.copy(&folder.join("plain"), "run");
    let without = |training: &mut Value| {
        let fields = training.as_object_mut().unwrap();
        for field in ["gradient_clip", "start", "gains", "nesterov"] {
            fields.remove(field).unwrap();
        }
    };
    change(&place, "run/config.json", |config| {
        without(&mut config["training"])
    });
    assert_found(
        &place.json(&["evaluate", "run"]),
        &expected["plain"]["after 2 epochs"],
    );
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "3"]);
}

#[test]
fn a_newer_form_is_refused_by_name() {
    let (folder, _) = form("form-1");
    let place = Place::new();
    let commands: [&[&str]; 3] = [
        &["evaluate", "run"],
        &["train", "--resume", "--run", "run"],
        &["export", "run", "file.safetensors"],
    ];
    for command in commands {
        place.copy(&folder.join("plain"), "run");
        change(&place, "run/config.json", |config| {
            config["format"] = 99.into();
            config["version"] = "7.1.0".into();
            config["training"]["of_the_future"] = 1.into();
        });
        place.run(command).failed(&["format 99", "7.1.0"]);
        // Without a number the unknown key is refused.
        change(&place, "run/config.json", |config| {
            config.as_object_mut().unwrap().remove("format");
        });
        place.run(command).failed(&["of_the_future"]);
    }
    place.copy(&folder.join("plain"), "run");
    change(&place, "run/checkpoint-000002/manifest.json", |manifest| {
        manifest["version"] = 99.into();
    });
    place
        .run(&["train", "--resume", "--run", "run"])
        .failed(&["format 99"]);
}
