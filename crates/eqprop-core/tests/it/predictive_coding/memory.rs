//! Results that are computed once and kept from step to step.

use eqprop_core::activation::Activation;
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::{Energy, PredictiveCoding, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, assert_close, chain, cost, gradients_in, values};

use super::{BATCH, Problem, chains};

/// All results that a network gives for a state.
fn all(
    energy: &PredictiveCoding,
    clamped: &<PredictiveCoding as VectorField>::Clamped,
    state: &State,
) -> Vec<f64> {
    let drives = (0..state.layers().len()).map(|layer| energy.drive(layer, clamped, state));
    let mut all: Vec<f64> = drives.flat_map(|drive| values(&drive)).collect();
    all.extend(values(&energy.energy(clamped, state)));
    all
}

/// The same state, with new versions of its layers.
fn anew(state: &State) -> State {
    State::new(state.layers().to_vec())
}

#[test]
fn what_is_kept_is_what_would_be_computed_anew() {
    let setup = Setup::double();
    for (what, config) in chains(Activation::Relu) {
        let Problem { energy, input, .. } = Problem::new(&config, &setup, 1.0);
        let target = setup.one_hot(&[0, 1, 1], 2);
        for n_copies in [1, 2] {
            let clamped = energy.clamp(&input);
            let start = energy.start(&input, &clamped).repeat(n_copies);
            let clamped = energy.repeat(&clamped, n_copies);
            let beta = Numbers(3).matrix(&setup, [n_copies * BATCH, 1], -0.1, 0.1);
            let target = target.clone().repeat_dim(0, n_copies);
            let input = input.clone().repeat_dim(0, n_copies);
            let total =
                TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta.clone());
            let relaxation = Relaxation::steps(Scheme::Asynchronous, 4);
            let mut seen = Vec::new();
            relaxation.relax_observed(&total, start.clone(), |_, state| {
                let found = all(&energy, &clamped, state);
                let expected = all(&energy, &energy.clamp(&input), &anew(state));
                assert_close(&found, &expected, 0.0, &what);
                seen.push(state.clone());
            });
            // Whatever the order in which the states come.
            for state in [&seen[2], &seen[0], &seen[4], &seen[2]] {
                let found = all(&energy, &clamped, state);
                let expected = all(&energy, &energy.clamp(&input), &anew(state));
                assert_close(&found, &expected, 0.0, &what);
            }
            // A relaxation that knows nothing takes every step, and comes to the same states.
            let fresh = energy.clamp(&input);
            let total = TotalEnergy::nudged(&energy, &fresh, &SquaredError, &target, beta);
            let slow = relaxation.relax(&total, anew(&start)).state;
            let last = seen.last().expect("there are steps");
            let distance = values(&slow.max_distance(last));
            // Layers that stayed were not rounded again.
            assert!(distance.iter().all(|d| *d < 1e-14), "{what}: {distance:?}");

            for [first, second] in [[last, &start], [&start, last], [last, &seen[1]]] {
                let scale = 1.3;
                let kept = energy.contrast(&clamped, first, second, scale);
                let kept = gradients_in(&energy, &kept).concat();
                let anew =
                    energy.contrast(&energy.clamp(&input), &anew(first), &anew(second), scale);
                let anew = gradients_in(&energy, &anew).concat();
                // One product or the half sum of two: roundings of numbers of order 10.
                assert_close(&kept, &anew, 1e-13, &what);
                // The only layer of one that has no other is there after the first step.
                let differs = values(&first.max_distance(second)).iter().any(|d| *d > 0.0);
                assert_eq!(kept.iter().any(|g| g.abs() > 1e-5), differs, "{what}");
            }
        }
    }
}

/// A layer stays until a change has reached a neighbor: first the output, then two more per step.
#[test]
fn a_nudge_goes_down_two_layers_per_step() {
    let setup = Setup::double();
    let config = chain(&[3, 4, 4, 4, 4, 2], Activation::Tanh);
    let Problem { energy, input, .. } = Problem::new(&config, &setup, 1.0);
    let clamped = energy.clamp(&input);
    let start = energy.start(&input, &clamped);
    let cost = cost(CostConfig::SquaredError, 2, &setup, 1.0, 2);
    let target = setup.one_hot(&[0, 1, 1], 2);
    let total = TotalEnergy::nudged(&energy, &clamped, &cost, &target, setup.number(0.1));
    let mut stayed = Vec::new();
    Relaxation::steps(Scheme::Asynchronous, 3).relax_observed(&total, start.clone(), |_, state| {
        stayed.push(
            (0..5)
                .filter(|&k| state.version(k) == start.version(k))
                .count(),
        );
    });
    assert_eq!(stayed, [5, 3, 1, 0]);
}
