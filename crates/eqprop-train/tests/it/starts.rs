//! Where free phases start: at the feedforward pass, or where the one before ended.

use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainStep};
use eqprop_core::energy::VectorField;
#[cfg(feature = "ndarray")]
use eqprop_core::state::State;
use eqprop_testing::{batch, config, flat, values, with};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::initial_state::{InitialState, PreviousState};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::training::AnyLearner;

type Learner = AnyLearner<EquilibriumPropagation>;

fn learner(start: InitialState, free_steps: usize) -> Learner {
    let steps = free_steps.to_string();
    let mut config = with(config(), &[("free_steps", &steps)]);
    config.phases.start = start;
    let network = config.network(&Device::flex());
    EquilibriumLearner::new(network, config.estimator()).with_start(start, 6)
}

/// The largest residual at the end of the free phases of a training step.
fn residual(learner: &Learner, batch: Batch) -> f64 {
    let residual = TrainStep::step(learner, batch).item.residual;
    values(&residual).into_iter().fold(0.0, f64::max)
}

fn rows(batch: &Batch, n: usize) -> Batch {
    let part = |tensor: &Tensor<2>| tensor.clone().narrow(0, 0, n);
    Batch::new(part(&batch.input), part(&batch.target))
}

#[test]
fn the_feedforward_start_is_one_pass_and_predictions_begin_there_too() {
    let learner = learner(InitialState::Feedforward, 1);
    let network = &learner.network;
    let batch = batch(6);
    let clamped = network.energy.clamp(&batch.input);
    let start = network.start(&batch.input, &clamped);
    assert_eq!(
        flat(&start),
        flat(&network.energy.feedforward(&batch.input, &clamped))
    );
    assert_ne!(flat(&start), flat(&network.energy.rest(&batch.input)));

    let estimator = with(config(), &[("free_steps", "1")]).estimator();
    let expected = network.relax(&estimator.free, &batch.input, Some(start));
    let found = learner.infer(&batch.input);
    assert_eq!(flat(&found.state), flat(&expected.state));
    let residual = InferenceStep::step(&learner, batch.clone()).residual;
    assert_eq!(values(&residual), values(&expected.residual));
    let residual = TrainStep::step(&learner, batch).item.residual;
    assert_eq!(values(&residual), values(&expected.residual));
}

#[test]
fn a_learner_that_starts_feedforward_makes_its_network_do_so() {
    let (config, batch) = (with(config(), &[("free_steps", "1")]), batch(6));
    let at_rest = config.network(&Device::flex());
    let learner = EquilibriumLearner::new(at_rest.clone(), config.estimator());
    let learner = learner.with_start(InitialState::Feedforward, 6);
    let start = at_rest.clone().with_start(InitialState::Feedforward);
    let free = config.estimator().free;
    let expected = start.relax(&free, &batch.input, None).residual;
    assert_ne!(
        values(&expected),
        values(&at_rest.relax(&free, &batch.input, None).residual)
    );
    let trained = TrainStep::step(&learner, batch.clone()).item.residual;
    assert_eq!(values(&trained), values(&expected));
    let predicted = InferenceStep::step(&learner, batch).residual;
    assert_eq!(values(&predicted), values(&expected));
}

#[test]
fn a_warm_start_begins_where_the_batch_before_ended_and_predictions_do_not() {
    let batch = batch(6);
    let warm = learner(InitialState::Previous, 4);
    let first = residual(&warm, batch.clone());
    let second = residual(&warm, batch.clone());
    // The same examples again: four steps more, of which each divides the residual by about 4.
    assert!(second < 0.1 * first, "{first:e} {second:e}");
    let inferred = warm.infer(&batch.input);
    let rest = learner(InitialState::Rest, 4).infer(&batch.input);
    assert_eq!(flat(&inferred.state), flat(&rest.state));

    // Forgotten, it starts from rest again.
    warm.previous_state().expect("as configured").forget();
    assert_eq!(residual(&warm, batch), first);
}

#[test]
fn a_smaller_batch_takes_the_first_examples_and_a_larger_one_starts_from_rest() {
    let batch = batch(6);
    let warm = PreviousState::default();
    let device = Device::flex();
    assert!(warm.state(1, &device).is_none());
    let learner = learner(InitialState::Previous, 4);
    let warm_of = |learner: &Learner| learner.previous_state().expect("as configured").clone();
    let _ = residual(&learner, batch.clone());
    let kept = warm_of(&learner).state(6, &device).expect("a batch before");
    let part = warm_of(&learner).state(2, &device).expect("a larger one");
    assert_eq!(flat(&part), flat(&kept.narrow(0, 2)));
    assert!(warm_of(&learner).state(7, &device).is_none());
    // After the smaller batch there is a smaller state.
    let _ = residual(&learner, rows(&batch, 2));
    assert!(warm_of(&learner).state(6, &device).is_none());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // Burn deprecates ndarray in favor of flex, and still ships it.
fn each_device_goes_on_from_its_own_batch_before() {
    let warm = PreviousState::default();
    let devices = [Device::flex(), Device::ndarray()];
    for (number, device) in devices.iter().enumerate() {
        let layer = Tensor::full([2, 3], number as f64, device);
        warm.keep(&State::new(vec![layer]));
    }
    for (number, device) in devices.iter().enumerate() {
        let kept = warm.state(2, device).expect("a batch before");
        assert_eq!(kept.device(), *device);
        assert_eq!(flat(&kept), vec![number as f64; 6]);
    }
}
