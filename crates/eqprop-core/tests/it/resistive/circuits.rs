//! Circuits that can be solved by hand.

use eqprop_core::cost::{AnyCost, SquaredError};
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, assert_close, equilibrium, filled, parameters, values};

use super::{BATCH, Circuit, GAIN, biases, resistors, voltages, with_conductances};
use crate::devices;

const SCHEMES: [Scheme; 3] = [
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.5 },
];

/// One node between a source at `x` and one at `−x`, with an external current.
#[test]
fn a_voltage_divider_has_the_voltage_of_its_formula() {
    let (x, plus, minus, current) = (3.0, 2.0, 0.5, 0.75);
    let expected = (x * (plus - minus) + current) / (plus + minus);
    for setup in devices::all() {
        let network = with_conductances(&[1, 1], &setup, &[&[plus, minus], &[current]]);
        let input = setup.number(x);
        let clamped = network.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&network, &clamped);
        let after = Relaxation::steps(Scheme::Asynchronous, 1).relax(&total, network.rest(&input));
        let found = values(after.state.output());
        assert_close(&found, &[expected], setup.tolerance, setup.name);
    }
}

/// An input of two values comes as `x₁, x₂, −x₁, −x₂`, times the gain.
#[test]
fn an_input_comes_as_two_voltages_all_positive_copies_first() {
    let setup = Setup::double();
    let sizes = [2, 1];
    let config = eqprop_core::energy::ResistiveNetworkConfig::dense(&sizes).with_input_gain(10.0);
    let mut lists = [vec![1.0, 2.0, 3.0, 4.0], vec![0.0]].into_iter();
    let network = filled(config.init(&setup.device), &setup, |_| {
        lists.next().expect("a list each")
    });
    assert_eq!(network.input_gain(), 10.0);
    let input = setup.tensor(vec![0.3, -0.7], [1, 2]);
    let drive = network.drive(0, &network.clamp(&input), &network.rest(&input));
    let expected = 10.0 * (0.3 * (1.0 - 3.0) - 0.7 * (2.0 - 4.0)) / 10.0;
    assert_close(&values(&drive), &[expected], 1e-14, "a mean of the sources");
}

/// Sources at ±1, two nodes `L` and `R` between them, and a third node connected to both: its two
/// resistors in series are one of conductance `h`.
#[test]
fn a_bridge_has_the_voltages_of_its_two_nodal_equations() {
    let (left, right, arms) = ([2.0, 0.5], [0.3, 1.1], [0.8, 0.4]);
    let h = arms[0] * arms[1] / (arms[0] + arms[1]);
    let (a, b) = (left[0] + left[1] + h, right[0] + right[1] + h);
    let (i, j) = (left[0] - left[1], right[0] - right[1]);
    let determinant = a * b - h * h;
    let (l, r) = ((b * i + h * j) / determinant, (a * j + h * i) / determinant);
    let middle = (arms[0] * l + arms[1] * r) / (arms[0] + arms[1]);
    for setup in devices::all() {
        let sources = [left[0], right[0], left[1], right[1]];
        let network = with_conductances(&[1, 2, 1], &setup, &[&sources, &arms]);
        let input = setup.number(1.0);
        let clamped = network.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&network, &clamped);
        for scheme in SCHEMES {
            let state = equilibrium(&total, network.rest(&input), scheme, &setup);
            let found = [values(state.layer(0)), values(state.layer(1))].concat();
            let what = format!("{scheme:?}, {}", setup.name);
            assert_close(&found, &[l, r, middle], 10.0 * setup.tolerance, &what);
        }
    }
}

/// If both sides divide alike, the arm between them carries no current, whatever its conductance.
#[test]
fn a_balanced_bridge_has_one_voltage() {
    let setup = Setup::double();
    for arms in [[0.1, 5.0], [2.0, 2.0]] {
        // 3 : 1 on both sides: (3 − 1)/(3 + 1) of the source.
        let network = with_conductances(&[1, 2, 1], &setup, &[&[3.0, 0.6, 1.0, 0.2], &arms]);
        let input = setup.number(1.0);
        let clamped = network.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&network, &clamped);
        let state = equilibrium(&total, network.rest(&input), Scheme::Asynchronous, &setup);
        let found = [values(state.layer(0)), values(state.layer(1))].concat();
        assert_close(&found, &[0.5; 3], 1e-12, "no current");
    }
}

/// The current into each node of each example, by free layer: `Σ_j g_ij (v_j − v_i) + b_i`.
fn currents(circuit: &Circuit, state: &State) -> Vec<Vec<Vec<f64>>> {
    let examples = voltages(&circuit.input, GAIN, state).into_iter();
    let of = examples.map(|v| {
        let mut currents = biases(&circuit.network);
        for ((below, i), (above, j), g) in resistors(&circuit.network) {
            let current = g * (v[below][i] - v[above][j]);
            currents[above - 1][j] += current;
            if let Some(layer) = below.checked_sub(1) {
                currents[layer][i] -= current;
            }
        }
        currents
    });
    of.collect()
}

#[test]
fn currents_obey_kirchhoff_and_a_diode_takes_up_what_its_node_cannot() {
    let setup = Setup::double();
    let sizes = [2, 6, 4, 2];
    let (mut n_clipped, mut n_open) = (0, 0);
    for seed in 0..5 {
        let circuit = Circuit::new(&sizes, &setup, seed);
        let clamped = circuit.network.clamp(&circuit.input);
        let total = TotalEnergy::<_, AnyCost>::free(&circuit.network, &clamped);
        let rest = circuit.network.rest(&circuit.input);
        let state = equilibrium(&total, rest, Scheme::Asynchronous, &setup);
        let at = voltages(&circuit.input, GAIN, &state);
        for (example, currents) in currents(&circuit, &state).into_iter().enumerate() {
            for (layer, currents) in currents.into_iter().enumerate() {
                let n_units = currents.len();
                for (unit, current) in currents.into_iter().enumerate() {
                    let v = at[example][layer + 1][unit];
                    let is_hidden = layer < 2;
                    // Above the ground a diode lets current out, below it in, and none else.
                    let side = if unit < n_units / 2 { 1.0 } else { -1.0 };
                    if is_hidden && v == 0.0 {
                        n_clipped += 1;
                        assert!(side * current < 0.0, "{current} into a clipped node");
                    } else {
                        n_open += 1;
                        assert!(!is_hidden || side * v > 0.0, "{v} on the wrong side");
                        // Voltages are exact to 1e-13, conductances at a node sum to 10.
                        assert!(current.abs() < 1e-11, "{current} is left over at {v}");
                    }
                }
            }
        }
    }
    assert!(n_clipped > 20 && n_open > 60, "{n_clipped} and {n_open}");
}

/// The nudge is a resistor of conductance β between each output node and a source at the target.
#[test]
fn a_nudged_output_is_that_of_a_resistor_to_the_target() {
    let setup = Setup::double();
    let circuit = Circuit::linear(&[2, 3, 2], &setup, 1);
    let clamped = circuit.network.clamp(&circuit.input);
    let target = Numbers(2).matrix(&setup, [BATCH, 2], -1.0, 1.0);
    for beta in [0.7, 10.0, -0.2] {
        let number = setup.number(beta);
        let (network, cost) = (&circuit.network, &SquaredError);
        let total = TotalEnergy::nudged(network, &clamped, cost, &target, number);
        for scheme in SCHEMES {
            let rest = network.rest(&circuit.input);
            // A strong nudge makes the flow overshoot: small steps.
            let scheme = match scheme {
                Scheme::GradientFlow { .. } => Scheme::GradientFlow { step_size: 0.1 },
                other => other,
            };
            let state = equilibrium(&total, rest, scheme, &setup);
            let at = voltages(&circuit.input, GAIN, &state);
            let targets = values(&target);
            for (example, currents) in currents(&circuit, &state).into_iter().enumerate() {
                for unit in 0..2 {
                    let pull = beta * (targets[2 * example + unit] - at[example][2][unit]);
                    let left = currents[1][unit] + pull;
                    assert!(left.abs() < 1e-11, "{scheme:?}, beta {beta}: {left:e}");
                    assert!(pull.abs() > 1e-3);
                }
                for left in &currents[0] {
                    assert!(left.abs() < 1e-11, "{scheme:?}, beta {beta}: {left:e}");
                }
            }
        }
    }
}

#[test]
fn a_node_without_resistors_stays_finite_and_disturbs_nothing() {
    let setup = Setup::double();
    let circuit = Circuit::new(&[2, 4, 2], &setup, 3);
    // Hidden node 1 loses its four resistors to the sources and two to the outputs.
    let mut lists = parameters(&circuit.network);
    for source in 0..4 {
        lists[0][4 * source + 1] = 0.0;
    }
    lists[1][2..4].fill(0.0);
    let cut = |bias: f64| {
        let mut lists = lists.clone();
        lists[2][1] = bias;
        let mut lists = lists.into_iter();
        let network = filled(circuit.network.clone(), &setup, |_| {
            lists.next().expect("a list each")
        });
        let clamped = network.clamp(&circuit.input);
        let total = TotalEnergy::<_, AnyCost>::free(&network, &clamped);
        let rest = network.rest(&circuit.input);
        let steps = Relaxation::steps(Scheme::Asynchronous, 100);
        steps.relax(&total, rest).converged().expect("finite")
    };
    let (without, with) = (cut(0.0), cut(0.1));
    assert_close(
        &values(without.output()),
        &values(with.output()),
        0.0,
        "output",
    );
    assert_eq!(values(without.layer(0))[1], 0.0);
    assert!(values(with.layer(0))[1] > 0.0);
}
