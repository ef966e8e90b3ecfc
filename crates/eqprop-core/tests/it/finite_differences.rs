//! Drives, forces and gradients against central differences of the energy and the cost.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{Energy, HopfieldEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::state::State;
use eqprop_testing::{
    ACTIVATIONS, Numbers, Setup, assert_close, cost, distance, filled, gradients_in, graph, moved,
    network, parameter_differences, parameters, values,
};

use crate::devices;
use crate::graphs::{self, BATCH, DENSE, Problem, SIZES};

/// Calls `check` for every graph with every activation.
fn for_all(check: impl Fn(Problem, &str)) {
    for activation in ACTIVATIONS {
        for (name, config) in graphs::all(activation) {
            check(Problem::new(&config, &Setup::double()), &name);
        }
    }
}

#[test]
fn the_drive_is_the_negative_slope_of_the_energy_without_the_potential() {
    // The interactions are at most quadratic in a layer, where central differences are exact, and
    // max pooling is linear this far: what is left is rounding, 1e-14/ε.
    let epsilon = 1e-3;
    for_all(|problem, what| {
        let Problem {
            energy,
            input,
            states: [state, _],
        } = problem;
        let clamped = energy.clamp(&input);
        for (layer, config) in energy.layers().iter().enumerate() {
            let interaction = |state: &State| {
                let potential = config.activation.potential(state.layer(layer).clone());
                values(&(energy.energy(&clamped, state) - potential))
            };
            let n_units = config.n_units();
            let drive = values(&energy.drive(layer, &clamped, &state));
            for unit in 0..n_units {
                let up = interaction(&moved(&state, layer, unit, epsilon));
                let down = interaction(&moved(&state, layer, unit, -epsilon));
                for example in 0..BATCH {
                    let slope = (up[example] - down[example]) / (2.0 * epsilon);
                    let found = drive[example * n_units + unit];
                    assert_close(&[found], &[-slope], 1e-10, what);
                }
            }
        }
    });
}

#[test]
fn the_contrast_is_the_slope_of_the_mean_energy_difference() {
    let scale = 1.7;
    for_all(|problem, what| {
        let Problem {
            energy,
            input,
            states: [first, second],
        } = problem;
        let found = gradients_in(
            &energy,
            &energy.contrast(&energy.clamp(&input), &first, &second, scale),
        );
        // The energy is linear in the parameters, as far as the same units win their windows:
        // only rounding, 1e-14/ε.
        let expected = parameter_differences(&energy, 1e-3, |energy| {
            let clamped = energy.clamp(&input);
            let difference = energy.energy(&clamped, &first) - energy.energy(&clamped, &second);
            difference.mean().into_scalar::<f64>() * scale
        });
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                expected.iter().any(|g| g.abs() > 1e-3),
                "{what}: nothing to compare"
            );
            assert_close(found, expected, 1e-10, what);
        }
    });
}

/// The contrast is made from differences, so that close states lose no digits.
#[test]
fn the_contrast_of_close_states_keeps_its_digits() {
    let [double, single] = [0, 1].map(|index| devices::all().swap_remove(index));
    let activation = Activation::HardSigmoid;
    for (what, config) in graphs::all(activation) {
        let problem = Problem::new(&config, &double);
        let state = &problem.states[0];
        let contrast = |setup: &Setup, step: f64| {
            let on = |tensor: &Tensor<2>| setup.tensor(values(tensor), tensor.dims());
            let mut lists = parameters(&problem.energy).into_iter();
            let energy = filled(problem.energy.clone(), setup, |_| {
                lists.next().expect("a list each")
            });
            let first = state.map(on);
            let second = state.map(|layer| on(layer) + step);
            let gradients = energy.contrast(
                &energy.clamp(&on(&problem.input)),
                &first,
                &second,
                1.0 / step,
            );
            gradients.to_vec(&energy)
        };
        // A power of 2, so that the second state is exact in f32 too. Each of two products would
        // be rounded by 6e-8 and the quotient by 1e-3; the differences are off by 1e-6 of sums of
        // ten terms at most.
        let step = 2f64.powi(-14);
        assert_close(
            &contrast(&single, step),
            &contrast(&double, step),
            1e-5,
            &what,
        );
    }
}

#[test]
fn the_diagonal_of_a_connection_within_a_layer_does_nothing() {
    let setup = Setup::double();
    let config = graph(&SIZES, Activation::Tanh, DENSE[2]);
    let energy = network(&config, &setup, 1.0, 7);
    let lateral = 2;
    let mut numbers = Numbers(8);
    let input = numbers.matrix(&setup, [BATCH, SIZES[0]], 0.0, 1.0);
    let [first, second] = [(); 2].map(|()| numbers.state(energy.layers(), &setup, BATCH));

    // The same network with 5 added to the diagonal, or to one entry beside it.
    let changed = |entries: [usize; 3]| {
        let mut lists = parameters(&energy);
        for entry in entries {
            lists[lateral][entry] += 5.0;
        }
        let mut lists = lists.into_iter();
        filled(energy.clone(), &setup, |_| {
            lists.next().expect("a list each")
        })
    };
    let energy_of = |energy: &HopfieldEnergy| values(&energy.energy(&energy.clamp(&input), &first));
    let diagonal = [0, 4, 8];
    assert_close(
        &energy_of(&changed(diagonal)),
        &energy_of(&energy),
        0.0,
        "diagonal",
    );
    let beside = distance(&energy_of(&changed([1, 5, 6])), &energy_of(&energy));
    assert!(
        beside > 0.1,
        "entries beside the diagonal moved the energy by {beside:e} only"
    );

    let gradients = energy.contrast(&energy.clamp(&input), &first, &second, 1.0);
    let gradient = &gradients_in(&energy, &gradients)[lateral];
    assert_eq!(diagonal.map(|entry| gradient[entry]), [0.0; 3]);
    assert!(gradient[1].abs() > 1e-3);
}

const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];

/// Differences of smooth functions of order 1: ε² = 1e-10 of truncation, 1e-16/ε of rounding.
const EPSILON: f64 = 1e-5;

#[test]
fn the_force_is_minus_beta_times_the_slope_of_the_cost() {
    let setup = Setup::double();
    let n_units = 4;
    for which in COSTS {
        let cost = cost(which, n_units, &setup, 1.0, 9);
        let mut numbers = Numbers(10);
        let output = numbers.matrix(&setup, [BATCH, n_units], -1.0, 1.0);
        let target = numbers.inside(Activation::Softmax, &setup, [BATCH, n_units]);
        let betas = [0.3, -0.5, 10.0];
        let nudge = cost.nudge(
            &target,
            setup.tensor(betas.to_vec(), [BATCH, 1]),
            Activation::Identity,
        );
        let force = values(&cost.force(&nudge, &output));
        let state = State::new(vec![output.clone()]);
        for unit in 0..n_units {
            let value = |by| values(&cost.value(moved(&state, 0, unit, by).output(), &target));
            let (up, down) = (value(EPSILON), value(-EPSILON));
            for example in 0..BATCH {
                let slope = (up[example] - down[example]) / (2.0 * EPSILON);
                let found = force[example * n_units + unit];
                let expected = -betas[example] * slope;
                assert_close(&[found], &[expected], 1e-8, &format!("{which:?}"));
            }
        }
        let nudged = values(&cost.nudged_value(&nudge, &output));
        let value = values(&cost.value(&output, &target));
        let expected: Vec<f64> = betas.iter().zip(&value).map(|(b, c)| b * c).collect();
        assert_close(&nudged, &expected, 1e-14, &format!("beta C, {which:?}"));
    }
}

#[test]
fn the_readout_gradient_is_the_slope_of_the_mean_cost() {
    let setup = Setup::double();
    let n_units = 4;
    for which in COSTS {
        let cost: AnyCost = cost(which, n_units, &setup, 1.0, 11);
        let mut numbers = Numbers(12);
        let output = numbers.matrix(&setup, [BATCH, n_units], -1.0, 1.0);
        let target = numbers.inside(Activation::Softmax, &setup, [BATCH, n_units]);
        let mut gradients = Gradients::new();
        cost.gradients(&output, &target, &mut gradients);
        let found = gradients_in(&cost, &gradients);
        let expected = parameter_differences(&cost, EPSILON, |cost| {
            cost.value(&output, &target).mean().into_scalar::<f64>()
        });
        assert_eq!(
            found.len(),
            if which == CostConfig::CrossEntropy {
                2
            } else {
                0
            }
        );
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, 1e-8, &format!("{which:?}"));
        }
    }
}
