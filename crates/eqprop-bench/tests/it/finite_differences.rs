//! Gradients at the equilibria of smooth networks against differences of the whole procedure: relax to the
//! end, then evaluate the cost.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, CostConfig};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::estimator::{Estimate, GradientEstimator};

use eqprop_bench::baseline::{Bptt, ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    COSTS, Graph, Lists, Network, Setup, assert_agrees, gradients_of, parameter_differences,
};

/// The slope of the mean cost at the state and for the target that `judged` returns, for every parameter, by
/// central differences of size `epsilon` in `f64`.
pub fn differences(
    network: &Network,
    epsilon: f64,
    judged: impl Fn(&Network) -> (State, Tensor<2>),
) -> Lists {
    parameter_differences(network, epsilon, |network| {
        let (state, target) = judged(network);
        let cost = network.cost.value(state.output(), &target);
        cost.mean().into_scalar::<f64>()
    })
}

/// With a skip connection, and a connection within a layer, whose update is a fixed-point step.
const ENDS: [(usize, usize); 5] = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2)];

fn graph(activation: Activation, cost: CostConfig) -> Graph<'static> {
    Graph {
        sizes: &[3, 4, 3, 2],
        ends: &ENDS,
        hidden: activation,
        output: activation,
        cost,
    }
}

/// ε = 1e-5 leaves a truncation error of 1e-10 times third derivatives of order 10, and states accurate to
/// 1e-14, amplified tenfold and divided by ε, leave 1e-8.
const EPSILON: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

#[test]
fn gradients_of_smooth_networks_are_slopes_of_the_whole_procedure() {
    let setup = &Setup::double();
    for (activation, cost) in smooth() {
        let graph = graph(activation, cost);
        let network = graph.network(setup, 0.7, 1);
        let batch = graph.batch(setup, 3, 2);
        let exact = ImplicitExact { free: setup.free() };
        let free = exact.infer(&network, &batch.input, None);
        let residual = free.info().residual;
        assert!(residual <= setup.rest(), "residual {residual:e}");
        let expected = differences(&network, EPSILON, |network| {
            let relaxed = exact.infer(network, &batch.input, Some(free.state.clone()));
            (relaxed.state, batch.target.clone())
        });

        let agrees = |estimate: Estimate, of: &str| {
            let found = gradients_of(&network, &estimate.gradients);
            assert_agrees_but_for_the_diagonal(&found, &expected, of);
        };
        let what = |of: &str| format!("{of}, {activation:?}, {cost:?}");
        agrees(exact.estimate(&network, &batch, None), &what("exact"));
        let recurrent = RecurrentBackprop {
            free: setup.free(),
            costate: setup.free().stopping,
        };
        agrees(recurrent.estimate(&network, &batch, None), &what("rbp"));
        let through_time = Bptt::new(setup.free());
        agrees(through_time.estimate(&network, &batch, None), &what("bptt"));
    }
}

/// However far the state is from convergence, and wherever it starts.
#[test]
fn backpropagation_through_time_is_the_slope_of_as_many_steps() {
    let setup = &Setup::double();
    let schemes = [
        Scheme::Asynchronous,
        Scheme::FixedPoint,
        Scheme::GradientFlow { step_size: 0.3 },
    ];
    for (activation, cost) in smooth() {
        let graph = graph(activation, cost);
        let network = graph.network(setup, 0.7, 3);
        let batch = graph.batch(setup, 3, 4);
        for scheme in schemes {
            let relaxation = |n_steps| Relaxation::steps(scheme, n_steps);
            let start = Bptt::new(relaxation(1)).infer(&network, &batch.input, None);
            let start = || Some(start.state.clone());
            let estimator = Bptt::new(relaxation(4));
            let expected = differences(&network, EPSILON, |network| {
                let relaxed = estimator.infer(network, &batch.input, start());
                (relaxed.state, batch.target.clone())
            });
            let estimate = estimator.estimate(&network, &batch, start());
            let found = gradients_of(&network, &estimate.gradients);
            let what = format!("{activation:?}, {cost:?}, {scheme:?}");
            assert_agrees_but_for_the_diagonal(&found, &expected, &what);
        }
    }
}

/// Each smooth activation with each cost.
fn smooth() -> impl Iterator<Item = (Activation, CostConfig)> {
    let activations = [Activation::Sigmoid, Activation::Tanh].into_iter();
    activations.flat_map(|activation| COSTS.map(|cost| (activation, cost)))
}

/// The diagonal within a layer is ignored by the network: its gradient is exactly 0.
#[track_caller]
fn assert_agrees_but_for_the_diagonal(found: &Lists, expected: &Lists, what: &str) {
    assert_agrees(found, expected, TOLERANCE, what);
    let lateral = &found[4];
    assert_eq!([0, 4, 8].map(|entry| lateral[entry]), [0.0; 3], "{what}");
}
