//! Reports that cannot be written, and several processes at once.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::place::{Outcome, Place};

const COMPARE: [&str; 9] = [
    "compare",
    "--set",
    "n_train=200",
    "--methods",
    "eqprop,backprop",
    "--seeds",
    "2",
    "--epochs",
    "6",
];

/// Waits until `path` exists.
fn wait_for(child: &mut Child, path: &Path) {
    while !path.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "ended before {path:?} was there"
        );
        sleep(Duration::from_millis(1));
    }
}

/// Expects the whole table on standard output, and an error that names each of `expected`.
#[track_caller]
fn assert_table(outcome: &Outcome, expected: &[&str]) {
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let line = |method: &str| {
        let mut lines = outcome.stdout.lines();
        lines
            .find(|line| line.starts_with(method))
            .unwrap_or_else(|| panic!("{outcome:#?}"))
    };
    for method in ["eqprop", "backprop"] {
        assert!(line(method).contains('±'), "{outcome:#?}");
    }
    let errors = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error:"));
    let errors: Vec<&str> = errors.collect();
    assert_eq!(errors.len(), 1, "{outcome:#?}");
    for part in expected {
        assert!(errors[0].contains(part), "{part}: {outcome:#?}");
    }
}

#[test]
fn a_report_folder_that_is_taken_away_costs_no_result() {
    let changes: [fn(&Path); 3] = [
        |_| {},
        |path| fs::write(path, "mine").unwrap(),
        |path| fs::create_dir(path).unwrap(),
    ];
    for change in changes {
        let place = Place::new();
        let report = place.path("out");
        let mut child = place.start(&[&COMPARE[..], &["--report", "out"]].concat());
        wait_for(&mut child, &report.join("results.json"));
        fs::rename(&report, place.path("away")).unwrap();
        change(&report);
        let expected = [
            "`out/results.json`",
            "everything is in `runs/compare-digits`",
        ];
        assert_table(&Outcome::end(child), &expected);
        // Nothing was put where something else is now.
        assert!(!report.join("results.json").exists());
        let rescued = place.path("runs/compare-digits");
        let results = fs::read(rescued.join("results.json")).unwrap();
        let results: Value = serde_json::from_slice(&results).unwrap();
        assert_eq!(results["missing"], serde_json::json!([]));
        assert!(rescued.join("report.html").is_file());
    }
}

/// Runs the program in a shell that limits each file to `blocks` blocks of 512 bytes (or of 1024).
#[cfg(unix)]
fn limited(place: &Place, blocks: &str, arguments: &[&str]) -> Command {
    let command = place.command(arguments);
    let mut shell = Command::new("sh");
    let program = command.get_program().to_owned();
    shell.arg("-c");
    shell.arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""));
    shell.arg("sh").arg(program).args(arguments);
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_table() {
    let place = Place::new();
    let arguments = [&COMPARE[..], &["--report", "out"]].concat();
    let outcome = Outcome::of(limited(&place, "16", &arguments));
    assert_table(&outcome, &["cannot write `out/results.json`"]);
    // Earlier files are complete, and the comparison can be resumed once there is space.
    assert!(!place.path("runs/compare-digits").exists());
    place.succeed(&["compare", "--resume", "--report", "out"]);
}

#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_examination() {
    let place = Place::new();
    let arguments = [
        "fidelity",
        "--epochs",
        "0",
        "--batches",
        "1",
        "--batch",
        "10",
        "--report",
        "out",
    ];
    let outcome = Outcome::of(limited(&place, "2", &arguments));
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stdout.contains("weights 1"), "{outcome:#?}");
    assert!(
        outcome.stderr.contains("error: cannot write `out/"),
        "{outcome:#?}"
    );
    for entry in fs::read_dir(place.path("out")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(
            !name.to_string_lossy().starts_with(".writing-"),
            "{name:?} is left"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_ends_no_report_in_silence() {
    let place = Place::new();
    let redirected = |to: &str, arguments: &[&str]| {
        let command = place.command(arguments);
        let mut shell = Command::new("sh");
        let program = command.get_program().to_owned();
        shell
            .args(["-c", &format!("exec \"$@\" {to}"), "sh"])
            .arg(program)
            .args(arguments);
        shell.current_dir(command.get_current_dir().unwrap());
        Outcome::of(shell)
    };
    let compare = [&COMPARE[..8], &["1"]].concat();
    let fidelity = [
        "fidelity",
        "--epochs",
        "0",
        "--batches",
        "1",
        "--batch",
        "10",
    ];
    let bench = [
        "bench",
        "--preset",
        "digits",
        "--methods",
        "eqprop",
        "--rounds",
        "1",
    ];
    for arguments in [&compare[..], &fidelity, &bench] {
        redirected(">/dev/full", arguments).failed(&["cannot write the result to standard output"]);
        // Nobody reads what is said in between: the work goes on.
        redirected("2>/dev/full", arguments).succeeded();
    }
}

#[test]
fn a_report_folder_has_one_writer() {
    let place = Place::new();
    let long = [&COMPARE[..8], &["100000", "--report", "out"]].concat();
    let mut first = place.start(&long);
    wait_for(&mut first, &place.path("out/results.json"));
    let writing = ["`out` is being written by another eqprop process"];
    place
        .run(&["compare", "--resume", "--report", "out"])
        .failed(&writing);
    place
        .run(&["fidelity", "--epochs", "0", "--report", "out"])
        .failed(&writing);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a dead process does not block.
    place.succeed(&[
        "fidelity",
        "--epochs",
        "0",
        "--batches",
        "1",
        "--batch",
        "10",
        "--report",
        "out",
    ]);
}

#[test]
fn two_comparisons_at_once_do_not_meet() {
    let place = Place::new();
    let quick = [&COMPARE[..8], &["1"]].concat();
    // Without a name each has a folder of its own.
    let children = [0, 1].map(|_| place.start(&quick));
    for child in children {
        Outcome::end(child).succeeded();
    }
    for name in ["compare-digits", "compare-digits-2"] {
        assert!(
            place.path("runs").join(name).join("results.json").is_file(),
            "{name}"
        );
    }
    // With one name one of them gets it.
    for round in 0..5 {
        let report = format!("out-{round}");
        let arguments = [&quick[..], &["--report", &report]].concat();
        let children = [0, 1].map(|_| place.start(&arguments));
        let outcomes = children.map(Outcome::end);
        let n_ended = outcomes
            .iter()
            .filter(|outcome| outcome.code == Some(0))
            .count();
        assert_eq!(n_ended, 1, "{outcomes:#?}");
        let refused = outcomes
            .into_iter()
            .find(|outcome| outcome.code != Some(0))
            .unwrap();
        let why = [
            "is being written by another eqprop process",
            "is there already",
        ];
        assert!(
            why.iter().any(|why| refused.stderr.contains(why)),
            "{refused:#?}"
        );
        let results = fs::read(place.path(&report).join("results.json")).unwrap();
        let results: Value = serde_json::from_slice(&results).unwrap();
        assert_eq!(results["missing"], serde_json::json!([]));
    }
}

#[test]
fn a_validation_error_is_never_called_a_test_error() {
    let place = Place::new();
    let arguments = [
        &COMPARE[..],
        &["--set", "n_validation=50", "--report", "out"],
    ]
    .concat();
    let outcome = place.run(&arguments).succeeded();
    for part in ["validation error", "test error", "% (validation)"] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
    let last = outcome
        .stderr
        .lines()
        .find(|line| line.contains("epoch   6/6"))
        .unwrap();
    assert!(
        last.contains("validation error") && last.contains("test error"),
        "{last}"
    );
    let results = fs::read(place.path("out/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    for summary in results["summary"].as_array().unwrap() {
        let mean = |name: &str| summary[name]["mean"].as_f64().unwrap();
        // 50 examples, 360 examples: shares of one are seldom shares of the other.
        let is_share =
            |share: f64, n: f64| ((2.0 * share * n).round() - 2.0 * share * n).abs() < 1e-9;
        assert!(is_share(mean("validation_error"), 50.0), "{summary}");
        assert!(is_share(mean("test_error"), 360.0), "{summary}");
    }
    let csv = fs::read_to_string(place.path("out/results.csv")).unwrap();
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .contains("validation_error,test_error")
    );
    let page = fs::read_to_string(place.path("out/report.html")).unwrap();
    for part in [
        "Validation error against time",
        "lowest validation error",
        "<th>validation error",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("Test error against time"));
}
