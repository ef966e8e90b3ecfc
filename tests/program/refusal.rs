//! Arguments, run folders and images that cannot be used.

use std::fs;

use crate::place::{Place, QUICK};

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    let place = Place::new();
    place.refuse(
        &["train", "--preset", "paper-9h"],
        &["`paper-9h`", "digits, paper-1h, paper-2h, paper-3h, dhn-1h"],
    );
    place.refuse(&["presets", "paper-9h"], &["`paper-9h`", "dhn-3h"]);
    place.refuse(
        &["train", "--dataset", "cifar"],
        &["`cifar`", "digits, mnist, fashion-mnist"],
    );
    place.refuse(
        &["train", "--device", "tpu"],
        &["`tpu`", "flex, ndarray, wgpu"],
    );
    place.refuse(
        &["train", "--set", "betta=1"],
        &["`betta`", "batch_size, beta, check_every"],
    );
    place.refuse(&["train", "--set", "beta"], &["KEY=VALUE"]);
}

#[test]
fn a_name_one_letter_off_is_suggested() {
    let place = Place::new();
    for (arguments, meant) in [
        (&["train", "--preset", "digit"][..], "`digits`"),
        (&["train", "--preset", "paper1h"], "`paper-1h`"),
        (&["presets", "dcn"], "`dchn`"),
        (&["bench", "--preset", "drn-x"], "`drn-xs`"),
        (&["train", "--dataset", "minst"], "`mnist`"),
        (&["train", "--dataset", "cifar10"], "`cifar-10`"),
        (&["compare", "--methods", "eqporp"], "`eqprop`"),
        (&["train", "--set", "betta=1"], "`beta`"),
        (
            &["train", "--set", "learning_rate=[1,1]"],
            "`learning_rates`",
        ),
        (&["train", "--set", "nudging=centred"], "`centered`"),
        (
            &["train", "--set", "dynamics=asynchronus"],
            "`asynchronous`",
        ),
        (&["train", "--set", "hidden_activation=tahn"], "`tanh`"),
        (
            &["train", "--set", r#"hidden=[{"chanels":3,"kernel":3}]"#],
            "`channels`",
        ),
        (&["train", "--device", "flx"], "`flex`"),
        (&["train", "--device", "cudda"], "`cuda`"),
    ] {
        let expected = format!("did you mean {meant}?");
        place.refuse(arguments, &[&expected]);
    }
    place.refuse(&["train", "--device", "cpu"], &["for the CPU use `flex`"]);
    place.refuse(&["train", "--device", "CPU:0"], &["for the CPU use `flex`"]);
    place.refuse(&["train", "--device", "gpu"], &["for a GPU use `cuda`"]);
}

#[test]
fn a_mistake_in_a_layer_is_named_with_its_place_and_an_example() {
    let place = Place::new();
    for (layers, expected) in [
        (
            r#"hidden=[{"channels":3}]"#,
            "hidden[0]: missing field `kernel`",
        ),
        (
            r#"hidden=[8,{"channels":3,"kernel":"x"}]"#,
            "hidden[1].kernel: invalid type",
        ),
        (r#"hidden=["x"]"#, "hidden[0]: invalid type"),
    ] {
        let example = r#"{"channels": 32, "kernel": 5, "pooling": {"max": 2}}"#;
        place.refuse(&["train", "--set", layers], &[expected, example]);
    }
}

#[test]
fn a_device_that_is_not_compiled_in_is_refused_with_its_feature() {
    let place = Place::new();
    let backends = [
        ("ndarray", cfg!(feature = "ndarray")),
        ("cuda", cfg!(feature = "cuda")),
        ("rocm", cfg!(feature = "rocm")),
    ];
    for (backend, _) in backends.iter().filter(|(_, compiled)| !compiled) {
        let feature = format!("--features {backend}");
        place.refuse(&["train", "--device", backend], &[&feature]);
    }
    if cfg!(feature = "flex") {
        place.refuse(
            &["train", "--device", "flex:1"],
            &["`flex:1`", "leave out the number"],
        );
    }
}

#[test]
fn values_that_cannot_work_are_refused() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 17] = [
        (&["beta=much"], &["`much`", "`beta`", "expected f64"]),
        (
            &["hidden=128"],
            &["`128`", "`hidden`", "expected a sequence"],
        ),
        (
            &["nudging=both"],
            &["`nudging`", "one_sided", "random_sign", "centered"],
        ),
        (&["epochs=1.5"], &["`1.5`", "`epochs`", "expected usize"]),
        (&["beta=NaN"], &["`beta`", "`NaN`", "finite"]),
        (&["beta=-inf"], &["`beta`", "`-inf`", "finite"]),
        (&["beta=1e999"], &["`beta`", "`1e999`", "finite"]),
        (
            &["learning_rates=[NaN,0.1]"],
            &["`learning_rates`", "finite"],
        ),
        (&["beta=0"], &["beta", "but is 0"]),
        (&["epochs=0"], &["epochs must be at least 1, but is 0"]),
        (
            &["batch_size=0"],
            &["batch_size must be at least 1, but is 0"],
        ),
        (&["hidden=[0]"], &["at least 1, but is 0"]),
        (&["momentum=1"], &["momentum", "less than 1, but is 1"]),
        (
            &["learning_rates=[0.1]"],
            &["learning_rates", "2 here, but has 1"],
        ),
        (
            &["learning_rates=[-1,0.1]"],
            &["learning_rates", "but is -1"],
        ),
        (
            &["n_validation=1437"],
            &["1437 of 1437", "lower n_validation"],
        ),
        (
            &["nudging=one_sided", "beta=-1", "output_activation=identity"],
            &["beta = -1", "use beta > -1"],
        ),
    ];
    for (changes, expected) in cases {
        let mut arguments = vec!["train"];
        arguments.extend(changes.iter().flat_map(|change| ["--set", *change]));
        place.refuse(&arguments, expected);
    }
    place.refuse(&["train", "--epochs", "0"], &["epochs must be at least 1"]);
    place.refuse(&["train", "--seed", "first"], &["'first'", "--seed"]);
}

#[test]
fn a_folder_that_is_in_use_is_not_trained_in() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    place.refuse(&["train", "--run", "run"], &["`run`", "--run", "--resume"]);
    fs::create_dir(place.path("notes")).unwrap();
    fs::write(place.path("notes/mine.txt"), "mine").unwrap();
    place.refuse(&["train", "--run", "notes"], &["`notes`", "overwritten"]);
    place.refuse(
        &["train", "--run", "notes/mine.txt"],
        &["`notes/mine.txt`", "overwritten"],
    );
}

#[test]
fn a_run_folder_that_cannot_be_made_is_refused() {
    let place = Place::new();
    fs::write(place.path("file"), "mine").unwrap();
    place.refuse(
        &["train", "--run", "file/run"],
        &["cannot make the run folder", "file/run"],
    );
    if cfg!(target_os = "linux") {
        place.refuse(
            &["train", "--run", "/proc/run"],
            &["cannot make the run folder", "/proc/run"],
        );
    }
}

#[test]
fn only_a_run_folder_can_be_resumed_or_used() {
    let place = Place::new();
    fs::create_dir(place.path("notes")).unwrap();
    fs::write(place.path("notes/mine.txt"), "mine").unwrap();
    place.refuse(&["train", "--resume"], &["--run"]);
    let expected = ["not a run folder", "config.json", "eqprop train --run"];
    place.refuse(&["train", "--resume", "--run", "notes"], &expected);
    place.refuse(&["train", "--resume", "--run", "missing"], &expected);
    place.refuse(&["evaluate", "notes"], &expected);
    place.refuse(&["relax", "missing"], &expected);
    place.refuse(&["predict", "missing", "image.png"], &expected);
    place.refuse(
        &["train", "--resume", "--run", "notes", "--set", "beta=1"],
        &["--resume", "--set"],
    );
}

#[test]
fn images_that_cannot_be_read_are_refused() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    fs::write(place.path("notes.png"), "not an image").unwrap();
    place.refuse(
        &["predict", "run", "notes.png"],
        &["`notes.png`", "not a PNG image"],
    );
    place.refuse(
        &["predict", "run", "missing.png"],
        &["cannot open `missing.png`"],
    );
    // One bad image among good ones: no half report on standard output.
    let image = image::GrayImage::new(8, 8);
    image.save(place.path("good.png")).unwrap();
    place.refuse(
        &["predict", "run", "good.png", "notes.png"],
        &["`notes.png`"],
    );
    let png = fs::read(place.path("good.png")).unwrap();
    fs::write(place.path("cut.png"), &png[..png.len() / 2]).unwrap();
    place.refuse(&["predict", "run", "cut.png"], &["`cut.png`"]);
    place.refuse(&["predict", "run"], &["<IMAGES>"]);
}

#[test]
fn relax_of_no_examples_or_into_a_file_is_refused() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    place.refuse(&["relax", "run", "--examples", "0"], &["at least 1"]);
    place.refuse(
        &["relax", "run", "--out", "run/config.json"],
        &["cannot make `run/config.json`"],
    );
}

#[test]
fn a_diverging_training_says_what_to_lower_and_keeps_what_was_good() {
    let place = Place::new();
    // One update per epoch, so that it takes several epochs to overflow.
    let outcome = place.run(&[
        "train",
        "--run",
        "run",
        "--epochs",
        "200",
        "--set",
        "n_train=8",
        "--set",
        "learning_rates=[1,1]",
    ]);
    let error = outcome.failed(&["infinite or not a number", "learning_rates", "beta"]);
    let (_, rest) = error.stderr.split_once("in epoch ").unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    let epoch: usize = digits.unwrap().parse().unwrap();
    assert!(epoch > 2, "too fast for this test: {}", error.stderr);

    let checkpoint = format!("run/checkpoint-{:06}", epoch - 1);
    assert!(place.path(&checkpoint).join("manifest.json").is_file());
    let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), epoch);
    place.json(&["evaluate", "run"]);
    // The checkpoint can be loaded, and the next epoch diverges as it did before.
    let again = format!("in epoch {epoch}");
    let outcome = place.run(&["train", "--resume", "--run", "run"]);
    outcome.failed(&[&again, "learning_rates"]);
}
