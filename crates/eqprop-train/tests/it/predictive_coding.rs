//! Predictive coding networks in configurations and trainings.

use burn::tensor::Device;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_testing::{
    batch, config, cosine, digits, explained, gradients_of, group_of, named_parameters, norm, run,
    training, values, with,
};
use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::network::FreePhase;
use eqprop_train::preset::Preset;

/// 64-24-16-10 on the digits, as the presets train.
fn pcn() -> TrainingConfig {
    with(
        Preset::PcnMnist.config(),
        &[
            ("dataset", "digits"),
            ("hidden", "[24, 16]"),
            ("batch_size", "8"),
            ("epochs", "3"),
        ],
    )
}

#[test]
fn it_learns_the_digits() {
    let mut training = training(pcn(), &digits(400, 200));
    while !training.is_finished() {
        let record = training.run_epoch(|_| std::ops::ControlFlow::Continue(()));
        record
            .expect("it converges")
            .expect("nothing interrupts it");
    }
    let [first, .., last] = training.records() else {
        panic!("there are three epochs")
    };
    // Chance is 90 %.
    assert!(last.held_out_error() < 0.25, "{last:?}");
    assert!(last.train_cost < first.train_cost, "{last:?}");
    // The free phase is the forward pass: nothing is left to relax, and there is no energy.
    assert_eq!(
        (last.free_steps, last.residual, last.energy),
        (1.0, 0.0, Some(0.0))
    );
}

/// The preset `digits-deep` with so many hidden layers of 32 units.
fn deep(n_hidden: usize) -> TrainingConfig {
    let mut config = Preset::DigitsDeep.config();
    let network = &mut config.network;
    network.hidden = vec![32.into(); n_hidden];
    network.skips.truncate(n_hidden - 1);
    // In proportion to the width.
    config.optimizer.learning_rates = vec![2.5; n_hidden + 1];
    config
}

#[test]
fn sixteen_hidden_layers_learn_the_digits() {
    let config = with(deep(16), &[("learning_rate_decay", "1.0")]);
    let mut training = training(config, &digits(400, 200));
    run(&mut training, 8);
    let records = training.records();
    let (first, last) = (&records[0], &records[7]);
    // Chance is 90 %.
    assert!(last.held_out_error() < 0.25, "{last:?}");
    assert!(last.train_cost < 0.6 * first.train_cost, "{last:?}");
}

#[test]
fn one_step_in_the_errors_reaches_the_first_of_many_layers_and_asynchronous_ones_do_not() {
    let config = deep(12);
    let network = config.network(&Device::flex());
    let batch = batch(20);
    let first_layer = |changes: &[(&str, &str)]| {
        let estimator = with(config.clone(), changes).estimator();
        let estimate =
            GradientEstimator::<AnyField, AnyCost>::estimate(&estimator, &network, &batch, None);
        let lists = gradients_of(&network, &estimate.gradients);
        lists[0].clone()
    };
    let by_errors = first_layer(&[]);
    let asynchronous =
        |n_steps| first_layer(&[("dynamics", "asynchronous"), ("nudged_steps", n_steps)]);
    assert!(asynchronous("5").iter().all(|gradient| *gradient == 0.0));
    // With small β; in single precision.
    assert!(cosine(&by_errors, &asynchronous("13")) > 0.98);
    assert!(norm(&by_errors) > 1e-6);
}

#[test]
fn each_layer_learns_at_its_own_rate() {
    let frozen = with(pcn(), &[("learning_rates", "[0.0, 0.05, 0.0]")]);
    let before = frozen.network(&Device::flex());
    let mut training = training(frozen, &digits(40, 10));
    training
        .run_epoch(|_| std::ops::ControlFlow::Continue(()))
        .expect("it converges");
    let after = &training.learner().network;
    // From the field on, as below a learner.
    let pairs = named_parameters(&before)
        .into_iter()
        .zip(named_parameters(after));
    for ((path, before), (_, after)) in pairs {
        let layer = group_of(&format!("network.{path}"), 3);
        assert_eq!(before != after, layer == 1, "{path}");
    }
}

#[test]
fn its_weights_are_those_of_the_hopfield_energy_of_the_same_layers() {
    let numbers = |config: &TrainingConfig| {
        let lists = named_parameters(&config.network(&Device::flex()));
        lists.into_iter().map(|(_, list)| list).collect::<Vec<_>>()
    };
    let hopfield = with(pcn(), &[("model", "hopfield")]);
    assert_eq!(numbers(&pcn()), numbers(&hopfield));
    assert_ne!(numbers(&pcn()), numbers(&pcn().with_seed(1)));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |overrides: &[(&str, &str)]| {
        let error = with(pcn(), overrides).validate().expect_err("refused");
        explained(&error)
    };
    let skip = r#"[{"from": 0, "to": 2, "kind": "dense"}]"#;
    assert!(refused(&[("skips", skip)]).contains("a chain of layers"));
    let tanh = ("hidden_activation", "tanh");
    assert!(refused(&[tanh]).contains("layer 1 has Tanh; use the projected update"));
    let projected = with(pcn(), &[tanh, ("layer_update", "projected")]);
    projected.validate().expect("any activation");
    for start in ["particles", "previous"] {
        let message = refused(&[("start", start)]);
        assert!(message.contains(&format!("start \"{start}\"")), "{message}");
        assert!(message.contains("set start to \"rest\""), "{message}");
        assert!(matches!(
            with(pcn(), &[("start", start)]).validate(),
            Err(TrainingError::AwayFromEquilibrium { .. })
        ));
    }
    let deep = |changes: &[(&str, &str)]| {
        let error = with(deep(3), changes).validate().expect_err("refused");
        explained(&error)
    };
    let skip = r#"[{"from": 3, "to": 4, "kind": "identity"}]"#;
    let hidden = ("hidden", "[32, 32, 10]");
    assert!(
        deep(&[hidden, ("skips", skip)]).contains("from a hidden layer to the next hidden layer")
    );
    let readout = [
        ("cost", "cross_entropy"),
        ("learning_rates", "[1, 1, 1, 1]"),
    ];
    let readout = [&readout[..], &[("skips", "[]")]].concat();
    assert!(deep(&readout).contains("parametrization \"mu_pc\" needs an output layer"));
    let hopfield = [("model", "hopfield"), ("skips", "[]")];
    assert!(deep(&hopfield).contains("set dynamics to \"gradient_flow\""));
    // The output of a predictive coding network is not held in the range of the sigmoid.
    let unbounded = [
        ("output_activation", "sigmoid"),
        ("nudging", "one_sided"),
        ("beta", "-1.5"),
    ];
    let projected = [&unbounded[..], &[("layer_update", "projected")]].concat();
    assert!(refused(&projected).contains("beta = -1.5"));
    let hopfield = with(config(), &unbounded);
    hopfield.validate().expect("a bounded output");
}

#[test]
fn a_feedforward_start_is_that_of_the_predictive_coding_network_itself() {
    let config = with(pcn(), &[("start", "feedforward")]);
    config.validate().expect("one pass");
    let network = config.network(&Device::flex());
    let input = batch(5).input;
    let AnyField::PredictiveCoding(energy) = &network.energy else {
        panic!("a predictive coding network")
    };
    let expected = energy.feedforward(&input, &energy.clamp(&input));
    let found = network.start(&input, &network.energy.clamp(&input));
    assert_eq!(values(&found.max_distance(&expected)), [0.0; 5]);
}

#[test]
fn an_inference_is_one_forward_pass() {
    for config in [
        pcn(),
        with(
            pcn(),
            &[
                ("cost", "cross_entropy"),
                ("learning_rates", "[0.1, 0.1, 0.1]"),
            ],
        ),
    ] {
        let network = config.network(&Device::flex());
        let batch = batch(5);
        let AnyField::PredictiveCoding(energy) = &network.energy else {
            panic!("a predictive coding network")
        };
        let pass = energy.forward(&batch.input);
        let estimator = config.estimator();
        let clamped = network.energy.clamp(&batch.input);
        let infer = |clamped: Option<_>| match clamped {
            None => GradientEstimator::<AnyField, AnyCost>::infer(
                &estimator,
                &network,
                &batch.input,
                None,
            ),
            Some(clamped) => estimator.free.run(&network, &batch.input, clamped, None),
        };
        for relaxed in [infer(None), infer(Some(&clamped))] {
            assert_eq!(values(&relaxed.state.max_distance(&pass)), [0.0; 5]);
            assert_eq!(values(&relaxed.residual), [0.0; 5]);
        }
    }
}
