//! Coupled oscillators: the energy in the angles, its slopes, its minima and their gradients.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling};
use eqprop_core::cost::{Cost, PhaseError};
use eqprop_core::energy::{
    Energy, LayerConfig, OscillatorNetwork, OscillatorNetworkConfig, TotalEnergy, VectorField,
};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{AdaptiveFlow, Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Lists, Numbers, Reference, Setup, assert_agrees, assert_close, equilibrium, filled, flat,
    gradients_in, joined, order_of, parameter_differences, parameters, read_reference,
    relative_error, values,
};

const SIZES: [usize; 4] = [4, 6, 5, 3];
const BATCH: usize = 3;

fn config() -> OscillatorNetworkConfig {
    OscillatorNetworkConfig::dense(&SIZES, InitializerConfig::Glorot).with_learns_injection(true)
}

/// Couplings and fields in ±0.9, and strengths of the second harmonic of both signs.
fn network(setup: &Setup, seed: u64) -> (OscillatorNetwork, Tensor<2>, Tensor<2>) {
    let mut numbers = Numbers(seed);
    let network = filled(config().init(&setup.device), setup, |n| {
        numbers.list(n, -0.9, 0.9)
    });
    let input = numbers.matrix(setup, [BATCH, SIZES[0]], -1.0, 1.0);
    (network, input, setup.one_hot(&[0, 1, 2], SIZES[3]))
}

/// Angles of all layers, example by example.
fn angles(seed: u64) -> Vec<Vec<Vec<f64>>> {
    let mut numbers = Numbers(seed);
    let layers = SIZES[1..].iter();
    let layer = |&n: &usize| (0..BATCH).map(|_| numbers.list(n, -3.1, 3.1)).collect();
    layers.map(layer).collect()
}

fn state(angles: &[Vec<Vec<f64>>], setup: &Setup) -> State {
    let layer = |layer: &Vec<Vec<f64>>| {
        let rows = layer.iter().flat_map(|row| {
            let (cosines, sines) = (row.iter().map(|a| a.cos()), row.iter().map(|a| a.sin()));
            cosines.chain(sines)
        });
        setup.tensor(rows.collect(), [layer.len(), 2 * layer[0].len()])
    };
    State::new(angles.iter().map(layer).collect())
}

/// The equation, term by term.
fn by_hand(network: &OscillatorNetwork, input: &Tensor<2>, angles: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let lists = parameters(network);
    let n_layers = SIZES.len() - 1;
    let input = values(input);
    let of = |example: usize| {
        let phi: Vec<&Vec<f64>> = angles.iter().map(|layer| &layer[example]).collect();
        let mut energy = 0.0;
        for (layer, phases) in phi.iter().enumerate() {
            let weights = &lists[layer];
            for (j, &phase) in phases.iter().enumerate() {
                energy -= lists[n_layers + layer][j] * phase.cos();
                energy -= 0.5 * lists[2 * n_layers + layer][j] * (2.0 * phase).cos();
                for i in 0..SIZES[layer] {
                    let weight = weights[i * phases.len() + j];
                    energy -= weight
                        * match layer {
                            0 => input[example * SIZES[0] + i] * phase.cos(),
                            _ => (phi[layer - 1][i] - phase).cos(),
                        };
                }
            }
        }
        energy
    };
    (0..BATCH).map(of).collect()
}

#[test]
fn the_energy_is_that_of_all_pairs_of_oscillators() {
    for setup in Setup::both() {
        let (network, input, _) = network(&setup, 1);
        let angles = angles(2);
        let (clamped, state) = (network.clamp(&input), state(&angles, &setup));
        let expected = by_hand(&network, &input, &angles);
        // Sums of some 70 terms.
        let tolerance = 10.0 * setup.tolerance;
        let found = values(&network.energy(&clamped, &state));
        assert_close(&found, &expected, tolerance, setup.name);
        let twice = network.repeat(&network.repeat(&clamped, 2), 2);
        let found = values(&network.energy(&twice, &state.repeat(4)));
        assert_close(&found, &expected.repeat(4), tolerance, "copies");
    }
}

/// `−∂F/∂φ` is the part of drive and force along the circle, in each unit.
#[test]
fn drives_and_forces_are_the_slopes_of_the_total_energy() {
    let setup = Setup::double();
    let (network, input, target) = network(&setup, 3);
    let (clamped, here) = (network.clamp(&input), angles(4));
    for beta in [0.0, 0.7, -0.7] {
        let nudge = setup.number(beta);
        let total = TotalEnergy::nudged(&network, &clamped, &PhaseError, &target, nudge);
        let velocity = total.velocity(&state(&here, &setup));
        for layer in 0..SIZES.len() - 1 {
            let found = values(velocity.layer(layer));
            let n = SIZES[layer + 1];
            for unit in 0..n {
                let value = |by: f64| {
                    let mut moved = here.clone();
                    moved[layer].iter_mut().for_each(|row| row[unit] += by);
                    values(&total.value(&state(&moved, &setup)))
                };
                let epsilon = 1e-5;
                let [up, down] = [value(epsilon), value(-epsilon)];
                for example in 0..BATCH {
                    let slope = (up[example] - down[example]) / (2.0 * epsilon);
                    let phase = here[layer][example][unit];
                    let row = example * 2 * n + unit;
                    let expected = [slope * phase.sin(), -slope * phase.cos()];
                    // Rounding of 1e-15 over ε.
                    assert_close(&[found[row], found[row + n]], &expected, 1e-8, "slope");
                }
            }
        }
    }
}

#[test]
fn the_contrast_is_the_slope_of_the_mean_energy_difference() {
    let setup = Setup::double();
    let (network, input, _) = network(&setup, 5);
    let [first, second] = [6, 7].map(|seed| state(&angles(seed), &setup));
    let scale = 1.7;
    let gradients = network.contrast(&network.clamp(&input), &first, &second, scale);
    let found = gradients_in(&network, &gradients);
    // The energy is linear in the parameters: only rounding, 1e-14/ε.
    let expected = parameter_differences(&network, 1e-3, |network| {
        let clamped = network.clamp(&input);
        let difference = network.energy(&clamped, &first) - network.energy(&clamped, &second);
        difference.mean().into_scalar::<f64>() * scale
    });
    assert!(expected.iter().flatten().any(|g| g.abs() > 0.1));
    assert_agrees(&found, &expected, 1e-10, "contrast");

    let held = config().with_learns_injection(false).init(&setup.device);
    let held = filled(held, &setup, |n| vec![0.5; n]);
    let gradients = held.contrast(&held.clamp(&input), &first, &second, scale);
    assert_eq!(gradients.len(), 2 * (SIZES.len() - 1));
}

#[test]
fn the_input_learns_by_the_slope_of_the_energy() {
    let (setup, epsilon) = (Setup::double(), 1e-3);
    let (network, input, _) = network(&setup, 5);
    let [first, second] = [6, 7].map(|seed| state(&angles(seed), &setup));
    let found = network.input_contrast(&input, &first, &second, -1.3);
    let found = values(&found.expect("there is an energy"));
    let difference = |input: Vec<f64>| {
        let clamped = network.clamp(&setup.tensor(input, [BATCH, SIZES[0]]));
        let energy = network.energy(&clamped, &first) - network.energy(&clamped, &second);
        energy.sum().into_scalar::<f64>() * -1.3
    };
    let expected = (0..BATCH * SIZES[0]).map(|place| {
        let moved = |by: f64| {
            let mut input = values(&input);
            input[place] += by;
            difference(input)
        };
        (moved(epsilon) - moved(-epsilon)) / (2.0 * epsilon)
    });
    assert_close(&found, &expected.collect::<Vec<_>>(), 1e-10, "input");
}

/// Also with second harmonics and nudges of both signs, for which the step is not an exact
/// minimization.
#[test]
fn asynchronous_steps_never_raise_the_total_energy() {
    let setup = Setup::double();
    for seed in 0..8 {
        let (network, input, target) = network(&setup, seed);
        let clamped = network.clamp(&input);
        for beta in [0.0, 0.5, 3.0, -0.5, -3.0] {
            let nudge = setup.number(beta);
            let total = TotalEnergy::nudged(&network, &clamped, &PhaseError, &target, nudge);
            let mut state = state(&angles(seed + 20), &setup);
            let mut before = values(&total.value(&state));
            let first = before.clone();
            for _ in 0..60 {
                Scheme::Asynchronous.step(&total, &mut state);
                let after = values(&total.value(&state));
                for (before, after) in before.iter().zip(&after) {
                    assert!(*after <= before + 1e-12, "β = {beta}: {before} to {after}");
                }
                before = after;
            }
            assert!(
                before
                    .iter()
                    .zip(&first)
                    .all(|(after, before)| *after < before - 0.1)
            );
        }
    }
}

/// Without a second harmonic one step takes a layer to its minimum, and another changes nothing.
#[test]
fn a_layer_goes_to_its_minimum_at_once() {
    let setup = Setup::double();
    let (network, input, _) = network(&setup, 1);
    let mut index = 0;
    let lists = parameters(&network);
    let network = filled(network, &setup, |n| {
        index += 1;
        match index > 2 * (SIZES.len() - 1) {
            true => vec![0.0; n],
            false => lists[index - 1].clone(),
        }
    });
    let clamped = network.clamp(&input);
    let total = TotalEnergy::<_, PhaseError>::free(&network, &clamped);
    let mut state = state(&angles(2), &setup);
    for layer in 0..SIZES.len() - 1 {
        let next = total.minimize(layer, &state);
        assert!(relative_error(&values(&next), &values(state.layer(layer))) > 0.1);
        state.set(layer, next.clone());
        assert_close(
            &values(&total.minimize(layer, &state)),
            &values(&next),
            1e-14,
            "again",
        );
        // Along the drive and not against it, where the energy is largest: `u·s = |u|` of each oscillator.
        let along = network.drive(layer, &clamped, &state) * next.clone();
        let [cosines, sines] = [0, 1].map(|half| {
            let n = along.dims()[1] / 2;
            along.clone().narrow(1, half * n, n)
        });
        assert!(values(&(cosines + sines)).iter().all(|along| *along > 0.0));
        assert!(
            values(total.velocity(&state).layer(layer))
                .iter()
                .all(|v| v.abs() < 1e-14)
        );
    }
}

#[derive(serde::Deserialize)]
struct Sizes {
    sizes: Vec<usize>,
}

/// The network of a file, its numbers, input and target.
fn from_file(file: &str, setup: &Setup) -> (OscillatorNetwork, Reference, Tensor<2>, Tensor<2>) {
    let (found, Sizes { sizes }): (Reference, Sizes) = (read_reference(file), read_reference(file));
    let mut lists = in_order(&found.params, sizes.len() - 1).into_iter();
    let config = OscillatorNetworkConfig::dense(&sizes, InitializerConfig::Glorot);
    let network = config.with_learns_injection(true).init(&setup.device);
    let network = filled(network, setup, |_| lists.next().expect("a list for each"));
    let (input, n_out) = (found.input(setup), sizes[sizes.len() - 1]);
    let target = setup.one_hot(&found.labels, n_out);
    (network, found, input, target)
}

fn in_order(arrays: &eqprop_testing::ByName, n_layers: usize) -> Lists {
    let names = ["W", "b", "S"].into_iter();
    let names = names.flat_map(|name| (0..n_layers).map(move |layer| format!("{name}{layer}")));
    names.map(|name| arrays[&name].data.clone()).collect()
}

fn numbers(layers: &[eqprop_testing::Array]) -> Vec<f64> {
    layers.iter().flat_map(|layer| layer.data.clone()).collect()
}

/// The free state, and the gradient at β or at ±β, by equilibrium propagation.
fn propagate(
    network: &OscillatorNetwork,
    [input, target]: [&Tensor<2>; 2],
    start: State,
    beta: f64,
    is_centered: bool,
    setup: &Setup,
) -> (State, Gradients, Vec<State>) {
    let clamped = network.clamp(input);
    let relax = |beta: f64, start: State| {
        let nudge = setup.number(beta);
        let total = TotalEnergy::nudged(network, &clamped, &PhaseError, target, nudge);
        let relaxation = Relaxation::steps(Scheme::Asynchronous, 6000).with_tolerance(1e-15);
        relaxation.relax(&total, start).state
    };
    let free = relax(0.0, start);
    let first = relax(beta, free.clone());
    let (second, scale) = match is_centered {
        true => (relax(-beta, free.clone()), 0.5 / beta),
        false => (free.clone(), 1.0 / beta),
    };
    let gradients = network.contrast(&clamped, &first, &second, scale);
    (free, gradients, vec![first, second])
}

const FILES: [&str; 2] = ["oscillators_plain.json", "oscillators_harmonic.json"];

#[test]
fn energies_equilibria_and_gradients_are_those_of_independent_numbers() {
    let setup = Setup::double();
    for file in FILES {
        let (network, found, input, target) = from_file(file, &setup);
        let n_layers = network.layers().len();
        for (kind, is_centered) in [("one_sided", false), ("centered", true)] {
            let start = found.near_free_state(&network.rest(&input), &setup);
            let (free, gradients, nudged) = propagate(
                &network,
                [&input, &target],
                start,
                found.beta,
                is_centered,
                &setup,
            );
            // Slow modes magnify roundings.
            let tolerance = 1e-11;
            assert_close(&flat(&free), &numbers(&found.free.state), tolerance, file);
            let expected = found.free.energy.as_ref().expect("of the free state");
            let energy = values(&network.energy(&network.clamp(&input), &free));
            assert_close(&energy, &expected.data, tolerance, "energy");
            let expected = found.free.cost.as_ref().expect("of the free state");
            let cost = values(&PhaseError.value(free.output(), &target));
            assert_close(&cost, &expected.data, tolerance, "cost");
            let positive = numbers(&found.nudged["positive"].state);
            assert_close(&flat(&nudged[0]), &positive, tolerance, "positive β");
            if is_centered {
                let negative = numbers(&found.nudged["negative"].state);
                assert_close(&flat(&nudged[1]), &negative, tolerance, "negative β");
            }
            let gradients = gradients_in(&network, &gradients);
            let expected = in_order(&found.gradients[kind], n_layers);
            // Errors of states over β.
            assert_agrees(&gradients, &expected, 1e-8, &format!("{file}, {kind}"));
            let exact = in_order(&found.gradients["exact"], n_layers).concat();
            let apart = relative_error(&gradients.concat(), &exact);
            assert!((1e-7..0.2).contains(&apart), "{file}, {kind}: {apart:e}");
        }
    }
}

#[test]
fn the_estimates_are_of_first_and_of_second_order_in_beta() {
    let setup = Setup::double();
    for file in FILES {
        let (network, found, input, target) = from_file(file, &setup);
        let exact = in_order(&found.gradients["exact"], network.layers().len()).concat();
        for (is_centered, expected) in [(false, 1.0), (true, 2.0)] {
            let betas = [2e-3, 1e-3, 5e-4];
            let errors = betas.map(|beta| {
                let start = found.near_free_state(&network.rest(&input), &setup);
                let both = [&input, &target];
                let (_, gradients, _) = propagate(&network, both, start, beta, is_centered, &setup);
                relative_error(&gradients_in(&network, &gradients).concat(), &exact)
            });
            let order = order_of(&betas, &errors);
            assert!(
                (order - expected).abs() < 0.1,
                "{file}: {order} from {errors:?}"
            );
        }
    }
}

/// With strong fields and second harmonics all phases lock, and there is nothing to learn by, right or wrong.
#[test]
fn locked_phases_have_no_gradient_and_canted_ones_do() {
    let setup = Setup::double();
    for (injection, is_locked) in [(3.0, true), (0.0, false)] {
        let (network, input, target) = network(&setup, 11);
        let n_layers = SIZES.len() - 1;
        let (lists, mut index) = (parameters(&network), 0);
        let network = filled(network, &setup, |n| {
            index += 1;
            match index > 2 * n_layers {
                true => vec![injection; n],
                false => lists[index - 1].clone(),
            }
        });
        let start = network.rest(&input);
        let both = [&input, &target];
        let (free, gradients, _) = propagate(&network, both, start, 0.05, true, &setup);
        let output = free.output();
        let cost = values(&PhaseError.value(output, &target));
        assert!(
            cost.iter().any(|cost| *cost > 0.5),
            "there is much to learn: {cost:?}"
        );
        let gradients = gradients_in(&network, &gradients).concat();
        let largest = gradients.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        match is_locked {
            true => assert!(largest < 1e-9, "{largest:e}"),
            false => assert!(largest > 1e-2, "{largest:e}"),
        }
    }
}

#[test]
fn all_dynamics_reach_the_same_phases() {
    let setup = Setup::double();
    let (network, found, input, _) = from_file(FILES[1], &setup);
    let clamped = network.clamp(&input);
    let total = TotalEnergy::<_, PhaseError>::free(&network, &clamped);
    let expected = numbers(&found.free.state);
    let schemes = [
        Scheme::Asynchronous,
        Scheme::GradientFlow { step_size: 0.1 },
        Scheme::Anderson {
            history: 5,
            mixing: 1.0,
        },
    ];
    for scheme in schemes {
        let start = found.near_free_state(&network.rest(&input), &setup);
        let relaxation = Relaxation::steps(scheme, 20_000).with_tolerance(1e-13);
        let relaxed = relaxation.relax(&total, start);
        assert_close(&flat(&relaxed.state), &expected, 1e-10, &scheme.to_string());
        assert!(relaxed.info().residual < 1e-12, "{scheme}");
    }
    let start = found.near_free_state(&network.rest(&input), &setup);
    let flow = Relaxation::steps(AdaptiveFlow::new(0.3), 5000).with_tolerance(1e-12);
    let relaxed = flow.relax(&total, start);
    assert_close(&flat(&relaxed.state), &expected, 1e-9, "adaptive flow");
}

/// `φ ← φ − ε ∂F/∂φ` up to ε³, without a part of order ε².
#[test]
fn gradient_flow_is_an_euler_step_of_the_angles() {
    let setup = Setup::double();
    let (network, input, target) = network(&setup, 9);
    let (clamped, before) = (network.clamp(&input), angles(10));
    let nudge = setup.number(0.4);
    let total = TotalEnergy::nudged(&network, &clamped, &PhaseError, &target, nudge);
    let start = state(&before, &setup);
    let velocity = total.velocity(&start);
    let off = [0.02, 0.01, 0.005].map(|step_size| {
        let mut after = start.clone();
        Scheme::GradientFlow { step_size }.step(&total, &mut after);
        let mut most = 0.0_f64;
        for (layer, rows) in before.iter().enumerate() {
            let (moved, slopes) = (values(after.layer(layer)), values(velocity.layer(layer)));
            let n = rows[0].len();
            for (example, row) in rows.iter().enumerate() {
                for (unit, phase) in row.iter().enumerate() {
                    let at = example * 2 * n + unit;
                    // Along (−sin φ, cos φ).
                    let speed = slopes[at + n] * phase.cos() - slopes[at] * phase.sin();
                    let turned = (moved[at + n] * phase.cos() - moved[at] * phase.sin()).asin();
                    most = most.max((turned - step_size * speed).abs());
                }
            }
        }
        most
    });
    let order = order_of(&[0.02, 0.01, 0.005], &off);
    assert!((order - 3.0).abs() < 0.05, "{order} from {off:?}");
}

#[test]
fn an_undriven_oscillator_has_no_phase_and_waits_for_one() {
    let setup = Setup::single();
    let silent = filled(config().init(&setup.device), &setup, |n| vec![0.0; n]);
    let input = setup.tensor(vec![1.0; BATCH * SIZES[0]], [BATCH, SIZES[0]]);
    let clamped = silent.clamp(&input);
    let total = TotalEnergy::<_, PhaseError>::free(&silent, &clamped);
    let state = equilibrium(&total, silent.rest(&input), Scheme::Asynchronous, &setup);
    assert!(flat(&state).iter().all(|value| *value == 0.0));
}

#[test]
fn scores_and_values_are_those_of_the_cosines() {
    let setup = Setup::double();
    let output = setup.tensor(vec![0.6, -1.0, 0.8, 0.0], [1, 4]);
    let target = setup.one_hot(&[0], 2);
    assert_eq!(values(&PhaseError.scores(&output, &output)), [0.6, -1.0]);
    // ½(0.6 − 1)² + ½(−1 + 1)²
    assert_close(
        &values(&PhaseError.value(&output, &target)),
        &[0.08],
        1e-15,
        "cost",
    );
    assert!(PhaseError.check_beta(-5.0, Activation::Phase).is_ok());
}

#[test]
fn what_cannot_work_says_why() {
    let refused = |change: &dyn Fn(&mut OscillatorNetworkConfig)| {
        let mut config = config();
        change(&mut config);
        config.validate().expect_err("it cannot").to_string()
    };
    let said = refused(&|config| config.graph.layers[1].activation = Activation::Tanh);
    assert!(
        said.contains("\"phase\" in every layer") && said.contains("layer 2 has Tanh"),
        "{said}"
    );
    let said = refused(&|config| config.injection = f64::NAN);
    assert!(said.contains("injection must be a number"), "{said}");
    let said = refused(&|config| {
        let maps = |n| eqprop_core::shape::LayerShape::Maps([n, 4, 4]);
        config.graph.layers = vec![
            LayerConfig::new(maps(1), Activation::Phase),
            LayerConfig::new(
                eqprop_core::shape::LayerShape::Maps([2, 2, 2]),
                Activation::Phase,
            ),
        ];
        let pooled = ConvolutionConfig::new(3)
            .with_padding(1)
            .with_pooling(Pooling::Max(2));
        config.graph.connections = vec![
            joined(0, 1, ConnectionKind::Dense),
            joined(1, 2, ConnectionKind::Convolution(pooled)),
        ];
    });
    assert!(
        said.contains("connection 1 needs average pooling or none"),
        "{said}"
    );
    assert!(config().validate().is_ok());
}

/// Connections within a layer, skip connections and convolutions couple phases as they do other units.
#[test]
fn any_graph_of_linear_connections_couples_phases() {
    let setup = Setup::double();
    let maps = eqprop_core::shape::LayerShape::Maps([2, 4, 4]);
    let mut config = config();
    config.graph.input = 3.into();
    config.graph.layers = vec![
        LayerConfig::new(maps, Activation::Phase),
        LayerConfig::new(5, Activation::Phase),
        LayerConfig::new(maps, Activation::Phase),
    ];
    let convolution = ConvolutionConfig::new(3).with_padding(1);
    config.graph.connections = vec![
        joined(0, 1, ConnectionKind::Dense),
        joined(1, 2, ConnectionKind::Dense),
        joined(1, 3, ConnectionKind::Convolution(convolution)),
        joined(0, 3, ConnectionKind::Dense),
        joined(2, 2, ConnectionKind::Dense),
    ];
    let mut numbers = Numbers(3);
    let network = filled(config.init(&setup.device), &setup, |n| {
        numbers.list(n, -0.5, 0.5)
    });
    let input = numbers.matrix(&setup, [2, 3], -1.0, 1.0);
    let [first, second] = [(); 2].map(|()| {
        let layers = network.layers().iter();
        let free = layers.map(|layer| numbers.matrix(&setup, [2, layer.n_units()], -1.0, 1.0));
        let free = free.map(|value| Activation::Phase.apply(value));
        State::new(free.collect())
    });
    let gradients = network.contrast(&network.clamp(&input), &first, &second, 1.0);
    let found = gradients_in(&network, &gradients);
    let expected = parameter_differences(&network, 1e-3, |network| {
        let clamped = network.clamp(&input);
        let difference = network.energy(&clamped, &first) - network.energy(&clamped, &second);
        difference.mean().into_scalar::<f64>()
    });
    assert_agrees(&found, &expected, 1e-10, "contrast");
}
