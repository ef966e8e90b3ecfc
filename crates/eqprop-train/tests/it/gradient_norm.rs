//! Clipping of the gradient of all parameters together.

use std::ops::ControlFlow;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use eqprop_testing::{
    Network, batch, config, digits, distance, gradients_of, named_parameters, norm, training, with,
};
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::gradient_norm::clip_global_norm;
use eqprop_train::learner::EquilibriumLearner;

/// All gradients in one list.
fn listed(network: &Network, gradients: &GradientsParams) -> Vec<f64> {
    gradients_of(network, gradients).concat()
}

fn estimate(network: &Network) -> Estimate {
    config().estimator().estimate(network, &batch(20), None)
}

#[test]
fn a_long_gradient_is_scaled_down_as_a_whole() {
    let network = config().network(&Device::flex());
    let expected = listed(&network, &estimate(&network).gradients);
    let length = norm(&expected);
    let clipped = |max_norm| {
        let clipped = clip_global_norm(estimate(&network).gradients, &network, max_norm);
        listed(&network, &clipped)
    };
    // Sums of a thousand squares in f32.
    let found = clipped(0.5 * length);
    assert!((norm(&found) / length - 0.5).abs() < 1e-5);
    let halved: Vec<f64> = expected.iter().map(|g| 0.5 * g).collect();
    assert!(distance(&found, &halved) < 1e-5 * length);
    // No parameter alone is so long as to be clipped.
    let estimate = estimate(&network);
    let alone = gradients_of(&network, &estimate.gradients).into_iter();
    assert!(
        alone
            .map(|list| norm(&list))
            .all(|norm| norm < 0.98 * length)
    );
    assert!(norm(&clipped(0.98 * length)) < 0.981 * length);

    assert_eq!(clipped(1.01 * length), expected);
    assert_eq!(clipped(1e30), expected);
}

#[test]
fn gradients_of_zero_stay_zero() {
    struct Zeros(GradientsParams);

    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.register(parameter.id, parameter.val().zeros_like());
        }
    }

    let network = config().network(&Device::flex());
    let mut zeros = Zeros(GradientsParams::new());
    network.visit(&mut zeros);
    let clipped = clip_global_norm(zeros.0, &network, 1.0);
    assert!(listed(&network, &clipped).iter().all(|g| *g == 0.0));
}

#[test]
fn a_learner_hands_out_clipped_gradients() {
    let network = config().network(&Device::flex());
    let learner = EquilibriumLearner::new(network.clone(), config().estimator());
    let free = TrainStep::step(&learner, batch(20)).grads;
    let length = norm(&listed(&network, &free));
    let learner = learner.with_max_gradient_norm(0.1 * length);
    let clipped = TrainStep::step(&learner, batch(20)).grads;
    let found = norm(&listed(&network, &clipped));
    assert!((found / length - 0.1).abs() < 1e-5, "{found} of {length}");
}

#[test]
fn a_configured_clip_bounds_the_steps_of_a_training() {
    // One update, the same rate everywhere: the step is the rate times the gradient.
    let of = |clip: &str| {
        let config = with(
            config(),
            &[
                ("gradient_clip", clip),
                ("batch_size", "20"),
                ("learning_rates", "[0.5, 0.5]"),
            ],
        );
        let mut training = training(config, &digits(20, 10));
        let all = |training: &eqprop_train::training::Training| -> Vec<f64> {
            let lists = named_parameters(training.learner()).into_iter();
            lists.flat_map(|(_, list)| list).collect()
        };
        let before = all(&training);
        let record = training.run_epoch(|_| ControlFlow::Continue(()));
        record.expect("finite");
        let after = all(&training);
        let step: Vec<f64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
        norm(&step)
    };
    let free = of("null");
    assert!(free > 0.1, "{free}");
    assert!((of("0.01") - 0.005).abs() < 1e-5);
    assert_eq!(of("1e6"), free);
    for refused in ["0.0", "-1.0"] {
        let config = with(config(), &[("gradient_clip", refused)]);
        let error = config.validate().expect_err("not positive");
        let message = eqprop_testing::explained(&error);
        assert!(message.contains("gradient_clip"), "{message}");
    }
}
