//! The scale that the factors of μPC keep constant in depth, and the parameters that they are
//! equivalent to.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, ConnectionKind, InitializerConfig};
use eqprop_core::energy::{
    HopfieldEnergyConfig, Parametrization, PredictiveCoding, PredictiveCodingConfig, VectorField,
};
use eqprop_testing::{
    Lists, Numbers, Setup, assert_agrees, chain, filled, gradients_in, joined, parameters, values,
};

use super::{BATCH, Problem, residual};

/// 64-128-…-128-10 with 128 layers, initial weights of variance `1/n_in` before the factors.
fn deep(
    activation: Activation,
    parametrization: Parametrization,
    is_residual: bool,
) -> PredictiveCoding {
    let n_layers = 128;
    let mut sizes = vec![128; n_layers + 1];
    (sizes[0], sizes[n_layers]) = (64, 10);
    let initializer = InitializerConfig::FanIn { gain: 3f64.sqrt() };
    let output = Activation::Identity;
    let mut chain = HopfieldEnergyConfig::dense(&sizes, activation, output, initializer);
    if is_residual {
        let blocks = (2..n_layers).map(|to| joined(to - 1, to, ConnectionKind::Identity));
        chain.connections.extend(blocks);
    }
    let config = PredictiveCodingConfig::new(chain).with_parametrization(parametrization);
    config.init(&Setup::single().device)
}

/// The mean square of the units of each hidden layer in a forward pass, for inputs with a mean square of 1.
fn mean_squares(energy: &PredictiveCoding) -> Vec<f64> {
    let bound = 3f64.sqrt();
    let input = Numbers(3).matrix(&Setup::single(), [16, 64], -bound, bound);
    let pass = energy.forward(&input);
    let hidden = &pass.layers()[..pass.layers().len() - 1];
    let squares = hidden.iter().map(|layer| layer.clone().square().mean());
    squares.map(|mean| mean.into_scalar::<f64>()).collect()
}

#[test]
fn with_factors_the_forward_pass_of_128_layers_has_units_of_order_1() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let squares = mean_squares(&deep(activation, Parametrization::MuPc, true));
        // Every block adds 1/L of the variance of what is sent: half of that with ReLU, so that 127 make e^½.
        let bounds = 0.7..2.5;
        let within = squares.iter().all(|square| bounds.contains(square));
        assert!(within, "{activation:?}: {squares:?}");
    }
}

#[test]
fn without_factors_it_explodes_in_residual_blocks_and_vanishes_in_a_chain() {
    let last = |is_residual| {
        let energy = deep(Activation::Relu, Parametrization::Standard, is_residual);
        *mean_squares(&energy).last().expect("hidden layers")
    };
    // 1.5 to the power of 126, and 0.5.
    assert!(last(true) > 1e15, "{}", last(true));
    assert!(last(false) < 1e-20, "{}", last(false));
}

#[test]
fn weights_begin_with_variance_1_and_a_factor_of_their_own() {
    let config = |parametrization| {
        let initializer = InitializerConfig::FanIn { gain: 3f64.sqrt() };
        let (hidden, output) = (Activation::Tanh, Activation::Identity);
        let mut chain =
            HopfieldEnergyConfig::dense(&[9, 64, 64, 25, 4], hidden, output, initializer);
        let block = joined(1, 2, ConnectionKind::Identity);
        chain.connections.push(block);
        PredictiveCodingConfig::new(chain).with_parametrization(parametrization)
    };
    let energy = config(Parametrization::MuPc).init(&Setup::single().device);
    for connection in &energy.connections {
        let Connection::Dense(dense) = connection else {
            panic!("dense layers")
        };
        let largest = dense.weight.val().abs().max().into_scalar::<f64>();
        let bound = 3f64.sqrt();
        assert!(
            (0.9 * bound..=1.0001 * bound).contains(&largest),
            "{largest}"
        );
    }
    // 4 layers; the third has no identity.
    let expected: [f64; 4] = [1.0 / 3.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 25.0];
    let setup = Setup::double();
    for (layer, factor) in expected.into_iter().enumerate() {
        let ones = |parametrization| {
            let energy = config(parametrization).init(&setup.device);
            let energy = filled(energy, &setup, |n| vec![1.0; n]);
            let n_in = [9, 64, 64, 25][layer];
            values(&energy.drive_from_below(layer, &setup.tensor(vec![0.0; n_in], [1, n_in])))[0]
        };
        // σ(b + Σ w σ(0)) of ones.
        let [with, without] = [Parametrization::MuPc, Parametrization::Standard].map(ones);
        let is_clipped = layer == 2;
        let expected = if is_clipped { factor.tanh() } else { factor };
        assert!((with - expected).abs() < 1e-12, "layer {layer}: {with}");
        let expected = if is_clipped { 1f64.tanh() } else { 1.0 };
        assert!(
            (without - expected).abs() < 1e-12,
            "layer {layer}: {without}"
        );
    }
}

/// A step of plain descent with rate η is therefore one of the other network with rate c²η.
#[test]
fn factors_are_the_same_as_smaller_parameters_and_their_gradients_times_the_factor() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let (what, config) = residual(activation).swap_remove(0);
        let setup = Setup::double();
        let Problem {
            energy,
            input,
            states: [first, second],
        } = Problem::of(&config, &setup, 2.0);
        let factors: [f64; 4] = [1.0 / 3f64.sqrt(), 0.25, 0.25, 0.25];
        // Weights of each layer, then biases of each.
        let times = |lists: Lists| -> Lists {
            let factors = factors.iter().cycle();
            let scaled = lists.into_iter().zip(factors);
            scaled
                .map(|(list, factor)| list.into_iter().map(|value| value * factor).collect())
                .collect()
        };
        let plain = config
            .clone()
            .with_parametrization(Parametrization::Standard);
        let mut lists = times(parameters(&energy)).into_iter();
        let plain = filled(plain.init(&setup.device), &setup, |_| {
            lists.next().expect("a list for each")
        });
        let passes = [&energy, &plain].map(|energy| energy.forward(&input));
        assert!(
            values(&passes[0].max_distance(&passes[1]))
                .iter()
                .all(|d| *d < 1e-12)
        );
        let gradients = [&energy, &plain].map(|energy| {
            let clamped = energy.clamp(&input);
            let contrast = energy.contrast(&clamped, &first, &second, 1.3);
            gradients_in(energy, &contrast)
        });
        let [with, without] = gradients;
        assert_agrees(&with, &times(without.clone()), 1e-12, &what);
        assert!(
            without.concat().iter().any(|g| g.abs() > 1e-2),
            "{BATCH} examples"
        );
    }
    let plain = PredictiveCodingConfig::new(chain(&[3, 2], Activation::Tanh));
    assert_eq!(plain.parametrization, Parametrization::Standard);
}
