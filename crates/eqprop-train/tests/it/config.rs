//! Configurations: presets, overrides, bounds, seeds and learning rates.

mod json;
mod numbers;

use burn::module::ParamId;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::energy::VectorField;
use eqprop_core::nudging::Nudging;
use eqprop_testing::{config, explained, group_of, ids, named_parameters, with};
use eqprop_train::config::{HiddenLayer, TrainingConfig};
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::learner::{AnyLearner, EquilibriumLearner};
use eqprop_train::preset::Preset;

type Learner = AnyLearner<EquilibriumPropagation>;

#[test]
fn every_preset_is_valid_and_survives_json() {
    for preset in Preset::ALL {
        let (name, config) = (preset.name(), preset.config());
        config.validate().expect(name);
        let text = serde_json::to_string(&config).expect("plain fields");
        let read: TrainingConfig = serde_json::from_str(&text).expect(name);
        assert_eq!(read, config);
        assert!(read.differences(&config).is_empty());
        assert_eq!(name.parse::<Preset>().expect("its own name"), preset);
    }
    let error = "paper-4h"
        .parse::<Preset>()
        .expect_err("no such preset")
        .to_string();
    assert!(
        error.contains("paper-4h") && error.contains("paper-3h"),
        "{error}"
    );
}

#[test]
fn every_number_survives_json_to_the_last_bit() {
    // A run is resumed from a configuration that was read back.
    for n in 1..=1000 {
        let mut config = config();
        config.phases.nudging = Nudging::Centered {
            beta: f64::from(n).sqrt() / 7.0,
        };
        let text = serde_json::to_string(&config).expect("plain fields");
        let read: TrainingConfig = serde_json::from_str(&text).expect("as written");
        assert_eq!(
            read.phases.nudging.beta().to_bits(),
            config.phases.nudging.beta().to_bits(),
            "{}",
            config.phases.nudging.beta()
        );
    }
}

#[test]
fn every_kind_of_field_can_be_overridden_by_name() {
    let config = config();
    let overridden = [
        ("beta", "0.25"),
        ("hidden", "[5, 7]"),
        ("nudging", "random_sign"),
        ("nudging", "\"one_sided\""),
        ("n_train", "100"),
        ("tolerance", "1e-3"),
        ("hidden_activation", r#"{"clipped_relu": {"max": 2.0}}"#),
    ]
    .map(|(key, value)| {
        let changed = config.with_override(key, value).expect(key);
        assert_eq!(changed.differences(&config), [key]);
        changed
    });
    let beta = config.phases.nudging.beta();
    assert_eq!(overridden[0].phases.nudging.beta(), 0.25);
    assert_eq!(overridden[1].network.hidden, [5, 7].map(HiddenLayer::Dense));
    assert_eq!(overridden[2].phases.nudging, Nudging::RandomSign { beta });
    assert_eq!(overridden[3].phases.nudging, Nudging::OneSided { beta });
    assert_eq!(overridden[4].data.n_train, Some(100));
    let again = overridden[4]
        .with_override("n_train", "null")
        .expect("null is none");
    assert_eq!(again, config);
    let clipped = Activation::ClippedRelu { max: 2.0 };
    assert_eq!(overridden[6].network.hidden_activation, clipped);
}

#[test]
fn an_unknown_key_lists_the_keys() {
    let error = config()
        .with_override("betta", "1")
        .expect_err("no such key");
    assert!(matches!(&error, TrainingError::UnknownKey { key, .. } if key == "betta"));
    let text = error.to_string();
    for key in ["`betta`", "beta", "learning_rates", "n_train", "seed"] {
        assert!(text.contains(key), "{key} in {text}");
    }
}

#[test]
fn an_unfit_value_is_named_with_its_key() {
    for (key, value) in [
        ("beta", "large"),
        ("hidden", "500"),
        ("hidden", "[-1]"),
        ("nudging", "sideways"),
        ("epochs", "null"),
        ("batch_size", "2.5"),
        ("hidden_activation", r#"{"clipped_relu": {}}"#),
    ] {
        let error = config().with_override(key, value).expect_err(key);
        assert!(
            matches!(error, TrainingError::UnfitValue { .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.contains(key) && text.contains(value), "{text}");
        assert!(
            explained(&error).len() > text.len(),
            "says nothing of what was expected"
        );
    }
}

#[test]
fn validation_names_the_field_that_cannot_work() {
    let fan_in = r#"{"fan_in": {"gain": 0.0}}"#;
    let clipped = r#"{"clipped_relu": {"max": -1.0}}"#;
    let flow = ("dynamics", "gradient_flow");
    let one_sided = ("nudging", "one_sided");
    let cross_entropy = ("cost", "cross_entropy");
    let cases: [(&[(&str, &str)], &str); 32] = [
        (&[("n_train", "0")], "n_train must be at least 1, but is 0"),
        (
            &[("hidden", "[16, 0]"), ("learning_rates", "[1, 1, 1]")],
            "layer size",
        ),
        (&[("hidden_activation", clipped)], "clipped_relu max"),
        (&[("output_activation", clipped)], "clipped_relu max"),
        (&[("initializer", fan_in)], "initializer gain"),
        (
            &[("beta", "0.0")],
            "beta must be a positive number, but is 0",
        ),
        (
            &[("beta", "-0.5")],
            "beta must be a positive number, but is -0.5",
        ),
        (
            &[one_sided, ("beta", "0")],
            "beta must be a number other than 0",
        ),
        (
            &[("nudging", "random_sign"), ("beta", "-0.5")],
            "beta must be a positive number",
        ),
        // The output is linear: β ≤ −1 leaves F without a lower bound.
        (&[("beta", "1.0")], "beta = -1"),
        (&[one_sided, ("beta", "-1.0")], "beta = -1"),
        (&[flow, ("step_size", "0.0")], "step_size"),
        (
            &[flow, ("step_size", "1.5")],
            "step_size must be greater than 0 and at most 1",
        ),
        (
            &[("dynamics", "anderson"), ("history", "9")],
            "history must be 1 to 8, but is 9",
        ),
        (
            &[("dynamics", "anderson"), ("mixing", "0.0")],
            "mixing must be greater than 0 and at most 1",
        ),
        (
            &[("dynamics", "adaptive_flow"), ("step_error", "1.0")],
            "adaptive_flow error must be greater than 0 and less than 1, but is 1",
        ),
        (&[("free_steps", "0")], "steps must be at least 1, but is 0"),
        (
            &[("nudged_steps", "0")],
            "steps must be at least 1, but is 0",
        ),
        (
            &[("tolerance", "0.0")],
            "tolerance must be a positive number",
        ),
        (&[("tolerance", "-1e-3")], "tolerance"),
        (&[("check_every", "0")], "check_every must be at least 1"),
        (&[("learning_rates", "[0.1]")], "2 here, but has 1"),
        (
            &[cross_entropy, ("learning_rates", "[0.1, 0.1, 0.1]")],
            "2 here, but has 3",
        ),
        (
            &[("learning_rates", "[0.1, -0.1]")],
            "learning_rates must be numbers of at least 0",
        ),
        (&[("learning_rate_decay", "0.0")], "learning_rate_decay"),
        (&[("learning_rate_decay", "1.1")], "learning_rate_decay"),
        (
            &[("momentum", "1.0")],
            "momentum must be at least 0 and less than 1, but is 1",
        ),
        (&[("momentum", "-0.1")], "momentum"),
        (&[("nesterov", "true")], "set momentum above 0"),
        (&[("batch_size", "0")], "batch_size must be at least 1"),
        (&[("epochs", "0")], "epochs must be at least 1"),
        (
            &[cross_entropy, ("hidden", "[]"), ("learning_rates", "[1]")],
            "at least one layer",
        ),
    ];
    for (overrides, expected) in cases {
        let error = with(config(), overrides).validate().expect_err(expected);
        let text = explained(&error);
        assert!(
            text.contains(expected),
            "{overrides:?}: {text:?} without {expected:?}"
        );
    }
}

#[test]
fn values_at_the_bounds_are_accepted() {
    let cases: [&[(&str, &str)]; 8] = [
        &[("hidden", "[]"), ("learning_rates", "[0.1]")],
        &[("dynamics", "gradient_flow"), ("step_size", "1.0")],
        &[("dynamics", "anderson"), ("history", "8"), ("mixing", "1")],
        &[
            ("learning_rates", "[0.0, 0.0]"),
            ("learning_rate_decay", "1.0"),
            ("momentum", "0.0"),
        ],
        &[("nudging", "one_sided"), ("beta", "-0.99")],
        // With a largest output, or with the cross-entropy, any β will do.
        &[("output_activation", "hard_sigmoid"), ("beta", "1.0")],
        &[("cost", "cross_entropy"), ("beta", "3.0")],
        &[
            ("batch_size", "1"),
            ("epochs", "1"),
            ("n_train", "1"),
            ("tolerance", "1e-30"),
        ],
    ];
    for overrides in cases {
        let result = with(config(), overrides).validate();
        assert!(
            result.is_ok(),
            "{overrides:?}: {}",
            explained(&result.unwrap_err())
        );
    }
}

#[test]
fn initial_weights_are_a_function_of_the_seed() {
    let weights = |seed| named_parameters(&config().with_seed(seed).network(&Device::flex()));
    let expected = weights(1);
    assert_eq!(weights(1), expected);
    assert_ne!(weights(2), expected);
    // Burn's devices draw from one stream for the whole process; the weights must not.
    std::thread::scope(|scope| {
        for seed in [1, 1, 2, 3] {
            let expected = &expected;
            scope.spawn(move || {
                for _ in 0..100 {
                    assert_eq!(weights(seed) == *expected, seed == 1, "seed {seed}");
                }
            });
        }
    });
}

/// A new learner of a configuration with its learning rates.
fn learner(config: &TrainingConfig, n_batches: usize) -> (Learner, ModuleLrScheduler) {
    let network = config.network(&Device::flex());
    let scheduler = config.learning_rate(&network, n_batches);
    let learner = EquilibriumLearner::new(network, config.estimator());
    (learner, scheduler)
}

/// The learning rate of every parameter in the next update, with its group.
fn rates(learner: &Learner, scheduler: &mut ModuleLrScheduler) -> Vec<(usize, f64)> {
    let n_layers = learner.network.energy.layers().len();
    let rate = scheduler.step();
    let paths = named_parameters(learner).into_iter().map(|(path, _)| path);
    let of = |(path, id): (String, ParamId)| {
        let found = rate.lr_from_param(id, None);
        (group_of(&path, n_layers), found)
    };
    paths.zip(ids(learner)).map(of).collect()
}

#[test]
fn every_parameter_has_the_learning_rate_of_its_layer() {
    // Enough layers that "1" is a part of the names of others.
    let rates_of_layers: Vec<f64> = (1..=13).map(|rate| f64::from(rate) / 100.0).collect();
    let mut squared_error = config();
    squared_error.network.hidden = vec![2.into(); 12];
    squared_error.optimizer.learning_rates = rates_of_layers;
    let cross_entropy = with(squared_error.clone(), &[("cost", "cross_entropy")]);
    for (config, n_parameters) in [(squared_error, 26), (cross_entropy, 26)] {
        let config = &config;
        config.validate().expect("one rate per connection");
        let (learner, mut scheduler) = learner(config, 5);
        let found = rates(&learner, &mut scheduler);
        assert_eq!(found.len(), n_parameters);
        for (group, rate) in found {
            assert_eq!(
                rate, config.optimizer.learning_rates[group],
                "group {group}"
            );
        }
    }
}

#[test]
fn learning_rates_decay_after_each_epoch() {
    let config = with(config(), &[("learning_rate_decay", "0.5")]);
    let n_batches = 3;
    let (learner, mut scheduler) = learner(&config, n_batches);
    for step in 0..3 * n_batches {
        let factor = 0.5f64.powi((step / n_batches) as i32);
        for (group, rate) in rates(&learner, &mut scheduler) {
            // Powers of ½ are exact.
            assert_eq!(
                rate,
                config.optimizer.learning_rates[group] * factor,
                "step {step}"
            );
        }
    }
}

/// 8×8 digits to 4 maps of 6×6, pooled to 3×3, to 5 units, with a strided skip over the maps.
fn convolutional() -> TrainingConfig {
    let layers = r#"[{"channels": 4, "kernel": 3, "pooling": {"max": 2}}, 5]"#;
    let skips = r#"[{"from": 0, "to": 2, "kind": "dense"}]"#;
    let changed = config().with_override("hidden", layers).expect("layers");
    let mut changed = changed.with_override("skips", skips).expect("skips");
    changed.optimizer.learning_rates = vec![0.3, 0.2, 0.1];
    changed
}

#[test]
fn convolutional_layers_are_built_on_the_shape_of_the_images() {
    let config = convolutional();
    config.validate().expect("it fits");
    assert_eq!(config.notation(), "1×8×8-4×3×3-5-10");
    let network = config.network(&Device::flex());
    let sizes: Vec<usize> = named_parameters(&network)
        .iter()
        .map(|(_, list)| list.len())
        .collect();
    // Kernel, dense, output, skip; one bias per map, then one per unit.
    assert_eq!(sizes, [4 * 9, 36 * 5, 50, 64 * 5, 4, 5, 10]);

    let padded = with(config, &[("padding", "1")]);
    assert_eq!(padded.notation(), "1×10×10-4×4×4-5-10");
    let above_flat = r#"[5, {"channels": 4, "kernel": 3}]"#;
    let above_flat = padded.with_override("hidden", above_flat).expect("layers");
    let message = above_flat.validate().expect_err("no maps").to_string();
    assert!(
        message.contains("hidden layer 2") && message.contains("5 units"),
        "{message}"
    );
}

#[test]
fn a_skip_learns_at_the_rate_of_the_layer_that_it_leads_to() {
    let config = convolutional();
    let (learner, mut scheduler) = learner(&config, 5);
    let rate = scheduler.step();
    let found: Vec<f64> = ids(&learner)
        .into_iter()
        .map(|id| rate.lr_from_param(id, None))
        .collect();
    assert_eq!(found, [0.3, 0.2, 0.1, 0.2, 0.3, 0.2, 0.1]);
}

#[test]
fn the_cosine_schedule_ends_at_zero() {
    let config = with(config(), &[("schedule", "cosine"), ("epochs", "4")]);
    let (learner, mut scheduler) = learner(&config, 5);
    let factors: Vec<f64> = (0..=20)
        .map(|_| rates(&learner, &mut scheduler)[0].1 / config.optimizer.learning_rates[0])
        .collect();
    for (step, factor) in factors.iter().enumerate() {
        let expected = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / 20.0).cos());
        assert!(
            (factor - expected).abs() < 1e-9,
            "step {step}: {factor}, {expected}"
        );
    }
}

#[test]
fn every_preset_is_valid_and_has_a_network_of_its_source() {
    let notation = |preset: Preset| preset.config().notation();
    for preset in Preset::ALL {
        let config = preset.config();
        config
            .validate()
            .unwrap_or_else(|error| panic!("{}: {error}", preset.name()));
    }
    assert_eq!(notation(Preset::Dhn2h), "784-1024-1024-10");
    assert_eq!(notation(Preset::ConvMnist), "1×28×28-32×12×12-64×4×4-10");
    let maps = "128×16×16-256×8×8-512×4×4-512×2×2";
    assert_eq!(notation(Preset::Dchn), format!("1×32×32-{maps}-10"));
    let maps = "128×32×32-128×16×16-256×16×16-256×8×8-512×8×8-512×4×4-512×4×4-512×2×2";
    assert_eq!(
        notation(Preset::HopfieldResnet13),
        format!("3×32×32-{maps}-10")
    );
    // 9 states, 13 weights (arXiv:2509.26003).
    let energy = Preset::HopfieldResnet13.config().energy();
    assert_eq!((energy.layers.len(), energy.connections.len()), (9, 13));
}
