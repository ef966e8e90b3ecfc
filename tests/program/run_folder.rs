//! Run folders: one writer, one data set, one learning-rate schedule.

use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::place::{Outcome, Place, QUICK};

/// Writes the four files of a small data set in MNIST's format; images of class `c` are bright in the rows
/// `c + shift`.
fn write_data(place: &Place, folder: &str, n_train: u32, shift: u32) {
    let folder = place.path(folder);
    fs::create_dir_all(&folder).unwrap();
    let header = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    for (name, n) in [("train", n_train), ("t10k", 20)] {
        let mut images = header(&[2051, n, 28, 28]);
        let mut labels = header(&[2049, n]);
        for index in 0..n {
            let bright = (index + shift) % 10;
            images.extend((0..784).map(|pixel| if pixel / 28 / 2 == bright { 255 } else { 0 }));
            labels.push((index % 10) as u8);
        }
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

const ON_MNIST: [&str; 9] = [
    "train",
    "--dataset",
    "mnist",
    "--set",
    "hidden=[16]",
    "--run",
    "run",
    "--data-dir",
    "data",
];

#[test]
fn a_run_goes_on_with_the_data_that_it_began_with() {
    let place = Place::new();
    write_data(&place, "data", 40, 0);
    write_data(&place, "other", 60, 5);
    place.succeed(&[&ON_MNIST[..], &["--epochs", "1"]].concat());
    let resume = ["train", "--resume", "--run", "run", "--epochs", "2"];
    let with_other = [&resume[..], &["--data-dir", "other"]].concat();
    let advice = [
        "not the data that the run began with",
        "eqprop export run",
        "eqprop import",
    ];
    place.refuse(&with_other, &advice);
    // The same numbers of other images are other data too.
    write_data(&place, "shifted", 40, 1);
    place.refuse(&[&resume[..], &["--data-dir", "shifted"]].concat(), &advice);

    // The run knows its folder; the same data in another place are the same data.
    place.succeed(&resume);
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    let moved = [&resume[..4], &["--epochs", "3", "--data-dir", "moved"]].concat();
    assert_eq!(place.json(&moved)["epochs"], 3);
    place.succeed(&["evaluate", "run"]);
    let said = place
        .run(&["evaluate", "run", "--data-dir", "other"])
        .succeeded()
        .stderr;
    assert!(
        said.contains("not the data that the network was trained on"),
        "{said}"
    );

    // On purpose, as the message says.
    place.succeed(&["export", "run", "weights.safetensors"]);
    place.succeed(&["import", "weights.safetensors", "--run", "new"]);
    place.succeed(&[
        "train",
        "--resume",
        "--run",
        "new",
        "--epochs",
        "1",
        "--data-dir",
        "other",
    ]);
}

#[test]
fn a_cosine_is_not_extended() {
    let place = Place::new();
    let train = [&QUICK[..], &["--set", "schedule=cosine", "--run", "run"]].concat();
    place.succeed(&train);
    let longer = ["train", "--resume", "--run", "run", "--epochs", "4"];
    place.refuse(&longer, &["cosine", "after 2 epochs"]);
    place.succeed(&longer[..4]);
}

#[test]
fn validation_and_test_errors_go_by_their_names() {
    let place = Place::new();
    let train = [&QUICK[..], &["--set", "n_validation=30", "--run", "run"]].concat();
    let text = place.succeed(&train);
    assert!(text.starts_with("validation error "), "{text}");
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(place.path("run/summary.json")).unwrap()).unwrap();
    assert_ne!(summary["validation_error"], summary["test_error"]);
    assert_eq!(
        summary["test_error"],
        place.json(&["evaluate", "run"])["test_error"]
    );
    let picture = fs::read_to_string(place.path("run/curves.svg")).unwrap();
    assert!(picture.contains("validation") && picture.contains("test"));

    // Without validation examples nothing is called so.
    let text = place.succeed(&[&QUICK[..], &["--run", "plain"]].concat());
    assert!(text.starts_with("test error "), "{text}");
    let picture = fs::read_to_string(place.path("plain/curves.svg")).unwrap();
    assert!(!picture.contains("validation"));
}

fn end(child: Child) -> (bool, String) {
    let outcome = Outcome::end(child);
    let said = outcome.stdout + &outcome.stderr;
    (outcome.code == Some(0), said)
}

#[test]
fn of_two_processes_with_one_run_folder_one_trains() {
    let place = Place::new();
    let mut n_refused = 0;
    // More by hand: EQPROP_PAIRS=100.
    let pairs = std::env::var("EQPROP_PAIRS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(10);
    for pair in 0..pairs {
        let run = format!("run-{pair}");
        let train = |seed| [&QUICK[..], &["--run", &run, "--seed", seed, "--json"]].concat();
        let both = ["1", "2"].map(|seed| place.start(&train(seed)));
        let both = both.map(end);
        let (winner, loser) = match &both {
            [(true, said), (false, other)] | [(false, other), (true, said)] => (said, other),
            other => panic!("{other:?}"),
        };
        let is_named = loser.contains(&run)
            && (loser.contains("another eqprop process") || loser.contains("is there already"));
        assert!(is_named, "{loser}");
        n_refused += usize::from(loser.contains("another eqprop process"));
        // The folder holds the complete run of the winner.
        let summary = winner.lines().find(|line| line.starts_with('{')).unwrap();
        let summary: Value = serde_json::from_str(summary).unwrap();
        let stored = fs::read_to_string(place.path(&run).join("summary.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), summary);
        assert_eq!(
            place.json(&["evaluate", &run])["test_error"],
            summary["test_error"]
        );
    }
    assert!(n_refused > 0, "no two processes met");
}

#[test]
fn default_names_do_not_collide() {
    let place = Place::new();
    let all = [(); 6].map(|()| place.start(&QUICK));
    for child in all {
        Outcome::end(child).succeeded();
    }
    assert_eq!(fs::read_dir(place.path("runs")).unwrap().count(), 6);
}

#[test]
fn a_run_that_is_trained_can_be_read_but_not_trained_by_another() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    let resume = ["train", "--resume", "--run", "run", "--epochs", "100000"];
    let mut first = place.start(&resume);
    // It writes the configuration when it has the lock.
    let mut n_looks = 0;
    while !fs::read_to_string(place.path("run/config.json"))
        .unwrap()
        .contains("100000")
    {
        n_looks += 1;
        assert!(n_looks < 1000, "it never begins");
        sleep(Duration::from_millis(20));
    }
    place
        .run(&["train", "--resume", "--run", "run"])
        .failed(&["`run`", "another eqprop process"]);
    place.succeed(&["evaluate", "run"]);
    place.succeed(&["export", "run", "weights.safetensors"]);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a dead process does not block.
    let epochs = fs::read_dir(place.path("run")).unwrap().flatten();
    let names = epochs.filter_map(|entry| entry.file_name().into_string().ok());
    let reached =
        names.filter_map(|name| name.strip_prefix("checkpoint-")?[..6].parse::<u64>().ok());
    let epochs = (reached.max().unwrap() + 1).to_string();
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", &epochs]);
}

#[test]
fn a_network_is_measured_on_as_many_test_examples_as_are_asked_for() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    let evaluated = |arguments: &[&str]| place.json(&[&["evaluate", "run"], arguments].concat());
    let (all, some) = (evaluated(&[]), evaluated(&["--max-test", "100"]));
    assert_eq!(
        (&all["n_examples"], &some["n_examples"]),
        (&360.into(), &100.into())
    );
    assert_ne!(all["test_cost"], some["test_cost"]);
    assert_eq!(evaluated(&["--max-test", "1000"]), all);
    place.refuse(
        &["evaluate", "run", "--max-test", "0"],
        &["--max-test must be at least 1"],
    );
}
