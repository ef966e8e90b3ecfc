//! `eqprop fidelity`.

use std::fs;

use serde_json::Value;

use crate::place::{Place, QUICK};

const FILES: [&str; 5] = [
    "beta.svg",
    "fidelity.json",
    "gdu.svg",
    "residual.svg",
    "steps.svg",
];

/// A short examination.
const SHORT: [&str; 7] = [
    "fidelity",
    "--epochs",
    "0",
    "--batches",
    "1",
    "--batch",
    "10",
];

#[test]
fn the_gradient_of_the_digits_is_examined() {
    let place = Place::new();
    let arguments = ["fidelity", "--batch", "50", "--report", "new/report"];
    let found = place.json(&arguments);
    let report = place.path("new/report");
    let mut names: Vec<_> = fs::read_dir(&report)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    assert_eq!(names, FILES);
    let stored = fs::read_to_string(report.join("fidelity.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), found);
    for name in FILES.iter().filter(|name| name.ends_with(".svg")) {
        let svg = fs::read_to_string(report.join(name)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("no data"), "{name}");
    }

    assert_eq!(found["precision"], "f64");
    assert_eq!(found["machine"]["device"], "flex");
    assert_eq!(found["machine"]["eqprop"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        found["training"]["network"]["hidden"],
        serde_json::json!([128])
    );
    assert_eq!(
        (&found["batches"], &found["batch_size"]),
        (&2.into(), &50.into())
    );
    let names = serde_json::json!(["weights 1", "weights 2", "bias 1", "bias 2"]);
    assert_eq!(found["parameters"], names);
    let order = found["beta"]["orders"]["one_sided"]["whole"]
        .as_f64()
        .unwrap();
    // Hard sigmoids: not as close to 1 as smooth ones, but far from 0 and from 2.
    assert!((order - 1.0).abs() < 0.3, "{order}");
    let recommendation = &found["recommendation"];
    assert_eq!(recommendation["bound"], 0.99);
    let enough = recommendation["enough"]["agreements"]["parameters"].as_array();
    for agreement in enough.unwrap() {
        assert!(agreement["cosine"].as_f64().unwrap() >= 0.99, "{agreement}");
    }
}

#[test]
fn a_trained_run_is_examined_with_other_phases_than_it_was_trained_with() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    let arguments = [
        "fidelity",
        "--run",
        "run",
        "--batches",
        "1",
        "--batch",
        "20",
    ];
    let text = place.succeed(&arguments);
    for part in [
        "run (64-128-10)",
        "1 batch of 20 examples, f64 on flex; centered, β = 0.5, 15 + 6 steps",
        "weights 2",
        "Step by step against backpropagation through time, synchronous fixed point",
        "configured  15  6  0.5     27",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}:\n{text}");

    let changed = [
        "--set",
        "nudging=random_sign",
        "--set",
        "dynamics=gradient_flow",
    ];
    let text = place.succeed(&[&arguments[..], &changed].concat());
    assert!(
        text.contains("random sign, β = 0.5, 15 + 6 steps, gradient flow, ε = 0.5"),
        "{text}"
    );
    let changed = ["--set", "hidden_activation=sigmoid"];
    place.refuse(
        &[&arguments[..], &changed].concat(),
        &["--set cannot change the network", "free_steps"],
    );
    // The run was trained on 80 examples.
    place.refuse(
        &[
            "fidelity",
            "--run",
            "run",
            "--batches",
            "2",
            "--batch",
            "41",
        ],
        &["2 batches of 41", "80 training examples", "--batch"],
    );
    place.refuse(
        &[&arguments[..], &["--epochs", "2"]].concat(),
        &["--epochs", "--run"],
    );
}

#[test]
fn a_readout_and_a_deep_network_are_examined() {
    let place = Place::new();
    let deep = ["--set", "hidden=[24,16]", "--set", "cost=cross_entropy"];
    let found = place.json(
        &[
            &SHORT[..],
            &deep,
            &["--set", "learning_rates=[0.1,0.1,0.1]"],
        ]
        .concat(),
    );
    let names = found["parameters"].as_array().unwrap();
    let expected = [
        "weights 1",
        "weights 2",
        "bias 1",
        "bias 2",
        "readout",
        "readout bias",
    ];
    assert_eq!(names, &expected.map(Value::from));
    assert_eq!(
        (&found["epochs"], &found["test_error"]),
        (&0.into(), &Value::Null)
    );
    assert_eq!(found["stepwise"]["parameters"].as_array().unwrap().len(), 4);
    let text = place.succeed(
        &[
            &SHORT[..],
            &deep,
            &["--set", "learning_rates=[0.1,0.1,0.1]"],
        ]
        .concat(),
    );
    assert!(text.contains("digits (64-24-16), not trained"), "{text}");
}

/// All units of both layers are far beyond an end of their range, or none is.
#[test]
fn it_is_told_that_there_is_no_gradient() {
    let place = Place::new();
    for (gain, is_told) in [("1e3", true), ("1", false)] {
        let gains = format!("gains=[{gain},{gain}]");
        let examined = place.succeed(&[
            "fidelity",
            "--preset=paper-1h",
            "--dataset=digits",
            "--set=hidden=[16]",
            "--set",
            &gains,
            "--epochs=0",
            "--batches=1",
            "--batch=8",
        ]);
        let found = examined.contains("The exact gradient is zero");
        assert_eq!(found, is_told, "{examined}");
    }
}

#[test]
fn what_cannot_be_examined_is_refused() {
    let place = Place::new();
    fs::write(place.path("file"), "mine").unwrap();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["--batches", "0"], &["--batches must be at least 1"]),
        (&["--batch", "0"], &["--batch must be at least 1"]),
        (&["--batch", "-3"], &["-3", "--batch"]),
        (&["--bound", "1"], &["bound", "less than 1, but is 1"]),
        (&["--bound", "0"], &["bound", "greater than 0"]),
        (&["--bound", "NaN"], &["bound", "but is NaN"]),
        (&["--batches", "15"], &["15 batches of 100", "1437"]),
        (
            &["--batches", "18446744073709551615"],
            &["1437", "--batches"],
        ),
        (&["--run", "nowhere"], &["`nowhere`", "not a run folder"]),
        (&["--report", "file"], &["`file`", "--report"]),
        (
            &["--set", "learning_rates=[1e6,1e6]"],
            &["cost became infinite or not a number in epoch 1"],
        ),
        (&["--set", "betta=1"], &["`betta`", "nudged_steps"]),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&["fidelity"], arguments].concat(), expected);
    }
}

#[test]
fn machines_that_are_not_ideal_are_measured() {
    let place = Place::new();
    let machines = [
        "--hardware",
        "state_noise=0.1",
        "--hardware",
        "hardware.state_bits=5, state_range=2",
        "--hardware",
        "weight_bits=4",
    ];
    let draws = ["--draws", "3", "--report", "report"];
    let arguments = [&SHORT[..], &machines, &draws].concat();
    let found = place.json(&arguments);
    let stored = fs::read_to_string(place.path("report/fidelity.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), found);
    let svg = fs::read_to_string(place.path("report/hardware.svg")).unwrap();
    assert!(svg.starts_with("<svg") && !svg.contains("no data"), "{svg}");
    assert!(svg.contains("state_bits=5,state_range=2.0"), "{svg}");
    assert!(!place.path("report/beta.svg").exists());

    assert_eq!(found["precision"], "f64");
    let names = serde_json::json!(["weights 1", "weights 2", "bias 1", "bias 2"]);
    assert_eq!(found["parameters"], names);
    let machines = found["machines"].as_array().unwrap();
    let n_draws: Vec<_> = machines.iter().map(|machine| &machine["n_draws"]).collect();
    assert_eq!(n_draws, [1, 3, 1, 3]);
    assert_eq!(machines[1]["hardware"]["state_noise"], 0.1);
    assert_eq!(machines[2]["hardware"]["state_bits"], 5);
    for machine in machines {
        let points = machine["points"].as_array().unwrap();
        // The configured 0.5 is one of those that are always measured; a linear output bears no −1.
        assert_eq!(points.len(), 7);
        assert!(points[5]["centered"]["cosine"].is_f64());
        assert_eq!(points[6]["beta"], 1.0);
        assert_eq!(points[6]["centered"], Value::Null);
    }
    let cosine = |machine: usize, kind: &str, point: usize| {
        let found = &machines[machine]["points"][point][kind]["cosine"];
        found.as_f64().unwrap()
    };
    // Noise: worse than ideal, worse with a small β, and less so centered.
    assert!(cosine(1, "centered", 4) < cosine(0, "centered", 4) - 0.01);
    assert!(cosine(1, "centered", 1) < cosine(1, "centered", 4));
    assert!(cosine(1, "one_sided", 4) < cosine(1, "centered", 4));

    // The same numbers again.
    let text = place.succeed(&arguments);
    let single = &machines[1]["points"][4]["centered"];
    let single = ["cosine", "deviation"].map(|field| single[field].as_f64().unwrap());
    for part in [
        "digits (64-128-10), not trained",
        "mean ± deviation of 3",
        "weights are rounded at random",
        "\nideal\n",
        "\nstate_noise=0.1\n",
        "one-sided: single",
        "centered: cosine",
        "The β at which a single estimate is best",
        &format!("{:.3} ± {:.3}", single[0], single[1]),
        "hardware.svg",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let shown = text.lines().filter(|line| !line.starts_with("wrote"));
    let longest = shown.map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}:\n{text}");
}

#[test]
fn a_run_with_states_that_are_not_ideal_is_measured_as_its_own_machine() {
    let place = Place::new();
    let own = [
        "--set",
        "hardware.state_noise=0.05",
        "--set",
        "hardware.mismatch=0.1",
    ];
    place.succeed(&[&QUICK[..], &own, &["--run", "run"]].concat());
    let arguments = [
        "fidelity",
        "--run",
        "run",
        "--batches",
        "1",
        "--batch",
        "20",
    ];
    let outcome = place
        .run(&[&arguments[..], &["--draws", "2"]].concat())
        .succeeded();
    assert!(
        outcome.stdout.contains("\nstate_noise=0.05\n"),
        "{}",
        outcome.stdout
    );
    assert!(
        !outcome.stderr.contains("without the noise"),
        "{}",
        outcome.stderr
    );
    // Another machine, and the ideal one.
    let other = ["--hardware", "state_bits=6,state_range=2"];
    let text = place.succeed(&[&arguments[..], &other].concat());
    assert!(text.contains("\nstate_bits=6,state_range=2.0\n"), "{text}");
    assert!(!text.contains("state_noise"), "{text}");
    let text = place.succeed(&[&arguments[..], &["--set", "hardware.state_noise=0"]].concat());
    assert!(text.contains("Step by step against"), "{text}");
    // Elsewhere its states relax as ideal ones, which is said.
    let said = place.run(&["evaluate", "run"]).succeeded().stderr;
    assert!(
        said.contains("without the noise and the rounding of the training"),
        "{said}"
    );
}

#[test]
fn machines_that_cannot_be_measured_are_refused() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 11] = [
        (&["state_noise"], &["state_noise", "expected KEY=VALUE"]),
        (
            &["state_noise=x"],
            &["`x` does not fit the key `hardware.state_noise`"],
        ),
        (
            &["state_noise=-1"],
            &["state_noise must be a number of at least 0"],
        ),
        (
            &["state_bit=4"],
            &["`state_bit`", "did you mean `state_bits`", "weight_range"],
        ),
        (&["state_bits=1"], &["state_bits must be 2 to 20"]),
        (
            &["state_bits=4"],
            &["layer 2 has the activation Identity", "state_range"],
        ),
        (
            &["mismatch=0.1"],
            &[
                "cannot measure mismatch",
                "compare --vary hardware.mismatch=0,0.1",
            ],
        ),
        (
            &["hardware.stuck=0.1"],
            &["cannot measure stuck", "--vary hardware.stuck"],
        ),
        (
            &["state_noise=0.1", "--draws", "1"],
            &["--draws must be at least 2", "is 1"],
        ),
        (
            &["state_noise=0.1", "--bound", "0.9"],
            &["--bound", "--hardware"],
        ),
        (&["state_noise=0.1", "--draws", "-2"], &["--draws", "-2"]),
    ];
    for (machine, expected) in cases {
        place.refuse(&[&SHORT[..], &["--hardware"], machine].concat(), expected);
    }
    place.refuse(
        &[&SHORT[..], &["--draws", "3"]].concat(),
        &["--draws", "--hardware", "state_noise=0.1"],
    );
}

#[test]
fn changes_of_the_network_of_a_run_and_a_bound_for_its_machine_are_refused() {
    let place = Place::new();
    let own = ["--set", "hardware.state_noise=0.05"];
    place.succeed(&[&QUICK[..], &own, &["--run", "run"]].concat());
    let examined = [
        "fidelity",
        "--run",
        "run",
        "--batches",
        "1",
        "--batch",
        "20",
    ];
    for (more, said) in [
        (
            &["--set", "intermediate.layers=[1]"][..],
            "cannot change the network of a run",
        ),
        (
            &["--set", "class_weights=balanced"],
            "cannot change the network of a run",
        ),
        (&["--bound", "0.9"], "--bound is for the ideal machine"),
    ] {
        place.run(&[&examined[..], more].concat()).failed(&[said]);
    }
}
