//! Data that stay in their files: the results are the same, and unsupported files are refused with an
//! explanation.

use std::fs;

use serde_json::Value;

use crate::own_data::write_digits;
use crate::place::Place;
use crate::resume::{metrics, parameters};

const SHORT: [&str; 4] = ["--epochs", "2", "--set", "hidden=[16]"];

/// Trains into the folder `run`.
fn train(place: &Place, run: &str, arguments: &[&str]) -> Value {
    let run = format!("--run={run}");
    place.json(&[&["train", &run], arguments, &SHORT].concat())
}

fn config(place: &Place, run: &str) -> Value {
    let text = fs::read_to_string(place.path(run).join("config.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_streamed_run_is_the_run_in_memory() {
    let place = Place::new();
    write_digits(&place);
    for name in ["folder", "idx"] {
        let dataset = format!("--dataset={name}");
        let [plain, flag, set] = ["plain", "flag", "set"].map(|way| format!("{name}-{way}"));
        let summary = train(&place, &plain, &[&dataset]);
        // The share of the time that no step takes, waiting for files with it.
        assert!(summary["overhead"].as_f64().is_some(), "{summary}");
        train(&place, &flag, &[&dataset, "--stream"]);
        train(&place, &set, &[&dataset, "--set=stream=true"]);
        assert!(config(&place, &plain)["training"]["data"]["stream"].is_null());
        for run in [&flag, &set] {
            let found = config(&place, run);
            assert_eq!(found["training"]["data"]["stream"], true);
            assert_eq!(found["data"], config(&place, &plain)["data"], "fingerprint");
            let [run, plain] = [run, &plain].map(|run| place.path(run));
            assert!(parameters(&run) == parameters(&plain));
            assert_eq!(metrics(&run), metrics(&plain));
            let [run, plain] =
                [run, plain].map(|run| fs::read(run.join("relaxation.svg")).unwrap());
            assert!(run == plain, "the picture of the relaxation");
        }
        // Everything that looks at a run.
        for command in [
            &["evaluate"] as &[&str],
            &["evaluate", "--max-test", "20"],
            &["relax", "--examples", "2"],
        ] {
            let look = |run: &str| {
                let (command, options) = command.split_first().unwrap();
                let mut found = place.json(&[&[*command, run], options].concat());
                for place in ["run", "pictures"] {
                    found[place] = Value::Null;
                }
                found
            };
            assert_eq!(look(&flag), look(&plain), "{command:?}");
        }
    }
    let image = place.path("folder/test/3");
    let image = fs::read_dir(image).unwrap().next().unwrap().unwrap().path();
    let predict =
        |run| place.json(&["predict", run, image.to_str().unwrap()])["predictions"].clone();
    assert_eq!(predict("idx-flag"), predict("idx-plain"));
    place.succeed(&[
        "fidelity",
        "--run",
        "idx-flag",
        "--batches=1",
        "--set",
        "batch_size=4",
    ]);
}

#[test]
fn a_streamed_run_goes_on_as_in_memory_and_knows_its_data() {
    let place = Place::new();
    write_digits(&place);
    train(&place, "whole", &["--dataset=idx"]);
    place.succeed(&[
        "train",
        "--run=part",
        "--dataset=idx",
        "--stream",
        "--epochs=1",
        "--set=hidden=[16]",
    ]);
    place.succeed(&["train", "--resume", "--run=part", "--epochs=2"]);
    let [whole, part] = ["whole", "part"].map(|run| place.path(run));
    assert!(parameters(&part) == parameters(&whole));
    assert_eq!(metrics(&part), metrics(&whole));
    // Another pixel makes other data.
    let images = place.path("idx/train-images.idx3-ubyte");
    let mut bytes = fs::read(&images).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&images, bytes).unwrap();
    place.refuse(
        &["train", "--resume", "--run=part", "--epochs=3"],
        &["these are not the data that the run began with"],
    );
}

#[test]
fn comparisons_stream_too() {
    let place = Place::new();
    write_digits(&place);
    let compare = |options: &[&str], report: &str| {
        let report = format!("--report={report}");
        let mut found = place.json(
            &[
                &[
                    "compare",
                    "--dataset=idx",
                    "--methods=eqprop,backprop",
                    "--seeds=2",
                ],
                options,
                &["--epochs=1", "--set=hidden=[8]", &report],
            ]
            .concat(),
        );
        let runs = found["runs"].take();
        let error = |run: &Value| run["epochs"][0]["test_error"].clone();
        let runs: Vec<Value> = runs.as_array().unwrap().iter().map(error).collect();
        runs
    };
    let in_memory = compare(&[], "memory");
    assert_eq!(in_memory.len(), 4);
    assert!(in_memory.iter().all(Value::is_number), "{in_memory:?}");
    assert_eq!(compare(&["--stream"], "files"), in_memory);
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let place = Place::new();
    write_digits(&place);
    place.refuse(
        &["train", "--dataset=tables", "--stream"],
        &[
            "cannot be streamed from disk",
            "`numpy.save`",
            "leave `stream` out",
        ],
    );
    place.refuse(
        &["train", "--set=stream=true"],
        &["`digits` cannot be streamed", "part of the program"],
    );
    place.refuse(
        &["train", "--set=stream=yes"],
        &["does not fit the key `stream`", "false"],
    );
}

#[test]
fn the_help_says_when_to_stream_and_what_it_costs() {
    let help = Place::new().succeed(&["train", "--help"]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "--stream",
        "do not fit into memory",
        "The results are the same",
        "the disk should be fast",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
}
