//! Each response and its potential belong together.

use burn::tensor::Tensor;
use eqprop_core::activation::{Activation, Levels};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_testing::{ACTIVATIONS, Numbers, Setup, assert_close, chain, network, values};

use crate::devices;

/// Subtracts the mean of each row where the inverse leaves a constant free.
fn without_constant(activation: Activation, drive: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Softmax => drive.clone() - drive.mean_dim(1),
        _ => drive,
    }
}

#[test]
fn inverse_undoes_apply_and_apply_undoes_inverse() {
    for setup in devices::all() {
        for activation in ACTIVATIONS {
            let what = format!("{activation:?}, {}", setup.name);
            let state = Numbers(1).inside(activation, &setup, [4, 5]);
            let drive = activation.inverse(state.clone());
            let again = activation.apply(drive.clone());
            assert_close(&values(&again), &values(&state), setup.tolerance, &what);

            // Not for the inverse's own results only, but for any drive without clipping.
            let shift = if activation == Activation::Softmax {
                0.4
            } else {
                0.0
            };
            let drive = drive + shift;
            let again = activation.inverse(activation.apply(drive.clone()));
            let again = values(&without_constant(activation, again));
            let drive = values(&without_constant(activation, drive));
            assert_close(&again, &drive, setup.tolerance, &what);
        }
    }
}

#[test]
fn a_clipped_unit_has_the_nearest_drive_as_its_inverse() {
    let setup = Setup::double();
    let drive = || setup.tensor(vec![-2.0, 3.0], [1, 2]);
    for (activation, expected) in [
        (Activation::HardSigmoid, [0.0, 1.0]),
        (Activation::ClippedRelu { max: 0.7 }, [0.0, 0.7]),
        (Activation::Relu, [0.0, 3.0]),
        (Activation::Identity, [-2.0, 3.0]),
        (Activation::Diode, [0.0, 0.0]),
    ] {
        let found = activation.inverse(activation.apply(drive()));
        assert_close(&values(&found), &expected, 0.0, &format!("{activation:?}"));
    }
}

#[test]
fn diodes_keep_the_first_half_of_the_units_above_the_ground_and_the_others_below() {
    for setup in devices::all() {
        let drive = setup.tensor(vec![-2.0, 3.0, -1.0, 4.0, -5.0, 6.0], [2, 3]);
        let found = values(&Activation::Diode.apply(drive));
        // One of three units is the first half.
        assert_eq!(found, [0.0, 0.0, -1.0, 4.0, -5.0, 0.0], "{}", setup.name);
        let one = values(&Activation::Diode.apply(setup.tensor(vec![-1.0, 1.0], [2, 1])));
        assert_eq!(one, [-1.0, 0.0], "{}", setup.name);
    }
}

#[test]
fn the_inverse_is_the_slope_of_the_potential() {
    let setup = Setup::double();
    // Central differences are off by ε²/6·G‴, and |G‴| < 50 a tenth away from the ends: 1e-9;
    // rounding adds 1e-16/ε = 1e-11.
    let epsilon = 1e-5;
    for activation in ACTIVATIONS {
        let state = Numbers(2).inside(activation, &setup, [20, 4]);
        let potential = |by: f64, unit: usize| {
            let mut step = vec![0.0; 4];
            step[unit] = by;
            activation.potential(state.clone() + setup.tensor(step, [1, 4]))
        };
        let slopes = (0..4).map(|unit| {
            let rise = potential(epsilon, unit) - potential(-epsilon, unit);
            (rise / (2.0 * epsilon)).unsqueeze_dim::<2>(1)
        });
        let slopes = without_constant(activation, Tensor::cat(slopes.collect(), 1));
        let inverse = without_constant(activation, activation.inverse(state.clone()));
        let what = format!("{activation:?}");
        assert_close(&values(&slopes), &values(&inverse), 1e-8, &what);
    }
}

/// Every potential has a curvature of at least 1, so a minimizer lies below any other point by
/// at least half the square of the distance; anything else lies above some neighbor.
#[test]
fn the_response_minimizes_potential_minus_work_of_the_drive() {
    let setup = Setup::double();
    let shape @ [batch, n_units] = [30, 4];
    for activation in ACTIVATIONS {
        let mut numbers = Numbers(3);
        // Drives beyond both ends of the clipped ranges are among them.
        let drive = numbers.matrix(&setup, shape, -2.0, 2.0);
        let energy = |state: Tensor<2>| {
            let work = (state.clone() * drive.clone())
                .sum_dim(1)
                .squeeze_dim::<1>(1);
            activation.potential(state) - work
        };
        let response = activation.apply(drive.clone());
        let lowest = values(&energy(response.clone()));
        for _ in 0..50 {
            let other = numbers.inside(activation, &setup, shape);
            // A feasible point one part in a thousand of the way to another one.
            let near = response.clone() * 0.999 + other * 0.001;
            let square = (near.clone() - response.clone()).powi_scalar(2);
            let square = values(&square.sum_dim(1));
            let energy = values(&energy(near));
            for example in 0..batch {
                let rise = energy[example] - lowest[example];
                // Squares are some 1e-7 · n_units, energies are exact to 1e-15.
                assert!(
                    rise >= 0.49 * square[example] - 1e-14 * n_units as f64,
                    "{activation:?}: {rise:e} at a squared distance of {:e}",
                    square[example]
                );
            }
        }
    }
}

#[test]
fn potential_and_inverse_are_finite_at_the_ends_of_the_range() {
    use std::f64::consts::{LN_2, PI};
    for setup in devices::all() {
        for (activation, state, potential) in [
            (Activation::HardSigmoid, [0.0, 1.0], 0.5),
            (Activation::Sigmoid, [0.0, 1.0], 0.5),
            (Activation::Tanh, [-1.0, 1.0], 2.0 * LN_2),
            (Activation::Relu, [0.0, 2.0], 2.0),
            (Activation::ClippedRelu { max: 0.7 }, [0.0, 0.7], 0.245),
            (Activation::Softmax, [0.0, 1.0], 0.0),
            // π²/6 at 0 and π²/12 at ln 2.
            (Activation::Softplus, [0.0, LN_2], PI * PI / 4.0),
            (Activation::Diode, [0.0, -2.0], 2.0),
        ] {
            let what = format!("{activation:?}, {}", setup.name);
            let state = setup.tensor(state.to_vec(), [1, 2]);
            let found = values(&activation.potential(state.clone()));
            assert_close(&found, &[potential], setup.tolerance, &what);
            let inverse = values(&activation.inverse(state.clone()));
            assert!(inverse.iter().all(|u| u.is_finite()), "{what}: {inverse:?}");
            let again = values(&activation.apply(activation.inverse(state.clone())));
            assert_close(&again, &values(&state), setup.tolerance, &what);
        }
    }
}

#[test]
fn a_layer_at_rest_has_no_drive() {
    let setup = Setup::double();
    for activation in ACTIVATIONS {
        let response = values(&activation.apply(setup.tensor(vec![0.0; 5], [1, 5])));
        // Both sides round once or twice.
        assert_close(
            &response,
            &[activation.rest(5); 5],
            1e-15,
            &format!("{activation:?}"),
        );
    }
}

#[test]
fn a_gradient_is_pulled_back_by_the_transposed_slope_of_the_response() {
    let setup = Setup::double();
    let shape @ [batch, n_units] = [20, 4];
    // Central differences of responses of order 1 with bounded derivatives, none of which has a
    // kink this near: ε² = 1e-12 of truncation, 1e-16/ε of rounding.
    let epsilon = 1e-6;
    for activation in ACTIVATIONS {
        let mut numbers = Numbers(5);
        let drive = numbers.matrix(&setup, shape, -1.0, 1.5);
        let gradient = numbers.matrix(&setup, shape, -1.0, 1.0);
        let work = |unit: usize, by: f64| {
            let mut step = vec![0.0; n_units];
            step[unit] = by;
            let response = activation.apply(drive.clone() + setup.tensor(step, [1, n_units]));
            values(&(response * gradient.clone()).sum_dim(1))
        };
        let found = activation.pull_back(activation.apply(drive.clone()), gradient.clone());
        let found = values(&found);
        for unit in 0..n_units {
            let (up, down) = (work(unit, epsilon), work(unit, -epsilon));
            for example in 0..batch {
                let slope = (up[example] - down[example]) / (2.0 * epsilon);
                let found = found[example * n_units + unit];
                assert_close(&[found], &[slope], 1e-8, &format!("{activation:?}"));
            }
        }
        let size = found.iter().fold(0.0, |size: f64, g| size.max(g.abs()));
        assert!(size > 0.1, "{activation:?}: nothing to compare");
    }
}

/// Levels of `bits` and, where there is no end, of ± `range`.
fn levels(bits: usize, range: impl Into<Option<f64>>) -> Levels {
    Levels {
        bits: Some(bits),
        range: range.into(),
    }
}

#[test]
fn a_state_is_rounded_to_the_nearest_level_of_its_range() {
    use Activation::{ClippedRelu, Diode, HardSigmoid, Identity, Relu, Softmax, Tanh};
    let third = 1.0 / 3.0;
    let cases: [(Activation, Levels, &[f64], &[f64]); 8] = [
        (
            HardSigmoid,
            levels(2, None),
            &[0.0, 0.16, 0.17, 0.6, 0.9, 1.0],
            &[0.0, 0.0, third, 2.0 * third, 1.0, 1.0],
        ),
        (Softmax, levels(2, None), &[0.1, 0.9], &[0.0, 1.0]),
        (
            Tanh,
            levels(2, None),
            &[-1.0, -0.6, -0.4, 0.0, 0.4, 0.6],
            &[-1.0, -1.0, 0.0, 0.0, 0.0, 1.0],
        ),
        (
            ClippedRelu { max: 3.0 },
            levels(2, 0.5),
            &[0.4, 1.4, 2.6],
            &[0.0, 1.0, 3.0],
        ),
        (
            Identity,
            levels(3, 2.0),
            &[-9.0, -0.9, -0.3, 0.4, 9.0],
            &[-2.0, -2.0 * third, 0.0, 2.0 * third, 2.0],
        ),
        (Relu, levels(2, 3.0), &[0.4, 1.4, 9.0], &[0.0, 1.0, 3.0]),
        (Diode, levels(2, 1.0), &[0.6, -0.6], &[1.0, -1.0]),
        // No bits: all that is left is the limit.
        (
            Identity,
            Levels {
                bits: None,
                range: Some(1.0),
            },
            &[-9.0, 0.123, 9.0],
            &[-1.0, 0.123, 1.0],
        ),
    ];
    for setup in devices::all() {
        for (activation, levels, state, expected) in cases {
            let what = format!("{activation:?}, {levels:?}, {}", setup.name);
            let given = setup.tensor(state.to_vec(), [1, state.len()]);
            let found = activation.round(given, levels);
            assert_close(&values(&found), expected, setup.tolerance, &what);
        }
        let ideal = Numbers(3).inside(Activation::Sigmoid, &setup, [2, 7]);
        let held = Activation::Sigmoid.round(ideal.clone(), Levels::default());
        assert_eq!(values(&held), values(&ideal));
    }
}

#[test]
fn a_phase_is_rounded_around_the_circle() {
    for setup in devices::all() {
        // Quarters: 40° to 0°, 50° to 90°, −130° to −90°, −179° and 179° to 180°.
        let degrees = [40.0_f64, 50.0, -130.0, -179.0, 179.0];
        let both = |degrees: &[f64]| {
            let parts =
                [f64::cos, f64::sin].map(|part| degrees.iter().map(move |d| part(d.to_radians())));
            parts.into_iter().flatten().collect::<Vec<f64>>()
        };
        let found = Activation::Phase.round(setup.tensor(both(&degrees), [1, 10]), levels(2, None));
        let expected = both(&[0.0, 90.0, -90.0, 180.0, 180.0]);
        assert_close(&values(&found), &expected, setup.tolerance, setup.name);
        let finer = Activation::Phase.round(setup.tensor(both(&degrees), [1, 10]), levels(4, None));
        let expected = both(&[45.0, 45.0, -135.0, 180.0, 180.0]);
        assert_close(&values(&finer), &expected, setup.tolerance, setup.name);
    }
}

#[test]
fn levels_without_a_range_are_refused() {
    for activation in [
        Activation::Identity,
        Activation::Relu,
        Activation::Softplus,
        Activation::Diode,
    ] {
        let error = activation
            .check_levels(levels(4, None), 2)
            .expect_err("no range");
        let text = error.to_string();
        assert!(
            text.contains("layer 2") && text.contains(&format!("{activation:?}")),
            "{text}"
        );
        assert!(text.contains("set state_range"), "{text}");
        assert!(activation.check_levels(levels(4, 1.0), 2).is_ok());
        assert!(activation.check_levels(Levels::default(), 2).is_ok());
    }
    for activation in [Activation::HardSigmoid, Activation::Tanh, Activation::Phase] {
        assert!(activation.check_levels(levels(4, None), 1).is_ok());
    }
    for (bits, range) in [(1, 1.0), (21, 1.0), (4, 0.0), (4, f64::INFINITY)] {
        assert!(
            levels(bits, range).validate().is_err(),
            "{bits} bits of ±{range}"
        );
    }
}

#[test]
#[should_panic(expected = "levels need a range")]
fn rounding_without_a_range_panics() {
    let state = Setup::double().tensor(vec![0.5], [1, 1]);
    Activation::Identity.round(state, levels(4, None));
}

#[test]
fn what_is_held_is_not_rounded() {
    let setup = Setup::double();
    let energy = network(&chain(&[2, 3, 2], Activation::HardSigmoid), &setup, 1.0, 1);
    let input = Numbers(4).matrix(&setup, [5, 2], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let state = Numbers(5).state(energy.layers(), &setup, 5);
    let output = Numbers(6).matrix(&setup, [5, 2], 0.0, 1.0);
    let held = TotalEnergy::<_, SquaredError>::output_clamped(&energy, &clamped, output.clone());
    let rounded = held.round(&state, levels(2, None));
    assert_eq!(values(rounded.output()), values(&output));
    let of =
        |layer: &Tensor<2>| values(&Activation::HardSigmoid.round(layer.clone(), levels(2, None)));
    assert_eq!(values(rounded.layer(0)), of(state.layer(0)));
    let free = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let rounded = free.round(&state, levels(2, None));
    assert_eq!(values(rounded.output()), of(state.output()));
}
