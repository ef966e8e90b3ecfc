//! Groups of layers that do not interact.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig};
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig, VectorField};
use eqprop_core::shape::LayerShape;
use eqprop_testing::{Setup, chain, connection, graph, joined};

pub fn groups(config: &HopfieldEnergyConfig) -> Vec<Vec<usize>> {
    config.init(&Setup::double().device).groups().to_vec()
}

/// Panics unless every free layer is in one group and no connection joins two of a group.
pub fn assert_valid(config: &HopfieldEnergyConfig) {
    let groups = groups(config);
    let mut layers = groups.concat();
    layers.sort_unstable();
    assert_eq!(
        layers,
        (0..config.layers.len()).collect::<Vec<_>>(),
        "{groups:?}"
    );
    for group in &groups {
        for connection in &config.connections {
            let ends = [connection.from, connection.to];
            let inside = ends.map(|layer| layer > 0 && group.contains(&(layer - 1)));
            let lateral = connection.from == connection.to;
            assert!(
                lateral || inside != [true, true],
                "{ends:?} within {groups:?}"
            );
        }
    }
}

#[test]
fn a_chain_splits_into_even_and_odd_layers() {
    let found = groups(&chain(&[2, 3, 3, 3, 3, 2], Activation::HardSigmoid));
    assert_eq!(found, [vec![0, 2, 4], vec![1, 3]]);
}

#[test]
fn one_layer_is_one_group() {
    assert_eq!(groups(&chain(&[2, 3], Activation::HardSigmoid)), [vec![0]]);
}

#[test]
fn a_skip_that_closes_a_triangle_takes_a_third_group() {
    let ends = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3)];
    let config = graph(&[2, 3, 3, 3, 2], Activation::HardSigmoid, &ends);
    assert_valid(&config);
    assert_eq!(groups(&config).len(), 3);
}

/// Two residual blocks: each skips two convolutions, the second with a stride.
#[test]
fn a_residual_network_takes_three_groups() {
    let same = ConvolutionConfig::new(3).with_padding(1);
    let [halving, striding] = [same, ConvolutionConfig::new(1)].map(|c| c.with_stride(2));
    let convolution = |from, to, config| joined(from, to, ConnectionKind::Convolution(config));
    let maps = LayerShape::Maps([4, 6, 6]);
    let half = LayerShape::Maps([8, 3, 3]);
    let shapes = [maps, maps, maps, half, half, 10.into()];
    let layers = shapes.map(|shape| LayerConfig::new(shape, Activation::ClippedRelu { max: 1.0 }));
    let connections = vec![
        convolution(0, 1, same),
        convolution(1, 2, same),
        convolution(2, 3, same),
        joined(1, 3, ConnectionKind::Identity),
        convolution(3, 4, halving),
        convolution(4, 5, same),
        convolution(3, 5, striding),
        connection(5, 6),
    ];
    let config = HopfieldEnergyConfig::new([3, 6, 6].into(), layers.to_vec(), connections);
    assert_valid(&config);
    // Layers 1, 2 and 3 are joined to each other, as are 3, 4 and 5: fewer groups cannot do.
    assert_eq!(groups(&config), [vec![0, 3, 5], vec![1, 4], vec![2]]);
}

#[test]
fn connections_from_the_input_or_within_a_layer_need_no_group() {
    let ends = [(0, 1), (1, 2), (2, 3), (0, 3), (2, 2)];
    let config = graph(&[2, 3, 3, 2], Activation::HardSigmoid, &ends);
    assert_eq!(groups(&config), [vec![0, 2], vec![1]]);
}
