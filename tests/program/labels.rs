//! Several labels at once in place of classes, in every command that uses data or runs.

use std::fs;

use eqprop_testing::Numbers;
use serde_json::Value;

use crate::place::Place;

const DATA: [&str; 3] = [
    "--dataset=scenes.csv",
    "--target=beach,sunset,city",
    "--task=labels",
];

/// Four inputs and which of three labels each example has: none, one or several.
fn lines(n: usize, numbers: &mut Numbers) -> Vec<(Vec<f64>, [bool; 3])> {
    let line = |_| {
        let x = numbers.list(4, -1.0, 1.0);
        let labels = [
            x[0] + x[1] > 0.0,
            x[0] + x[1] - x[2] > 0.4,
            x[3] - x[2] > 0.6,
        ];
        (x, labels)
    };
    (0..n).map(line).collect()
}

/// Writes these lines as a table in which labels are yes or no.
fn write_table(place: &Place, lines: &[(Vec<f64>, [bool; 3])]) {
    let mut text = String::from("a,b,c,d,beach,sunset,city\n");
    for (x, labels) in lines {
        let x: Vec<String> = x.iter().map(f64::to_string).collect();
        let labels = labels.map(|is_there| if is_there { "yes" } else { "no" });
        text += &format!("{},{}\n", x.join(","), labels.join(","));
    }
    fs::write(place.path("scenes.csv"), text).unwrap();
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_table_with_three_labels_trains_by_one_command() {
    let place = Place::new();
    let lines = lines(400, &mut Numbers(1));
    write_table(&place, &lines);
    let short = ["--epochs=15", "--set=hidden=[24]", "--set=n_validation=40"];
    let train = [&["train", "--run=run"][..], &DATA, &short].concat();
    let summary = place.json(&train);
    let (error, exact) = (
        number(&summary["test_error"]),
        number(&summary["exact_matches"]["test"]),
    );
    assert!(
        error < 0.2 && exact > 0.4 && exact < 1.0 - error,
        "{summary}"
    );
    assert!(number(&summary["exact_matches"]["validation"]) <= 1.0);

    let evaluation = place.json(&["evaluate", "run"]);
    assert_eq!(evaluation["test_error"], summary["test_error"]);
    assert_eq!(
        evaluation["test_exact_matches"],
        summary["exact_matches"]["test"]
    );
    let labels = evaluation["labels"].as_array().unwrap();
    let names = ["beach", "sunset", "city"];
    for (found, name) in labels.iter().zip(names) {
        assert_eq!(found["name"], name);
        assert!(number(&found["f1"]) > 0.5, "{found}");
        let [precision, recall] = ["precision", "recall"].map(|share| number(&found[share]));
        let f1 = 2.0 * precision * recall / (precision + recall);
        assert!((number(&found["f1"]) - f1).abs() < 1e-12, "{found}");
    }
    let text = place.succeed(&["evaluate", "run"]);
    for part in [
        "test label error",
        "(exact matches ",
        "precision",
        "recall",
        "F1",
        "sunset",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }

    // Predictions name what is there.
    let predictions = place.json(&["predict", "run", "scenes.csv"]);
    let predictions = predictions["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 400);
    let mut n_wrong = 0;
    for (found, (_, wanted)) in predictions.iter().zip(&lines) {
        let found = found["labels"].as_array().unwrap();
        let is_found = |name: &str| found.iter().any(|label| label == name);
        let pairs = names.iter().zip(wanted);
        n_wrong += pairs
            .filter(|(name, wanted)| is_found(name) != **wanted)
            .count();
    }
    assert!(n_wrong < 240, "{n_wrong} of 1200");
    assert!(number(&predictions[0]["outputs"]["city"]).is_finite());
    let text = place.succeed(&["predict", "run", "scenes.csv"]);
    let is_several = |line: &str| line.contains("beach (") && line.contains(", sunset (");
    assert!(text.lines().any(is_several), "{text}");
    assert!(text.contains(": none of 3 labels; "), "{text}");

    // All files of the run.
    let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    let head = metrics.lines().next().unwrap();
    for part in ["train", "validation", "test"] {
        let name = format!("{part}_exact_matches");
        assert!(head.split(',').any(|found| found == name), "{head}");
    }
    let curves = fs::read_to_string(place.path("run/curves.svg")).unwrap();
    for part in ["Wrong labels", "Exact matches"] {
        assert!(curves.contains(part), "{part}");
    }
    assert!(!place.path("run/fit.svg").exists());

    // All that looks at runs and data.
    place.succeed(&["fidelity", "--run=run", "--batches=1", "--batch=8"]);
    let relaxed = place.json(&["relax", "run", "--examples=4"]);
    let of_each = |key: &str| relaxed[key].as_array().unwrap().len();
    assert_eq!(
        (of_each("labels"), of_each("predicted"), of_each("classes")),
        (4, 4, 0)
    );
    let bench = [
        "bench",
        "--preset=digits",
        "--methods=eqprop,backprop",
        "--rounds=1",
    ];
    place.succeed(&[&bench[..], &DATA].concat());
    place.refuse(
        &["evaluate", "run", "--mistakes=mistakes.csv"],
        &["--mistakes is for classes"],
    );
    place.refuse(
        &["predict", "run", "--clamp=all"],
        &["learned several labels at once"],
    );
    let resumed = place.json(&["train", "--resume", "--run=run", "--epochs=16"]);
    assert_eq!(resumed["epochs"], 16);
    place.succeed(&["export", "run", "weights.safetensors"]);

    let look = ["data", "scenes.csv", DATA[1], DATA[2]];
    let report = place.json(&look);
    assert_eq!(
        (&report["n_classes"], &report["network"]),
        (&0.into(), &"4-128-3".into())
    );
    let there = lines.iter().filter(|(_, labels)| labels[2]).count() as f64;
    let city = &report["labels"][2];
    assert_eq!(city["name"], "city");
    assert_eq!(number(&city["train"]) + number(&city["test"]), there);
    let with_labels = report["with_labels"].as_array().unwrap();
    assert_eq!(
        with_labels.iter().map(number).sum::<f64>(),
        number(&report["n_train"])
    );
    let text = place.succeed(&look);
    for part in [
        "3 labels, of which an example has none, one or several",
        "with 0 to 3 labels",
        "beach",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

#[test]
fn methods_are_held_against_one_another_by_labels() {
    let place = Place::new();
    write_table(&place, &lines(300, &mut Numbers(2)));
    let methods = ["--methods=eqprop,bptt,backprop", "--seeds=3", "--epochs=4"];
    let compare = [
        &["compare", "--report=report", "--set=hidden=[12]"][..],
        &DATA,
        &methods,
    ];
    let report = place.json(&compare.concat());
    let summaries = report["summary"].as_array().unwrap();
    assert_eq!(summaries.len(), 3);
    for summary in summaries {
        assert_eq!(summary["n_finished"], 3, "{summary}");
        let exact = number(&summary["exact_matches"]["mean"]);
        let error = number(&summary["test_error"]["mean"]);
        assert!(exact > 0.0 && exact <= 1.0 - error, "{summary}");
    }
    for found in report["differences"].as_array().unwrap() {
        // Which labels both got right is known, of 60 examples with 3 labels each.
        assert!(
            found["examples"]["p"].is_number() && found["p"].is_array(),
            "{found}"
        );
    }
    let runs = report["comparison"]["runs"]
        .as_array()
        .or(report["runs"].as_array());
    assert!(
        runs.unwrap()
            .iter()
            .all(|run| run["correct"]["n_examples"] == 180),
        "{report}"
    );
    let csv = fs::read_to_string(place.path("report/results.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    assert!(
        head.ends_with("test_exact_matches,train_exact_matches"),
        "{head}"
    );
    let page = fs::read_to_string(place.path("report/report.html")).unwrap();
    for part in [
        "exact matches (test)",
        "test label error",
        "labels of examples",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_search_finds_values_by_the_labels_that_are_wrong() {
    let place = Place::new();
    write_table(&place, &lines(300, &mut Numbers(3)));
    let short = ["--epochs=3", "--trials=6", "--seeds=3", "--set=hidden=[12]"];
    let tune = [&["tune", "--report=out"][..], &DATA, &short].concat();
    let report = place.json(&tune);
    assert_eq!(report["trials"], 6);
    assert!(number(&report["validation_error"]) < 0.5, "{report}");
    let text = place.succeed(&["tune", "--resume=out"]);
    assert!(text.contains("validation label error"), "{text}");
    place.succeed(&[
        "train",
        "--config=out/tuned.json",
        "--run=run",
        "--epochs=1",
    ]);
}

#[test]
fn labels_that_cannot_be_learned_are_refused_with_one_clear_message() {
    let labels = ["--target=y,z", "--task=labels"];
    for (text, arguments, expected) in [
        (
            "a,y,z\n1,1,0\n2,maybe,1\n3,0,1\n4,1,0\n",
            labels,
            &[
                "the target `maybe` in line 3, column y",
                "true or false, yes or no",
            ][..],
        ),
        (
            "a,y,z\n1,1,0\n2,0,2\n3,0,1\n4,1,0\n",
            labels,
            &["the target `2` in line 3, column z"],
        ),
        (
            "a,y,z\n1,1,0\n2,0,0\n3,0,0\n4,1,0\n",
            labels,
            &["nothing to learn", "or every one: z;"],
        ),
        (
            "a,y,z\n1,yes,no\n2,no,no\n3,no,yes\n4,yes,yes\n",
            ["--target=y,z", "--task=classification"],
            &["y, z are named as targets", "`labels`"],
        ),
        (
            "a,y,z\n1,1,0\n2,0,1\n3,0,1\n4,1,0\n",
            ["--target=y,z", "--task=label"],
            &["unknown task `label`; did you mean `labels`?"],
        ),
    ] {
        let place = Place::new();
        fs::write(place.path("bad.csv"), text).unwrap();
        place.refuse(&[&["data", "bad.csv"][..], &arguments].concat(), expected);
        let train = ["train", "--dataset=bad.csv"];
        place.refuse(&[&train[..], &arguments].concat(), expected);
    }
    let place = Place::new();
    write_table(&place, &lines(40, &mut Numbers(4)));
    let train = [&["train"][..], &DATA].concat();
    for (setting, expected) in [
        (
            "--set=cost=cross_entropy",
            "readout of one class for each example",
        ),
        (
            "--set=output_activation=softmax",
            "for each label by itself",
        ),
        (
            "--set=class_weights=balanced",
            "class_weights are for classes",
        ),
    ] {
        place.refuse(&[&train[..], &[setting]].concat(), &[expected]);
    }
}
