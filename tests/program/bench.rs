//! `eqprop bench`: the cost of a training step.

use std::fs;
use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use crate::place::Place;
#[cfg(unix)]
use crate::place::signal;

fn number(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no number {pointer} in {value}"))
}

/// The entry of `list` for `method`, with `steps` if given.
fn find<'a>(list: &'a Value, method: &str, steps: Option<u64>) -> &'a Value {
    let is_wanted = |entry: &&Value| {
        entry["method"] == method && steps.is_none_or(|steps| entry["free_steps"] == steps)
    };
    let found = list.as_array().unwrap().iter().find(is_wanted);
    found.unwrap_or_else(|| panic!("no {method} with {steps:?} steps in {list}"))
}

#[test]
fn every_method_is_timed_whole_and_by_phase() {
    let report = Place::new().json(&[
        "bench", "--preset", "digits", "--rounds", "3", "--batch", "4", "--batch", "16,4",
    ]);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["rounds"], 3);
    assert!(report["device"].is_string());
    assert!(number(&report, "/threads") >= 1.0);
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2 * 4, "two batch sizes, four methods");
    for (index, result) in results.iter().enumerate() {
        let batch = if index < 4 { 4.0 } else { 16.0 };
        assert_eq!(result["preset"], "digits");
        assert_eq!(number(result, "/batch_size"), batch);
        assert_eq!(number(result, "/free_steps"), 15.0);
        let step = number(result, "/step/median");
        for spread in [
            "step",
            "phases/free_phase",
            "phases/gradient",
            "phases/optimizer",
        ] {
            let low = number(result, &format!("/{spread}/low"));
            let median = number(result, &format!("/{spread}/median"));
            let high = number(result, &format!("/{spread}/high"));
            assert!(0.0 < low && low <= median && median <= high, "{result}");
        }
        let method = result["method"].as_str().unwrap();
        let has_second_phase = ["eqprop", "rbp"].contains(&method);
        let second = number(result, "/phases/second_phase/median");
        assert_eq!(second > 0.0, has_second_phase, "{result}");
        assert_eq!(number(result, "/samples_per_second"), batch / step);
        assert!(number(result, "/peak_memory") > 0.0, "{result}");
        let backprop = &results[index / 4 * 4 + 3];
        assert_eq!(backprop["method"], "backprop");
        let ratio = step / number(backprop, "/step/median");
        assert_eq!(number(result, "/ratio_to_backprop"), ratio);
    }
    // One number of steps shows no growth.
    assert_eq!(report["memory_growth"], serde_json::json!([]));
}

#[test]
fn memory_grows_with_the_steps_of_backpropagation_through_time_alone() {
    let report = Place::new().json(&[
        "bench",
        "--preset",
        "digits",
        "--methods",
        "eqprop,bptt,tbp,rbp",
        "--steps",
        "10,1000,100,300",
        "--rounds",
        "2",
    ]);
    for method in ["eqprop", "tbp", "rbp"] {
        let growth = find(&report["memory_growth"], method, None);
        assert_eq!(number(growth, "/fewest_steps"), 10.0);
        assert_eq!(number(growth, "/most_steps"), 1000.0);
        // A hundred times the steps, and not a twentieth more memory: buffers that other threads
        // give back a little later.
        let share = number(growth, "/growth");
        assert!(share.abs() < 0.05, "{growth}");
        let peak = |steps| {
            number(
                find(&report["results"], method, Some(steps)),
                "/peak_memory",
            )
        };
        assert_eq!(share, peak(1000) / peak(10) - 1.0);
        assert!(number(find(&report["results"], method, Some(10)), "/free_steps") == 10.0);
    }
    let growth = find(&report["memory_growth"], "bptt", None);
    // The graph keeps at least the state of each step: 138 units of 8 examples in `f32`.
    assert!(
        number(growth, "/bytes_per_step") >= 138.0 * 8.0 * 4.0,
        "{growth}"
    );
    // Structures that grow by doubling, such as hash tables, make steps on the line.
    assert!(number(growth, "/r_squared") > 0.99, "{growth}");
    // A hundred times the steps; what does not depend on them is a few of them.
    assert!(number(growth, "/growth") > 10.0, "{growth}");

    // The steps were taken: a hundred times as many, timed at another moment on a machine that
    // may be busy.
    let free = |steps| {
        let result = find(&report["results"], "eqprop", Some(steps));
        number(result, "/phases/free_phase/median")
    };
    assert!(free(1000) > 10.0 * free(10));
}

#[test]
fn the_table_names_every_figure() {
    let text = Place::new().succeed(&[
        "bench",
        "--preset",
        "digits",
        "--methods",
        "backprop,eqprop,bptt",
        "--steps",
        "10,200",
        "--rounds",
        "1",
    ]);
    for part in [
        "medians of 1 rounds",
        "\ndigits, batch 8, 10 + 6 steps (64-128-10), digits\n  method ",
        "\ndigits, batch 8, 200 + 6 steps (64-128-10), digits\n  method ",
        "ms/step",
        "quartiles",
        "samples/s",
        "x backprop",
        "peak MB",
        "\n  backprop ",
        "\ndigits, batch 8: peak memory from 10 to 200 steps\n",
        "\n  eqprop: flat (",
        " kB per step (+",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let headings = text.matches(": peak memory from").count();
    assert_eq!(headings, 1, "{text}");
    // Columns are aligned: all rows of a table end at the same place.
    let table = text.split("\n\n").nth(1).unwrap();
    let widths: Vec<_> = table
        .lines()
        .skip(1)
        .map(|row| row.chars().count())
        .collect();
    assert_eq!(widths.len(), 4, "{table}");
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    // Backprop is 1.00 times itself.
    let backprop = table.lines().find(|row| row.trim().starts_with("backprop"));
    assert!(backprop.unwrap().contains(" 1.00 "), "{table}");
}

#[test]
fn a_tolerance_ends_phases_early_only_if_asked_for() {
    let place = Place::new();
    let arguments = ["bench", "--preset", "dhn-2h", "--methods", "eqprop"];
    let small = [
        "--set",
        "hidden=[32,32]",
        "--rounds",
        "5",
        "--steps",
        "20000",
    ];
    let arguments = [&arguments[..], &small].concat();
    let free = |report: &Value| number(report, "/results/0/phases/free_phase/median");
    let all = free(&place.json(&arguments));
    let early = free(&place.json(&[&arguments[..], &["--set", "tolerance=0.1"]].concat()));
    // A residual of 0.1 is reached within the first of a thousand checks.
    assert!(early < 0.2 * all, "{early} and {all} seconds");
}

#[test]
fn what_cannot_be_timed_is_refused_before_anything_is() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["--rounds", "0"], &["--rounds must be at least 1", "is 0"]),
        (&["--batch", "8,0"], &["--batch must be at least 1", "is 0"]),
        (&["--steps", "0"], &["--steps must be at least 1", "is 0"]),
        (&["--rounds", "many"], &["'many'", "--rounds"]),
        (&["--methods", "eqprop,bp"], &["`bp`", "eqprop, cep, pep"]),
        (&["--methods", ""], &["unknown method ``", "backprop"]),
        (&["--preset", "digit"], &["`digit`", "digits, paper-1h"]),
        (&["--device", "tpu"], &["`tpu`", "flex, ndarray, wgpu"]),
        (&["--set", "betta=1"], &["`betta`", "batch_size, beta"]),
        (
            // The digits could; nothing is timed for them either.
            &["--methods", "exact", "--preset", "digits,dhn-1h"],
            &["exact on dhn-1h", "1000 units", "1034", "use rbp"],
        ),
        (
            &[
                "--preset",
                "paper-1h,paper-2h",
                "--set",
                "learning_rates=[1,1]",
            ],
            &["preset paper-2h", "3 here, but has 2"],
        ),
        (
            &["--batch", "8,1000000000000000"],
            &["batch_size", "at most 4294967295", "1000000000000000"],
        ),
    ];
    for (arguments, expected) in cases {
        place.refuse(&[&["bench"], arguments].concat(), expected);
        let outcome = place.run(&[&["bench"], arguments].concat());
        assert!(!outcome.stderr.contains("timing "), "{outcome:#?}");
    }
    let arguments = ["bench", "--preset", "digits", "--methods", "nep"];
    let one_sided = ["--set", "nudging=one_sided", "--set", "beta=2"];
    place.refuse(
        &[&arguments[..], &one_sided].concat(),
        &["nep on digits", "beta = -2", "use beta > -1"],
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_measurement_prints_what_it_has_and_says_what_is_missing() {
    interrupt("-INT");
    interrupt("-TERM");
}

#[cfg(unix)]
fn interrupt(name: &str) {
    let place = Place::new();
    // The second setting takes a hundred times as long as the first.
    let mut child = place.start(&[
        "bench",
        "--preset",
        "digits",
        "--methods",
        "eqprop",
        "--steps",
        "100,20000,20001",
        "--rounds",
        "10",
        "--json",
    ]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("timing digits, batch 8, 20000 + 6 steps") {
        let n_bytes = stderr.read_line(&mut said).unwrap();
        assert!(n_bytes > 0, "ended: {said}");
    }
    signal(&child, name);
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("timing digits, batch 8, 20001"), "{said}");
    let error = "error: interrupted; not measured: digits, batch 8, 20000 + 6 steps; \
                 digits, batch 8, 20001 + 6 steps\n";
    assert!(said.ends_with(error), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["free_steps"], 100);
}

#[test]
fn relaxations_are_compared_by_steps_and_time_to_a_residual() {
    let arguments = [
        "bench",
        "--relaxations",
        "--preset",
        "digits",
        "--batch",
        "4,16",
    ];
    let more = ["--rounds", "2", "--epochs", "1", "--set", "n_train=100"];
    let report = Place::new().json(&[&arguments[..], &more].concat());
    assert_eq!(
        (&report["rounds"], &report["epochs"]),
        (&2.into(), &1.into())
    );
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "two batch sizes");
    for (result, batch_size) in results.iter().zip([4, 16]) {
        assert_eq!(
            (&result["preset"], &result["batch_size"]),
            (&"digits".into(), &batch_size.into())
        );
        assert_eq!(result["max_steps"], 5 * 15);
        let relaxations = result["relaxations"].as_array().unwrap();
        assert_eq!(relaxations.len(), 5, "five dynamics");
        for relaxation in relaxations {
            let seconds = number(relaxation, "/step/median");
            assert!(seconds > 0.0, "{relaxation}");
            let reached = relaxation["reached"].as_array().unwrap();
            let residuals = reached.iter().map(|reached| number(reached, "/residual"));
            assert_eq!(residuals.collect::<Vec<_>>(), [1e-2, 1e-3, 1e-4, 1e-6]);
            let mut before = 0.0;
            for reached in &reached[..3] {
                let (half, all) = (number(reached, "/half"), number(reached, "/all"));
                assert!(before <= all && half <= all, "{relaxation}");
                assert_eq!(number(reached, "/seconds"), all * seconds);
                before = all;
            }
        }
        let steps = |dynamics: usize| number(&relaxations[dynamics], "/reached/2/all");
        let [asynchronous, fixed_point, _, anderson, _] = [0, 1, 2, 3, 4].map(steps);
        assert!(
            anderson <= asynchronous && 2.0 * anderson <= fixed_point,
            "{result}"
        );
    }
}

#[test]
fn options_of_relaxations_and_of_methods_exclude_each_other() {
    let place = Place::new();
    place.refuse(
        &["bench", "--relaxations", "--methods", "eqprop"],
        &["--relaxations", "--methods"],
    );
    place.refuse(&["bench", "--epochs", "2"], &["--relaxations"]);
    place.refuse(
        &["bench", "--relaxations", "--baseline", "before.json"],
        &["--relaxations", "--baseline"],
    );
    place.refuse(
        &[
            "bench",
            "--relaxations",
            "--preset",
            "digits",
            "--batch",
            "99999",
        ],
        &["99999", "lower --batch"],
    );
}

#[test]
fn a_baseline_is_compared_with_and_fails_what_has_become_slower() {
    let place = Place::new();
    let options = ["--preset", "digits", "--methods", "eqprop", "--rounds", "3"];
    let bench = [&["bench"], &options[..]].concat();
    let mut report = place.json(&bench);
    assert!(report["results"][0]["ratio_to_baseline"].is_null());
    assert_eq!(report["results"][0]["inputs"], "examples");
    let median = number(&report["results"][0], "/step/median");

    let mut compare = |factor: f64| {
        report["results"][0]["step"]["median"] = (median * factor).into();
        fs::write(place.path("before.json"), report.to_string()).unwrap();
        let outcome = place.run(&[&bench[..], &["--baseline", "before.json"]].concat());
        assert!(outcome.stdout.contains("x baseline"), "{outcome:#?}");
        outcome
    };
    // A hundred times: more than any other work on the machine makes.
    let slower = compare(0.01);
    assert_eq!(slower.code, Some(1));
    for part in ["slower than the baseline", "eqprop on digits, batch 8"] {
        assert!(slower.stderr.contains(part), "{}", slower.stderr);
    }
    compare(100.0).succeeded();

    fs::write(place.path("before.json"), "{}").unwrap();
    let with_baseline = ["bench", "--baseline", "before.json"];
    place.refuse(
        &with_baseline,
        &["before.json is no baseline", "bench --json"],
    );
    let absent = ["bench", "--baseline", "absent.json"];
    place.refuse(&absent, &["cannot read the baseline absent.json"]);
}
