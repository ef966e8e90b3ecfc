//! Fields with any of their units clamped.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{
    Energy, HopfieldEnergy, LayerConfig, PartlyClamped, ResistiveNetworkConfig, TotalEnergy,
    VectorField,
};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    ACTIVATIONS, Numbers, Setup, assert_close, chain, distance, filled, flat, gradients_in, graph,
    largest, moved, network, values,
};

const BATCH: usize = 3;

/// Numbers inside the range of each of some layers, side by side; about half of them unknown.
fn partly_known(numbers: &mut Numbers, layers: &[LayerConfig], setup: &Setup) -> Tensor<2> {
    let state = numbers.state(layers, setup, BATCH);
    let known = Tensor::cat(state.layers().to_vec(), 1);
    let is_free = numbers.matrix(setup, known.dims(), -1.0, 1.0);
    known.mask_fill(is_free.greater_elem(0.0), f64::NAN)
}

/// The clamped value of each unit, NaN if it is free: the numbers of the layers in the order of the
/// state.
fn held(input: &Tensor<2>, sizes: &[usize]) -> Vec<f64> {
    let mut start = 0;
    let layers = sizes.iter().map(|&size| {
        start += size;
        values(&input.clone().narrow(1, start - size, size))
    });
    layers.flatten().collect()
}

#[test]
fn clamped_units_stay_in_every_dynamics_and_the_others_come_to_rest() {
    let setup = &Setup::double();
    for activation in ACTIVATIONS {
        if activation == Activation::Softmax {
            // Its units share what is driven: one cannot be clamped without the others.
            continue;
        }
        let config = graph(&[2, 4, 5], activation, &[(0, 1), (1, 2), (2, 2)]);
        let mut numbers = Numbers(1);
        let energy = PartlyClamped::new(network(&config, setup, 0.2, 2), [0, 1]);
        let known = partly_known(&mut numbers, energy.layers(), setup);
        let own = numbers.matrix(setup, [BATCH, 2], -1.0, 1.0);
        let input = Tensor::cat(vec![known.clone(), own.clone()], 1);
        let clamped = energy.clamp(&input);
        let held = held(&known, &[4, 5]);
        assert!(held.iter().any(|v| v.is_nan()) && held.iter().any(|v| !v.is_nan()));
        // The target is elsewhere: it must not move what is clamped.
        let target = numbers.inside(activation, setup, [BATCH, 5]);
        let beta = setup.number(0.3);
        let free = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
        let nudged = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
        for scheme in Scheme::all() {
            for (total, phase) in [(&free, "free"), (&nudged, "nudged")] {
                let what = format!("{activation:?}, {scheme}, {phase}");
                let mut start = numbers.state(energy.layers(), setup, BATCH);
                for layer in 0..2 {
                    start.set(layer, total.hold(layer, start.layer(layer).clone()));
                }
                let relaxation = Relaxation::steps(scheme, 400);
                let relaxed = relaxation.relax_observed(total, start, |_, state| {
                    for (found, held) in flat(state).iter().zip(&held) {
                        assert!(held.is_nan() || found == held, "{what}: {found} {held}");
                    }
                });
                let state = &relaxed.state;
                let residual = values(&total.residual(state));
                assert_close(&residual, &[0.0; BATCH], 1e-9, &what);
                // From the field alone: a free hidden unit is the response to its drive.
                let own = energy.field.clamp(&own);
                let drive = energy.field.drive(0, &own, state);
                let response = values(&activation.apply(drive));
                let pairs = response.iter().zip(values(state.layer(0)));
                for ((response, found), held) in pairs.zip(&held) {
                    let is_free = held.is_nan();
                    assert!(!is_free || (response - found).abs() < 1e-9, "{what}");
                }
            }
        }
    }
}

/// At an equilibrium the energy has a slope only along the clamped units.
#[test]
fn the_free_units_minimize_the_energy_with_the_others_clamped() {
    let setup = &Setup::double();
    let mut numbers = Numbers(3);
    let config = graph(&[1, 4, 5], Activation::Tanh, &[(1, 2)]);
    let energy = PartlyClamped::new(network(&config, setup, 0.8, 4), [1]);
    let input = partly_known(&mut numbers, &energy.layers()[1..], setup);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let relaxed = setup.free().relax(&total, energy.start(&input, &clamped));
    let state = relaxed.converged().expect("it converges");
    let slope = |unit, example: usize| {
        let energy = |by| values(&energy.energy(&clamped, &moved(&state, 1, unit, by)))[example];
        (energy(1e-5) - energy(-1e-5)) / 2e-5
    };
    let known = values(&input);
    let mut largest_of_clamped: f64 = 0.0;
    for (index, known) in known.iter().enumerate() {
        let slope = slope(index % 5, index / 5);
        if known.is_nan() {
            assert!(slope.abs() < 1e-8, "{index}: {slope:e}");
        } else {
            largest_of_clamped = largest_of_clamped.max(slope.abs());
        }
    }
    assert!(largest_of_clamped > 0.1, "{largest_of_clamped:e}");
}

/// The network with a clamped input, and the same with its input as a fully clamped layer.
#[test]
fn a_free_input_that_is_clamped_again_is_the_network_as_it_was() {
    let setup = &Setup::double();
    for activation in [
        Activation::HardSigmoid,
        Activation::Tanh,
        Activation::Identity,
    ] {
        let mut numbers = Numbers(5);
        let energy = network(&chain(&[3, 4, 2], activation), setup, 0.5, 6);
        let input = numbers.inside(activation, setup, [BATCH, 3]);
        let target = numbers.inside(activation, setup, [BATCH, 2]);
        let free = energy
            .clone()
            .with_free_input(LayerConfig::new(3, activation));
        let part = PartlyClamped::new(free, [0]);
        let (states, energies, gradient) = phases(&energy, &input, &target, setup);
        let (part_states, part_energies, part_gradient) = phases(&part, &input, &target, setup);
        for (state, part_state) in states.iter().zip(&part_states) {
            assert_eq!(values(part_state.layer(0)), values(&input));
            let above = State::new(part_state.layers()[1..].to_vec());
            assert_close(&flat(&above), &flat(state), setup.tolerance, "state");
        }
        // E'(θ, x, s) = G(x) + E(θ, x, s)
        let potential = values(&activation.potential(input.clone()));
        let expected: Vec<f64> = energies.iter().zip(potential).map(|(e, g)| e + g).collect();
        assert_close(&part_energies, &expected, setup.tolerance, "energy");
        let [of, part_of] = [&gradient, &part_gradient].map(|all| gradients_in(&energy, all));
        let tolerance = setup.gradient_tolerance;
        assert_close(&part_of.concat(), &of.concat(), tolerance, "gradient");
        assert!(largest(&of.concat()) > 1e-3);
    }
}

/// Free and nudged equilibrium, the energy of the free one, and the gradient.
fn phases<E: Energy>(
    energy: &E,
    input: &Tensor<2>,
    target: &Tensor<2>,
    setup: &Setup,
) -> ([State; 2], Vec<f64>, Gradients) {
    let clamped = energy.clamp(input);
    let relax = |beta: f64, start| {
        let beta = setup.number(beta);
        let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, target, beta);
        let relaxed = setup.free().relax(&total, start);
        relaxed.converged().expect("it converges")
    };
    let free = relax(0.0, energy.start(input, &clamped));
    let nudged = relax(0.1, free.clone());
    let gradient = energy.contrast(&clamped, &nudged, &free, 10.0);
    let energies = values(&energy.energy(&clamped, &free));
    ([free, nudged], energies, gradient)
}

/// A clamped label and an output that is fixed at that label are the same.
#[test]
fn an_output_of_which_all_is_clamped_is_one_that_is_held() {
    let setup = &Setup::double();
    let mut numbers = Numbers(7);
    let energy = network(&chain(&[3, 4, 2], Activation::HardSigmoid), setup, 0.8, 8);
    let input = numbers.matrix(setup, [BATCH, 3], 0.0, 1.0);
    let label = setup.one_hot(&[0, 1, 1], 2);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::output_clamped(&energy, &clamped, label.clone());
    let expected = setup.free().relax(&total, energy.rest(&input)).state;

    let part = PartlyClamped::new(energy.clone(), [1]);
    let both = Tensor::cat(vec![label, input.clone()], 1);
    let clamped = part.clamp(&both);
    let total = TotalEnergy::<_, SquaredError>::free(&part, &clamped);
    let found = setup
        .free()
        .relax(&total, part.start(&both, &clamped))
        .state;
    assert_close(&flat(&found), &flat(&expected), setup.tolerance, "state");
    let free = setup.free().relax(
        &TotalEnergy::<_, SquaredError>::free(&energy, &energy.clamp(&input)),
        energy.rest(&input),
    );
    assert!(distance(&flat(&found), &flat(&free.state)) > 0.1);
}

/// Complex nudges move only the free units into the complex plane.
#[test]
fn what_is_clamped_stays_real_in_a_complex_state() {
    let setup = &Setup::double();
    let mut numbers = Numbers(13);
    let config = graph(&[1, 4, 5], Activation::Tanh, &[(1, 2)]);
    let energy = PartlyClamped::new(network(&config, setup, 0.5, 14), [1]);
    let input = partly_known(&mut numbers, &energy.layers()[1..], setup);
    let target = numbers.inside(Activation::Tanh, setup, [BATCH, 5]);
    let clamped = energy.clamp(&input);
    let start = energy.start(&input, &clamped);
    let start = start.map(|s| Tensor::cat(vec![s.clone(), s.zeros_like()], 0));
    let clamped = energy.repeat(&clamped, 2);
    let beta = [0.1, 0.2].map(|part| setup.tensor(vec![part; BATCH], [BATCH, 1]));
    let total = TotalEnergy::holomorphic(&energy, &clamped, &SquaredError, &target, beta);
    let relaxed = setup.free().relax(&total, start).converged();
    let output = values(relaxed.expect("it converges").output());
    let (re, im) = output.split_at(5 * BATCH);
    for ((known, re), im) in values(&input).iter().zip(re).zip(im) {
        if known.is_nan() {
            assert!(im.abs() > 1e-4, "{im}");
        } else {
            assert_eq!((re, *im), (known, 0.0));
        }
    }
}

#[test]
fn a_start_and_a_pass_begin_with_what_is_known() {
    let setup = &Setup::double();
    let config = graph(&[1, 2, 3], Activation::Tanh, &[(1, 2)]);
    let energy = PartlyClamped::new(network(&config, setup, 0.8, 9), [1]);
    let input = setup.tensor(vec![0.5, f64::NAN, -0.5], [1, 3]);
    let clamped = energy.clamp(&input);
    let start = energy.start(&input, &clamped);
    assert_eq!(values(start.output()), [0.5, 0.0, -0.5]);
    let pass = energy.feedforward(&input, &clamped);
    let drive = energy.drive(0, &clamped, &start);
    assert_eq!(
        values(pass.layer(0)),
        values(&Activation::Tanh.apply(drive))
    );
    let output = values(pass.output());
    assert_eq!([output[0], output[2]], [0.5, -0.5]);
    assert_ne!(output[1], 0.0);
}

/// Also if the drive is relative to the curvature of a unit.
#[test]
fn the_slope_of_the_energy_by_what_is_clamped_is_a_difference() {
    let setup = &Setup::double();
    let config = graph(&[2, 4, 3], Activation::Tanh, &[(0, 1), (1, 2), (2, 2)]);
    check_slopes(network(&config, setup, 0.8, 10), setup);
    let circuit = ResistiveNetworkConfig::dense(&[2, 4, 3]).init(&setup.device);
    let positive = |n| Numbers(11).list(n, 0.1, 1.0);
    check_slopes(filled(circuit, setup, positive), setup);
}

fn check_slopes<E: Energy>(field: E, setup: &Setup) {
    let mut numbers = Numbers(12);
    let energy = PartlyClamped::new(field, [1]);
    let visible = energy.layers()[1];
    let known = partly_known(&mut numbers, &[visible], setup);
    let own = numbers.matrix(setup, [BATCH, 2], 0.0, 1.0);
    let input = Tensor::cat(vec![known.clone(), own], 1);
    let states = [(); 2].map(|()| {
        let mut state = numbers.state(energy.layers(), setup, BATCH);
        let is_free = known.clone().is_nan();
        let values = known.clone().mask_where(is_free, state.layer(1).clone());
        state.set(1, values);
        state
    });
    let found = energy.input_contrast(&input, &states[0], &states[1], 1.0);
    let found = values(&found.expect("an energy has slopes"));
    let [_, n_inputs] = input.dims();
    let n_visible = visible.n_units();
    let difference = |column: usize, by: f64| {
        let mut step = vec![0.0; n_inputs];
        step[column] = by;
        let input = input.clone() + setup.tensor(step, [1, n_inputs]);
        let clamped = energy.clamp(&input);
        let energies = |state: &State| {
            let state = match column < n_visible {
                true => moved(state, 1, column, by),
                false => state.clone(),
            };
            energy.energy(&clamped, &state)
        };
        values(&(energies(&states[0]) - energies(&states[1])))
    };
    let known = values(&known);
    for column in 0..n_inputs {
        let [more, less] = [1e-5, -1e-5].map(|by| difference(column, by));
        for example in 0..BATCH {
            let is_free = column < n_visible && known[example * n_visible + column].is_nan();
            let expected = match is_free {
                true => 0.0,
                false => (more[example] - less[example]) / 2e-5,
            };
            let found = found[example * n_inputs + column];
            assert!(
                (found - expected).abs() < 1e-8,
                "column {column} of example {example}: {found} {expected}"
            );
        }
    }
    assert!(largest(&found) > 0.1);
}

fn small() -> HopfieldEnergy {
    let setup = &Setup::double();
    network(&chain(&[3, 4, 2], Activation::HardSigmoid), setup, 0.8, 8)
}

#[test]
#[should_panic(expected = "for each of the 4 visible units, but has 3 values")]
fn an_input_without_a_column_for_each_visible_unit_is_refused() {
    let energy = PartlyClamped::new(small(), [0]);
    energy.clamp(&Setup::double().tensor(vec![0.0; 3], [1, 3]));
}

#[test]
#[should_panic(expected = "there is no free layer 2 to be visible")]
fn a_layer_that_is_not_there_is_refused() {
    PartlyClamped::new(small(), [2]);
}

#[test]
#[should_panic(expected = "free layer 1 is named twice")]
fn a_layer_that_is_named_twice_is_refused() {
    PartlyClamped::new(small(), [1, 1]);
}

#[test]
#[should_panic(expected = "leads from 3 units, but the input has 5")]
fn an_input_of_another_size_is_refused() {
    small().with_free_input(LayerConfig::new(5, Activation::HardSigmoid));
}
