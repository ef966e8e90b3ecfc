//! Softmax attention within a layer: energy, drive and contrast against one another and in closed form,
//! which steps raise the energy, and what refuses it.

mod descent;
mod refusal;

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    AttentionConfig, Connection, ConnectionConfig, ConnectionKind, ConvolutionConfig,
};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{
    Energy, HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{
    Lists, Numbers, Setup, assert_agrees, assert_close, connection, distance, filled, flat,
    fourth_order_differences, gradients_in, joined, largest, moved, network, parameters, values,
};

use crate::devices;

const BATCH: usize = 3;
/// Channels, rows and columns of the tokens.
const TOKENS: [usize; 3] = [4, 2, 3];

fn attention(heads: usize, width: usize) -> ConnectionKind {
    ConnectionKind::Attention(AttentionConfig::new(heads, width))
}

/// Patches of an image, their attention to each other, and two outputs.
fn config(activation: Activation, kind: ConnectionKind) -> HopfieldEnergyConfig {
    let [_, rows, columns] = TOKENS;
    let patches = ConvolutionConfig::new(2).with_stride(2);
    let connections = vec![
        joined(0, 1, ConnectionKind::Convolution(patches)),
        joined(1, 1, kind),
        connection(1, 2),
    ];
    let shapes = [LayerShape::Maps(TOKENS), 2.into()];
    let layers = shapes.map(|shape| LayerConfig::new(shape, activation));
    HopfieldEnergyConfig::new(
        [1, 2 * rows, 2 * columns].into(),
        layers.to_vec(),
        connections,
    )
}

/// A network with parameters in ±1, an input and two states.
struct Problem {
    energy: HopfieldEnergy,
    input: Tensor<2>,
    states: [State; 2],
}

impl Problem {
    fn new(activation: Activation) -> Self {
        let setup = Setup::double();
        let config = config(activation, attention(2, 3));
        let mut numbers = Numbers(5);
        let input = numbers.matrix(&setup, [BATCH, config.input.n_units()], 0.0, 1.0);
        let energy = network(&config, &setup, 1.0, 4);
        let states = [(); 2].map(|()| numbers.state(energy.layers(), &setup, BATCH));
        Self {
            energy,
            input,
            states,
        }
    }
}

const SMOOTH: [Activation; 3] = [
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
];

#[test]
fn the_drive_is_the_negative_slope_of_the_energy_without_the_potential() {
    for activation in SMOOTH {
        let Problem {
            energy,
            input,
            states: [state, _],
        } = Problem::new(activation);
        let clamped = energy.clamp(&input);
        let interaction = |state: &State| {
            let potential = activation.potential(state.layer(0).clone());
            values(&(energy.energy(&clamped, state) - potential))
        };
        let drive = values(&energy.drive(0, &clamped, &state));
        let n_units = TOKENS.iter().product();
        for unit in 0..n_units {
            // Errors of ε⁴ and of 1e-14/ε.
            let at = |by: f64| interaction(&moved(&state, 0, unit, by));
            let [up, down, far_up, far_down] = [1e-3, -1e-3, 2e-3, -2e-3].map(at);
            for example in 0..BATCH {
                let fine = (up[example] - down[example]) / 2e-3;
                let coarse = (far_up[example] - far_down[example]) / 4e-3;
                let found = drive[example * n_units + unit];
                assert_close(&[found], &[-(4.0 * fine - coarse) / 3.0], 1e-9, "drive");
            }
        }
    }
}

/// The two terms of the slope: of a token as a query, and of one as a key.
#[test]
fn both_halves_make_the_drive_within_the_layer() {
    let Problem { energy, states, .. } = Problem::new(Activation::Tanh);
    let prepared = energy.connections[1].prepare();
    let state = states[0].layer(0);
    let halves = [
        prepared.forward(state.clone()),
        prepared.backward(state.clone(), state),
    ];
    let [asking, asked] = halves.each_ref().map(values);
    let both: Vec<f64> = asking.iter().zip(&asked).map(|(a, b)| a + b).collect();
    assert_close(&values(&prepared.within(state)), &both, 1e-13, "both");
    for half in [&asking, &asked] {
        assert!(largest(half) > 0.1, "{half:?}");
    }
    assert!(distance(&asking, &asked) > 0.1);
    let forward = energy.connections[1].forward(state.clone());
    assert_close(&values(&forward), &asking, 0.0, "unprepared");
}

#[test]
fn the_contrast_is_the_slope_of_the_mean_energy_difference() {
    let scale = 1.7;
    for activation in SMOOTH {
        let Problem {
            energy,
            input,
            states: [first, second],
        } = Problem::new(activation);
        let contrast = |first, second| {
            let clamped = energy.clamp(&input);
            let gradients = energy.contrast(&clamped, first, second, scale);
            gradients_in(&energy, &gradients)
        };
        let expected: Lists = fourth_order_differences(&energy, |energy| {
            let clamped = energy.clamp(&input);
            let difference = energy.energy(&clamped, &first) - energy.energy(&clamped, &second);
            difference.mean().into_scalar::<f64>() * scale
        });
        let found = contrast(&first, &second);
        let what = format!("{activation:?}");
        assert_agrees(&found, &expected, 1e-9, &what);
        // Kernel, queries, keys, dense weights and two biases.
        let names = found.len();
        assert_eq!(names, 6, "{what}");
        for list in &expected[1..3] {
            assert!(largest(list) > 1e-2, "{what}: nothing to compare");
        }
        assert_eq!(largest(&contrast(&first, &first).concat()), 0.0, "{what}");
    }
}

/// It is formed from differences, of the probabilities too, so that close states lose no digits.
#[test]
fn the_contrast_of_close_states_keeps_its_digits() {
    let problem = Problem::new(Activation::Tanh);
    let scale = 2f64.powi(20);
    let state = problem.states[0].map(|s| (s.clone() * scale).round() / scale);
    let contrast = |setup: &Setup, step: f64| {
        let on = |tensor: &Tensor<2>| setup.tensor(values(tensor), tensor.dims());
        let mut lists = parameters(&problem.energy).into_iter();
        let energy = filled(problem.energy.clone(), setup, |_| {
            lists.next().expect("a list each")
        });
        let first = state.map(on);
        // Not the same step everywhere, under which no probability would change.
        let mut n = 0;
        let second = state.map(|layer| {
            let steps = (0..layer.dims().iter().product()).map(|unit: usize| {
                n += 1;
                step * ((unit * 7 + n) % 5) as f64
            });
            on(layer) + setup.tensor(steps.collect(), layer.dims())
        });
        let clamped = energy.clamp(&on(&problem.input));
        let gradients = energy.contrast(&clamped, &first, &second, 1.0 / step);
        gradients_in(&energy, &gradients)
    };
    for setup in devices::all() {
        // A power of 2, so that the second state is exact in f32 too.
        let step = 2f64.powi(-16);
        let (found, expected) = (contrast(&setup, step), contrast(&Setup::double(), step));
        for (found, expected) in found.iter().zip(&expected) {
            // A difference of two products would be off by 1e-7/2^-16 = 5e-3.
            let tolerance = 2e-5 * largest(expected);
            assert_close(found, expected, tolerance, setup.name);
        }
        // In far states too.
        let far = contrast(&setup, 0.125).concat();
        let expected = contrast(&Setup::double(), 0.125).concat();
        assert_close(&far, &expected, 1e-5 * largest(&expected), setup.name);
    }
}

/// A single layer with a connection of `kind` within it, an input and weights in ±`scale`.
fn alone(maps: [usize; 3], kind: ConnectionKind, scale: f64, seed: u64) -> HopfieldEnergy {
    let connections: Vec<ConnectionConfig> = vec![connection(0, 1), joined(1, 1, kind)];
    let layers = vec![LayerConfig::new(maps, Activation::Tanh)];
    let config = HopfieldEnergyConfig::new(2.into(), layers, connections);
    network(&config, &Setup::double(), scale, seed)
}

/// Queries and keys of one token, head by head.
fn asked(energy: &HopfieldEnergy, token: &[f64]) -> [Vec<f64>; 2] {
    let Connection::Attention(attention) = &energy.connections[1] else {
        panic!("not what was configured");
    };
    [&attention.query, &attention.key].map(|weights| {
        let weights = weights.val();
        let [_, n_columns] = weights.dims();
        let weights = values(&weights);
        let column = |c: usize| {
            let rows = token.iter().enumerate();
            rows.map(|(row, g)| g * weights[row * n_columns + c]).sum()
        };
        (0..n_columns).map(column).collect()
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn tokens_that_are_alike_have_an_energy_in_closed_form() {
    let setup = Setup::double();
    let (heads, width) = (3, 4);
    for (maps, seed) in [([5, 1, 1], 1), ([5, 2, 3], 2)] {
        let [channels, rows, columns] = maps;
        let n = rows * columns;
        let energy = alone(maps, attention(heads, width), 1.0, seed);
        let token = Numbers(seed + 10).list(channels, -1.0, 1.0);
        let layer: Vec<f64> = token.iter().flat_map(|&g| vec![g; n]).collect();
        let layer = setup.tensor(layer, [1, channels * n]);
        let [queries, keys] = asked(&energy, &token);
        // Every probability is 1/n: −1/b Σ_heads n [b Q·K + log n].
        let entropy = (heads * n) as f64 * (width as f64).sqrt() * (n as f64).ln();
        let expected = -(n as f64 * dot(&queries, &keys) + entropy);
        let found = energy.connections[1].prepare().energy(&layer, &layer);
        assert_close(&values(&found), &[expected], 1e-12, "energy");
    }
}

/// If one key is much larger than all others, every query collects that key.
#[test]
fn queries_collect_the_keys_that_they_point_to() {
    let setup = Setup::double();
    let maps = [2, 1, 3];
    let energy = alone(maps, attention(1, 1), 1.0, 1);
    let mut energy = filled(energy, &setup, |n| match n {
        // Queries are the first channel, keys fifty times the second.
        2 => vec![1.0, 0.0],
        n => vec![0.0; n],
    });
    let Connection::Attention(attention) = &mut energy.connections[1] else {
        panic!("not what was configured");
    };
    let key = attention.key.clone();
    attention.key = key.map(|_| setup.tensor(vec![0.0, 50.0], [2, 1]));
    // All ask with 1; the third token answers.
    let layer = setup.tensor(vec![1.0, 1.0, 1.0, -1.0, 0.0, 0.9], [1, 6]);
    let prepared = energy.connections[1].prepare();
    let found = values(&prepared.within(&layer));
    // By K_3 W_q = 45 in the first channel of each; by Σ_q Q_q W_k = 150 in the second of the third.
    let expected = [45.0, 45.0, 45.0, 0.0, 0.0, 150.0];
    assert_close(&found, &expected, 1e-12, "drive");
    assert_close(
        &values(&prepared.energy(&layer, &layer)),
        &[-135.0],
        1e-12,
        "energy",
    );
    // Scores of hundreds do not overflow, in single precision either.
    let single = Setup::single();
    let energy = filled_as(&energy, &single);
    let layer = single.tensor(vec![1.0, 1.0, 1.0, -1.0, 0.0, 0.9], [1, 6]) * 10.0;
    let found = energy.connections[1].prepare().energy(&layer, &layer);
    assert_close(&values(&found), &[-13_500.0], 0.1, "large scores");
}

fn filled_as(energy: &HopfieldEnergy, setup: &Setup) -> HopfieldEnergy {
    let mut lists = parameters(energy).into_iter();
    filled(energy.clone(), setup, |_| {
        lists.next().expect("a list each")
    })
}

/// No backend fuses attention: the same relaxation, step by step, everywhere.
#[test]
fn it_relaxes_alike_on_every_device() {
    let problem = Problem::new(Activation::Tanh);
    let scheme = Scheme::GradientFlow { step_size: 0.25 };
    let relax = |setup: &Setup| {
        let energy = filled_as(&problem.energy, setup);
        let input = setup.tensor(values(&problem.input), problem.input.dims());
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
        let relaxed = Relaxation::steps(scheme, 20).relax(&total, energy.rest(&input));
        flat(&relaxed.state)
    };
    let expected = relax(&Setup::double());
    assert!(largest(&expected) > 0.1);
    for setup in devices::all() {
        assert_close(
            &relax(&setup),
            &expected,
            10.0 * setup.tolerance,
            setup.name,
        );
    }
}
