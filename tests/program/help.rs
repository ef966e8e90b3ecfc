//! What the program says about itself.

use eqprop_train::config::TrainingConfig;
use eqprop_train::preset::Preset;

use crate::place::Place;

#[track_caller]
fn assert_mentions(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[test]
fn the_help_names_every_command() {
    let help = Place::new().succeed(&["--help"]);
    let commands = [
        "train", "evaluate", "predict", "relax", "devices", "presets",
    ];
    assert_mentions(&help, &commands);
    assert_mentions(&help, &["--json", "--version", "needs nothing"]);
}

#[test]
fn the_help_of_each_command_names_its_options() {
    let place = Place::new();
    let options = [
        "--preset",
        "--dataset",
        "--data-dir",
        "EQPROP_DATA",
        "--device",
        "--epochs",
        "--seed",
        "--run",
        "--set <KEY=VALUE>",
        "--resume",
        "--json",
    ];
    assert_mentions(&place.succeed(&["train", "--help"]), &options);
    let options = ["<RUN>", "--data-dir", "--device"];
    assert_mentions(&place.succeed(&["evaluate", "--help"]), &options);
    let options = ["<RUN>", "<IMAGES>", "--invert", "--device"];
    assert_mentions(&place.succeed(&["predict", "--help"]), &options);
    let options = ["<RUN>", "--examples", "--out", "--data-dir", "--device"];
    assert_mentions(&place.succeed(&["relax", "--help"]), &options);
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
