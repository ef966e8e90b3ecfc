//! The energy, its slopes and its minima.

use burn::tensor::Tensor;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{Energy, ResistiveNetwork, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, cost, distance, equilibrium, filled, gradients_in, moved,
    parameter_differences, parameters, values,
};

use super::{BATCH, Circuit, GAIN, biases, resistors, voltages};
use crate::devices;

const SIZES: [usize; 4] = [2, 5, 4, 3];
const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];

/// `½ Σ g (v_i − v_j)² − Σ b v`, one resistor after the other.
fn by_hand(circuit: &Circuit, state: &State) -> Vec<f64> {
    let examples = voltages(&circuit.input, GAIN, state).into_iter();
    let energy = examples.map(|v| {
        let heat = resistors(&circuit.network).into_iter();
        let heat =
            heat.map(|((below, i), (above, j), g)| 0.5 * g * (v[below][i] - v[above][j]).powi(2));
        let sources = biases(&circuit.network).into_iter().flatten();
        let work = sources.zip(v[1..].iter().flatten()).map(|(b, v)| b * v);
        heat.sum::<f64>() - work.sum::<f64>()
    });
    energy.collect()
}

#[test]
fn the_energy_is_that_of_all_resistors_and_current_sources() {
    for setup in devices::all() {
        let circuit = Circuit::new(&SIZES, &setup, 1);
        let state = Numbers(2).state(circuit.network.layers(), &setup, BATCH);
        let clamped = circuit.network.clamp(&circuit.input);
        let expected = by_hand(&circuit, &state);
        // Energies are sums of 90 terms, some 50 in all.
        let tolerance = 50.0 * setup.tolerance;
        let found = values(&circuit.network.energy(&clamped, &state));
        assert_close(&found, &expected, tolerance, setup.name);
        assert!(expected.iter().all(|energy| *energy > 1.0));

        let twice = circuit.network.repeat(&clamped, 2);
        let twice = circuit.network.repeat(&twice, 2);
        let found = values(&circuit.network.energy(&twice, &state.repeat(4)));
        assert_close(&found, &expected.repeat(4), tolerance, "copies");
    }
}

/// `∂E/∂v = a(v − drive)` and `∂²E/∂v² = a`.
#[test]
fn drive_and_curvature_are_the_slopes_of_the_energy() {
    let setup = Setup::double();
    let circuit = Circuit::new(&SIZES, &setup, 3);
    let network = &circuit.network;
    let state = Numbers(4).state(network.layers(), &setup, BATCH);
    let clamped = network.clamp(&circuit.input);
    // The energy is quadratic, where central differences are exact: rounding of 1e-14 over ε,
    // and over ε² in the second.
    let epsilon = 1e-2;
    let energy = |state: &State| values(&network.energy(&clamped, state));
    let here = energy(&state);
    for (layer, config) in network.layers().iter().enumerate() {
        let drive = network.drive(layer, &clamped, &state);
        let curvature = network.curvature(layer).expect("conductances");
        let slope = (state.layer(layer).clone() - drive) * curvature.clone();
        let (slope, curvature) = (values(&slope), values(&curvature));
        for unit in 0..config.n_units() {
            let up = energy(&moved(&state, layer, unit, epsilon));
            let down = energy(&moved(&state, layer, unit, -epsilon));
            for example in 0..BATCH {
                let first = (up[example] - down[example]) / (2.0 * epsilon);
                let second = (up[example] + down[example] - 2.0 * here[example]) / epsilon.powi(2);
                let found = slope[example * config.n_units() + unit];
                assert_close(&[found], &[first], 1e-11, "slope");
                assert_close(&[curvature[unit]], &[second], 1e-8, "curvature");
            }
        }
    }
}

#[test]
fn the_contrast_is_the_slope_of_the_mean_energy_difference() {
    let setup = Setup::double();
    for sizes in [&SIZES[..], &[2, 3]] {
        let circuit = Circuit::new(sizes, &setup, 5);
        let network = &circuit.network;
        let mut numbers = Numbers(6);
        let [first, second] = [(); 2].map(|()| numbers.state(network.layers(), &setup, BATCH));
        let scale = 1.7;
        let gradients = network.contrast(&network.clamp(&circuit.input), &first, &second, scale);
        let found = gradients_in(network, &gradients);
        // The energy is linear in the parameters: only rounding, 1e-14/ε.
        let expected = parameter_differences(network, 1e-3, |network| {
            let clamped = network.clamp(&circuit.input);
            let difference = network.energy(&clamped, &first) - network.energy(&clamped, &second);
            difference.mean().into_scalar::<f64>() * scale
        });
        for (found, expected) in found.iter().zip(&expected) {
            assert!(expected.iter().all(|g| g.abs() > 1e-6));
            assert_close(found, expected, 1e-10, "contrast");
        }
    }
}

/// The energy is quadratic in the input: central differences are exact but for rounding, 1e-13/ε.
#[test]
fn the_contrast_of_the_input_is_the_slope_of_the_energy_difference() {
    let (setup, epsilon, scale) = (Setup::double(), 1e-2, -1.3);
    let Circuit { network, input } = Circuit::new(&SIZES, &setup, 5);
    let mut numbers = Numbers(6);
    let [first, second] = [(); 2].map(|()| numbers.state(network.layers(), &setup, BATCH));
    let contrast = network.input_contrast(&input, &first, &second, scale);
    let contrast = contrast.expect("a circuit has an energy");
    assert_eq!(contrast.dims(), input.dims());
    let found = values(&contrast);
    let n_inputs = SIZES[0];
    let mut expected = vec![0.0; found.len()];
    for unit in 0..n_inputs {
        let at = |by: f64| {
            let mut step = vec![0.0; n_inputs];
            step[unit] = by;
            let clamped = network.clamp(&(input.clone() + setup.tensor(step, [1, n_inputs])));
            values(&(network.energy(&clamped, &first) - network.energy(&clamped, &second)))
        };
        let (up, down) = (at(epsilon), at(-epsilon));
        for example in 0..BATCH {
            let slope = (up[example] - down[example]) / (2.0 * epsilon);
            expected[example * n_inputs + unit] = scale * slope;
        }
    }
    assert_close(&found, &expected, 1e-10, "contrast of the input");
    assert!(expected.iter().all(|slope| slope.abs() > 1e-3));
}

#[test]
fn the_contrast_of_close_states_keeps_its_digits() {
    let [double, single] = [0, 1].map(|index| devices::all().swap_remove(index));
    // A power of 2, so that the second state is exact in f32 too. Each of two squares would be
    // rounded by 6e-8 and the quotient by 1e-3.
    let step = 2f64.powi(-14);
    let contrast = |setup: &Setup| {
        let circuit = Circuit::new(&SIZES, setup, 7);
        // The numbers of a state are those of f32 in both.
        let first = Numbers(8).state(circuit.network.layers(), &single, BATCH);
        let on = |by: f64| {
            first.map(|layer| {
                let numbers = values(layer).into_iter().map(|v| v + by).collect();
                setup.tensor(numbers, layer.dims())
            })
        };
        let clamped = circuit.network.clamp(&circuit.input);
        let gradients = circuit
            .network
            .contrast(&clamped, &on(0.0), &on(step), 1.0 / step);
        gradients_in(&circuit.network, &gradients).concat()
    };
    assert_close(&contrast(&single), &contrast(&double), 1e-5, "f32");
}

/// The total energies of a circuit: free, and nudged by each cost with weak and strong β of either
/// sign, down to `−share` of the curvature of the output.
fn for_all_totals(
    circuit: &Circuit,
    share: f64,
    check: impl Fn(&TotalEnergy<'_, ResistiveNetwork, AnyCost>, &str, f64),
) {
    let setup = Setup::double();
    let clamped = circuit.network.clamp(&circuit.input);
    check(&TotalEnergy::free(&circuit.network, &clamped), "free", 0.0);
    let output = circuit.network.layers().len() - 1;
    let curvature = circuit.network.curvature(output).expect("conductances");
    let least = curvature.min().into_scalar::<f64>();
    for which in COSTS {
        let cost = cost(which, SIZES[3], &setup, 1.0, 9);
        let target = Numbers(10).matrix(&setup, [BATCH, SIZES[3]], 0.0, 1.0);
        let target = target.clone() / target.sum_dim(1);
        for beta in [0.5, 10.0, -0.5 * share * least, -share * least] {
            let number = setup.number(beta);
            let total = TotalEnergy::nudged(&circuit.network, &clamped, &cost, &target, number);
            check(&total, &format!("{which:?}, beta {beta}"), beta);
        }
    }
}

/// The value of a layer cannot be improved by moving any one unit within its range, and the energy
/// rises from there according to its curvature.
#[test]
fn each_layer_goes_to_its_exact_minimum() {
    let setup = Setup::double();
    let circuit = Circuit::new(&SIZES, &setup, 11);
    let start = Numbers(12).state(circuit.network.layers(), &setup, BATCH);
    for_all_totals(&circuit, 0.9, |total, what, beta| {
        for (layer, config) in circuit.network.layers().iter().enumerate() {
            let is_output = layer == 2;
            if is_output && what.starts_with("Cross") {
                continue; // No closed form: a step downhill.
            }
            let mut state = start.clone();
            state.set(layer, total.minimize(layer, &state));
            let lowest = values(&total.value(&state));
            let curvature = values(&circuit.network.curvature(layer).expect("conductances"));
            for (unit, curvature) in curvature.into_iter().enumerate() {
                let a = curvature + if is_output { beta } else { 0.0 };
                for by in [0.01, -0.01] {
                    let moved = moved(&state, layer, unit, by);
                    let within = config.activation.apply(moved.layer(layer).clone());
                    let within = values(&within);
                    let energies = values(&total.value(&moved));
                    for example in 0..BATCH {
                        let position = example * config.n_units() + unit;
                        let v = values(moved.layer(layer))[position];
                        if within[position] == v {
                            let rise = energies[example] - lowest[example];
                            // Energies of 50 are exact to 1e-13, rises 1e-5 and more.
                            let least = 0.5 * a * by * by - 1e-12;
                            assert!(rise >= least, "{what}, layer {layer}: {rise:e} < {least:e}");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn the_energy_never_rises_in_an_asynchronous_sweep_or_a_small_step_of_the_flow() {
    let setup = Setup::double();
    for seed in 0..8 {
        let circuit = Circuit::new(&SIZES, &setup, 13 + seed);
        let start = Numbers(seed).state(circuit.network.layers(), &setup, BATCH);
        for_all_totals(&circuit, 0.9, |total, what, beta| {
            // Relative to its diagonal a Laplacian has eigenvalues up to 2, and the nudge adds β/a.
            let small = 1.0 / (2.0 + 4.0 * beta.abs());
            let small = Scheme::GradientFlow { step_size: small };
            for mut scheme in [Scheme::Asynchronous, small] {
                let mut state = start.clone();
                let mut before = values(&total.value(&state));
                for step in 0..8 {
                    scheme.step(total, &mut state);
                    let after = values(&total.value(&state));
                    for (before, after) in before.iter().zip(&after) {
                        // Rounding of energies of some 50.
                        assert!(
                            *after <= before + 1e-12,
                            "{what}, {scheme:?}, step {step}: {before} to {after}"
                        );
                    }
                    before = after;
                }
            }
        });
    }
}

/// Without the curvature in its nudge the output would go elsewhere, and the energy could rise.
#[test]
fn all_schemes_find_the_same_equilibria() {
    let setup = Setup::double();
    let circuit = Circuit::new(&SIZES, &setup, 21);
    // With more, the layers below give way and there is no minimum.
    for_all_totals(&circuit, 0.2, |total, what, beta| {
        let step_size = 1.0 / (2.0 + 4.0 * beta.abs());
        let find = |scheme| {
            let start = circuit.network.rest(&circuit.input);
            equilibrium(total, start, scheme, &setup)
        };
        let expected = find(Scheme::Asynchronous);
        for scheme in [Scheme::FixedPoint, Scheme::GradientFlow { step_size }] {
            // A strong β < 0 makes synchronous steps oscillate.
            if scheme == Scheme::FixedPoint && beta < 0.0 {
                continue;
            }
            let found = find(scheme);
            let distance = (0..3)
                .map(|layer| distance(&values(found.layer(layer)), &values(expected.layer(layer))));
            let distance = distance.fold(0.0, f64::max);
            assert!(distance < 1e-9, "{what}, {scheme:?}: {distance:e}");
        }
    });
}

#[test]
fn a_state_is_examined_on_every_device() {
    for setup in devices::all() {
        let circuit = Circuit::new(&SIZES, &setup, 22);
        let clamped = circuit.network.clamp(&circuit.input);
        let total = TotalEnergy::<_, AnyCost>::free(&circuit.network, &clamped);
        let rest = circuit.network.rest(&circuit.input);
        let found = equilibrium(&total, rest, Scheme::Asynchronous, &setup);

        let double = Setup::double();
        let exact = Circuit::new(&SIZES, &double, 22);
        let clamped = exact.network.clamp(&exact.input);
        let total = TotalEnergy::<_, AnyCost>::free(&exact.network, &clamped);
        let rest = exact.network.rest(&exact.input);
        let expected = equilibrium(&total, rest, Scheme::Asynchronous, &double);
        for layer in 0..3 {
            let (found, expected) = (values(found.layer(layer)), values(expected.layer(layer)));
            assert_close(&found, &expected, setup.tolerance, setup.name);
        }
    }
}

/// A negative conductance would turn its term of the energy upside down.
#[test]
fn projecting_sets_negative_conductances_to_zero_and_leaves_the_rest() {
    for setup in devices::all() {
        let circuit = Circuit::new(&SIZES, &setup, 23);
        let before: Vec<Vec<f64>> = parameters(&circuit.network);
        let shifted = |list: &Vec<f64>| list.iter().map(|g| g - 0.7).collect::<Vec<_>>();
        let before: Vec<Vec<f64>> = before.iter().map(shifted).collect();
        let mut lists = before.clone().into_iter();
        let network = filled(circuit.network, &setup, |_| {
            lists.next().expect("a list each")
        });
        let before = parameters(&network);
        let after = parameters(&network.project());
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            let is_bias = index >= 3;
            for (before, after) in before.iter().zip(after) {
                let expected = if is_bias { *before } else { before.max(0.0) };
                assert_eq!(*after, expected);
            }
            assert!(before.iter().any(|g| *g < 0.0), "nothing to project");
        }
    }
}

#[test]
fn examples_relax_alone() {
    let setup = Setup::double();
    let circuit = Circuit::new(&SIZES, &setup, 24);
    let relax = |input: &Tensor<2>| {
        let clamped = circuit.network.clamp(input);
        let total = TotalEnergy::<_, AnyCost>::free(&circuit.network, &clamped);
        equilibrium(
            &total,
            circuit.network.rest(input),
            Scheme::Asynchronous,
            &setup,
        )
    };
    let all = relax(&circuit.input);
    for example in 0..BATCH {
        let alone = relax(&circuit.input.clone().narrow(0, example, 1));
        let found = values(&all.output().clone().narrow(0, example, 1));
        assert_close(&found, &values(alone.output()), 1e-12, "alone");
    }
}
