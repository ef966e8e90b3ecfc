//! Costs of hidden layers: every way to the gradient of their sum.

use burn::tensor::{Device, Tensor};
use eqprop_bench::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_bench::fidelity::FidelityConfig;
use eqprop_bench::method::{Method, MethodError};
use eqprop_core::cost::{AnyCost, Cost};
use eqprop_core::energy::{AnyField, Model};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_testing::{
    Lists, Network, Numbers, Setup, assert_agrees, config, cosine, filled, gradients_of, norm,
    relative_error, values, with,
};
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{
    AsymmetricEquilibriumPropagation, DyadicEquilibriumPropagation, EquilibriumPropagation,
    GradientEstimator,
};

use crate::finite_differences::differences;

type Estimator = dyn GradientEstimator<AnyField, AnyCost>;

/// Three hidden layers of few units, the first and the third with costs of their own.
fn small(changes: &[(&str, &str)]) -> TrainingConfig {
    let small = [
        ("hidden", "[6,5,4]"),
        ("hidden_activation", "tanh"),
        ("intermediate.layers", "[1,3]"),
        ("intermediate.weight", "0.6"),
        ("learning_rates", "[0.1,0.1,0.1,0.1]"),
    ];
    let config = with(with(config(), &small), changes);
    config.validate().expect("a configuration that works");
    config
}

const UNTIED: [(&str, &str); 2] = [("model", "untied"), ("feedback_initializer", "independent")];
const CIRCUIT: [(&str, &str); 2] = [("model", "resistive"), ("hidden_activation", "diode")];

/// A network of random numbers, of conductances that can be, with three digits.
fn problem(config: &TrainingConfig) -> (Network, Batch) {
    let setup = &Setup::double();
    let mut numbers = Numbers(4);
    let is_circuit = matches!(config.network.model, Model::Resistive { .. });
    let low = if is_circuit { 0.1 } else { -0.4 };
    let network = filled(config.network(&Device::flex()), setup, |n| {
        numbers.list(n, low, 0.4)
    });
    let input = numbers.matrix(setup, [3, 64], 0.0, 0.3);
    (network, Batch::new(input, setup.one_hot(&[0, 4, 7], 10)))
}

fn gradient((network, batch): &(Network, Batch), estimator: &Estimator) -> Lists {
    let estimate = estimator.estimate(network, batch, None);
    gradients_of(network, &estimate.gradients)
}

fn phase() -> Relaxation {
    Setup::double().free()
}

fn exact(problem: &(Network, Batch)) -> Lists {
    gradient(problem, &ImplicitExact { free: phase() })
}

fn summed(network: &Network, state: &State, target: &Tensor<2>) -> f64 {
    let summed = network.cost.summed_value(state, target);
    summed.mean().into_scalar::<f64>()
}

#[test]
fn the_exact_gradient_is_that_of_the_summed_cost() {
    let problem = problem(&small(&[]));
    let (network, batch) = &problem;
    let found = exact(&problem);
    // Weights and biases of four layers, and two readouts with theirs.
    assert_eq!(found.len(), 8 + 4);
    let relaxed = |network: &Network| {
        let free = ImplicitExact { free: phase() };
        GradientEstimator::<AnyField, AnyCost>::infer(&free, network, &batch.input, None).state
    };
    let expected = eqprop_testing::fourth_order_differences(network, |network| {
        summed(network, &relaxed(network), &batch.target)
    });
    assert_agrees(&found, &expected, 1e-7, "exact");
    // Without the hidden costs it would be another.
    let plain = differences(network, 1e-5, |network| {
        (relaxed(network), batch.target.clone())
    });
    assert!(relative_error(&found[..8].concat(), &plain[..8].concat()) > 0.1);
}

#[test]
fn every_way_to_the_gradient_finds_it() {
    let readout = [("cost", "cross_entropy"), ("intermediate.layers", "[1,2]")];
    for changes in [&[][..], &readout, &CIRCUIT] {
        let problem = problem(&small(changes));
        let expected = exact(&problem);
        let rbp = RecurrentBackprop {
            free: phase(),
            costate: Stopping::new(300),
        };
        assert_agrees(&gradient(&problem, &rbp), &expected, 1e-9, "rbp");
        let steps = Relaxation::steps(Scheme::Asynchronous, 300);
        let bptt = Bptt::new(steps.clone());
        assert_agrees(&gradient(&problem, &bptt), &expected, 1e-9, "bptt");
        let tbp = Bptt::truncated(steps, 300);
        assert_agrees(&gradient(&problem, &tbp), &expected, 1e-9, "tbp");
        let off = |beta: f64| {
            let nudging = Nudging::Centered { beta };
            let eqprop = EquilibriumPropagation::new(nudging, phase(), phase());
            let found = gradient(&problem, &eqprop);
            for (found, exact) in found.iter().zip(&expected) {
                if norm(exact) > 0.0 {
                    let cosine = cosine(found, exact);
                    assert!(cosine > 0.9999, "{changes:?}: {cosine}");
                }
            }
            relative_error(&found.concat(), &expected.concat())
        };
        let (few, more) = (off(0.005), off(0.02));
        let order = (more / few).ln() / 4f64.ln();
        assert!((order - 2.0).abs() < 0.2, "{changes:?}: {few:e}, {more:e}");
    }
}

/// Their nudged phases are those of other fields.
#[test]
fn asymmetric_and_dyadic_estimates_of_untied_weights_find_it() {
    let problem = problem(&small(&UNTIED));
    let expected = exact(&problem);
    let nudging = Nudging::Centered { beta: 0.005 };
    let asymmetric = AsymmetricEquilibriumPropagation::new(nudging, phase(), phase());
    let dyadic = DyadicEquilibriumPropagation::new(nudging, phase(), phase());
    let estimators: [&Estimator; 2] = [&asymmetric, &dyadic];
    for estimator in estimators {
        assert_agrees(&gradient(&problem, estimator), &expected, 1e-3, "untied");
    }
}

/// Of predictive coding the twin is the same function.
#[test]
fn the_twin_of_a_predictive_coding_network_has_the_gradient_of_its_hidden_costs() {
    let problem = problem(&small(&[("model", "predictive_coding"), ("beta", "0.02")]));
    let found = gradient(&problem, &FeedforwardBackprop);
    assert_agrees(&found, &exact(&problem), 1e-9, "twin");
}

#[test]
fn fidelity_examines_the_gradient_of_the_sum() {
    let (network, batch) = problem(&small(&[]));
    let nudging = Nudging::Centered { beta: 0.01 };
    let steps = Relaxation::steps(Scheme::Asynchronous, 40);
    let eqprop = EquilibriumPropagation::new(nudging, steps.clone(), steps);
    let examination = FidelityConfig::new().with_betas(vec![0.005, 0.02, 0.04]);
    let found = examination.examine(&network, &eqprop, &[batch], |_| {});
    let found = found.expect("equilibria");
    let readouts = [
        "readout of layer 1",
        "readout bias of layer 1",
        "readout of layer 3",
        "readout bias of layer 3",
    ];
    assert_eq!(found.parameters[8..], readouts);
    let difference = found.exactness.solve_difference.expect("a small network");
    assert!(difference < 1e-10, "{difference:e}");
    let centered = found.beta.orders.centered.expect("both signs are allowed");
    let order = centered.whole.expect("enough points");
    assert!((order - 2.0).abs() < 0.1, "{order}");
    let agreement = found.beta.points[0].estimates.centered.as_ref();
    let agreement = agreement.expect("both signs are allowed");
    assert!(agreement.lowest_cosine() > 0.9999);
    // Each step of the nudged phase is one of backpropagation through time, in hidden layers too.
    let stepwise = &found.stepwise;
    for layer in stepwise.parameters.iter().chain(&stepwise.states) {
        let error = layer.relative_mean_squared_error;
        assert!(error < 1e-4, "{}: {error:e}", layer.name);
    }
}

/// Measured is the cost of the output.
#[test]
fn an_estimate_reports_the_cost_of_the_output() {
    let (network, batch) = problem(&small(&[]));
    let nudging = Nudging::Centered { beta: 0.01 };
    let eqprop = EquilibriumPropagation::new(nudging, phase(), phase());
    let estimate = eqprop.estimate(&network, &batch, None);
    let state = &estimate.free.state;
    let of_output = network.cost.value(state.output(), &batch.target);
    assert_eq!(values(&estimate.cost), values(&of_output));
    let sum = summed(&network, state, &batch.target);
    assert!(sum > values(&of_output).iter().sum::<f64>() / 3.0 + 0.5);
}

#[test]
fn methods_that_act_on_the_output_alone_are_refused() {
    let mut config = small(&[("output_activation", "tanh")]);
    let refused = [
        Method::Holomorphic,
        Method::Cl,
        Method::Pcpl,
        Method::Ncpl,
        Method::Ccpl,
    ];
    for method in Method::ALL {
        match method.estimator(&config) {
            Ok(_) => assert!(!refused.contains(&method), "{method}"),
            // Smooth units cannot be sampled.
            Err(MethodError::Langevin(_)) => assert_eq!(method, Method::Stochastic),
            Err(error) => {
                assert!(refused.contains(&method), "{method}: {error}");
                assert!(matches!(error, MethodError::Intermediate { .. }));
                let said = error.to_string();
                assert!(said.contains("set intermediate.layers=[]"), "{said}");
            }
        }
    }
    config.network.intermediate.weight = 0.0;
    assert!(Method::Holomorphic.estimator(&config).is_ok());
}

#[test]
#[should_panic(expected = "coupled learning clamps the output alone")]
fn coupled_learning_has_no_hidden_costs() {
    let coupled = eqprop_train::estimator::CoupledLearning::contrastive_learning(phase(), phase());
    gradient(&problem(&small(&[])), &coupled);
}
