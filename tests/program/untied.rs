//! Every command on a network with untied weights.

use std::fs;

use crate::place::{Place, QUICK};

const UNTIED: [&str; 2] = ["--set", "model=untied"];

#[test]
fn an_untied_network_is_trained_and_used_like_any_other() {
    let place = Place::new();
    let summary = place.json(&[&QUICK[..], &UNTIED, &["--run", "run"]].concat());
    let evaluation = place.json(&["evaluate", "run"]);
    assert_eq!(evaluation["test_error"], summary["test_error"]);
    let config = fs::read_to_string(place.path("run/config.json")).unwrap();
    assert!(config.contains("\"untied\": {"), "{config}");
    let curves = fs::read_to_string(place.path("run/curves.svg")).unwrap();
    assert!(curves.contains("feedback 2"));

    let pictures = ["relax", "run", "--examples", "2", "--out", "pictures"];
    place.succeed(&pictures);
    let picture = fs::read_to_string(place.path("pictures/relax-energy.svg")).unwrap();
    assert!(picture.contains("Residual"));
    assert!(!picture.contains("Energy in the free phase"));

    let resumed = place.json(&["train", "--run", "run", "--resume"]);
    assert_eq!(resumed["test_error"], summary["test_error"]);
}

#[test]
fn the_gradient_of_an_untied_network_is_examined() {
    let place = Place::new();
    let arguments = [
        "fidelity",
        "--preset",
        "digits",
        "--epochs",
        "0",
        "--batches",
        "1",
        "--batch",
        "10",
    ];
    let of = |initializer: &str| {
        let initializer = format!("feedback_initializer={initializer}");
        let untied = ["--set", "feedback_update=own", "--set", &initializer];
        place.json(&[&arguments[..], &UNTIED, &untied].concat())
    };
    let cosine = |found: &serde_json::Value| {
        let points = found["beta"]["points"].as_array().unwrap();
        let agreement = &points[0]["estimates"]["centered"]["whole"];
        agreement["cosine"].as_f64().unwrap()
    };
    let equal = of("forward");
    let names = ["weights 1", "weights 2", "bias 1", "bias 2", "feedback 2"];
    assert_eq!(equal["parameters"], serde_json::json!(names));
    assert!(cosine(&equal) > 0.999, "{}", cosine(&equal));
    // Feedback through separate weights tells the hidden layer nothing about its gradient.
    let independent = of("independent");
    assert!(cosine(&independent) < 0.9, "{}", cosine(&independent));
}

#[test]
fn untied_networks_are_compared_and_timed() {
    let place = Place::new();
    let methods = ["--methods", "eqprop,rbp,backprop", "--epochs", "1"];
    let size = ["--set", "n_train=80", "--seeds", "1"];
    let compared = place.json(&[&["compare"], &methods[..], &size, &UNTIED].concat());
    assert_eq!(compared["runs"].as_array().unwrap().len(), 3);
    let timed = [
        "bench", "--preset", "digits", "--rounds", "1", "--batch", "4",
    ];
    let timed = place.run(&[&timed[..], &UNTIED].concat());
    timed.succeeded();
}
