//! Files that the program writes over others.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::place::{Outcome, Place, QUICK};

fn trained() -> Place {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run", "--set", "hidden=[4]"]].concat());
    place
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn only_files_are_replaced_by_an_export() {
    let place = trained();
    fifo(&place.path("fifo"));
    symlink("fifo", place.path("link")).unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    for (target, found) in [
        ("fifo", "a named pipe"),
        ("link", "a named pipe"),
        ("folder", "a folder"),
        ("/dev/null", "a device"),
        ("/dev/stdout", "a named pipe"),
    ] {
        let outcome = place.run(&["export", "run", target]);
        outcome.failed(&[target, found, "name a file"]);
    }
    assert!(
        fs::metadata(place.path("fifo"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    let null = fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());
}

#[test]
fn an_export_through_a_link_replaces_its_target() {
    let place = trained();
    symlink("target", place.path("link")).unwrap();
    for _ in 0..2 {
        place.succeed(&["export", "run", "link"]);
        assert!(place.path("link").is_symlink());
        assert!(!place.path("target").is_symlink());
        assert!(fs::metadata(place.path("target")).unwrap().len() > 0);
    }
    place.succeed(&["import", "link", "--run", "copy"]);
}

#[test]
fn a_write_protected_file_is_not_replaced() {
    let place = trained();
    fs::write(place.path("kept"), "mine").unwrap();
    fs::set_permissions(place.path("kept"), fs::Permissions::from_mode(0o444)).unwrap();
    place.refuse(
        &["export", "run", "kept"],
        &["`kept`", "may not be written", "change its permissions"],
    );
    // Pictures and reports are written in the same way.
    let picture = place.path("run/relax-energy.svg");
    fs::write(&picture, "mine").unwrap();
    fs::set_permissions(&picture, fs::Permissions::from_mode(0o444)).unwrap();
    place.refuse(
        &["relax", "run"],
        &["relax-energy.svg", "may not be written"],
    );
    fs::create_dir(place.path("report")).unwrap();
    fifo(&place.path("report/fidelity.json"));
    let outcome = place.run(&[
        "fidelity",
        "--run",
        "run",
        "--batch",
        "10",
        "--batches",
        "1",
        "--report",
        "report",
    ]);
    // The results are still printed.
    assert!(outcome.stdout.starts_with("run ("), "{outcome:#?}");
    let stdout = String::new();
    Outcome { stdout, ..outcome }.failed(&["fidelity.json", "a named pipe"]);
}

#[test]
fn what_is_written_obeys_the_umask_or_keeps_its_permissions() {
    let place = trained();
    let with_umask = |umask: &str, arguments: &[&str]| {
        let program = place.command(&[]).get_program().to_owned();
        let mut command = place.command(&[]);
        let shell = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut shelled = Command::new("sh");
        shelled.arg("-c").arg(shell).arg(program).args(arguments);
        shelled.current_dir(command.get_current_dir().unwrap());
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                shelled.env(key, value);
            }
        }
        command = shelled;
        Outcome::of(command).succeeded();
    };
    for (umask, expected) in [("077", 0o600), ("027", 0o640), ("002", 0o664)] {
        let file = format!("weights-{umask}");
        with_umask(umask, &["export", "run", &file]);
        assert_eq!(mode(&place.path(&file)), expected);
        let run = format!("run-{umask}");
        with_umask(umask, &["import", &file, "--run", &run]);
        for name in ["config.json", "model.bpk"] {
            assert_eq!(mode(&place.path(&run).join(name)), expected, "{name}");
        }
    }
    let replaced = place.path("weights-077");
    fs::set_permissions(&replaced, fs::Permissions::from_mode(0o604)).unwrap();
    with_umask("022", &["export", "run", "weights-077"]);
    assert_eq!(mode(&replaced), 0o604);
}
