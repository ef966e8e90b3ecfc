//! The exact gradient against independent numbers.

use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::relaxation::{Outcome, Relaxation, Scheme};
use eqprop_train::estimator::GradientEstimator;

use eqprop_bench::baseline::ImplicitExact;
use eqprop_testing::{Graph, Setup, assert_agrees, filled, gradients_of};

use crate::reference::Reference;

/// Relative errors allowed between the exact gradient and the files. These hold converged numbers in `f64`;
/// in `f32` a rounding error of 6e-8 in sums of ten terms, amplified tenfold by the network, makes 1e-5.
pub fn tolerance(setup: &Setup) -> f64 {
    setup.choose(1e-12, 1e-5)
}

#[test]
fn the_exact_gradient_agrees_with_the_reference() {
    for setup in &Setup::both() {
        let estimator = ImplicitExact { free: setup.free() };
        for reference in Reference::all(setup) {
            let what = format!("{}, {}", reference.file, setup.name);
            let Reference {
                network,
                batch,
                start,
                exact,
                ..
            } = reference;
            let estimate = estimator.estimate(&network, &batch, start);
            let residual = estimate.free.info().residual;
            assert!(residual <= setup.rest(), "{what}: residual {residual:e}");
            let found = gradients_of(&network, &estimate.gradients);
            assert_agrees(&found, &exact, tolerance(setup), &what);
        }
    }
}

/// Two linear units joined by a weight of 1: the energy `½(s₁ − s₂)² − b·s` is flat along
/// `s₁ = s₂`.
#[test]
fn a_minimum_that_is_not_strict_has_no_gradient() {
    let graph = Graph {
        sizes: &[1, 1, 1],
        ends: &[(0, 1), (1, 2)],
        hidden: Activation::Identity,
        output: Activation::Identity,
        cost: CostConfig::SquaredError,
    };
    let setup = &Setup::double();
    let batch = graph.batch(setup, 2, 1);
    let estimator = ImplicitExact {
        free: Relaxation::steps(Scheme::Asynchronous, 3),
    };
    let outcome = |weight: f64| {
        let network = filled(graph.network(setup, 1.0, 2), setup, |n| vec![weight; n]);
        let estimate = estimator.estimate(&network, &batch, None);
        let gradients = gradients_of(&network, &estimate.gradients).concat();
        let costate = estimate.second_phase.expect("a costate").info().outcome;
        (costate, gradients.iter().all(|g| g.is_nan()))
    };
    assert_eq!(outcome(1.0), (Outcome::NotFinite, true));
    assert_eq!(outcome(0.9), (Outcome::MaxSteps, false));
}
