//! Quantities that the integrator conserves, and those that it does not.

use burn::tensor::Tensor;
use eqprop_core::sequence::{HamiltonianSystem, LeapfrogConfig, Motion};
use eqprop_testing::{Numbers, Setup, assert_close, distance, largest, order_of, values};

use super::{N_INPUTS, N_UNITS, echo, inputs, leapfrog, oscillators};

fn moving(setup: &Setup, batch: usize) -> Motion {
    let mut numbers = Numbers(3);
    let shape = [batch, N_UNITS];
    Motion {
        position: numbers.matrix(setup, shape, -1.0, 1.0),
        momentum: numbers.matrix(setup, shape, -1.0, 1.0),
    }
}

/// Twice as far as rounding takes it: 400 steps of some ten roundings each.
#[test]
fn with_its_momenta_reversed_a_course_goes_back_the_way_it_came() {
    for setup in Setup::both() {
        let system = HamiltonianSystem::new(oscillators(&setup), leapfrog());
        let inputs = inputs(&setup, 2, 200);
        let start = moving(&setup, 2);
        let end = system.run(&inputs, start.clone());
        let away = distance(&values(&end.position), &values(&start.position));
        assert!(away > 0.5, "{away}");
        let back = system.run(&inputs.flip([1]), end.reversed()).reversed();
        let tolerance = setup.choose(1e-12, 1e-3);
        let close = |found: Tensor<2>, expected: Tensor<2>, what| {
            assert_close(&values(&found), &values(&expected), tolerance, what);
        };
        close(back.position, start.position, setup.name);
        close(back.momentum, start.momentum, setup.name);
    }
}

#[test]
fn an_echo_says_by_how_much_it_misses_the_start() {
    let setup = Setup::double();
    let system = HamiltonianSystem::new(oscillators(&setup), leapfrog());
    let inputs = inputs(&setup, 2, 30);
    let epsilons = [0.04, 0.02, 0.01];
    // The mean of two echoes is off by O(ε²).
    let missed =
        epsilons.map(|epsilon| largest(&values(&echo(&system, &inputs, epsilon).residual)));
    let order = order_of(&epsilons, &missed);
    assert!((order - 2.0).abs() < 0.1, "{order} of {missed:?}");
    let missed = largest(&values(&echo(&system, &inputs, 1e-7).residual));
    assert!(missed < 1e-12, "{missed:e}");
}

/// The largest deviation from the initial energy over 20 units of time, for each example.
fn deviation(step_size: f64) -> f64 {
    let setup = Setup::double();
    let system = HamiltonianSystem::new(oscillators(&setup), LeapfrogConfig::new(step_size, 1));
    let n_steps = (20.0 / step_size).round() as usize;
    let input = Numbers(5).matrix(&setup, [3, N_INPUTS], -1.0, 1.0);
    let inputs = input.clone().unsqueeze_dim::<3>(1).repeat_dim(1, n_steps);
    let start = moving(&setup, 3);
    let before = values(&system.energy(&input, &start));
    let mut furthest = 0.0_f64;
    system.run_observed(&inputs, start, |motion| {
        let energy = values(&system.energy(&input, motion));
        furthest = furthest.max(distance(&energy, &before));
    });
    furthest
}

#[test]
fn energy_is_conserved_to_second_order_in_the_step_size() {
    let step_sizes = [0.1, 0.05, 0.025, 0.0125];
    let deviations = step_sizes.map(deviation);
    let order = order_of(&step_sizes, &deviations);
    assert!((order - 2.0).abs() < 0.1, "{order} of {deviations:?}");
}

/// It is within O(h²) of a conserved energy, and does not drift away from there.
#[test]
fn energy_does_not_drift_however_long_the_course() {
    let setup = Setup::double();
    let system = HamiltonianSystem::new(oscillators(&setup), LeapfrogConfig::new(0.2, 1));
    let input = Numbers(5).matrix(&setup, [3, N_INPUTS], -1.0, 1.0);
    let inputs = input.clone().unsqueeze_dim::<3>(1).repeat_dim(1, 4000);
    let start = moving(&setup, 3);
    let before = values(&system.energy(&input, &start));
    let (mut step, mut parts) = (0, [0.0_f64; 2]);
    system.run_observed(&inputs, start, |motion| {
        let off = distance(&values(&system.energy(&input, motion)), &before);
        let part = &mut parts[step / 2000];
        (*part, step) = (part.max(off), step + 1);
    });
    let [early, late] = parts;
    assert!(late < 1.2 * early && early < 0.1, "{early} {late}");
}
