//! Groups of layers that do not interact.

use eqprop_core::activation::Activation;
use eqprop_core::energy::{Energy, HopfieldEnergyConfig};

use crate::network::{chain, graph};
use crate::setup::Setup;

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

#[test]
fn connections_from_the_input_or_within_a_layer_need_no_group() {
    let ends = [(0, 1), (1, 2), (2, 3), (0, 3), (2, 2)];
    let config = graph(&[2, 3, 3, 2], Activation::HardSigmoid, &ends);
    assert_eq!(groups(&config), [vec![0, 2], vec![1]]);
}
