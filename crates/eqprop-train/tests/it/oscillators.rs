//! Coupled oscillators in training: they learn, their runs go on and their weights travel.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::energy::{LayerConfig, VectorField};
use eqprop_testing::{digits, distance, explained, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use eqprop_train::training::Training;

/// 64-24-10 oscillators on the digits.
fn config() -> TrainingConfig {
    let mut config = Preset::DigitsOscillators.config();
    config.network.hidden = vec![24.into()];
    config
}

/// A bar far from chance, 90 %, and from what the preset reaches, 3 %.
#[test]
fn oscillators_learn_digits() {
    let dataset = digits(600, 200);
    let mut training = training(config(), &dataset);
    run(&mut training, 6);
    let record = training.records().last().expect("trained");
    let error = record.test_error.expect("there is a test");
    assert!(error < 0.25, "{error}");
}

#[test]
fn an_oscillator_is_two_units_and_has_parameters_once() {
    let network = Preset::DigitsOscillators.config().network(&Device::flex());
    let phases = |n: usize| LayerConfig::new(2 * n, Activation::Phase);
    assert_eq!(network.energy.layers(), [phases(128), phases(10)]);
    let sizes = named_parameters(&network).into_iter();
    let sizes: Vec<_> = sizes.map(|(path, list)| (path, list.len())).collect();
    let expected = [
        ("graph.connections.0.Dense.weight", 64 * 128),
        ("graph.connections.1.Dense.weight", 128 * 10),
        ("graph.biases.0", 128),
        ("graph.biases.1", 10),
        ("injections.0", 128),
        ("injections.1", 10),
    ];
    let expected = expected.map(|(path, n)| (format!("energy.Oscillators.{path}"), n));
    assert_eq!(sizes, expected);
}

#[test]
fn a_run_that_is_restored_goes_on_to_the_last_digit() {
    let dataset = digits(60, 20);
    for start in ["rest", "particles", "previous", "feedforward"] {
        let model = r#"{"oscillators": {"injection": 0.1, "learns_injection": true}}"#;
        let config = with(config(), &[("start", start), ("model", model)]);
        let mut whole = training(config.clone(), &dataset);
        run(&mut whole, 2);
        let mut first = training(config.clone(), &dataset);
        run(&mut first, 1);
        let folder = tempfile::tempdir().expect("a folder");
        first.checkpoint().save(folder.path()).expect("written");
        let checkpoint = Checkpoint::load_latest(folder.path()).expect("read");
        let checkpoint = checkpoint.expect("there is one");
        let mut second = training(config, &dataset)
            .restore(checkpoint)
            .expect("of the same network");
        run(&mut second, 1);
        let [expected, found] = [&whole, &second].map(|run| named_parameters(run.learner()));
        assert_eq!(found, expected, "{start}");
        let injections = found.iter().filter(|(path, _)| path.contains("injections"));
        assert!(
            injections
                .flat_map(|(_, list)| list)
                .any(|s| *s != f64::from(0.1f32))
        );
    }
}

#[test]
fn what_does_not_go_with_oscillators_is_refused() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[("cost", "squared_error")],
            "the cost is \"squared_error\" and the model is \"oscillators\": set both",
        ),
        (&[("cost", "cross_entropy")], "go together"),
        (
            &[("model", "hopfield")],
            "the cost is \"phase_error\" and the model another",
        ),
        (&[("hidden_activation", "tanh")], "layer 1 has Tanh"),
        (&[("output_activation", "identity")], "layer 2 has Identity"),
        (
            &[("model", "hopfield"), ("cost", "squared_error")],
            "layer 1 has the phases of oscillators; use the model \"oscillators\"",
        ),
    ];
    for (overrides, expected) in cases {
        let outcome = Training::new(with(config(), overrides), &digits(20, 10), &Device::flex());
        let error = outcome.err().expect("refused");
        let text = explained(&error);
        assert!(text.contains(expected), "{overrides:?}: {text}");
    }
    let error = with(config(), &[("cost", "cross_entropy")]).validate();
    assert!(matches!(error, Err(TrainingError::CostOfPhases { .. })));
}

#[test]
fn classes_of_oscillators_may_count_differently() {
    let parameters = |training: &Training| {
        let named = named_parameters(&training.learner().network);
        named
            .into_iter()
            .flat_map(|(_, list)| list)
            .collect::<Vec<_>>()
    };
    let learned = |weights: &str| {
        let config = with(config(), &[("class_weights", weights)]);
        let mut training = training(config, &digits(100, 20));
        let before = parameters(&training);
        run(&mut training, 1);
        distance(&before, &parameters(&training))
    };
    // Of examples that do not count nothing is learned.
    let none = learned("[1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6]");
    let all = learned("[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]");
    assert!(all > 1e-2 && none < 1e-3 * all, "{none} {all}");
}
