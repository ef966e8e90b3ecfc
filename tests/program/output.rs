//! Standard output and standard error that are closed or full.

use std::fs::{self, OpenOptions};
use std::process::{Command, Stdio};

use crate::place::{Place, QUICK};

/// A pipe that nobody reads from.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A file that is always full.
fn full() -> Stdio {
    let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    file.into()
}

/// Exit code, standard output and standard error, as far as they are not redirected.
fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Commands that end immediately.
const SHORT: [&[&str]; 7] = [
    &["presets"],
    &["presets", "dchn", "--json"],
    &["devices"],
    &["--help"],
    &["train", "--help"],
    &["--version"],
    &[
        "bench",
        "--preset",
        "digits",
        "--rounds",
        "1",
        "--set",
        "hidden=[4]",
    ],
];

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    for arguments in SHORT {
        let mut command = place.command(arguments);
        command.stdout(closed());
        let (code, _, stderr) = outcome(command);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        assert!(
            !stderr.contains("panicked") && !stderr.contains("error"),
            "{stderr}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    for arguments in SHORT {
        let mut command = place.command(arguments);
        command.stdout(full());
        let (code, _, stderr) = outcome(command);
        assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
        let expected = "error: cannot write the result to standard output: No space left";
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_training_goes_on_without_standard_error() {
    let place = Place::new();
    let sinks: [fn() -> Stdio; 2] = [closed, full];
    for (index, sink) in sinks.into_iter().enumerate() {
        let run = format!("run-{index}");
        let mut command = place.command(&[&QUICK[..], &["--run", &run]].concat());
        command.stderr(sink());
        let (code, stdout, _) = outcome(command);
        assert_eq!(code, Some(0));
        assert!(stdout.contains("after 2 epochs"), "{stdout}");
        let metrics = fs::read_to_string(place.path(&run).join("metrics.csv")).unwrap();
        assert_eq!(metrics.lines().count(), 3);

        let mut command = place.command(&["compare", "--methods", "backprop", "--seeds", "1"]);
        command.args(["--epochs", "1", "--report", &format!("report-{index}")]);
        command.args(["--set", "n_train=40"]).stderr(sink());
        let (code, stdout, _) = outcome(command);
        assert_eq!(code, Some(0));
        assert!(stdout.contains("backprop"), "{stdout}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_training_whose_output_nobody_reads_is_finished() {
    let place = Place::new();
    let mut command = place.command(&[&QUICK[..], &["--run", "run"]].concat());
    command.stdout(closed()).stderr(closed());
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(place.path("run/checkpoint-000002").is_dir());
    assert!(place.path("run/summary.json").is_file());
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_refused_has_its_exit_code_also_where_nobody_is_told() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["evaluate", "missing"][..], 1),
        (&["train", "--set", "beta=0"], 1),
        (&["train", "--no-such"], 2),
        (&["presets", "no-such"], 2),
    ] {
        for sink in [closed, full] {
            let mut command = place.command(arguments);
            command.stderr(sink());
            let (code, stdout, _) = outcome(command);
            assert_eq!(
                (code, stdout.as_str()),
                (Some(expected), ""),
                "{arguments:?}"
            );
        }
    }
}
