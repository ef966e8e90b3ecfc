//! The estimator against independent numbers; see `tests/reference/README.md`.

use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{
    Chain, Reference, Setup, distance, filled_with, gradients_of, largest, read_reference,
};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

fn check(file: &str) {
    let setup = Setup::single();
    let reference: Reference = read_reference(file);
    let chain: Chain = read_reference(file);
    let energy = chain.config().init(&setup.device);
    let cost = chain.cost();
    let cost = cost.init(chain.n_outputs(), chain.n_classes(), &setup.device);
    let numbers = chain.lists(&reference.params).concat();
    let network = filled_with(EquilibriumNetwork::new(energy, cost), &setup, &numbers);
    let target = setup.one_hot(&reference.labels, chain.n_classes());
    let (batch, beta) = (Batch::new(reference.input(&setup), target), reference.beta);
    let phase = || Relaxation::steps(Scheme::Asynchronous, 200);
    let cases = [
        ("positive", Nudging::OneSided { beta }),
        ("negative", Nudging::OneSided { beta: -beta }),
        ("centered", Nudging::Centered { beta }),
    ];
    let expected = |of: &str| chain.lists(&reference.gradients[of]).concat();
    let largest = largest(&expected("centered")).max(1.0);
    // One rounding in f32 is 6e-8, sums of some ten terms make it 1e-6, and division by
    // β = 0.01 makes that 1e-4.
    let tolerance = 1e-4 * largest;
    for (of, nudging) in cases {
        let estimator = EquilibriumPropagation::new(nudging, phase(), phase());
        let estimate = estimator.estimate(&network, &batch, None);
        let found = gradients_of(&network, &estimate.gradients).concat();
        for (other, _) in cases {
            let off = distance(&found, &expected(other));
            if other == of {
                assert!(off <= tolerance, "{file}, {of}: off by {off:e}");
            } else {
                // One-sided and centered estimates differ by some β.
                assert!(off > 10.0 * tolerance, "{file}, {of} and {other}: {off:e}");
            }
        }
        let flipped: Vec<f64> = found.iter().map(|g| -g).collect();
        assert!(
            distance(&flipped, &expected(of)) > 1000.0 * tolerance,
            "{file}, {of} flipped"
        );
    }
}

#[test]
fn the_squared_error_estimate_agrees_with_the_reference() {
    check("dense_1_hidden.json");
}

#[test]
fn the_cross_entropy_estimate_agrees_with_the_reference() {
    check("dense_softmax_readout.json");
}
