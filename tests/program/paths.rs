//! Files and folders whose names are not UTF-8, which Unix allows.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::place::{Outcome, Place};

fn odd(name: &str) -> OsString {
    OsStr::from_bytes(&[name.as_bytes(), b"\xff"].concat()).to_owned()
}

/// Runs a command with text and with JSON output; `%` before an argument stands for an odd name.
#[track_caller]
fn both(place: &Place, arguments: &[&str], fresh: &dyn Fn()) -> Value {
    let mut said = Value::Null;
    for json in [false, true] {
        let mut command = place.command(&[]);
        for argument in arguments {
            match argument.strip_prefix('%') {
                Some(name) => command.arg(odd(name)),
                None => command.arg(argument),
            };
        }
        if json {
            command.arg("--json");
        }
        let outcome = Outcome::of(command).succeeded();
        if json {
            said = serde_json::from_str(&outcome.stdout).unwrap();
        } else {
            fresh();
        }
    }
    said
}

#[test]
fn every_command_takes_names_that_are_not_utf8() {
    let place = Place::new();
    let folder = |name: &str| place.path("").join(odd(name));
    let remove = |name: &str| {
        let path = folder(name);
        move || {
            let _ = fs::remove_dir_all(&path);
        }
    };
    let small = [
        "--set",
        "hidden=[4]",
        "--set",
        "n_train=40",
        "--epochs",
        "1",
    ];
    let train = [&["train"], &small[..], &["--run", "%run"]].concat();
    let summary = both(&place, &train, &remove("run"));
    assert!(summary["run"].as_str().unwrap().starts_with("run"));
    let nothing = || ();
    both(
        &place,
        &["train", "--resume", "--run", "%run", "--epochs", "2"],
        &nothing,
    );
    both(&place, &["evaluate", "%run"], &nothing);
    both(&place, &["relax", "%run", "--out", "%pictures"], &nothing);
    assert!(folder("pictures").join("relax-energy.svg").is_file());
    both(&place, &["export", "%run", "%weights"], &nothing);
    both(
        &place,
        &["import", "%weights", "--run", "%copy"],
        &remove("copy"),
    );
    // The name of the run is that of the file.
    both(&place, &["import", "%weights"], &nothing);
    image::GrayImage::new(8, 8)
        .save(place.path("image.png"))
        .unwrap();
    fs::rename(place.path("image.png"), folder("image.png")).unwrap();
    both(&place, &["predict", "%run", "%image.png"], &nothing);
    let examined = [
        "fidelity",
        "--run",
        "%run",
        "--batch",
        "10",
        "--batches",
        "1",
    ];
    let examined = [&examined[..], &["--report", "%fidelity"]].concat();
    let report = both(&place, &examined, &nothing);
    assert!(report["command"].as_str().unwrap().contains("fidelity"));
    let compared = [
        &["compare", "--methods", "backprop", "--seeds", "1"],
        &small[..],
    ]
    .concat();
    let compared = [&compared[..], &["--report", "%report"]].concat();
    both(&place, &compared, &remove("report"));
    assert!(folder("report").join("results.json").is_file());
}

#[test]
fn what_is_not_there_under_such_a_name_is_refused() {
    let place = Place::new();
    let train = ["train", "--dataset", "mnist", "--run", "run", "--data-dir"];
    for (arguments, expected) in [
        (&train[..], "directory"),
        (&["evaluate"], "not a run folder"),
        (&["import", "--preset", "digits"], "cannot read"),
        (&["predict", "run"], "not a run folder"),
        (
            &["bench", "--preset", "digits", "--rounds", "1", "--baseline"],
            "cannot read",
        ),
        (
            &[
                "bench",
                "--preset",
                "paper-1h",
                "--rounds",
                "1",
                "--data-dir",
            ],
            "directory",
        ),
    ] {
        let mut command = place.command(arguments);
        command.arg(odd("missing"));
        Outcome::of(command).failed(&[expected]);
    }
    for arguments in [
        &["train", "--preset"][..],
        &["train", "--set"],
        &["train", "--device"],
    ] {
        let mut command = place.command(arguments);
        command.arg(odd("digits"));
        Outcome::of(command).failed(&["invalid UTF-8"]);
    }
    // Variables as well.
    for variable in ["HOME", "XDG_CACHE_HOME", "EQPROP_DATA", "RAYON_NUM_THREADS"] {
        let mut command = place.command(&train[..5]);
        command.env(variable, odd("/missing"));
        Outcome::of(command).failed(&["mnist"]);
    }
}
