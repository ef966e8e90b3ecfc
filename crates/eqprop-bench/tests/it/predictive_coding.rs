//! Equilibrium propagation in predictive coding networks against backpropagation in their twin,
//! which is the same function.

use burn::tensor::Device;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::Model;
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{EquilibriumPropagation, Estimate, GradientEstimator};
use eqprop_train::preset::Preset;

use eqprop_bench::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    Lists, Network, Numbers, Setup, assert_agrees, assert_close, batch, cosine, digits, filled,
    gradients_of, run, training, values, with,
};

const CONVOLUTIONS: &str = r#"[
    {"channels": 6, "kernel": 3, "padding": 1, "pooling": {"max": 2}},
    {"channels": 8, "kernel": 3, "padding": 1, "pooling": {"max": 2}}]"#;

/// 64-32-24-10 or two convolutions and a dense layer, on the digits, as the presets train.
fn configs() -> [TrainingConfig; 2] {
    ["[32, 24]", CONVOLUTIONS].map(|hidden| {
        let overrides = [
            ("dataset", "digits"),
            ("hidden", hidden),
            ("batch_size", "8"),
            ("learning_rates", "[0.005, 0.005, 0.005]"),
        ];
        with(Preset::PcnMnist.config(), &overrides)
    })
}

fn phase(n_steps: usize) -> Relaxation {
    Relaxation::steps(Scheme::Asynchronous, n_steps)
}

fn gradients(
    estimator: &impl GradientEstimator<AnyField, AnyCost>,
    network: &Network,
    batch: &Batch,
) -> Lists {
    gradients_of(network, &estimator.estimate(network, batch, None).gradients)
}

/// The weights and the biases of each layer together.
fn layers(lists: &Lists) -> Vec<Vec<f64>> {
    let (weights, biases) = lists.split_at(lists.len() / 2);
    let pairs = weights.iter().zip(biases);
    pairs
        .map(|(weights, biases)| [weights.clone(), biases.clone()].concat())
        .collect()
}

#[test]
fn with_as_many_steps_as_layers_every_gradient_points_where_backpropagations_does() {
    let beta = 0.02;
    let batch = batch(32);
    for config in configs() {
        let dataset = digits(400, 10);
        let mut training = training(config.clone(), &dataset);
        run(&mut training, 1);
        for network in [
            config.network(&Device::flex()),
            training.learner().network.clone(),
        ] {
            let expected = gradients(&FeedforwardBackprop, &network, &batch);
            // Not of a network whose units have all died.
            let mut all = expected.iter();
            assert!(all.all(|list| list.iter().any(|g| g.abs() > 1e-3)));
            for nudging in [
                Nudging::OneSided { beta },
                Nudging::OneSided { beta: -beta },
                Nudging::RandomSign { beta },
                Nudging::Centered { beta },
            ] {
                let after = |n_steps| {
                    let estimator = EquilibriumPropagation::new(nudging, phase(1), phase(n_steps));
                    let found = gradients(&estimator, &network, &batch);
                    let layers = layers(&found).into_iter().zip(layers(&expected));
                    let cosines = layers.map(|(found, expected)| cosine(&found, &expected));
                    cosines.collect::<Vec<_>>()
                };
                let cosines = after(3);
                // With the other sign it would be −1.
                let close = cosines.iter().all(|cosine| *cosine > 0.99);
                assert!(close, "{nudging:?}: {cosines:?}");
                // One step reaches the last two layers only.
                let first = after(1)[0];
                assert!(first.is_nan() || first < 0.5, "{nudging:?}: {first}");
            }
        }
    }
}

/// All methods for the gradient of the free equilibrium coincide here.
#[test]
fn at_the_forward_pass_every_baseline_is_backpropagation() {
    let setup = &Setup::double();
    for config in configs() {
        for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
            let mut config = config.clone();
            config.network.cost = cost;
            let mut numbers = Numbers(1);
            let network = config.network(&Device::flex());
            let network = filled(network, setup, |n| numbers.list(n, -0.3, 0.3));
            let batch = Batch::new(
                setup.tensor(numbers.list(4 * 64, 0.0, 1.0), [4, 64]),
                setup.one_hot(&[0, 3, 9, 3], 10),
            );
            let expected = gradients(&FeedforwardBackprop, &network, &batch);
            let check = |found: Lists, what: &str| {
                // Sums of some hundred products of order 1.
                assert_agrees(&found, &expected, 1e-12, &format!("{what}, {cost:?}"));
            };
            check(gradients(&Bptt::new(phase(3)), &network, &batch), "bptt");
            let truncated = Bptt::truncated(phase(1), 3);
            check(gradients(&truncated, &network, &batch), "tbp");
            let recurrent = RecurrentBackprop {
                free: phase(1),
                costate: phase(6).stopping,
            };
            check(gradients(&recurrent, &network, &batch), "rbp");
            let exact = ImplicitExact { free: phase(1) };
            check(gradients(&exact, &network, &batch), "exact");
        }
    }
}

#[test]
fn the_twin_reports_what_the_free_phase_does() {
    let batch = batch(5);
    for config in configs() {
        let network = config.network(&Device::flex());
        let twin = FeedforwardBackprop.estimate(&network, &batch, None);
        let free = config.estimator().estimate(&network, &batch, None);
        // The same sums in f32, in another order.
        let assert_close = |twin: &[f64], free: &[f64]| assert_close(twin, free, 1e-6, "twin");
        let distance = twin.free.state.max_distance(&free.free.state);
        assert_close(&values(&distance), &[0.0; 5]);
        let numbers = |estimate: &Estimate| {
            let energy = estimate.energy.as_ref().expect("there is an energy");
            [
                values(energy),
                values(&estimate.cost),
                values(&estimate.scores),
            ]
        };
        for (twin, free) in numbers(&twin).iter().zip(&numbers(&free)) {
            assert_close(twin, free);
        }
        // Of the Hopfield energy it is another function.
        let mut hopfield = config;
        hopfield.network.model = Model::Hopfield;
        let hopfield = hopfield.network(&Device::flex());
        let other = FeedforwardBackprop.estimate(&hopfield, &batch, None);
        assert!(numbers(&other)[0].iter().any(|energy| *energy != 0.0));
        assert_eq!(
            hopfield.energy.layers().len(),
            network.energy.layers().len()
        );
    }
}
