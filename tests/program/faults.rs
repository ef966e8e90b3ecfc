//! Faults while a command writes: no space, a lost folder, a kill. Complete files stay, the message says what
//! could not be written, and the same command works once the fault is gone.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::place::{Contents, Outcome, Place};

/// A training of half a second with every kind of state; add `--run` and `--epochs`.
const TRAIN: [&str; 9] = [
    "train",
    "--set",
    "n_train=120",
    "--set",
    "hidden=[24]",
    "--set",
    "start=particles",
    "--set",
    "momentum=0.5",
];

/// The largest file size, in blocks of 512 bytes: from no byte at all to more than the largest file of a run.
/// Between these, each file of a run is the first one to be cut off.
const BLOCKS: [u32; 10] = [0, 1, 3, 5, 8, 13, 20, 40, 60, 80];

/// Returns the program with `arguments`, started by a shell after `script`.
fn after(place: &Place, script: &str, arguments: &[&str]) -> Command {
    let program = place.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{script} exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Runs the program with a limit on the size of files: further writes fail as on a full disk.
fn with_space(place: &Place, blocks: u32, arguments: &[&str]) -> Outcome {
    let script = format!("trap '' XFSZ; ulimit -f {blocks};");
    Outcome::of(after(place, &script, arguments))
}

fn train<'a>(run: &'a str, epochs: &'a str) -> Vec<&'a str> {
    [&TRAIN[..], &["--run", run, "--epochs", epochs]].concat()
}

/// Evaluates a run: every number that does not depend on the clock.
fn learned(place: &Place, run: &str) -> Value {
    let mut result = place.json(&["evaluate", run]);
    result["run"] = Value::Null;
    result
}

/// Returns the bytes of a safetensors file in sorted order, because each export writes the texts of its
/// header in a different order.
fn sorted(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes.sort_unstable();
    bytes
}

/// Expects that no unfinished file or folder is left.
#[track_caller]
fn assert_tidy(contents: &Contents) {
    let half = |path: &&std::path::PathBuf| path.to_string_lossy().contains(".writing-");
    let left: Vec<_> = contents.keys().filter(half).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Kills the program at each of many moments; `check` examines what is left.
fn kill_at_every_moment(place: &Place, arguments: &[&str], mut check: impl FnMut(Duration)) {
    for moment in (0..60).map(|half| Duration::from_micros(500 * half)) {
        let mut command = place.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        sleep(moment);
        // On Unix this is SIGKILL: the program cannot tidy up.
        child.kill().unwrap();
        child.wait().unwrap();
        check(moment);
    }
}

// ------------------------------------------------------------------------------------- no space

#[test]
fn a_training_without_space_says_so_and_goes_on_when_there_is_some() {
    let place = Place::new();
    place.succeed(&train("whole", "2"));
    let whole = learned(&place, "whole");
    let mut n_failed = 0;
    for blocks in BLOCKS {
        let run = format!("run-{blocks}");
        let outcome = with_space(&place, blocks, &train(&run, "2"));
        if outcome.code != Some(0) {
            n_failed += 1;
            outcome.failed(&["cannot write", &run, "space left"]);
        }
        assert_tidy(&place.contents());
        if place.path(&run).join("config.json").is_file() {
            place.succeed(&["train", "--resume", "--run", &run]);
        } else {
            place.succeed(&train(&run, "2"));
        }
        assert_eq!(learned(&place, &run), whole, "{blocks} blocks");
    }
    let n = BLOCKS.len();
    assert!(n_failed > n / 2 && n_failed < n, "{n_failed} of {n} failed");
}

#[test]
fn a_resumed_training_without_space_keeps_its_last_checkpoint() {
    let place = Place::new();
    place.succeed(&train("whole", "4"));
    let whole = learned(&place, "whole");
    for blocks in [0, 3, 8, 20] {
        let run = format!("run-{blocks}");
        place.succeed(&train(&run, "2"));
        let more = ["train", "--resume", "--run", &run, "--epochs", "4"];
        let outcome = with_space(&place, blocks, &more);
        outcome.failed(&["cannot write", &run, "space left"]);
        assert_tidy(&place.contents());
        // The model is whole, be it that of the epoch before or a later one.
        learned(&place, &run);
        place.succeed(&more);
        assert_eq!(learned(&place, &run), whole, "{blocks} blocks");
    }
}

#[test]
fn an_export_without_space_leaves_the_older_file() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&["export", "run", "whole.safetensors"]);
    let whole = sorted(&place.path("whole.safetensors"));
    fs::write(place.path("old.safetensors"), "mine").unwrap();
    for blocks in [0, 1, 5, 10] {
        for name in ["old.safetensors", "new.safetensors"] {
            let outcome = with_space(&place, blocks, &["export", "run", name]);
            outcome.failed(&["cannot write", name]);
        }
        assert_tidy(&place.contents());
        assert_eq!(fs::read(place.path("old.safetensors")).unwrap(), b"mine");
        assert!(!place.path("new.safetensors").exists());
    }
    place.succeed(&["export", "run", "old.safetensors"]);
    assert!(sorted(&place.path("old.safetensors")) == whole);
}

#[test]
fn an_import_without_space_makes_no_half_run() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&["export", "run", "weights.safetensors"]);
    let expected = learned(&place, "run");
    let mut n_failed = 0;
    for blocks in BLOCKS {
        let run = format!("run-{blocks}");
        let import = ["import", "weights.safetensors", "--run", &run];
        let outcome = with_space(&place, blocks, &import);
        if outcome.code != Some(0) {
            n_failed += 1;
            outcome.failed(&["cannot write", &run, "space left"]);
            assert!(!place.path(&run).join("config.json").exists());
            // The folder is not a run, and nothing in it is overwritten.
            let other = format!("{run}-again");
            place.succeed(&["import", "weights.safetensors", "--run", &other]);
            assert_eq!(learned(&place, &other), expected);
        } else {
            assert_eq!(learned(&place, &run), expected);
        }
        assert_tidy(&place.contents());
    }
    let n = BLOCKS.len();
    assert!(n_failed > n / 2 && n_failed < n, "{n_failed} of {n} failed");
}

#[test]
fn pictures_without_space_leave_the_older_ones() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    fs::create_dir(place.path("out")).unwrap();
    let pictures = ["out/relax-energy.svg", "out/relax-states.svg"];
    for picture in pictures {
        fs::write(place.path(picture), "mine").unwrap();
    }
    let relax = ["relax", "run", "--out", "out"];
    for blocks in [0, 1, 3] {
        let outcome = with_space(&place, blocks, &relax);
        outcome.failed(&["cannot write", pictures[0]]);
        assert_tidy(&place.contents());
        for picture in pictures {
            assert_eq!(fs::read(place.path(picture)).unwrap(), b"mine");
        }
    }
    place.succeed(&relax);
}

#[test]
fn results_that_cannot_be_printed_are_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let place = Place::new();
    place.succeed(&train("run", "1"));
    image::GrayImage::from_pixel(8, 8, image::Luma([90]))
        .save(place.path("image.png"))
        .unwrap();
    let commands: [&[&str]; 6] = [
        &["evaluate", "run", "--json"],
        &["evaluate", "run"],
        &["predict", "run", "image.png", "--json"],
        &["relax", "run", "--json"],
        &["export", "run", "weights.safetensors", "--json"],
        &["presets"],
    ];
    for arguments in commands {
        let outcome = Outcome::of(after(&place, "exec >/dev/full;", arguments));
        outcome.failed(&["standard output"]);
    }
    // Nobody reads what is said of the progress: the training is no worse for it.
    let mut training = after(&place, "exec 2>/dev/full;", &train("other", "1"));
    let status = training.stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    assert_eq!(learned(&place, "other"), learned(&place, "run"));
}

// ------------------------------------------------------------------------------- a place is lost

/// Starts a long training, moves its folder away after an epoch, and returns its message.
fn lose_folder(place: &Place, instead: impl Fn(&Path)) -> String {
    let mut command = place.command(&train("run", "4000"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let run = place.path("run");
    while !run.join("summary.json").exists() {
        sleep(Duration::from_millis(1));
    }
    fs::rename(&run, place.path("aside")).unwrap();
    instead(&run);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// Resumes, in its new location, a training whose folder was lost.
fn go_on_aside(place: &Place) {
    let summary = fs::read(place.path("aside/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let epochs = (summary["epochs"].as_u64().unwrap() + 3).to_string();
    let resume = ["train", "--resume", "--run", "aside", "--epochs", &epochs];
    place.succeed(&resume);
    place.succeed(&train("whole", &epochs));
    assert_eq!(learned(place, "aside"), learned(place, "whole"));
}

#[test]
fn a_training_whose_folder_is_taken_away_says_so() {
    let place = Place::new();
    let stderr = lose_folder(&place, |_| ());
    assert!(stderr.contains("error: cannot"), "{stderr}");
    assert!(stderr.contains("`run"), "{stderr}");
    assert!(!place.path("run").exists());
    go_on_aside(&place);
}

#[test]
fn a_training_whose_folder_becomes_a_file_says_so_and_leaves_the_file() {
    let place = Place::new();
    let stderr = lose_folder(&place, |run| fs::write(run, "mine").unwrap());
    assert!(stderr.contains("error: cannot"), "{stderr}");
    assert!(stderr.contains("`run"), "{stderr}");
    assert_eq!(fs::read(place.path("run")).unwrap(), b"mine");
    go_on_aside(&place);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_named_and_left() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&train("whole", "2"));
    for name in ["model.bpk", "metrics.csv", "curves.svg", "summary.json"] {
        let file = place.path("run").join(name);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        fs::write(file.join("mine"), "mine").unwrap();
        let more = ["train", "--resume", "--run", "run", "--epochs", "2"];
        place
            .run(&more)
            .failed(&["cannot write", &format!("run/{name}")]);
        assert_tidy(&place.contents());
        assert_eq!(fs::read(file.join("mine")).unwrap(), b"mine");
        fs::remove_dir_all(&file).unwrap();
        place.succeed(&more);
        assert_eq!(learned(&place, "run"), learned(&place, "whole"));
    }
    fs::create_dir(place.path("weights")).unwrap();
    place.refuse(
        &["export", "run", "weights"],
        &["cannot write", "`weights`"],
    );
    fs::create_dir_all(place.path("out/relax-energy.svg")).unwrap();
    let relax = ["relax", "run", "--out", "out"];
    place.refuse(&relax, &["cannot write", "out/relax-energy.svg"]);
    place.refuse(
        &["export", "run", "missing/weights"],
        &["cannot write", "missing/weights"],
    );
}

#[test]
fn a_folder_that_may_not_be_written_is_named_and_left() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.succeed(&train("run", "1"));
    fs::create_dir(place.path("locked")).unwrap();
    let set = |name: &str, mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(place.path(name), mode).unwrap();
    };
    set("locked", 0o500);
    if fs::write(place.path("locked/probe"), "").is_ok() {
        // The administrator may write everywhere.
        return;
    }
    set("run", 0o500);
    let more = ["train", "--resume", "--run", "run", "--epochs", "2"];
    let cases: [(&[&str], &str); 4] = [
        (&["export", "run", "locked/weights"], "locked/weights"),
        (
            &["relax", "run", "--out", "locked"],
            "locked/relax-energy.svg",
        ),
        (&["train", "--run", "locked/run"], "locked/run"),
        (&more, "run"),
    ];
    for (arguments, name) in cases {
        place.refuse(arguments, &["cannot", name]);
    }
    set("run", 0o700);
    set("locked", 0o700);
    place.succeed(&more);
}

// ----------------------------------------------------------------------------------------- kills

#[test]
fn an_export_that_is_killed_leaves_the_older_file_or_the_new_one() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&["export", "run", "whole"]);
    let whole = sorted(&place.path("whole"));
    let file = place.path("weights");
    fs::write(&file, "mine").unwrap();
    let mut n_written = 0;
    kill_at_every_moment(&place, &["export", "run", "weights"], |moment| {
        if fs::read(&file).unwrap() != b"mine" {
            n_written += 1;
            assert!(sorted(&file) == whole, "after {moment:?}");
            fs::write(&file, "mine").unwrap();
        }
    });
    // Leftovers of the kills do not disturb later runs.
    place.succeed(&["export", "run", "weights"]);
    assert!(sorted(&file) == whole);
    assert!(n_written > 0, "every kill came before the end");
}

#[test]
fn an_import_that_is_killed_leaves_a_whole_run_or_none() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&["export", "run", "weights"]);
    let expected = learned(&place, "run");
    let import = ["import", "weights", "--run", "new"];
    kill_at_every_moment(&place, &import, |moment| {
        if place.path("new/config.json").exists() {
            assert_eq!(learned(&place, "new"), expected, "after {moment:?}");
        }
        let _ = fs::remove_dir_all(place.path("new"));
    });
    place.succeed(&import);
    assert_eq!(learned(&place, "new"), expected);
}

#[test]
fn pictures_whose_command_is_killed_are_whole_or_absent() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    place.succeed(&["relax", "run", "--out", "whole"]);
    let relax = ["relax", "run", "--out", "out"];
    kill_at_every_moment(&place, &relax, |moment| {
        for name in ["relax-energy.svg", "relax-states.svg"] {
            let whole = fs::read(place.path("whole").join(name)).unwrap();
            if let Ok(found) = fs::read(place.path("out").join(name)) {
                assert!(found == whole, "{name} after {moment:?}");
            }
        }
        let _ = fs::remove_dir_all(place.path("out"));
    });
    place.succeed(&relax);
}
