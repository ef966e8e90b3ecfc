//! Models of sequences: blocks in models that Burn's autodiff trains, the learner under Burn's training, and long memories.

mod block;

use std::sync::Arc;

use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep};
use eqprop_core::cost::{AnyCost, CostConfig, CrossEntropy, CrossEntropyConfig, SquaredError};
use eqprop_core::sequence::{
    CoupledOscillators, CoupledOscillatorsConfig, HamiltonianEcho, HamiltonianSystem,
    LeapfrogConfig,
};
use eqprop_testing::{Setup, digits, loader, values};
use eqprop_train::batch::{Batch, Order};
use eqprop_train::data::{DelayedRecall, Examples};
use eqprop_train::metric::EchoResidualMetric;
use eqprop_train::sequence::{SequenceLearner, SequenceNetwork, Supervision};

use crate::supervised::{Silent, logged};

type Model = SequenceLearner<CoupledOscillators, CrossEntropy>;

fn system(
    n_inputs: usize,
    n_units: usize,
    leapfrog: LeapfrogConfig,
) -> HamiltonianSystem<CoupledOscillators> {
    let oscillators = CoupledOscillatorsConfig::new(n_inputs, n_units, n_units);
    HamiltonianSystem::new(oscillators.init(&Device::flex().autodiff()), leapfrog)
}

fn model(n_inputs: usize, n_units: usize, n_classes: usize, leapfrog: LeapfrogConfig) -> Model {
    let device = Device::flex().autodiff();
    let readout = CrossEntropyConfig::new(n_units, n_classes).init(&device);
    let network = SequenceNetwork::new(vec![system(n_inputs, n_units, leapfrog)], readout);
    SequenceLearner::new(network, HamiltonianEcho::new(1e-3))
}

fn error(model: &Model, examples: &Examples) -> f64 {
    let all = loader(examples, examples.len(), Order::Sequential);
    let batch = all.batches(0, 0).next().expect("one").expect("in memory");
    let shown = InferenceStep::step(model, batch);
    shown.errors().mean().into_scalar::<f64>()
}

#[test]
fn digits_are_learned_row_by_row_by_burns_training() {
    Device::flex().seed(1);
    let data = digits(1437, 360);
    let model = model(8, 32, 10, LeapfrogConfig::new(0.4, 2));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let train = loader(&data.train, 32, Order::Shuffled { seed: 0 });
    let test = loader(&data.test, 360, Order::Sequential);
    let trained = SupervisedTraining::new(folder.path(), Arc::new(train), Arc::new(test))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_train_numeric(EchoResidualMetric::default())
        .renderer(Box::new(Silent))
        .with_application_logger(None)
        .num_epochs(5)
        .launch(Learner::new(model, AdamConfig::new().init(), 0.01));
    let error = error(&trained.model, &data.test);
    assert!(error < 0.12, "{error}");
    // Courses are retraced within rounding, and Burn's log says so.
    let residuals = logged(folder.path(), "train", 5, "Echo residual");
    assert_eq!(residuals.len(), 45);
    let in_range = |(residual, n): &(f64, f64)| *n > 0.0 && (1e-8..1e-5).contains(residual);
    assert!(residuals.iter().all(in_range), "{residuals:?}");
}

fn trained_by_hand(mut model: Model, examples: &Examples, n_epochs: u64, rate: f64) -> Model {
    let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
    let batches = loader(examples, 32, Order::Shuffled { seed: 0 });
    for epoch in 0..n_epochs {
        for batch in batches.batches(epoch, 0) {
            let output = TrainStep::step(&model, batch.expect("in memory"));
            model = model.optimize(&mut optimizer, rate.into(), output.grads);
        }
    }
    model
}

/// 40 steps of noise, up to a quarter as large as the symbol, lie between it and the end.
#[test]
fn a_symbol_is_recalled_after_a_long_delay() {
    Device::flex().seed(2);
    let task = DelayedRecall {
        n_symbols: 4,
        delay: 40,
        noise: 0.25,
    };
    let [train, test] =
        [(1500, 1), (300, 2)].map(|(n, seed)| task.examples(n, seed).expect("fits"));
    let model = model(4, 32, 4, LeapfrogConfig::new(0.4, 1));
    let before = error(&model, &test);
    let after = error(&trained_by_hand(model, &train, 6, 5e-3), &test);
    assert!(before > 0.5 && after < 0.05, "{before} and then {after}");
}

#[test]
fn an_example_of_delayed_recall_depends_on_its_seed_and_number_alone() {
    let task = DelayedRecall {
        n_symbols: 3,
        delay: 5,
        noise: 0.5,
    };
    let examples = |n, seed| task.examples(n, seed).expect("fits");
    let many = examples(60, 1);
    assert_eq!((many.shape, many.n_classes, many.len()), ([1, 6, 3], 3, 60));
    assert_eq!(examples(20, 1).inputs, many.inputs[..20 * 18]);
    assert_ne!(examples(60, 2).labels, many.labels);
    for i in 0..many.len() {
        let (symbol, noise) = many.input(i).split_at(3);
        let expected = [0, 1, 2].map(|s| f32::from(u8::from(s == many.labels[i])));
        assert_eq!(symbol, expected);
        assert!(noise.iter().all(|x| x.abs() <= 0.5));
        assert!(noise.iter().any(|x| x.abs() > 0.2), "{noise:?}");
    }
    let counts = [0, 1, 2].map(|s| many.labels.iter().filter(|l| **l == s).count());
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");

    let refused = DelayedRecall {
        n_symbols: 1,
        ..task
    }
    .examples(1, 0);
    let message = refused.expect_err("one symbol").to_string();
    assert_eq!(message, "n_symbols must be 2 to 256, but is 1");
    let refused = DelayedRecall {
        noise: -1.0,
        ..task
    }
    .examples(1, 0);
    let message = refused.expect_err("negative").to_string();
    assert_eq!(message, "noise must be a number of at least 0, but is -1");
}

/// Every input has a target of its own; what is shown has a row for each.
#[test]
fn every_position_can_be_judged() {
    let setup = Setup::single();
    let device = Device::flex().autodiff();
    let cost: AnyCost = CostConfig::SquaredError.init(3, 3, &device);
    let leapfrog = LeapfrogConfig::new(0.3, 2);
    let systems = vec![system(2, 3, leapfrog)];
    let network = SequenceNetwork::new(systems, cost).with_supervision(Supervision::AtEveryInput);
    let learner = SequenceLearner::new(network, HamiltonianEcho::new(1e-3));
    let input = setup.tensor((0..40).map(f64::from).map(f64::sin).collect(), [4, 10]);
    let target: Tensor<2> = setup.tensor((0..60).map(|x| f64::from(x).cos()).collect(), [4, 15]);
    let shown = TrainStep::step(&learner, Batch::new(input.clone(), target.clone())).item;
    assert_eq!(shown.output.dims(), [20, 3]);
    assert_eq!(values(&shown.target), values(&target));
    let [output, _] = learner.infer(&input);
    assert_eq!(values(&output), values(&shown.output));
    let off = output - shown.target;
    let expected = values(&(off.square().sum_dim(1) * 0.5));
    eqprop_testing::assert_close(&values(&shown.cost), &expected, 1e-5, "cost of each row");
}

#[test]
#[should_panic(expected = "system 2 must have as many inputs as system 1 has units, 5, but has 4")]
fn systems_that_do_not_fit_are_refused() {
    let leapfrog = LeapfrogConfig::new(0.3, 2);
    let _ = SequenceNetwork::new(
        vec![system(3, 5, leapfrog), system(4, 2, leapfrog)],
        SquaredError,
    );
}

#[test]
#[should_panic(expected = "inputs of 8 values each has a multiple of that, but a row has 60")]
fn a_row_that_is_no_number_of_inputs_is_refused() {
    let model = model(8, 4, 10, LeapfrogConfig::new(0.3, 1)).valid();
    let _ = model.infer(&Setup::single().tensor(vec![0.0; 60], [1, 60]));
}

#[test]
#[should_panic(
    expected = "every one of 2 inputs needs a target, but a row of targets has 5 numbers"
)]
fn targets_that_are_not_one_for_each_input_are_refused() {
    let systems = vec![system(3, 5, LeapfrogConfig::new(0.3, 1))];
    let network = SequenceNetwork::new(systems, SquaredError);
    let network = network.with_supervision(Supervision::AtEveryInput);
    let _ = network.targets(&Setup::single().tensor(vec![0.0; 5], [1, 5]), 2);
}
