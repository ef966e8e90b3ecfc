//! Hidden layers with costs of their own in whole trainings.

use burn::module::Module;
use burn::tensor::Device;
use eqprop_core::cost::Cost;
use eqprop_testing::{config, digits, explained, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::training::Training;
use eqprop_train::weights::{load_safetensors, save_safetensors};

fn deep(changes: &[(&str, &str)]) -> TrainingConfig {
    let deep = [
        ("hidden", "[12,12,12]"),
        ("learning_rates", "[0.2,0.1,0.05,0.02]"),
    ];
    with(with(config(), &deep), changes)
}

const BOTH: [(&str, &str); 2] = [
    ("intermediate.layers", "[1,3]"),
    ("intermediate.weight", "0.3"),
];

/// Parameters by their paths.
fn parameters(training: &Training) -> Vec<(String, Vec<f64>)> {
    named_parameters(&training.learner().network)
}

fn trained(config: TrainingConfig) -> Training {
    let mut training = training(config, &digits(160, 20));
    run(&mut training, 2);
    training
}

#[test]
fn readouts_are_parameters_that_learn() {
    let begun = training(deep(&BOTH), &digits(160, 20));
    let ended = trained(deep(&BOTH));
    let (before, after) = (parameters(&begun), parameters(&ended));
    let readouts = |(path, _): &&(String, Vec<f64>)| path.contains("readout");
    assert_eq!(before.iter().filter(readouts).count(), 4);
    for ((path, before), (_, after)) in before.iter().zip(&after) {
        assert!(before != after, "{path} has not moved");
    }
    // The network beside them begins as it would without.
    let plain = parameters(&training(deep(&[]), &digits(160, 20)));
    let of_energy = |all: &[(String, Vec<f64>)]| {
        let of_energy = |(path, _): &&(String, Vec<f64>)| path.starts_with("energy");
        all.iter().filter(of_energy).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_energy(&before), of_energy(&plain));
    // And becomes another.
    let plain = parameters(&trained(deep(&[])));
    assert!(of_energy(&after) != of_energy(&plain));
}

/// Bit for bit, through fused relaxations.
#[test]
fn a_weight_of_0_trains_the_plain_network() {
    for changes in [&[][..], &[("cost", "cross_entropy")]] {
        let layers = ("intermediate.layers", "[1,2]");
        let none = [&[layers, ("intermediate.weight", "0")], changes].concat();
        let of_energy = |training: Training| named_parameters(&training.learner().network.energy);
        let found = of_energy(trained(deep(&none)));
        assert_eq!(found, of_energy(trained(deep(changes))));
    }
}

#[test]
fn a_readout_learns_at_the_rate_of_the_layer_above() {
    for cost in ["squared_error", "cross_entropy"] {
        let layers = ("intermediate.layers", "[1,2]");
        let config = deep(&[("cost", cost), layers]);
        let network = config.network(&Device::flex());
        let mut scheduler = config.learning_rate(&network, 10);
        let rates = scheduler.step();
        let of = |id| rates.lr_from_param(id, None);
        let locals = network.cost.locals();
        let found: Vec<f64> = locals
            .iter()
            .map(|local| of(local.readout.weight.id))
            .collect();
        assert_eq!(found, [0.1, 0.05], "{cost}");
        let biases = locals.iter().map(|local| of(local.readout.bias.id));
        assert_eq!(biases.collect::<Vec<_>>(), found);
    }
}

#[test]
fn a_checkpoint_has_the_readouts_and_goes_on_to_the_same_bits() {
    let momentum = [&BOTH[..], &[("momentum", "0.5"), ("cost", "cross_entropy")]].concat();
    let momentum = with(deep(&momentum), &[("intermediate.layers", "[1,2]")]);
    let dataset = digits(160, 20);
    let mut whole = training(momentum.clone(), &dataset);
    run(&mut whole, 3);
    let mut begun = training(momentum.clone(), &dataset);
    run(&mut begun, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    begun.checkpoint().save(folder.path()).expect("writable");
    let found = Checkpoint::load_latest(folder.path())
        .expect("whole")
        .expect("one");
    let resumed = training(momentum, &dataset).restore(found);
    let mut resumed = resumed.expect("the same network");
    run(&mut resumed, 2);
    assert_eq!(parameters(&resumed), parameters(&whole));
}

#[test]
fn weights_go_out_and_in_with_the_readouts() {
    let trained = trained(deep(&BOTH));
    let network = trained.learner().network.valid();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    save_safetensors(&network, &path, &[]).expect("writable");
    let fresh = deep(&[&BOTH[..], &[("seed", "5")]].concat()).network(&Device::flex());
    assert!(named_parameters(&fresh) != named_parameters(&network));
    let read = load_safetensors(fresh, &path).expect("the same network");
    assert_eq!(named_parameters(&read), named_parameters(&network));
    // A network without them does not fit.
    let plain = deep(&[]).network(&Device::flex());
    let error = load_safetensors(plain, &path).expect_err("readouts are left over");
    assert!(explained(&error).contains("readout"), "{error}");
}

#[test]
fn weights_of_classes_go_together_with_hidden_costs() {
    let ones = ("class_weights", "[1,1,1,1,1,1,1,1,1,1]");
    let halves = ("class_weights", "[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5]");
    let with_weights = |weights| parameters(&trained(deep(&[&BOTH[..], &[weights]].concat())));
    let plain = parameters(&trained(deep(&BOTH)));
    assert_eq!(with_weights(ones), plain);
    assert!(with_weights(halves) != plain);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    for (changes, expected) in [
        (
            &[("intermediate.layers", "[4]")][..],
            "intermediate.layers has 4, but the hidden layers are 1 to 3",
        ),
        (
            &[("intermediate.layers", "[0]")],
            "intermediate.layers has 0, but the hidden layers are 1 to 3",
        ),
        (
            &[("intermediate.layers", "[3]"), ("cost", "cross_entropy")],
            "intermediate.layers has 3, but the hidden layers before the output are 1 to 2",
        ),
        (
            &[("intermediate.layers", "[2,1,2]")],
            "intermediate.layers has layer 2 twice",
        ),
        (
            &[("intermediate.weight", "-0.1")],
            "intermediate.weight must be a number of at least 0, but is -0.1",
        ),
    ] {
        let error = deep(changes).validate().expect_err("impossible");
        let said = explained(&error);
        assert!(said.contains(expected), "{said}");
        let begun = Training::new(deep(changes), &digits(20, 10), &Device::flex());
        assert!(begun.is_err());
    }
    let oscillators = [
        ("model", "oscillators"),
        ("cost", "phase_error"),
        ("hidden_activation", "phase"),
        ("output_activation", "phase"),
        ("intermediate.layers", "[1]"),
    ];
    let said = deep(&oscillators)
        .validate()
        .expect_err("phases")
        .to_string();
    assert!(said.contains("layers of oscillators"), "{said}");
    for (key, value) in [
        ("intermediate.layers", "[-1]"),
        ("intermediate.layers", "1"),
        ("intermediate", r#"{"layer":[1]}"#),
    ] {
        let error = config().with_override(key, value).expect_err("no layers");
        let said = explained(&error);
        let example = r#"{"layers": [1, 2], "weight": 0.1}"#;
        assert!(said.contains(example), "{said}");
    }
}

#[test]
fn an_older_configuration_has_no_hidden_costs() {
    let mut json = serde_json::to_value(config()).expect("plain");
    let network = json["network"].as_object_mut().expect("a section");
    assert!(network.remove("intermediate").is_some());
    let read = TrainingConfig::from_json(&json.to_string()).expect("older");
    assert_eq!(read, config());
    assert!(!read.network.intermediate.acts());
    let both = with(config(), &[("intermediate", r#"{"layers":[1]}"#)]);
    let text = serde_json::to_string(&both).expect("plain");
    assert_eq!(TrainingConfig::from_json(&text).expect("as written"), both);
    assert_eq!(both.network.intermediate.weight, 0.1);
}
