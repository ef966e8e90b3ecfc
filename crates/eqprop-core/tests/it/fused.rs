//! Relaxations as one computation against the same relaxations step by step.
//!
//! `relax` runs fused where it can, `relax_observed` never does. In `f64` neither is fused, so that
//! the results in `f32` are held against those of another precision and another code.

#[cfg(feature = "cube")]
mod gpus;
mod machines;
mod random;

use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Relaxed, Scheme};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, connection, cost, distance, gradients_in, graph, joined, network,
    values,
};

const SCHEMES: [Scheme; 3] = [
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.4 },
];

/// The external influence on the output.
#[derive(Debug, Clone, Copy)]
enum Output {
    Free,
    Nudged,
    Clamped,
}

/// The network relaxed step by step, or in whatever way `relax` does.
fn relaxed(
    config: &HopfieldEnergyConfig,
    setup: &Setup,
    scheme: Scheme,
    output: Output,
    batch: usize,
    stepwise: bool,
) -> Relaxed {
    // Max pooling and lateral connections magnify rounding where weights are large.
    let scale = match config.input {
        LayerShape::Flat(_) => 0.3,
        LayerShape::Maps(_) => 0.15,
    };
    let energy = network(config, setup, scale, 1);
    let mut numbers = Numbers(2);
    let input = numbers.matrix(setup, [batch, config.input.n_units()], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let start = numbers.state(energy.layers(), setup, batch);
    let n_outputs = start.output().dims()[1];
    let target = numbers.matrix(setup, [batch, n_outputs], 0.0, 1.0);
    let beta = numbers.matrix(setup, [batch, 1], -0.7, 0.9);
    let (total, start) = match output {
        Output::Free => (TotalEnergy::free(&energy, &clamped), start),
        Output::Nudged => {
            let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
            (total, start)
        }
        Output::Clamped => {
            let mut layers = start.layers().to_vec();
            let last = layers.len() - 1;
            layers[last] = target.clone();
            let total = TotalEnergy::output_clamped(&energy, &clamped, target);
            (total, State::new(layers))
        }
    };
    // An odd number of steps, and the tolerance is looked at every third.
    let relaxation = Relaxation::steps(scheme, 7);
    match stepwise {
        true => relaxation.relax_observed(&total, start, |_, _| {}),
        false => relaxation.relax(&total, start),
    }
}

pub fn list(relaxed: &Relaxed) -> Vec<f64> {
    let layers = relaxed.state.layers().iter().flat_map(values);
    layers.chain(values(&relaxed.residual)).collect()
}

/// A graph with convolutions: maps of 2×8×7, 3×4×3 and then dense layers, a skip and a 1×1
/// convolution with stride beside the first.
fn convolutional(activation: Activation, pooling: Pooling) -> HopfieldEnergyConfig {
    let first = ConvolutionConfig::new(3)
        .with_padding(1)
        .with_pooling(pooling);
    let (rows, columns) = match pooling {
        Pooling::None => (8, 6),
        _ => (4, 3),
    };
    let second = ConvolutionConfig::new(2).with_stride(2);
    let layers = vec![
        LayerConfig::new([3, 8, 6], activation),
        LayerConfig::new([5, rows, columns], activation),
        LayerConfig::new([5, rows, columns], activation),
        LayerConfig::new([2, rows / 2, columns / 2], activation),
        LayerConfig::new(4, activation),
    ];
    let connections = vec![
        joined(
            0,
            1,
            ConnectionKind::Convolution(ConvolutionConfig::new(3).with_padding(1)),
        ),
        joined(1, 2, ConnectionKind::Convolution(first)),
        joined(2, 3, ConnectionKind::Identity),
        joined(3, 4, ConnectionKind::Convolution(second)),
        connection(4, 5),
        connection(3, 5),
    ];
    HopfieldEnergyConfig::new([2, 8, 6].into(), layers, connections)
}

fn networks() -> Vec<(&'static str, HopfieldEnergyConfig)> {
    let hard = Activation::HardSigmoid;
    vec![
        (
            "one hidden layer",
            graph(&[5, 70, 30], hard, &[(0, 1), (1, 2)]),
        ),
        (
            "skips and a lateral connection",
            graph(
                &[4, 50, 9, 33, 3],
                Activation::ClippedRelu { max: 0.7 },
                &[
                    (0, 1),
                    (1, 2),
                    (2, 3),
                    (3, 4),
                    (1, 4),
                    (2, 2),
                    (4, 1),
                    (0, 3),
                ],
            ),
        ),
        (
            "sigmoid",
            graph(
                &[5, 20, 17, 3],
                Activation::Sigmoid,
                &[(0, 1), (1, 2), (2, 3)],
            ),
        ),
        (
            "tanh",
            graph(&[5, 20, 17, 3], Activation::Tanh, &[(0, 1), (1, 2), (2, 3)]),
        ),
        ("max pooling", convolutional(hard, Pooling::Max(2))),
        ("average pooling", convolutional(hard, Pooling::Average(2))),
        ("no pooling", convolutional(hard, Pooling::None)),
    ]
}

#[test]
fn a_fused_relaxation_is_the_same_relaxation() {
    for (what, config) in networks() {
        for scheme in SCHEMES {
            for output in [Output::Free, Output::Nudged, Output::Clamped] {
                for batch in [1, 21] {
                    let what = format!("{what}, {scheme:?}, {output:?}, batch {batch}");
                    let fused = relaxed(&config, &Setup::single(), scheme, output, batch, false);
                    let stepwise = relaxed(&config, &Setup::single(), scheme, output, batch, true);
                    let exact = relaxed(&config, &Setup::double(), scheme, output, batch, true);
                    assert_eq!(fused.n_steps, stepwise.n_steps);
                    // Sums of some tens of terms of order 1 in f32, seven times over.
                    assert_close(&list(&fused), &list(&stepwise), 2e-5, &what);
                    assert_close(&list(&fused), &list(&exact), 2e-5, &what);
                }
            }
        }
    }
}

/// The comparison above is a real one: in `f32` the two differ in rounding somewhere, in `f64` nowhere.
#[test]
fn single_precision_runs_fused_and_double_does_not() {
    let differ = |setup: &Setup, config: &HopfieldEnergyConfig| {
        let [fused, stepwise] = [false, true].map(|stepwise| {
            list(&relaxed(
                config,
                setup,
                Scheme::Asynchronous,
                Output::Free,
                21,
                stepwise,
            ))
        });
        distance(&fused, &stepwise) > 0.0
    };
    // Short sums come out the same to the last digit.
    let n_fused = networks()
        .iter()
        .filter(|(_, config)| differ(&Setup::single(), config))
        .count();
    assert!(n_fused >= networks().len() - 2, "{n_fused}");
    for (what, config) in networks() {
        assert!(!differ(&Setup::double(), &config), "{what}");
    }
}

#[test]
fn a_large_batch_is_shared_out_among_threads_without_a_trace() {
    let config = graph(
        &[6, 300, 200, 5],
        Activation::HardSigmoid,
        &[(0, 1), (1, 2), (2, 3)],
    );
    let all = relaxed(
        &config,
        &Setup::single(),
        Scheme::Asynchronous,
        Output::Nudged,
        67,
        false,
    );
    let stepwise = relaxed(
        &config,
        &Setup::single(),
        Scheme::Asynchronous,
        Output::Nudged,
        67,
        true,
    );
    assert_close(&list(&all), &list(&stepwise), 5e-5, "67 examples");
}

#[test]
fn a_fused_relaxation_stops_at_its_tolerance_as_a_stepwise_one() {
    let setup = Setup::single();
    let config = graph(&[5, 70, 3], Activation::HardSigmoid, &[(0, 1), (1, 2)]);
    let energy = network(&config, &setup, 0.2, 3);
    let input = Numbers(4).matrix(&setup, [9, 5], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    for tolerance in [1e-2, 1e-4, 1e-6] {
        let mut relaxation = Relaxation::steps(Scheme::Asynchronous, 60).with_tolerance(tolerance);
        relaxation.stopping.check_every = 3;
        let fused = relaxation.relax(&total, energy.rest(&input));
        let stepwise = relaxation.relax_observed(&total, energy.rest(&input), |_, _| {});
        assert_eq!(fused.n_steps, stepwise.n_steps, "{tolerance:e}");
        assert!(fused.n_steps < 60 && fused.n_steps.is_multiple_of(3));
        assert_eq!(fused.tolerance, Some(tolerance));
        assert_close(
            &values(&fused.residual),
            &values(&stepwise.residual),
            1e-6,
            "residual",
        );
    }
}

#[test]
fn a_state_that_is_not_a_number_is_seen() {
    let setup = Setup::single();
    let config = graph(&[5, 7, 3], Activation::HardSigmoid, &[(0, 1), (1, 2)]);
    let energy = network(&config, &setup, 0.2, 3);
    let mut numbers = Numbers(4).list(10, 0.0, 1.0);
    numbers[7] = f64::NAN;
    let input = setup.tensor(numbers, [2, 5]);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 20).with_tolerance(1e-3);
    let relaxed = relaxation.relax(&total, energy.rest(&input));
    assert!(values(&relaxed.residual)[0].is_finite() && values(&relaxed.residual)[1].is_nan());
    assert_eq!(relaxed.n_steps, 10, "it does not recover");
    assert!(relaxed.converged().is_err());
}

/// A cost with another nudge and a softmax layer go step by step, with the same result.
#[test]
fn what_cannot_be_fused_goes_step_by_step() {
    let setup = Setup::single();
    let config = graph(&[5, 7, 3], Activation::HardSigmoid, &[(0, 1), (1, 2)]);
    let energy = network(&config, &setup, 0.4, 3);
    let input = Numbers(4).matrix(&setup, [2, 5], 0.0, 1.0);
    let target = setup.one_hot(&[0, 2], 3);
    let clamped = energy.clamp(&input);
    let readout = cost(CostConfig::CrossEntropy, 3, &setup, 0.5, 6);
    let total = TotalEnergy::nudged(&energy, &clamped, &readout, &target, setup.number(0.5));
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 20);
    let found = relaxation.relax(&total, energy.rest(&input));
    let stepwise = relaxation.relax_observed(&total, energy.rest(&input), |_, _| {});
    assert_eq!(list(&found), list(&stepwise));
}

#[test]
#[should_panic(expected = "check_every must be at least 1, but is 0")]
fn a_relaxation_that_would_never_look_is_refused() {
    let setup = Setup::single();
    let config = graph(&[5, 7, 3], Activation::HardSigmoid, &[(0, 1), (1, 2)]);
    let energy = network(&config, &setup, 0.2, 3);
    let input = Numbers(4).matrix(&setup, [2, 5], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let mut relaxation = Relaxation::steps(Scheme::Asynchronous, 20).with_tolerance(1e-3);
    relaxation.stopping.check_every = 0;
    relaxation.relax(&total, energy.rest(&input));
}

/// Neither are the first examples of the larger batch, silently.
#[test]
#[should_panic]
fn a_start_of_another_batch_size_is_not_relaxed() {
    let setup = Setup::single();
    let config = graph(&[5, 7, 3], Activation::HardSigmoid, &[(0, 1), (1, 2)]);
    let energy = network(&config, &setup, 0.2, 3);
    let mut numbers = Numbers(4);
    let input = numbers.matrix(&setup, [4, 5], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let start = numbers.state(energy.layers(), &setup, 2);
    Relaxation::steps(Scheme::Asynchronous, 3).relax(&total, start);
}

/// Clamped drives and gradients in `f32` against `f64`, where both are plain operations on tensors.
#[test]
fn clamping_and_contrast_on_slices_are_those_on_tensors() {
    for (what, config) in networks() {
        let batch = 5;
        let measure = |setup: &Setup| {
            let energy = network(&config, setup, 0.3, 1);
            let mut numbers = Numbers(2);
            let input = numbers.matrix(setup, [batch, config.input.n_units()], -1.0, 1.0);
            let states = [0, 1].map(|_| numbers.state(energy.layers(), setup, batch));
            let [first, second] = states;
            let clamped = energy.clamp(&input);
            let drive = values(&energy.drive(0, &clamped, &first));
            let gradients = energy.contrast(&energy.clamp(&input), &first, &second, 3.0);
            let mut lists = gradients_in(&energy, &gradients);
            lists.push(drive);
            lists
        };
        let (found, expected) = (measure(&Setup::single()), measure(&Setup::double()));
        for (found, expected) in found.iter().zip(&expected) {
            // Sums over five examples and up to 48 positions of numbers of order 1, times 3.
            assert_close(found, expected, 5e-5, what);
            assert!(
                expected.iter().any(|x| x.abs() > 1e-2),
                "{what}: nothing to compare"
            );
        }
    }
}

/// A contrast of close states keeps its digits: differences are formed first.
#[test]
fn a_contrast_of_close_states_loses_no_digits() {
    for (what, config) in networks() {
        let measure = |setup: &Setup| {
            let energy = network(&config, setup, 0.3, 1);
            let mut numbers = Numbers(2);
            let input = numbers.matrix(setup, [3, config.input.n_units()], -1.0, 1.0);
            // A grid that f32 holds exactly, and steps of 2⁻¹⁶ on it.
            let layers = energy.layers().iter().map(|layer| {
                let values = numbers.list(3 * layer.n_units(), 0.1, 0.6);
                let rounded = values.iter().map(|x| (x * 1024.0).round() / 1024.0);
                setup.tensor(rounded.collect(), [3, layer.n_units()])
            });
            let first = State::new(layers.collect());
            let second = first.map(|layer| layer.clone() + 1.0 / 65536.0);
            let gradients = energy.contrast(&energy.clamp(&input), &first, &second, 65536.0);
            gradients_in(&energy, &gradients)
        };
        let (found, expected) = (measure(&Setup::single()), measure(&Setup::double()));
        for (found, expected) in found.iter().zip(&expected) {
            let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            // Products of states, each rounded by 6e-8, would be off by 4e-3 after the scale.
            assert_close(found, expected, 1e-5 * largest.max(1.0), what);
        }
    }
}
