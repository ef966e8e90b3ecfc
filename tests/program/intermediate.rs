//! Hidden layers with costs of their own, from the command line.

use std::fs;

use serde_json::Value;

use crate::place::{Place, QUICK};
use crate::resume::metrics;

/// Three hidden layers, two of them nudged.
const DEEP: [&str; 4] = [
    "--set=hidden=[12,12,12]",
    "--set=learning_rates=[0.2,0.1,0.05,0.02]",
    "--set=intermediate.layers=[1,3]",
    "--set=intermediate.weight=0.3",
];

#[test]
fn a_training_with_hidden_costs_goes_on_as_if_it_had_never_stopped() {
    let place = Place::new();
    let train = |run: &str, epochs: &str| {
        let arguments = [
            "train",
            "--set=n_train=160",
            "--run",
            run,
            "--epochs",
            epochs,
        ];
        place.succeed(&[&arguments[..], &DEEP].concat());
    };
    train("whole", "3");
    train("begun", "1");
    place.succeed(&["train", "--resume", "--run", "begun", "--epochs", "3"]);
    let [whole, begun] = ["whole", "begun"].map(|run| place.path(run));
    assert_eq!(metrics(&begun), metrics(&whole));
    let model = |run: &str| {
        let file = format!("{run}.safetensors");
        place.succeed(&["export", run, &file]);
        fs::read(place.path(&file)).unwrap()
    };
    let numbers = |bytes: Vec<u8>| {
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        rest[u64::from_le_bytes(*length) as usize..].to_vec()
    };
    assert!(numbers(model("begun")) == numbers(model("whole")));
}

#[test]
fn hidden_costs_are_kept_exported_imported_and_examined() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"], &DEEP].concat());
    let config = fs::read_to_string(place.path("run/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let kept = &config["training"]["network"]["intermediate"];
    assert_eq!(*kept, serde_json::json!({"layers": [1, 3], "weight": 0.3}));

    let report = place.json(&["export", "run", "deep.safetensors"]);
    let n_layers = 64 * 12 + 12 + 2 * (12 * 12 + 12) + 12 * 10 + 10;
    assert_eq!(report["n_parameters"], n_layers + 2 * (12 * 10 + 10));
    place.json(&["import", "deep.safetensors"]);
    let judged = |run: &str| {
        let mut report = place.json(&["evaluate", run]);
        report["run"] = Value::Null;
        report
    };
    assert_eq!(judged("runs/deep"), judged("run"));

    let quick = [
        "--set=free_steps=100",
        "--set=nudged_steps=50",
        "--batches=1",
        "--batch=40",
    ];
    let found = place.succeed(&[&["fidelity", "--run", "run"][..], &quick].concat());
    assert!(found.contains("readout of layer 3"), "{found}");
}

#[test]
fn hidden_costs_that_cannot_work_are_refused_by_name() {
    let place = Place::new();
    place.refuse(
        &["train", "--set=intermediate.layers=[2]"],
        &["intermediate.layers has 2, but the hidden layers are 1 to 1"],
    );
    place.refuse(
        &["train", "--set=intermediate.weight=-1"],
        &["intermediate.weight must be a number of at least 0, but is -1"],
    );
    place.refuse(
        &["train", "--set=intermediate.layer=[1]"],
        &["unknown key `intermediate.layer`"],
    );
    place.refuse(
        &[
            "compare",
            "--methods=ccpl",
            "--set=intermediate.layers=[1]",
            "--report=out",
        ],
        &["ccpl has no nudge for them", "intermediate.layers=[]"],
    );
}
