//! Coupled oscillators: closed forms of one function, and its bounds.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use eqprop_core::sequence::{
    CoupledOscillatorsConfig, HamiltonianEcho, HamiltonianSystem, LeapfrogConfig, Pair, Potential,
    Visit,
};
use eqprop_testing::{
    Lists, Numbers, Setup, assert_agrees, assert_close, filled, gradients_in, largest,
    parameter_differences, relative_error, values,
};

use super::{N_INPUTS, N_UNITS, inputs, oscillators};

const BATCH: usize = 3;

fn pair(setup: &Setup, apart: f64) -> Pair {
    let mut numbers = Numbers(2);
    let shape = [BATCH, N_UNITS];
    let mean = numbers.matrix(setup, shape, -1.5, 1.5);
    Pair::new(mean, numbers.matrix(setup, shape, -apart, apart))
}

fn input(setup: &Setup) -> Tensor<2> {
    Numbers(4).matrix(setup, [BATCH, N_INPUTS], -1.0, 1.0)
}

/// `Σ V` of the examples.
fn value<P: Potential>(potential: &P, input: &Tensor<2>, position: &Tensor<2>) -> f64 {
    let prepared = potential.prepare();
    let held = potential.hold(&prepared, input);
    values(&potential.value(&prepared, &held, position))
        .iter()
        .sum()
}

/// The slope of `f` in every entry, by central differences of a size whose square is 1e-10.
fn differences(at: &Tensor<2>, f: impl Fn(&Tensor<2>) -> f64) -> Vec<f64> {
    const EPSILON: f64 = 1e-5;
    let (numbers, shape) = (values(at), at.dims());
    let moved = |entry: usize, by: f64| {
        let mut numbers = numbers.clone();
        numbers[entry] += by;
        f(&Setup::double().tensor(numbers, shape))
    };
    let slope = |entry| (moved(entry, EPSILON) - moved(entry, -EPSILON)) / (2.0 * EPSILON);
    (0..numbers.len()).map(slope).collect()
}

#[test]
fn the_force_is_the_negative_slope_of_the_potential() {
    let setup = Setup::double();
    let (potential, input) = (oscillators(&setup), input(&setup));
    let position = pair(&setup, 0.0).mean();
    let prepared = potential.prepare();
    let held = potential.hold(&prepared, &input);
    let force = values(&potential.force(&prepared, &held, &position).neg());
    let expected = differences(&position, |position| value(&potential, &input, position));
    assert_close(&force, &expected, 1e-8, "force");
}

/// For states that are far apart, so that nothing is left out.
#[test]
fn the_contrasts_are_differences_of_slopes() {
    let setup = Setup::double();
    let (potential, input) = (oscillators(&setup), input(&setup));
    let positions = pair(&setup, 0.8);
    let prepared = potential.prepare();
    let held = potential.hold(&prepared, &input);
    let (force, slopes) = potential.force_pair(&prepared, &held, &positions);
    let apart = positions.map(|y| potential.force(&prepared, &held, &y));
    let rows = |pair: &Pair| values(pair.rows());
    assert_close(&rows(&force), &rows(&apart), 1e-13, "both forces");

    let visit = Visit {
        input: input.clone(),
        positions: positions.clone(),
        slopes,
    };
    let of_input = values(&potential.input_contrast(&prepared, &visit, -0.7));
    let expected = differences(&input, |input| {
        let [first, second] = [positions.first(), positions.second()];
        -0.7 * (value(&potential, input, &first) - value(&potential, input, &second))
    });
    assert_close(&of_input, &expected, 1e-8, "inputs");

    // Twice the same visit counts twice.
    let visits = [visit.clone(), visit];
    let found = gradients_in(&potential, &potential.contrast(&prepared, &visits, -0.35));
    let expected: Lists = parameter_differences(&potential, 1e-5, |potential| {
        let [first, second] = [positions.first(), positions.second()];
        -0.7 * (value(potential, &input, &first) - value(potential, &input, &second))
    });
    assert_agrees(&found, &expected, 1e-8, "parameters");
}

/// In `f32` two states that are 1e-6 apart differ by a few of their last digits; their difference is known to
/// as many digits as the states.
#[test]
fn a_difference_keeps_its_digits_in_single_precision() {
    let gradients = |setup: &Setup| {
        let (potential, input) = (oscillators(setup), input(setup));
        let prepared = potential.prepare();
        let held = potential.hold(&prepared, &input);
        let positions = pair(setup, 1e-6);
        let (force, slopes) = potential.force_pair(&prepared, &held, &positions);
        let naive = positions.map(|y| potential.force(&prepared, &held, &y));
        let visit = Visit {
            input,
            positions,
            slopes,
        };
        let found = potential.contrast(&prepared, &[visit], 1e6);
        let difference = |pair: &Pair| values(&pair.half_difference());
        (
            gradients_in(&potential, &found).concat(),
            difference(&force),
            difference(&naive),
        )
    };
    let (found, force, naive) = gradients(&Setup::single());
    let (expected, exact, _) = gradients(&Setup::double());
    assert!(relative_error(&found, &expected) < 3e-6);
    assert!(relative_error(&force, &exact) < 3e-6);
    assert!(relative_error(&naive, &exact) > 1e-2);
}

#[test]
fn a_pair_that_is_far_apart_or_far_out_stays_finite() {
    let setup = Setup::single();
    let (potential, input) = (oscillators(&setup), input(&setup));
    let prepared = potential.prepare();
    let held = potential.hold(&prepared, &input);
    let far = |by: f64| pair(&setup, 1.0).rows().clone() * by;
    for by in [1e2, 1e6, 1e18] {
        let (force, _) = potential.force_pair(&prepared, &held, &Pair::from_rows(far(by)));
        assert!(largest(&values(force.rows())).is_finite(), "{by:e}");
        // Far apart, each of the two is driven as it would be alone.
        let alone = Pair::from_rows(far(by)).map(|y| potential.force(&prepared, &held, &y));
        let (force, alone) = (values(force.rows()), values(alone.rows()));
        let off = relative_error(&force, &alone);
        assert!(off < 1e-5, "{by:e}: {off}");
        let value = potential.value(&prepared, &held, &(far(by).narrow(0, 0, BATCH)));
        assert!(largest(&values(&value)).is_finite() || by > 1e17, "{by:e}");
    }
}

#[test]
fn the_frequency_bound_is_above_the_highest_frequency_and_close_to_it() {
    let setup = Setup::double();
    // One spring, pulled by one unit much more than by the others: ‖W‖² = 1 + 5 · 0.1², and no row or column
    // of WWᵀ sums up to that; the highest own frequency is 1.2.
    let config = CoupledOscillatorsConfig::new(N_INPUTS, N_UNITS, 5);
    let mut count = 0;
    let oscillators = filled(config.init(&Device::flex()), &setup, |n| {
        count += 1;
        match count {
            1 => (0..n)
                .map(|place| match (place / 5, place % 5) {
                    (0, 0) => 1.0,
                    (_, 0) => 0.1,
                    _ => 0.0,
                })
                .collect(),
            4 => vec![1.2, 0.4, 0.4, -0.3, 0.4, 0.4],
            _ => vec![0.0; n],
        }
    });
    let coupling = oscillators.frequency_bound().powi(2) - 1.2_f64.powi(2);
    assert!((1.05..1.11).contains(&coupling), "{coupling} for 1.05");
}

/// The leapfrog of one oscillator is stable below `h ω = 2`, and not above.
#[test]
fn the_leapfrog_is_stable_up_to_the_frequency_bound() {
    let setup = Setup::double();
    let mut count = 0;
    let one = CoupledOscillatorsConfig::new(1, 1, 1).init(&Device::flex());
    let one = filled(one, &setup, |n| {
        count += 1;
        vec![if count == 4 { 1.6 } else { 0.0 }; n]
    });
    assert!((one.frequency_bound() - 1.6).abs() < 1e-12);
    for (product, is_stable) in [(1.9, true), (2.1, false)] {
        let leapfrog = LeapfrogConfig::new(product / one.frequency_bound(), 1);
        let system = HamiltonianSystem::new(one.clone(), leapfrog);
        let inputs = setup.tensor(vec![0.0; 300], [1, 300, 1]);
        let mut start = system.rest(&inputs);
        start.momentum = setup.number(1.0);
        let end = system.run(&inputs, start);
        let size = largest(&values(&end.position));
        assert_eq!(size < 10.0, is_stable, "{product}: {size}");
    }
}

/// A change of the input raises the energy by at most `Σ │Δu B│`, so that the positions stay within
/// `√(2H)/ω`.
#[test]
fn a_course_is_bounded_by_the_changes_of_its_inputs() {
    let setup = Setup::double();
    let potential = oscillators(&setup);
    let weights = potential.input.val();
    let lowest = values(&potential.frequency.val())
        .into_iter()
        .fold(f64::MAX, |a, b| a.min(b.abs()));
    let system = HamiltonianSystem::new(potential, LeapfrogConfig::new(0.05, 10));
    let inputs = inputs(&setup, BATCH, 60) * 3.0;
    let at = |step: usize| -> Tensor<2> { inputs.clone().narrow(1, step, 1).squeeze_dim(1) };
    let start = system.rest(&inputs);
    let mut bound = values(&system.energy(&at(0), &start));
    let mut step = 0;
    system.run_observed(&inputs, start, |motion| {
        let energy = values(&system.energy(&at(step), motion));
        let size = values(&motion.position.clone().abs().max_dim(1));
        for (example, bound) in bound.iter_mut().enumerate() {
            // A twentieth for the O(h²) by which the energy is off.
            assert!(
                energy[example] < 1.05 * *bound,
                "step {step}: {energy:?} above {bound}"
            );
            assert!(size[example] < (2.1 * *bound).sqrt() / lowest);
        }
        step += 1;
        if step < 60 {
            let change = (at(step) - at(step - 1)).matmul(weights.clone());
            let change = values(&change.abs().sum_dim(1));
            bound
                .iter_mut()
                .zip(change)
                .for_each(|(bound, by)| *bound += by);
        }
    });
}

#[test]
fn what_cannot_work_is_refused_with_its_range() {
    let config = || CoupledOscillatorsConfig::new(1, 2, 2);
    for (config, message) in [
        (
            CoupledOscillatorsConfig::new(0, 2, 2),
            "n_inputs must be at least 1, but is 0",
        ),
        (
            CoupledOscillatorsConfig::new(1, 0, 2),
            "n_units must be at least 1, but is 0",
        ),
        (
            CoupledOscillatorsConfig::new(1, 2, 0),
            "n_springs must be at least 1, but is 0",
        ),
        (
            config().with_lowest_frequency(0.0),
            "lowest_frequency must be a positive number, but is 0",
        ),
        (
            config().with_highest_frequency(0.1),
            "highest_frequency must be at least lowest_frequency, but is 0.1",
        ),
    ] {
        let error = config.validate().expect_err(message);
        assert_eq!(error.to_string(), message);
    }
    let error = LeapfrogConfig::new(-0.1, 1)
        .validate()
        .expect_err("negative");
    assert_eq!(
        error.to_string(),
        "step_size must be a positive number, but is -0.1"
    );
    let error = LeapfrogConfig::new(0.1, 0).validate().expect_err("none");
    assert_eq!(
        error.to_string(),
        "steps_per_input must be at least 1, but is 0"
    );
}

#[test]
#[should_panic(expected = "epsilon must be a positive number, but is 0")]
fn an_echo_without_a_nudge_is_refused() {
    let _ = HamiltonianEcho::new(0.0);
}

#[test]
#[should_panic(
    expected = "at least one input of 3 values, as [batch, n_steps, 3], but has the shape [2, 4, 5]"
)]
fn inputs_of_another_size_are_refused() {
    let setup = Setup::double();
    let system = HamiltonianSystem::new(oscillators(&setup).valid(), LeapfrogConfig::new(0.1, 1));
    let inputs = setup.tensor(vec![0.0; 40], [2, 4, 5]);
    let start = system.rest(&inputs);
    let _ = system.run(&inputs, start);
}
