//! Deep resistive networks: every gradient method on a circuit.

use burn::module::Module;
use burn::tensor::Device;
use eqprop_bench::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_bench::fidelity::FidelityConfig;
use eqprop_bench::method::{Method, MethodError};
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{Model, ResistiveNetworkConfig, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_testing::{
    COSTS, Network, Numbers, Setup, assert_agrees, config, filled, gradients_of, relative_error,
};
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

const SIZES: [usize; 4] = [2, 6, 4, 3];

/// A circuit with conductances in [0.2, 1.2], current sources in ±0.3 and a readout with similar numbers, and
/// a mini-batch.
fn circuit(which: CostConfig, setup: &Setup, seed: u64) -> (Network, Batch) {
    let energy = ResistiveNetworkConfig::dense(&SIZES)
        .with_input_gain(2.0)
        .init(&Device::flex());
    let cost = which.init(SIZES[3], SIZES[3], &Device::flex());
    let mut numbers = Numbers(seed);
    let mut index = 0;
    let network = EquilibriumNetwork::new(energy.into(), cost);
    let network = filled(network, setup, |n| {
        index += 1;
        match index <= 3 {
            true => numbers.list(n, 0.2, 1.2),
            false => numbers.list(n, -0.3, 0.3),
        }
    });
    let input = setup.tensor(numbers.list(6, -1.0, 1.0), [3, SIZES[0]]);
    (
        network,
        Batch::new(input, setup.one_hot(&[0, 1, 2], SIZES[3])),
    )
}

fn exact(setup: &Setup) -> ImplicitExact {
    ImplicitExact { free: setup.free() }
}

#[test]
fn autodiff_through_the_relaxation_gives_the_exact_gradient() {
    for setup in &Setup::both() {
        // A relaxation of circuits contracts by a half or so.
        let tolerance = setup.choose(1e-11, 1e-4);
        for which in COSTS {
            let (network, batch) = circuit(which, setup, 1);
            let estimate = exact(setup).estimate(&network, &batch, None);
            let expected = gradients_of(&network, &estimate.gradients);
            let check = |found: &eqprop_train::estimator::Estimate, what: &str| {
                let found = gradients_of(&network, &found.gradients);
                assert_agrees(&found, &expected, tolerance, &format!("{what}, {which:?}"));
            };
            let rbp = RecurrentBackprop {
                free: setup.free(),
                costate: Stopping::new(200),
            };
            check(&rbp.estimate(&network, &batch, None), "rbp");
            for scheme in [
                Scheme::Asynchronous,
                Scheme::FixedPoint,
                Scheme::GradientFlow { step_size: 0.5 },
            ] {
                let free = Relaxation::steps(scheme, 300);
                let bptt = Bptt::new(free.clone());
                check(&bptt.estimate(&network, &batch, None), "bptt");
                let truncated = Bptt::truncated(free, 300);
                check(&truncated.estimate(&network, &batch, None), "tbp");
            }
        }
    }
}

#[test]
fn equilibrium_propagation_approaches_the_exact_gradient_at_second_order() {
    let setup = &Setup::double();
    for which in COSTS {
        let (network, batch) = circuit(which, setup, 1);
        let estimate = exact(setup).estimate(&network, &batch, None);
        let expected = gradients_of(&network, &estimate.gradients);
        let error = |beta: f64| {
            let nudging = Nudging::Centered { beta };
            let eqprop = EquilibriumPropagation::new(nudging, setup.free(), setup.free());
            let estimate = eqprop.estimate(&network, &batch, None);
            relative_error(
                &gradients_of(&network, &estimate.gradients).concat(),
                &expected.concat(),
            )
        };
        let (small, large) = (error(0.005), error(0.02));
        // A sixteenth; first order would be a fourth.
        let order = (large / small).ln() / 4f64.ln();
        assert!(
            (order - 2.0).abs() < 0.1 && large < 1e-2,
            "{which:?}: {small:e}, {large:e}"
        );
    }
}

/// The order of the error that fidelity fits, and the step-by-step theorem, whose states need the curvature.
#[test]
fn every_step_of_a_nudged_phase_is_a_step_of_backpropagation_through_time() {
    let setup = &Setup::double();
    let (network, batch) = circuit(CostConfig::SquaredError, setup, 1);
    let nudging = Nudging::Centered { beta: 0.01 };
    let phase = |steps| Relaxation::steps(Scheme::Asynchronous, steps);
    let eqprop = EquilibriumPropagation::new(nudging, phase(20), phase(20));
    let examination = FidelityConfig::new().with_betas(vec![0.005, 0.02, 0.04]);
    let found = examination.examine(&network, &eqprop, &[batch], |_| {});
    let found = found.expect("equilibria");
    let difference = found.exactness.solve_difference.expect("a small network");
    assert!(difference < 1e-11, "{difference:e}");
    for layer in found
        .stepwise
        .parameters
        .iter()
        .chain(&found.stepwise.states)
    {
        // β = 1e-4, squared; without the curvature states would be off by 1.
        let error = layer.relative_mean_squared_error;
        assert!(error < 1e-5, "{}: {error:e}", layer.name);
    }
    let centered = found.beta.orders.centered.expect("both signs are allowed");
    let order = centered.whole.expect("enough points");
    assert!((order - 2.0).abs() < 0.1, "{order}");
    let kinks = found.beta.points[0]
        .kinks
        .as_ref()
        .expect("diodes have kinks");
    assert_eq!(kinks.layers.len(), 3);
}

/// Cases in which the diodes of some units switch between β and −β.
#[test]
fn switches_of_diodes_are_counted() {
    let setup = &Setup::double();
    let (network, batch) = circuit(CostConfig::SquaredError, setup, 2);
    let nudging = Nudging::OneSided { beta: 30.0 };
    let phase = Relaxation::steps(Scheme::Asynchronous, 20);
    let eqprop = EquilibriumPropagation::new(nudging, phase.clone(), phase);
    let far = batch.target * 100.0;
    let batch = Batch::new(batch.input, far);
    let examination = FidelityConfig::new().with_betas(vec![1e-6]);
    let found = examination.examine(&network, &eqprop, &[batch], |_| {});
    let points = found.expect("equilibria").beta.points;
    let of = |index: usize| points[index].kinks.as_ref().expect("diodes").one_sided;
    assert_eq!(of(0), 0.0);
    assert!(of(1) > 0.05, "{}", of(1));
}

fn resistive() -> TrainingConfig {
    let mut config = config();
    config.network.model = Model::Resistive { input_gain: 20.0 };
    config.network.hidden_activation = Activation::Diode;
    config
}

#[test]
fn only_the_feedforward_twin_and_complex_states_are_refused() {
    for method in Method::ALL {
        match method.estimator(&resistive()) {
            Ok(_) => assert!(![Method::Backprop, Method::Holomorphic].contains(&method)),
            Err(error) if method == Method::Holomorphic => {
                assert!(
                    matches!(error, MethodError::NotHopfield { .. }),
                    "{error:?}"
                );
            }
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        MethodError::ConductsBothWays {
                            method: Method::Backprop
                        }
                    ),
                    "{error:?}"
                );
                let text = error.to_string();
                assert!(
                    text.starts_with("backprop needs a feedforward twin"),
                    "{text}"
                );
                assert!(text.ends_with("choose other --methods"), "{text}");
            }
        }
    }
    let (network, batch) = circuit(CostConfig::SquaredError, &Setup::double(), 3);
    assert!(network.energy.twin(&batch.input).is_err());
}

#[test]
#[should_panic(expected = "a resistive network has no feedforward twin")]
fn the_twin_of_a_circuit_is_a_mistake() {
    let (network, batch) = circuit(CostConfig::SquaredError, &Setup::double(), 3);
    FeedforwardBackprop.infer(&network.valid(), &batch.input, None);
}
