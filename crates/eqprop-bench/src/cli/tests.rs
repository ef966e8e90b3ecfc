use clap::Parser;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::DatasetKind;
use eqprop_train::preset::Preset;

use super::{Cli, Command};

/// The name and configuration of `eqprop train` with these arguments.
fn configure(arguments: &[&str]) -> (String, TrainingConfig) {
    let cli = Cli::parse_from([&["eqprop", "train"], arguments].concat());
    let Command::Train(arguments) = cli.command else {
        unreachable!("the command is train")
    };
    arguments.model.configure().unwrap()
}

#[test]
fn every_preset_can_be_chosen_for_every_data_set() {
    for dataset in DatasetKind::ALL {
        let dataset = dataset.to_string();
        let (_, config) = configure(&["--dataset", &dataset]);
        assert!(config.validate().is_ok(), "{dataset}");
        assert_eq!(config.data.dataset.to_string(), dataset);
        for preset in Preset::ALL {
            let name = preset.name();
            let (_, config) = configure(&["--dataset", &dataset, "--preset", name]);
            assert!(config.validate().is_ok(), "{name}, {dataset}");
            assert_eq!(config.data.dataset.to_string(), dataset);
        }
    }
}

#[test]
fn the_data_set_of_a_preset_changes_its_padding_and_its_name() {
    let (name, config) = configure(&["--preset", "dchn", "--dataset", "cifar-10"]);
    assert_eq!((name.as_str(), config.data.padding), ("dchn-cifar-10", 0));
    let (name, config) = configure(&["--preset", "dchn", "--dataset", "mnist"]);
    assert_eq!((name.as_str(), config.data.padding), ("dchn", 2));
    // The explicit setting is applied last.
    let (_, config) = configure(&["--dataset", "cifar-10", "--set", "padding=8"]);
    assert_eq!(config.data.padding, 8);
}
