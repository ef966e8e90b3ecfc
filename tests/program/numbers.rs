//! Numbers on the command line that are too large for any machine.

use crate::place::{Outcome, Place, QUICK};

const NUMBERS: [&str; 10] = [
    "-1",
    "4294967296",
    "9007199254740992",
    "4611686018427387904",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e40",
    "NaN",
    "inf",
];

#[test]
fn counts_that_are_too_large_are_refused_at_once() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run", "--set", "hidden=[4]"]].concat());
    let cases: [&[&str]; 11] = [
        &["train", "--run", "new", "--epochs"],
        &["train", "--resume", "--run", "run", "--epochs"],
        &[
            "compare",
            "--methods",
            "eqprop",
            "--report",
            "new",
            "--epochs",
        ],
        &["fidelity", "--epochs"],
        &["fidelity", "--run", "run", "--batches"],
        &["fidelity", "--run", "run", "--batch"],
        &["fidelity", "--run", "run", "--bound"],
        &["bench", "--preset", "digits", "--steps"],
        &["bench", "--preset", "digits", "--batch"],
        &["bench", "--preset", "digits", "--relaxations", "--rounds"],
        &["relax", "run", "--examples"],
    ];
    for arguments in cases {
        for number in NUMBERS {
            let (last, rest) = arguments.split_last().unwrap();
            let flag = format!("{last}={number}");
            place.refuse(&[rest, &[&flag]].concat(), &[]);
        }
    }
    for scale in ["0", "1e-320", "1e308", "1e400", "NaN", "inf"] {
        place.succeed(&["export", "run", "weights"]);
        let scale = format!("--scale={scale}");
        place.refuse(&["import", "weights", &scale], &["--scale"]);
    }
}

#[test]
fn the_largest_seed_is_a_seed() {
    let place = Place::new();
    let seed = u64::MAX.to_string();
    place.succeed(&[&QUICK[..], &["--run", "run", "--seed", &seed]].concat());
    let summary = place.json(&["train", "--resume", "--run", "run", "--epochs", "3"]);
    assert_eq!(summary["seed"], u64::MAX);
}

#[test]
fn what_does_not_fit_into_memory_is_refused() {
    let place = Place::new();
    for (change, expected) in [
        ("padding=18446744073709551615", "padding must be at most"),
        ("padding=32000", "machine's memory is"),
        ("hidden=[4000000000]", "machine's memory is"),
        ("gains=[1e40,1]", "gains must be of a size"),
        (
            r#"initializer={"fan_in":{"gain":1e40}}"#,
            "gain must be of a size",
        ),
    ] {
        place.refuse(&["train", "--set", change], &[expected]);
    }
    let remembering = [
        "compare",
        "--methods",
        "bptt",
        "--set",
        "free_steps=4000000000",
    ];
    place.refuse(&remembering, &["bptt", "states of all steps"]);
    let cosine = [
        "train",
        "--set",
        "schedule=cosine",
        "--epochs",
        "4611686018427387904",
    ];
    place.refuse(&cosine, &["epochs must be at most"]);
}

#[test]
fn a_phase_of_very_many_steps_is_drawn_as_far_as_it_can_be() {
    let place = Place::new();
    let changes = ["--set", "free_steps=4000000000", "--set", "tolerance=1e-2"];
    let outcome = place.run(&[&QUICK[..], &changes, &["--run", "run"]].concat());
    outcome.succeeded();
    let report = place.json(&["relax", "run", "--examples", "2"]);
    assert_eq!(report["n_steps"], 1000);
    Outcome::of(place.command(&["relax", "run", "--examples", "50"])).succeeded();
    place.refuse(
        &["relax", "run", "--examples", "51"],
        &["at most 50, but is 51"],
    );
}
