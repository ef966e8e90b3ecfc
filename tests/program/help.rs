//! The help of the program, and its lists of presets and devices.

use eqprop_bench::method::{Method, MethodOptions};
use eqprop_train::config::TrainingConfig;
use eqprop_train::preset::Preset;

use crate::place::Place;

#[track_caller]
fn assert_mentions(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

/// Every command, with the options that its help has to mention.
const COMMANDS: [(&str, &[&str]); 14] = [
    (
        "train",
        &[
            "--preset",
            "--dataset",
            "--data-dir",
            "EQPROP_DATA",
            "--device",
            "--epochs",
            "--seed",
            "--run",
            "--config",
            "--set <KEY=VALUE>",
            "--tensorboard",
            "--resume",
        ],
    ),
    (
        "evaluate",
        &[
            "<RUN>",
            "--max-test",
            "--mistakes",
            "--data-dir",
            "--device",
        ],
    ),
    (
        "compare",
        &[
            "--preset",
            "--dataset",
            "--set <KEY=VALUE>",
            "--vary <KEY=V,…>",
            "--presets",
            "--methods",
            "--seeds",
            "--seed",
            "--epochs",
            "--report",
            "--resume",
            "--data-dir",
            "--device",
        ],
    ),
    (
        "fidelity",
        &[
            "--preset",
            "--run",
            "--set <KEY=VALUE>",
            "--epochs",
            "--seed",
            "--batches",
            "--batch",
            "--bound",
            "--hardware <KEY=V,…>",
            "--draws",
            "--report",
            "--data-dir",
            "--device",
        ],
    ),
    (
        "tune",
        &[
            "--preset",
            "--config",
            "--dataset",
            "--set <KEY=VALUE>",
            "--minutes",
            "--trials",
            "--epochs",
            "--seeds",
            "--seed",
            "--only",
            "--report",
            "--resume",
            "--data-dir",
            "--device",
            "rate_ratio",
        ],
    ),
    (
        "bench",
        &[
            "--preset",
            "--set <KEY=VALUE>",
            "--methods",
            "--batch",
            "--steps",
            "--rounds",
            "--relaxations",
            "--epochs",
            "--data-dir",
            "--device",
        ],
    ),
    (
        "predict",
        &[
            "<RUN>",
            "IMAGES",
            "--invert",
            "--clamp <WHAT,…>",
            "--clamp-strength <X>",
            "--device",
        ],
    ),
    (
        "relax",
        &["<RUN>", "--examples", "--out", "--data-dir", "--device"],
    ),
    ("watch", &["<RUN>", "--port", "--data-dir", "--device"]),
    ("export", &["<RUN>", "<FILE>", "--device"]),
    (
        "import",
        &[
            "<FILE>",
            "--preset",
            "--set <KEY=VALUE>",
            "--scale",
            "--run",
            "--device",
        ],
    ),
    (
        "data",
        &[
            "<PATH>",
            "--format",
            "--target",
            "--image-size",
            "--channels",
            "--scaling",
            "--test-share",
            "--split-seed",
            "--sheet",
        ],
    ),
    ("devices", &[]),
    ("presets", &["[NAME]"]),
];

#[test]
fn the_help_names_every_command() {
    let help = Place::new().succeed(&["--help"]);
    // All lines between the heading and the next one but `help` itself.
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        name.split_whitespace()
            .next()
            .filter(|_| !name.starts_with(' '))
    });
    let found: Vec<_> = names.filter(|name| *name != "help").collect();
    assert_eq!(found, COMMANDS.map(|(command, _)| command));
    assert_mentions(&help, &["--json", "--version", "needs nothing"]);
}

#[test]
fn the_help_of_each_command_names_its_options() {
    let place = Place::new();
    for (command, options) in COMMANDS {
        let help = place.succeed(&[command, "--help"]);
        assert_mentions(&help, options);
        assert_mentions(&help, &["--json"]);
    }
}

#[test]
fn the_help_of_compare_explains_every_method() {
    let help = Place::new().succeed(&["compare", "--help"]);
    let width = Method::ALL.map(|method| method.name().len());
    let width = width.into_iter().max().unwrap();
    for method in Method::ALL {
        let line = format!("  {method:<width$}  {}\n", method.about());
        assert_mentions(&help, &[&line]);
    }
    for (name, value) in MethodOptions::default().list() {
        assert_mentions(&help, &[&format!("  {name} = {value}\n")]);
    }
}

#[test]
fn the_presets_are_listed_and_printed_in_full() {
    let place = Place::new();
    let list = place.succeed(&["presets"]);
    for preset in Preset::ALL {
        assert_mentions(&list, &[preset.name()]);
        let text = place.succeed(&["presets", preset.name()]);
        let config: TrainingConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(config, preset.config());
    }
    let list = place.json(&["presets"]);
    assert_eq!(list["presets"].as_array().unwrap().len(), Preset::ALL.len());
}

#[test]
fn the_devices_are_listed_with_what_is_compiled() {
    let place = Place::new();
    let list = place.json(&["devices"]);
    let find = |name: &str| {
        let mut offers = list["backends"].as_array().unwrap().iter();
        offers.find(|offer| offer["backend"] == name).unwrap()
    };
    assert_eq!(find("flex")["compiled"], cfg!(feature = "flex"));
    assert_eq!(find("cuda")["compiled"], cfg!(feature = "cuda"));
    if cfg!(feature = "flex") {
        assert_eq!(find("flex")["devices"][0]["name"], "flex");
    }
    assert_mentions(
        &place.succeed(&["devices"]),
        &["flex", "wgpu", "cuda", "rocm"],
    );
}
