//! Untied weights: cases in which the learning rule is the gradient, and cases in which it is not.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{AnyField, FeedbackInitializer, FeedbackUpdate, UntiedHopfieldConfig};
use eqprop_core::nudging::Nudging;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::baseline::{FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    Graph, Lists, Network, Numbers, Setup, assert_agrees, filled, gradients_of, relative_error,
};

use crate::finite_differences::differences;

const GRAPH: Graph<'static> = Graph {
    sizes: &[3, 5, 4, 2],
    ends: &[(0, 1), (1, 2), (2, 3), (1, 3)],
    hidden: Activation::Sigmoid,
    output: Activation::Sigmoid,
    cost: CostConfig::SquaredError,
};
/// Relative error of a centered estimate at β = 0.01: of order β².
const BIAS: f64 = 5e-4;
/// Forward weights, biases and feedback weights; the connection from the input has no feedback.
const N_PARAMETERS: usize = 4 + 3 + 3;
/// The forward lists of the connections with feedback.
const PAIRED: [usize; 3] = [1, 2, 3];

/// A network with parameters in ±0.7 and feedback that differs by `apart` times numbers in ±1.
fn network(update: FeedbackUpdate, apart: f64) -> Network {
    let setup = &Setup::double();
    let config = UntiedHopfieldConfig::new(GRAPH.config())
        .with_update(update)
        .with_feedback(FeedbackInitializer::Forward);
    let field = config.init(&Device::flex());

    let mut numbers = Numbers(1);
    let mut lists: Lists = Vec::new();
    let fill = |n| {
        let index = lists.len();
        let list = match index.checked_sub(N_PARAMETERS - PAIRED.len()) {
            None => numbers.list(n, -0.7, 0.7),
            Some(feedback) => {
                let forward = lists[PAIRED[feedback]].iter();
                let moved = forward.zip(numbers.list(n, -apart, apart));
                moved.map(|(value, by)| value + by).collect()
            }
        };
        lists.push(list.clone());
        list
    };
    let field = filled(field, setup, fill);
    let cost = GRAPH.cost.init(2, 2, &Device::flex());
    EquilibriumNetwork::new(AnyField::Untied(field), cost)
}

fn gradient(network: &Network, estimator: &impl GradientEstimator<AnyField, AnyCost>) -> Lists {
    let batch = GRAPH.batch(&Setup::double(), 3, 2);
    let estimate = estimator.estimate(network, &batch, None);
    gradients_of(network, &estimate.gradients)
}

fn exact() -> ImplicitExact {
    ImplicitExact {
        free: Setup::double().free(),
    }
}

fn eqprop(beta: f64) -> EquilibriumPropagation {
    let phase = || Setup::double().free();
    EquilibriumPropagation::new(Nudging::Centered { beta }, phase(), phase())
}

#[test]
fn the_exact_gradient_of_untied_weights_is_the_slope_of_the_whole_procedure() {
    let network = network(FeedbackUpdate::Own, 0.5);
    let batch = GRAPH.batch(&Setup::double(), 3, 2);
    let expected = differences(&network, 1e-5, |network| {
        let relaxed = exact().infer(network, &batch.input, None);
        (relaxed.state, batch.target.clone())
    });
    assert_eq!(expected.len(), N_PARAMETERS);
    // As for smooth networks with an energy.
    assert_agrees(&gradient(&network, &exact()), &expected, 1e-7, "exact");
    let recurrent = RecurrentBackprop {
        free: Setup::double().free(),
        costate: Setup::double().free().stopping,
    };
    assert_agrees(&gradient(&network, &recurrent), &expected, 1e-7, "rbp");
}

#[test]
fn each_directions_own_update_is_its_gradient_where_the_directions_are_equal() {
    let network = network(FeedbackUpdate::Own, 0.0);
    let expected = gradient(&network, &exact());
    // Centered: O(β²). A tenth of β leaves a hundredth of the error.
    let off = |beta| {
        relative_error(
            &gradient(&network, &eqprop(beta)).concat(),
            &expected.concat(),
        )
    };
    let [coarse, fine] = [0.1, 0.01].map(off);
    assert!(fine < BIAS, "{fine:e}");
    assert!(
        (50.0..200.0).contains(&(coarse / fine)),
        "{coarse:e} {fine:e}"
    );
    assert_agrees(&gradient(&network, &eqprop(0.01)), &expected, BIAS, "own");
}

#[test]
fn the_same_update_is_the_gradient_of_moving_equal_directions_together() {
    let network = network(FeedbackUpdate::Same, 0.0);
    let mut expected = gradient(&network, &exact());
    let feedback = N_PARAMETERS - PAIRED.len();
    for (index, forward) in PAIRED.into_iter().enumerate() {
        let [there, back] = [&expected[forward], &expected[feedback + index]];
        let sum: Vec<f64> = there.iter().zip(back).map(|(a, b)| a + b).collect();
        (expected[forward], expected[feedback + index]) = (sum.clone(), sum);
    }
    assert_agrees(&gradient(&network, &eqprop(0.01)), &expected, BIAS, "same");
}

#[test]
fn with_other_feedback_the_update_is_biased_however_small_the_nudge() {
    let network = network(FeedbackUpdate::Own, 0.5);
    let expected = gradient(&network, &exact());
    let off = |beta| {
        relative_error(
            &gradient(&network, &eqprop(beta)).concat(),
            &expected.concat(),
        )
    };
    let [coarse, fine] = [0.1, 0.01].map(off);
    assert!(fine > 0.05, "{fine:e}");
    assert!((0.9..1.1).contains(&(coarse / fine)), "{coarse:e} {fine:e}");
}

#[test]
fn the_feedforward_twin_has_the_forward_weights_alone() {
    let found = |apart| gradient(&network(FeedbackUpdate::Own, apart), &FeedforwardBackprop);
    let gradients = found(0.5);
    assert_eq!(gradients, found(0.0));
    let (forward, feedback) = gradients.split_at(N_PARAMETERS - PAIRED.len());
    assert!(forward.iter().all(|list| list.iter().any(|g| *g != 0.0)));
    assert!(feedback.iter().flatten().all(|g| *g == 0.0));
}
