//! Untied forward and feedback weights in estimators, configurations and whole runs.

use burn::tensor::Device;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::Model;
use eqprop_core::energy::{AnyField, FeedbackInitializer, FeedbackUpdate, UntiedHopfield};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{
    Lists, Network, batch, config, digits, distance, gradients_of, group_of, ids, largest,
    named_parameters, run, training, with,
};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, CoupledLearning, EquilibriumPropagation,
    GradientEstimator,
};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::preset::Preset;

/// 64-16-10 with untied weights.
fn untied() -> TrainingConfig {
    with(config(), &[("model", "untied")])
}

fn field(network: &Network) -> &UntiedHopfield {
    match &network.energy {
        AnyField::Untied(field) => field,
        other => panic!("{other} is not untied"),
    }
}

/// Feedback minus forward weights of the second connection.
fn difference(network: &Network) -> Vec<f64> {
    let field = field(network);
    let feedback = field.feedback[1].as_ref().expect("between free layers");
    let [forward, feedback] = [&field.forward.connections[1], feedback].map(|connection| {
        let mut lists = named_parameters(connection).into_iter();
        lists.next().expect("weights").1
    });
    let pairs = feedback.iter().zip(&forward);
    pairs.map(|(back, there)| back - there).collect()
}

#[test]
fn everything_but_the_feedback_is_drawn_as_for_the_tied_network() {
    for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let mut config = with(config(), &[("hidden", "[8, 16]")]);
        config.network.cost = cost;
        let of = |config: &TrainingConfig| config.network(&Device::flex());
        let lists = |network: &Network| -> Vec<Vec<f64>> {
            let lists = named_parameters(network).into_iter();
            let but_feedback = lists.filter(|(path, _)| !path.contains("feedback"));
            but_feedback.map(|(_, list)| list).collect()
        };
        let tied = lists(&of(&config));
        let config = with(config, &[("model", "untied")]);
        let independent = of(&config);
        assert_eq!(lists(&independent), tied);
        // Uniform in ±0.5/√8, as forward.
        let apart = largest(&difference(&independent));
        assert!(apart > 0.1 && apart <= 1.0 / 8f64.sqrt(), "{apart}");
        assert_eq!(difference(&of(&config)), difference(&independent));
        let other = of(&config.clone().with_seed(1));
        assert_ne!(difference(&other), difference(&independent));

        let equal = of(&with(config, &[("feedback_initializer", "forward")]));
        assert_eq!(lists(&equal), tied);
        assert_eq!(largest(&difference(&equal)), 0.0);
    }
}

#[test]
fn the_model_is_chosen_by_name() {
    let chosen = with(
        config(),
        &[
            ("model", "untied"),
            ("feedback_update", "own"),
            ("feedback_initializer", "forward"),
        ],
    );
    chosen.validate().expect("it can work");
    let network = chosen.network(&Device::flex());
    assert_eq!(field(&network).update(), FeedbackUpdate::Own);
    let text = serde_json::to_string(&chosen).expect("plain fields");
    let read: TrainingConfig = serde_json::from_str(&text).expect("as written");
    assert_eq!(read, chosen);
    let error = config().with_override("model", "tied").err();
    assert!(error.is_some());
}

#[test]
fn both_directions_of_a_connection_have_the_learning_rate_of_its_layer() {
    let mut config = untied();
    config.network.hidden = vec![2.into(); 12];
    config.optimizer.learning_rates = (1..=13).map(f64::from).collect();
    let network = config.network(&Device::flex());
    let learner = EquilibriumLearner::new(network, config.estimator());
    let rate = config.learning_rate(&learner.network, 5).step();
    let paths = named_parameters(&learner).into_iter().map(|(path, _)| path);
    let paths: Vec<String> = paths.collect();
    // 13 forward and 12 feedback weights, 13 biases.
    assert_eq!(paths.len(), 38);
    for (path, id) in paths.into_iter().zip(ids(&learner)) {
        let expected = config.optimizer.learning_rates[group_of(&path, 13)];
        let found = rate.lr_from_param(id, None);
        assert_eq!(found, expected, "{path}");
    }
}

/// The gradients of all parameters but the feedback's.
fn gradient(network: &Network, estimator: &impl GradientEstimator<AnyField, AnyCost>) -> Lists {
    let estimate = estimator.estimate(network, &batch(20), None);
    let paths = named_parameters(network).into_iter();
    let gradients = gradients_of(network, &estimate.gradients);
    let pairs = paths.map(|(path, _)| path).zip(gradients);
    let forward = pairs.filter(|(path, _)| !path.contains("feedback"));
    forward.map(|(_, gradient)| gradient).collect()
}

#[test]
fn every_estimator_finds_for_equal_directions_what_it_finds_for_the_tied_network() {
    let tied = config().network(&Device::flex());
    let equal = with(untied(), &[("feedback_initializer", "forward")]);
    let equal = equal.network(&Device::flex());
    let different = untied().network(&Device::flex());
    let phase = || Relaxation::steps(Scheme::Asynchronous, 15);
    let check = |found: &dyn Fn(&Network) -> Lists, what: &str| {
        let expected = found(&tied);
        assert_eq!(found(&equal), expected, "{what}");
        let different = found(&different).concat();
        assert!(different.iter().all(|g| g.is_finite()), "{what}");
        let off = distance(&different, &expected.concat());
        assert!(off > 1e-3, "{what}: {off:e}");
    };
    for nudging in [
        Nudging::OneSided { beta: 0.5 },
        Nudging::RandomSign { beta: 0.5 },
        Nudging::Centered { beta: 0.5 },
        Nudging::HigherOrder {
            beta: 0.5,
            n_pairs: 2,
        },
    ] {
        // A new one each time, so that its first sign is the same.
        let estimator = || EquilibriumPropagation::new(nudging, phase(), phase());
        check(
            &|network| gradient(network, &estimator()),
            &format!("{nudging:?}"),
        );
    }
    let coupled = CoupledLearning::new(Nudging::Centered { beta: 0.5 }, phase(), phase());
    check(&|network| gradient(network, &coupled), "coupled learning");
    // Both directions move alike during the nudged phase.
    let rates = ContinualRates::uniform(0.05);
    let continual = ContinualEquilibriumPropagation::new(0.5, rates, phase(), 6);
    check(&|network| gradient(network, &continual), "continual");
}

/// The rule of Kolen and Pollack.
#[test]
fn under_the_same_update_the_difference_of_the_directions_stays_or_decays() {
    let dataset = digits(200, 10);
    let rate = 0.1;
    let of = |update, weight_decay: f64| {
        let mut config = with(untied(), &[("learning_rates", "[0.1, 0.1]")]);
        config.network.model = Model::Untied {
            update,
            feedback: FeedbackInitializer::default(),
        };
        config.optimizer.weight_decay = weight_decay;
        let mut training = training(config, &dataset);
        let before = difference(&training.learner().network);
        run(&mut training, 2);
        (before, difference(&training.learner().network))
    };
    // Each of 50 updates rounds weights of at most 1 by 6e-8.
    let tolerance = 5e-6;
    let (before, after) = of(FeedbackUpdate::Same, 0.0);
    assert!(largest(&before) > 0.1);
    assert!(distance(&before, &after) < tolerance);

    let weight_decay = 0.05;
    let (before, after) = of(FeedbackUpdate::Same, weight_decay);
    let factor = (1.0 - rate * weight_decay).powi(50);
    assert!((0.7..0.8).contains(&factor));
    let expected: Vec<f64> = before.iter().map(|value| factor * value).collect();
    assert!(distance(&expected, &after) < tolerance);

    let (before, after) = of(FeedbackUpdate::Own, 0.0);
    let moved = distance(&before, &after);
    assert!(moved > 0.01, "{moved}");
}

#[test]
fn the_digits_are_learned_with_either_update() {
    let dataset = digits(usize::MAX, usize::MAX);
    for update in [FeedbackUpdate::Own, FeedbackUpdate::Same] {
        let mut config = Preset::Digits.config();
        config.epochs = 20;
        config.network.model = Model::Untied {
            update,
            feedback: FeedbackInitializer::default(),
        };
        let mut training = training(config, &dataset);
        run(&mut training, 20);
        let last = training.records().last().expect("twenty epochs");
        assert!(
            last.held_out_error() <= 0.04,
            "{update:?}: {}",
            last.held_out_error()
        );
        assert_eq!(last.energy, None);
    }
}

#[test]
fn a_run_resumed_from_its_checkpoint_ends_as_one_that_was_never_interrupted() {
    let dataset = digits(100, 20);
    let changes = [
        ("momentum", "0.5"),
        ("nudging", "random_sign"),
        ("start", "particles"),
    ];
    let config = with(untied(), &changes);
    let mut whole = training(config.clone(), &dataset);
    run(&mut whole, 2);
    let mut first = training(config.clone(), &dataset);
    run(&mut first, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = first.checkpoint().save(folder.path());
    saved.expect("room on the disk");
    let checkpoint = Checkpoint::load_latest(folder.path()).expect("whole");
    let fresh = training(config, &dataset);
    let mut second = fresh
        .restore(checkpoint.expect("one"))
        .expect("the same network");
    run(&mut second, 1);
    assert_eq!(
        named_parameters(second.learner()),
        named_parameters(whole.learner())
    );
}
