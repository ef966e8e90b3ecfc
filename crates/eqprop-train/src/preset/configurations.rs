//! Configurations of the presets.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    AttentionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling,
};
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{LayerUpdate, Model, Parametrization, ResistiveNetworkConfig};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Scheme;

use crate::batch::Augmentation;
use crate::config::{
    DataConfig, HiddenLayer, NetworkConfig, OptimizerConfig, PhaseConfig, Schedule, SkipConnection,
    TrainingConfig,
};
use crate::data::DatasetKind;

pub(super) fn digits() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        linear_output(vec![128.into()], 0.5),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
        OptimizerConfig::new(vec![0.1, 0.02]).with_schedule(decay(0.97)),
        8,
        40,
    )
}

pub(super) fn paper(rates: &[f64], steps: [usize; 2], epochs: usize) -> TrainingConfig {
    let hidden = vec![500.into(); rates.len() - 1];
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        NetworkConfig::new(hidden),
        PhaseConfig::new(Nudging::RandomSign { beta: 1.0 }, steps[0], steps[1])
            .with_dynamics(Scheme::GradientFlow { step_size: 0.5 }),
        OptimizerConfig::new(rates.to_vec()),
        20,
        epochs,
    )
}

pub(super) fn deep_paper(rates: &[f64], steps: [usize; 2], epochs: usize) -> TrainingConfig {
    let mut config = paper(rates, steps, epochs);
    config.network.initializer = InitializerConfig::FanIn { gain: 0.7 };
    config.phases.tolerance = Some(1e-3);
    config.phases.check_every = 10;
    config
}

pub(super) fn dhn(rates: &[f64], steps: [usize; 2]) -> TrainingConfig {
    let hidden = vec![1024.into(); rates.len() - 1];
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        linear_output(hidden, 0.7),
        PhaseConfig::new(Nudging::Centered { beta: 0.2 }, steps[0], steps[1]),
        OptimizerConfig::new(rates.to_vec()).with_schedule(decay(0.99)),
        16,
        100,
    )
}

pub(super) fn deep_dhn(rates: &[f64], steps: [usize; 2]) -> TrainingConfig {
    let mut config = dhn(rates, steps);
    config.phases.tolerance = Some(1e-4);
    config.phases.check_every = 20;
    config
}

pub(super) fn conv_mnist() -> TrainingConfig {
    let convolution = ConvolutionConfig::new(5).with_pooling(Pooling::Max(2));
    let hidden = [32, 64].map(|channels| HiddenLayer::maps(channels, convolution));
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        linear_output(hidden.to_vec(), 0.6),
        PhaseConfig::new(Nudging::Centered { beta: 0.25 }, 20, 8),
        OptimizerConfig::new(vec![0.1, 0.05, 0.025]).with_schedule(decay(0.95)),
        20,
        40,
    )
}

pub(super) fn dchn() -> TrainingConfig {
    TrainingConfig::new(
        padded_mnist().with_augmentation(Augmentation {
            shift: 2,
            flip: false,
        }),
        linear_output(four_convolutions(), 0.5),
        PhaseConfig::new(Nudging::Centered { beta: 0.25 }, 60, 15),
        OptimizerConfig::new(vec![0.0625, 0.0375, 0.025, 0.02, 0.0125])
            .with_schedule(Schedule::Cosine)
            .with_momentum(0.9)
            .with_weight_decay(3e-4),
        128,
        100,
    )
}

pub(super) fn hopfield_resnet13() -> TrainingConfig {
    let channels = [128, 256, 512, 512];
    let (n_blocks, n_layers) = (channels.len(), 2 * channels.len());
    let first = ConvolutionConfig::new(3).with_padding(1);
    let second = first.with_stride(2);
    let block = |channels| [first, second].map(|layer| HiddenLayer::maps(channels, layer));
    let skip = |block: usize| SkipConnection {
        from: 2 * block,
        to: 2 * block + 2,
        kind: ConnectionKind::Convolution(ConvolutionConfig::new(1).with_stride(2)),
    };
    let gains = [vec![0.6; n_layers], vec![0.8], vec![0.7; n_blocks]];
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Cifar10)
            .with_normalize(true)
            .with_augmentation(Augmentation {
                shift: 4,
                flip: true,
            }),
        NetworkConfig::new(channels.into_iter().flat_map(block).collect())
            .with_skips((0..n_blocks).map(skip).collect())
            .with_hidden_activation(Activation::ClippedRelu { max: 6.0 })
            .with_output_activation(Activation::Identity)
            .with_gains(gains.concat()),
        PhaseConfig::new(Nudging::Centered { beta: 0.1 }, 120, 50),
        OptimizerConfig::new(vec![0.03; n_layers + 1])
            .with_schedule(Schedule::Cosine)
            .with_momentum(0.9)
            .with_nesterov(true)
            .with_weight_decay(2.5e-4)
            .with_gradient_clip(Some(1.0)),
        128,
        300,
    )
}

pub(super) fn pcn_mnist() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        predictive_coding(vec![512.into(); 2]),
        PhaseConfig::new(Nudging::RandomSign { beta: 0.02 }, 1, 3),
        OptimizerConfig::new(vec![0.05; 3])
            .with_schedule(decay(0.95))
            .with_momentum(0.9),
        64,
        20,
    )
}

pub(super) fn digits_deep() -> TrainingConfig {
    let (n_hidden, width) = (32, 128);
    let block = |from| SkipConnection {
        from,
        to: from + 1,
        kind: ConnectionKind::Identity,
    };
    let network =
        predictive_coding(vec![width.into(); n_hidden]).with_model(Model::PredictiveCoding {
            layer_update: LayerUpdate::Projected,
            parametrization: Parametrization::MuPc,
        });
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        network.with_skips((1..n_hidden).map(block).collect()),
        PhaseConfig::new(Nudging::Centered { beta: 0.3 }, 1, 1)
            .with_dynamics(Scheme::ErrorDescent { step_size: 1.0 }),
        // For gradients that the factors reduce in proportion to the width of the layers.
        OptimizerConfig::new(vec![10.0; n_hidden + 1])
            .with_schedule(decay(0.8))
            .with_momentum(0.9),
        16,
        10,
    )
}

pub(super) fn mnist_fast() -> TrainingConfig {
    let shifted = Augmentation {
        shift: 1,
        ..Augmentation::default()
    };
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist).with_augmentation(shifted),
        predictive_coding(vec![512.into(), 128.into()]),
        PhaseConfig::new(Nudging::RandomSign { beta: 0.02 }, 1, 2),
        OptimizerConfig::new(vec![0.1; 3])
            .with_schedule(Schedule::Cosine)
            .with_momentum(0.95)
            .with_weight_decay(1e-5),
        128,
        7,
    )
}

pub(super) fn pcn_vgg5() -> TrainingConfig {
    TrainingConfig::new(
        padded_mnist(),
        predictive_coding(four_convolutions()),
        PhaseConfig::new(Nudging::RandomSign { beta: 0.02 }, 1, 5),
        OptimizerConfig::new(vec![0.04; 5])
            .with_schedule(Schedule::Cosine)
            .with_momentum(0.9)
            .with_nesterov(true)
            .with_weight_decay(3e-4),
        16,
        100,
    )
}

pub(super) fn drn(n_hidden: usize, input_gain: f64, epochs: usize) -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        linear_output(vec![n_hidden.into()], 1.0)
            .with_model(Model::Resistive { input_gain })
            .with_hidden_activation(ResistiveNetworkConfig::HIDDEN),
        PhaseConfig::new(Nudging::Centered { beta: 1.0 }, 4, 4),
        OptimizerConfig::new(vec![0.006; 2]).with_schedule(decay(0.99)),
        4,
        epochs,
    )
}

pub(super) fn digits_attention() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        attending_patches(24, 2),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
        OptimizerConfig::new(vec![0.1, 0.02]).with_schedule(decay(0.97)),
        8,
        40,
    )
}

pub(super) fn mnist_attention() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        attending_patches(48, 7),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
        OptimizerConfig::new(vec![0.05, 0.01]).with_schedule(decay(0.9)),
        20,
        10,
    )
}

/// Returns a network with patches of `patch` × `patch` pixels as tokens, which attend to each other.
fn attending_patches(channels: usize, patch: usize) -> NetworkConfig {
    let patches = ConvolutionConfig::new(patch).with_stride(patch);
    let attention = SkipConnection {
        from: 1,
        to: 1,
        kind: ConnectionKind::Attention(AttentionConfig::new(4, 8)),
    };
    NetworkConfig::new(vec![HiddenLayer::maps(channels, patches)])
        .with_skips(vec![attention])
        .with_hidden_activation(Activation::Tanh)
        .with_output_activation(Activation::Identity)
        .with_gains(vec![1.0, 0.5, 0.5])
}

pub(super) fn digits_oscillators() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        oscillators(128, vec![0.5, 1.0]),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 20, 10),
        OptimizerConfig::new(vec![0.03, 0.02]).with_schedule(decay(0.97)),
        8,
        40,
    )
}

pub(super) fn mnist_oscillators() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Mnist),
        oscillators(500, vec![0.5, 1.0]),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 20, 10),
        // Images have ten times the mean |x|² of the digits.
        OptimizerConfig::new(vec![0.005, 0.003]).with_schedule(decay(0.97)),
        32,
        30,
    )
}

/// Returns a network with a hidden layer and an output of oscillators.
fn oscillators(n_hidden: usize, gains: Vec<f64>) -> NetworkConfig {
    NetworkConfig::new(vec![n_hidden.into()])
        .with_model(Model::Oscillators {
            injection: 0.0,
            learns_injection: false,
        })
        .with_hidden_activation(Activation::Phase)
        .with_output_activation(Activation::Phase)
        .with_cost(CostConfig::PhaseError)
        .with_gains(gains)
}

/// Returns a network with a linear output and initial weights in ±gain/√n_in.
fn linear_output(hidden: Vec<HiddenLayer>, gain: f64) -> NetworkConfig {
    NetworkConfig::new(hidden)
        .with_output_activation(Activation::Identity)
        .with_initializer(InitializerConfig::FanIn { gain })
}

/// Returns a network with rectified hidden layers and a linear output.
fn predictive_coding(hidden: Vec<HiddenLayer>) -> NetworkConfig {
    // Uniform with variance 1/n_in: with 2/n_in, which preserves variance through rectified layers, the first
    // updates of a deep network overshoot, also with backpropagation.
    let gain = 3f64.sqrt();
    linear_output(hidden, gain)
        .with_model(Model::PredictiveCoding {
            layer_update: LayerUpdate::PreActivation,
            parametrization: Parametrization::Standard,
        })
        .with_hidden_activation(Activation::Relu)
}

/// Returns layers of 3×3 kernels, each followed by max pooling.
fn four_convolutions() -> Vec<HiddenLayer> {
    let convolution = ConvolutionConfig::new(3).with_padding(1);
    let convolution = convolution.with_pooling(Pooling::Max(2));
    let layers = [128, 256, 512, 512].map(|channels| HiddenLayer::maps(channels, convolution));
    layers.to_vec()
}

/// Returns MNIST as normalized images of 32×32.
fn padded_mnist() -> DataConfig {
    DataConfig::new(DatasetKind::Mnist)
        .with_padding(2)
        .with_normalize(true)
}

fn decay(decay: f64) -> Schedule {
    Schedule::Exponential { decay }
}
