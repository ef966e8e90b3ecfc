//! Coupled oscillators: every gradient method.

use burn::tensor::Device;
use eqprop_bench::baseline::{Bptt, ImplicitExact, RecurrentBackprop};
use eqprop_bench::method::{Method, MethodError};
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{AnyCost, PhaseError};
use eqprop_core::energy::{OscillatorNetworkConfig, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_testing::{
    Array, Network, Reference, Setup, assert_agrees, filled, gradients_of, parameters,
    read_reference, relative_error, values,
};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator, gradient_vectors};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::preset::Preset;

/// The network of the independent numbers, its mini-batch and its free state.
fn oscillators(setup: &Setup) -> (Network, Batch, State, Vec<Vec<f64>>) {
    let found: Reference = read_reference("oscillators_harmonic.json");
    let sizes = [4, 6, 5, 3];
    let in_order = |of: &dyn Fn(&str) -> Vec<f64>| -> Vec<Vec<f64>> {
        let names = ["W", "b", "S"].into_iter();
        let names = names.flat_map(|name| (0..3).map(move |layer| format!("{name}{layer}")));
        names.map(|name| of(&name)).collect()
    };
    let mut lists = in_order(&|name| found.params[name].data.clone()).into_iter();
    let energy = OscillatorNetworkConfig::dense(&sizes, InitializerConfig::Glorot)
        .with_learns_injection(true)
        .init(&Device::flex());
    let network = EquilibriumNetwork::new(energy.into(), AnyCost::PhaseError(PhaseError));
    let network = filled(network, setup, |_| lists.next().expect("a list for each"));
    let layer = |array: &Array| setup.tensor(array.data.clone(), [array.shape[0], array.shape[1]]);
    let free = State::new(found.free.state.iter().map(layer).collect());
    let target = setup.one_hot(&found.labels, 3);
    let exact = in_order(&|name| found.gradients["exact"][name].data.clone());
    (network, Batch::new(found.input(setup), target), free, exact)
}

fn phase() -> Relaxation {
    Relaxation::steps(Scheme::Asynchronous, 4000).with_tolerance(1e-14)
}

#[test]
fn backpropagation_finds_the_gradient_of_independent_numbers() {
    let setup = &Setup::double();
    let (network, batch, free, exact) = oscillators(setup);
    let check = |estimator: &dyn GradientEstimator<_, _>, tolerance: f64, what: &str| {
        let estimate = estimator.estimate(&network, &batch, Some(free.clone()));
        let found = gradients_of(&network, &estimate.gradients);
        assert_agrees(&found, &exact, tolerance, what);
    };
    check(&ImplicitExact { free: phase() }, 1e-9, "exact");
    let rbp = RecurrentBackprop {
        free: phase(),
        costate: Stopping::new(2000),
    };
    check(&rbp, 1e-9, "rbp");
    check(&Bptt::truncated(phase(), 1500), 1e-8, "bptt");
}

/// Where both signs of `S` contribute to the drive, each has half of its slope.
#[test]
fn backpropagation_finds_the_gradient_without_a_second_harmonic_too() {
    let setup = &Setup::double();
    let (network, batch, ..) = oscillators(setup);
    let mut lists = parameters(&network).into_iter();
    let n_lists = lists.len();
    let mut count = 0;
    let network = filled(network, setup, |n| {
        count += 1;
        let list = lists.next().expect("a list for each");
        match count > n_lists - 3 {
            true => vec![0.0; n],
            false => list,
        }
    });
    let nudging = Nudging::Centered { beta: 0.001 };
    let eqprop = EquilibriumPropagation::new(nudging, phase(), phase());
    let expected = gradients_of(&network, &eqprop.estimate(&network, &batch, None).gradients);
    let exact = ImplicitExact { free: phase() }.estimate(&network, &batch, None);
    assert_agrees(
        &gradients_of(&network, &exact.gradients),
        &expected,
        1e-4,
        "S = 0",
    );
}

#[test]
fn equilibrium_propagation_approaches_it_at_second_order() {
    let setup = &Setup::double();
    let (network, batch, free, exact) = oscillators(setup);
    let error = |beta: f64| {
        let nudging = Nudging::Centered { beta };
        let eqprop = EquilibriumPropagation::new(nudging, phase(), phase());
        let estimate = eqprop.estimate(&network, &batch, Some(free.clone()));
        let found = gradients_of(&network, &estimate.gradients).concat();
        relative_error(&found, &exact.concat())
    };
    let (small, large) = (error(0.001), error(0.004));
    let order = (large / small).ln() / 4f64.ln();
    assert!((order - 2.0).abs() < 0.1, "{small:e}, {large:e}");
}

#[test]
fn what_oscillators_cannot_do_is_refused() {
    let mut config = Preset::DigitsOscillators.config();
    config.network.hidden = vec![6.into()];
    let device = Device::flex();
    let network = config.network(&device.clone().autodiff());
    let setup = Setup::single();
    let input = setup.tensor((0..128).map(|i| f64::from(i % 7) / 7.0).collect(), [2, 64]);
    let batch = Batch::new(input, setup.one_hot(&[1, 4], 10));
    for method in Method::ALL {
        let outcome = method.estimator(&config);
        match method {
            Method::Backprop => {
                assert!(matches!(
                    outcome.err(),
                    Some(MethodError::ConductsBothWays { .. })
                ));
            }
            Method::Holomorphic => {
                assert!(matches!(
                    outcome.err(),
                    Some(MethodError::NotHopfield { .. })
                ));
            }
            Method::Stochastic => {
                assert!(matches!(outcome.err(), Some(MethodError::Langevin(_))));
            }
            _ => {
                let estimator = outcome.unwrap_or_else(|error| panic!("{method:?}: {error}"));
                let estimate = estimator.estimate(&network, &batch, None);
                for (parameter, gradient) in gradient_vectors(&network, &estimate.gradients) {
                    // The second harmonic of the preset is not learned; a random change knows no such difference.
                    let is_fixed = parameter.path.contains("injections");
                    if method != Method::WeightPerturbation {
                        assert_eq!(
                            gradient.is_none(),
                            is_fixed,
                            "{method:?} {}",
                            parameter.path
                        );
                    }
                    let numbers = gradient.into_iter().flat_map(|found| values(&found));
                    assert!(numbers.into_iter().all(f64::is_finite), "{method:?}");
                }
                // A clamped value is a phase too.
                if let Some(second) = &estimate.second_phase {
                    let squares = values(&second.state.output().clone().square().sum_dim(1));
                    if !matches!(
                        method,
                        Method::Exact | Method::Rbp | Method::Asymmetric | Method::Dyadic
                    ) {
                        assert!(
                            squares.iter().all(|sum| (sum - 10.0).abs() < 1e-3),
                            "{method:?}"
                        );
                    }
                }
            }
        }
    }
    let (network, batch, ..) = oscillators(&Setup::double());
    assert!(network.energy.twin(&batch.input).is_err());
}
