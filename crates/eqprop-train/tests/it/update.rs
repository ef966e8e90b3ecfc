//! `‖ΔW‖/‖W‖` as the monitor measures it, against the definition.

use burn::module::Module;
use burn::tensor::Device;
use burn::train::{Learner, TrainStep};
use eqprop_testing::{batch, config, named_parameters, norm, residual};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::update::UpdateMonitor;

/// A number or numbers of each parameter, by its path.
type ByPath<T> = [(String, T)];

/// The ratio of every parameter, by its definition in `f64`; 0 where the parameter was zero.
fn by_hand(before: &ByPath<Vec<f64>>, after: &ByPath<Vec<f64>>) -> Vec<(String, f64)> {
    let pairs = before.iter().zip(after);
    let ratios = pairs.map(|((path, before), (_, after))| {
        let (change, size) = (residual(after, before), norm(before));
        (path.clone(), if size == 0.0 { 0.0 } else { change / size })
    });
    ratios.collect()
}

#[track_caller]
fn assert_same(found: &ByPath<f64>, expected: &ByPath<f64>) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0, expected.0);
        // Parameters and updates are f32: their difference carries 6e-8 of the parameter, some
        // 1e-5 of an update of 1 %.
        let off = (found.1 - expected.1).abs();
        assert!(off <= 1e-4 * expected.1, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn the_ratio_of_an_update_is_the_norm_of_the_change_over_the_norm() {
    let config = config();
    let monitor = UpdateMonitor::new(2);
    let network = config.network(&Device::flex());
    let model = EquilibriumLearner::new(network, config.estimator())
        .with_update_monitor(monitor.clone())
        .train();
    let rates = config.learning_rate(&model.network, 1);
    let mut learner = Learner::new(model, config.optimizer(), rates);
    assert!(monitor.latest().is_empty() && monitor.take_mean().is_empty());

    let mut expected = Vec::new();
    for _ in 0..3 {
        let before = named_parameters(&learner.model());
        let output = TrainStep::step(&learner.model(), batch(8));
        learner.lr_step();
        learner.optimizer_step(output.grads);
        expected.push(by_hand(&before, &named_parameters(&learner.model())));
        // The first and every second update after it are measured.
        let measured = if expected.len() < 3 { 0 } else { 2 };
        assert_same(&monitor.latest(), &expected[measured]);
    }
    let weight = "network.energy.Hopfield.connections.0.Dense.weight";
    assert!(
        expected[0]
            .iter()
            .any(|(path, ratio)| path == weight && *ratio > 1e-4)
    );

    let pairs = expected[0].iter().zip(&expected[2]);
    let mean: Vec<_> = pairs
        .map(|((path, a), (_, b))| (path.clone(), (a + b) / 2.0))
        .collect();
    assert_same(&monitor.take_mean(), &mean);
    assert!(monitor.take_mean().is_empty());
}

#[test]
#[should_panic(expected = "every must be at least 1")]
fn measuring_every_0th_update_is_refused() {
    UpdateMonitor::new(0);
}
