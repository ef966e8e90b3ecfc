//! Jacobian homeostasis: its gradient, and its effect on the estimate of a network in training.

use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{AnyField, UntiedHopfieldConfig};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator, Homeostasis};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::training::Training;

use eqprop_bench::baseline::ImplicitExact;
use eqprop_bench::method::Method;
use eqprop_testing::{
    Graph, Lists, Network, Numbers, Setup, batch, config, cosine, digits, distance, filled,
    gradients_of, largest, norm, parameters, relative_error,
};

use crate::setup::suited;

const GRAPH: Graph<'static> = Graph {
    sizes: &[3, 6, 5, 2],
    ends: &[(0, 1), (1, 2), (2, 3)],
    hidden: Activation::Tanh,
    output: Activation::Tanh,
    cost: CostConfig::SquaredError,
};
/// Number of units.
const N: f64 = 13.0;
/// Forward and feedback weights of the connections that have both, in the order of the fields: three
/// weights, three biases, two of feedback.
const PAIRED: [[usize; 2]; 2] = [[1, 6], [2, 7]];

fn untied() -> Network {
    let mut numbers = Numbers(3);
    let field = UntiedHopfieldConfig::new(GRAPH.config()).init(&Device::flex());
    let field = filled(field, &Setup::double(), |n| numbers.list(n, -0.6, 0.6));
    let cost = GRAPH.cost.init(2, 2, &Device::flex());
    EquilibriumNetwork::new(AnyField::Untied(field), cost)
}

/// An estimator of the cost's gradient, which does not matter here.
fn brief() -> EquilibriumPropagation {
    let phase = || Relaxation::steps(Scheme::Asynchronous, 1);
    EquilibriumPropagation::new(Nudging::Centered { beta: 0.1 }, phase(), phase())
}

/// The mean of `n` gradients with 20 directions each.
fn mean_gradient(
    network: &Network,
    estimator: &dyn GradientEstimator<AnyField, AnyCost>,
    n: usize,
) -> Lists {
    let batch = GRAPH.batch(&Setup::double(), 20, 2);
    let mut sum: Lists = Vec::new();
    for _ in 0..n {
        let found = estimator.estimate(network, &batch, None);
        let found = gradients_of(network, &found.gradients);
        if sum.is_empty() {
            sum = found.iter().map(|list| vec![0.0; list.len()]).collect();
        }
        for (sum, found) in sum.iter_mut().flatten().zip(found.iter().flatten()) {
            *sum += found / n as f64;
        }
    }
    sum
}

/// The penalty is `Σ‖W − B‖²/n` for dense connections.
#[test]
fn its_gradient_is_on_average_that_of_the_asymmetry_of_the_jacobian() {
    let network = untied();
    let strength = 3.0;
    let lists = parameters(&network);
    let mut expected: Lists = lists.iter().map(|list| vec![0.0; list.len()]).collect();
    for [there, back] in PAIRED {
        for entry in 0..lists[there].len() {
            let slope = 2.0 * strength * (lists[there][entry] - lists[back][entry]) / N;
            expected[there][entry] = slope;
            expected[back][entry] = -slope;
        }
    }
    let without = mean_gradient(&network, &brief(), 1);
    let found = mean_gradient(&network, &Homeostasis::new(brief(), strength), 150);
    let added: Lists = found
        .iter()
        .zip(&without)
        .map(|(with, without)| with.iter().zip(without).map(|(a, b)| a - b).collect())
        .collect();
    // A direction is off by √n of the whole, 3000 of them by a fifteenth.
    let off = relative_error(&added.concat(), &expected.concat());
    assert!(off < 0.15, "{off}");
    // Parameters outside the Jacobian have no gradient.
    for (index, list) in added.iter().enumerate() {
        if !PAIRED.iter().flatten().any(|&paired| paired == index) {
            assert!(largest(list) < 1e-12, "{index}: {list:?}");
        }
    }
}

#[test]
fn an_energy_is_left_as_it_is() {
    let network = GRAPH.network(&Setup::double(), 0.6, 4);
    let expected = mean_gradient(&network, &brief(), 1);
    let found = mean_gradient(&network, &Homeostasis::new(brief(), 3.0), 1);
    assert_eq!(found, expected);
}

#[test]
fn directions_depend_on_the_seed_and_the_number_of_the_estimate() {
    let network = untied();
    let course = |seed, resumed| -> Vec<Lists> {
        let estimator = Homeostasis::new(brief(), 3.0).with_seed(seed);
        GradientEstimator::<AnyField, AnyCost>::resume(&estimator, resumed);
        let next = |_| mean_gradient(&network, &estimator, 1);
        (0..4).map(next).collect()
    };
    let whole = course(1, 0);
    assert_ne!(whole[0], whole[1]);
    assert_eq!(course(1, 2)[..2], whole[2..]);
    assert_ne!(course(2, 0)[0], whole[0]);
}

/// The share of the Jacobian's antisymmetric part, and the cosine between the simple estimate of the first
/// layer's weights and the exact gradient.
fn measured(network: &Network, config: &TrainingConfig) -> [f64; 2] {
    let AnyField::Untied(field) = &network.energy else {
        panic!("untied");
    };
    let forward = parameters(&field.forward.connections[1]).concat();
    let back = parameters(&field.feedback[1]).concat();
    let zeros = vec![0.0; back.len()];
    let negative: Vec<f64> = back.iter().map(|value| -value).collect();
    assert!(distance(&back, &zeros) > 0.0);
    let length = |other: &[f64]| {
        let sums = forward.iter().zip(other).map(|(a, b)| a - b);
        norm(&sums.collect::<Vec<_>>())
    };
    let (antisymmetric, symmetric) = (length(&back), length(&negative));

    let batch = batch(40);
    let phase = || Relaxation::steps(Scheme::Asynchronous, 200);
    let simple = EquilibriumPropagation::new(Nudging::Centered { beta: 0.05 }, phase(), phase());
    let of = |estimator: &dyn GradientEstimator<AnyField, AnyCost>| {
        let estimate = estimator.estimate(network, &batch, None);
        gradients_of(network, &estimate.gradients).swap_remove(0)
    };
    let exact = ImplicitExact {
        free: config.phases.free(),
    };
    let cosine = cosine(&of(&simple), &of(&exact));
    [antisymmetric / (symmetric + antisymmetric), cosine]
}

#[test]
fn with_it_a_network_in_training_becomes_symmetric_and_its_simple_estimate_true() {
    let dataset = digits(400, 50);
    let config = suited(config(), Method::Homeostasis);
    let run = |strength| -> Vec<[f64; 2]> {
        let estimator = Homeostasis::new(config.estimator(), strength);
        let training =
            Training::with_estimator(config.clone(), estimator, &dataset, &Device::flex());
        let mut training = training.expect("a configuration that works");
        let mut course = vec![measured(&training.learner().network, &config)];
        while !training.is_finished() {
            let record = training.run_epoch(|_| ControlFlow::Continue(()));
            record.expect("finite").expect("nothing breaks it");
            course.push(measured(&training.learner().network, &config));
        }
        course
    };
    let with = run(10.0);
    let without = run(0.0);
    let [first, last] = [with[0], with[with.len() - 1]];
    let end_without = without[without.len() - 1];
    println!("{with:?}\n{without:?}");
    assert_eq!(with[0], without[0]);
    assert!(with[1][0] < 0.6 * first[0], "{with:?}");
    assert!(last[0] < 0.3 * first[0], "{with:?}");
    assert!(last[0] < 0.7 * end_without[0], "{with:?} {without:?}");
    assert!(last[1] > first[1] + 0.2, "{with:?}");
    assert!(last[1] > 0.95, "{with:?}");
    assert!(last[1] > end_without[1] + 0.02, "{with:?} {without:?}");
}
