//! Attention between the patches of an image, numbers of `attention.py`.

use std::ops::Range;

use eqprop_core::activation::Activation::{self, Identity, Sigmoid, Tanh};
use eqprop_core::connection::{AttentionConfig, ConnectionKind, ConvolutionConfig};
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig};
use eqprop_core::relaxation::Scheme;
use eqprop_core::shape::LayerShape;
use eqprop_testing::{connection, joined};

use super::{Model, SCHEMES, Start};

/// Tokens with attention, hidden maps of each token or none, an output.
fn model(
    image: usize,
    shapes: &[LayerShape],
    activations: &[Activation],
    attention: AttentionConfig,
    gap: Range<f64>,
) -> Model {
    let patches = ConvolutionConfig::new(2).with_stride(2);
    let last = shapes.len();
    let mut connections = vec![joined(0, 1, ConnectionKind::Convolution(patches))];
    let mut names = vec!["K0"];
    if last == 3 {
        let of_each = ConnectionKind::Convolution(ConvolutionConfig::new(1));
        connections.push(joined(1, 2, of_each));
        names.push("K1");
    }
    connections.push(connection(last - 1, last));
    connections.push(joined(1, 1, ConnectionKind::Attention(attention)));
    names.extend(["W", "W_q", "W_k"]);
    names.extend(&["b0", "b1", "b2"][..last]);
    let layers = shapes.iter().zip(activations);
    let layers = layers.map(|(&shape, &activation)| LayerConfig::new(shape, activation));
    let schemes = SCHEMES
        .into_iter()
        .filter(|scheme| *scheme != Scheme::FixedPoint);
    Model {
        config: HopfieldEnergyConfig::new([1, image, image].into(), layers.collect(), connections),
        names: names.into_iter().map(str::to_owned).collect(),
        cost: CostConfig::SquaredError,
        n_classes: 3,
        readout: vec![],
        schemes: schemes.map(|scheme| (scheme, Start::Rest)).collect(),
        max_steps: 10_000,
        state_errors: 4.0,
        gradient_errors: 1.0,
        file_error: 0.0,
        gap,
    }
}

#[test]
fn attention_agrees_with_the_reference() {
    let shapes = [[5, 2, 2].into(), 3.into()];
    let attention = AttentionConfig::new(2, 3);
    model(4, &shapes, &[Tanh, Identity], attention, 1.4e-2..1.5e-2).check("attention_tokens.json");
}

#[test]
fn attention_with_a_memory_of_each_token_agrees_with_the_reference() {
    let shapes = [[4, 3, 3].into(), [3, 3, 3].into(), 3.into()];
    let attention = AttentionConfig::new(1, 4);
    let activations = [Tanh, Sigmoid, Sigmoid];
    model(6, &shapes, &activations, attention, 2.7e-2..2.8e-2).check("attention_memory.json");
}
