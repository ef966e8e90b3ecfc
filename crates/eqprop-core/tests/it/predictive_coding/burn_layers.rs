//! The forward pass against Burn's own layers.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, ConvolutionConfig, Pooling};
use eqprop_core::energy::{PredictiveCoding, VectorField};
use eqprop_testing::{Setup, assert_close, chain, distance, values};

use super::{BATCH, Problem, convolutional};
use crate::devices;

fn linear(energy: &PredictiveCoding, layer: usize, setup: &Setup) -> Linear {
    let Connection::Dense(dense) = &energy.connections[layer] else {
        panic!("a dense connection")
    };
    let weight = dense.weight.val();
    let [n_in, n_out] = weight.dims();
    let mut linear = LinearConfig::new(n_in, n_out).init(&setup.device);
    linear.weight = Param::from_tensor(weight);
    linear.bias = Some(Param::from_tensor(energy.biases[layer].val()));
    linear
}

fn convolution(energy: &PredictiveCoding, layer: usize, setup: &Setup) -> Conv2d {
    let Connection::Convolution(convolution) = &energy.connections[layer] else {
        panic!("a convolution")
    };
    let kernel = convolution.kernel.val();
    let [n_out, n_in, rows, columns] = kernel.dims();
    let config = Conv2dConfig::new([n_in, n_out], [rows, columns]);
    let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let mut layer_of_burn = config.with_padding(padding).init(&setup.device);
    layer_of_burn.weight = Param::from_tensor(kernel);
    layer_of_burn.bias = Some(Param::from_tensor(energy.biases[layer].val()));
    layer_of_burn
}

/// Sums of some ten products of order 1, in whatever order.
fn check(setup: &Setup, problem: &Problem, expected: &[Tensor<2>]) {
    let energy = &problem.energy;
    let clamped = energy.clamp(&problem.input);
    for state in [
        energy.forward(&problem.input),
        energy.start(&problem.input, &clamped),
    ] {
        for (found, expected) in state.layers().iter().zip(expected) {
            let (found, expected) = (values(found), values(expected));
            assert_close(&found, &expected, setup.tolerance, setup.name);
            // A bias of the other sign would show.
            let flipped: Vec<f64> = expected.iter().map(|v| -v).collect();
            assert!(distance(&found, &flipped) > 1e-2);
        }
    }
}

#[test]
fn a_dense_network_is_burns_linear_layers() {
    for setup in devices::all() {
        let mut config = chain(&[3, 4, 5, 2], Activation::Relu);
        config.layers[2].activation = Activation::Identity;
        let problem = Problem::new(&config, &setup, 1.0);
        let layer = |index| linear(&problem.energy, index, &setup);
        let first = relu(layer(0).forward(problem.input.clone()));
        let second = relu(layer(1).forward(first.clone()));
        let output = layer(2).forward(second.clone());
        check(&setup, &problem, &[first, second, output]);
    }
}

#[test]
fn a_convolutional_network_is_burns_convolutions_and_pooling() {
    for setup in devices::all() {
        let pooled = ConvolutionConfig::new(3).with_padding(1);
        let pooled = pooled.with_pooling(Pooling::Max(2));
        let config = convolutional(Activation::Relu, pooled, [4, 4]);
        let problem = Problem::new(&config, &setup, 1.0);
        let layer = |index| convolution(&problem.energy, index, &setup);
        let image = problem.input.clone().reshape([BATCH, 1, 4, 4]);
        let first = relu(layer(0).forward(image));
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let second = relu(pool.forward(layer(1).forward(first.clone())));
        let [first, second] = [first, second].map(|maps| maps.flatten::<2>(1, 3));
        let output = relu(linear(&problem.energy, 2, &setup).forward(second.clone()));
        check(&setup, &problem, &[first, second, output]);
    }
}
