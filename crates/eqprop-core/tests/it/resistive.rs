//! Deep resistive networks: circuits solved by hand, and the energy resistor by resistor.

mod circuits;
mod energy;
mod fused;
mod training;

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::energy::{LayerConfig, ResistiveNetwork, ResistiveNetworkConfig, VectorField};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, filled, parameters, values};

const BATCH: usize = 3;
const GAIN: f64 = 1.5;

/// A circuit with conductances in [0.2, 1.2] and current sources in ±0.3, and a batch for it.
struct Circuit {
    network: ResistiveNetwork,
    input: Tensor<2>,
}

impl Circuit {
    /// Diodes in all layers but the last.
    fn new(sizes: &[usize], setup: &Setup, seed: u64) -> Self {
        let config = ResistiveNetworkConfig::dense(sizes).with_input_gain(GAIN);
        Self::of(&config, setup, seed)
    }

    fn of(config: &ResistiveNetworkConfig, setup: &Setup, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let (mut index, n_layers) = (0, config.layers.len());
        let network = filled(config.init(&setup.device), setup, |n| {
            index += 1;
            match index <= n_layers {
                true => numbers.list(n, 0.2, 1.2),
                false => numbers.list(n, -0.3, 0.3),
            }
        });
        let input = numbers.matrix(setup, [BATCH, config.n_inputs], -1.0, 1.0);
        Self { network, input }
    }

    /// Linear everywhere.
    fn linear(sizes: &[usize], setup: &Setup, seed: u64) -> Self {
        let layers = sizes[1..]
            .iter()
            .map(|&size| LayerConfig::new(size, Activation::Identity));
        let config = ResistiveNetworkConfig::new(sizes[0], layers.collect());
        Self::of(&config.with_input_gain(GAIN), setup, seed)
    }
}

/// A network of given conductances, from one layer to the next, without current sources.
fn with_conductances(sizes: &[usize], setup: &Setup, conductances: &[&[f64]]) -> ResistiveNetwork {
    let layers = sizes[1..]
        .iter()
        .map(|&size| LayerConfig::new(size, Activation::Identity));
    let config = ResistiveNetworkConfig::new(sizes[0], layers.collect());
    let mut lists = conductances.iter();
    filled(config.init(&setup.device), setup, |n| match lists.next() {
        Some(list) => list.to_vec(),
        None => vec![0.0; n],
    })
}

/// Layer and unit, with the sources as layer 0.
type Node = (usize, usize);

/// The two nodes and the conductance of every resistor.
fn resistors(network: &ResistiveNetwork) -> Vec<(Node, Node, f64)> {
    let mut found = Vec::new();
    for (layer, connection) in network.connections.iter().enumerate() {
        let [_, n_out] = connection.conductance.val().dims();
        let list = values(&connection.conductance.val());
        for (position, g) in list.into_iter().enumerate() {
            let (i, j) = (position / n_out, position % n_out);
            found.push(((layer, i), (layer + 1, j), g));
        }
    }
    found
}

/// The voltage of every node of each example, by layer, with the sources as layer 0.
fn voltages(input: &Tensor<2>, gain: f64, state: &State) -> Vec<Vec<Vec<f64>>> {
    let rows = |tensor: &Tensor<2>| -> Vec<Vec<f64>> {
        let [_, n] = tensor.dims();
        values(tensor)
            .chunks_exact(n)
            .map(<[f64]>::to_vec)
            .collect()
    };
    let inputs = rows(input);
    let layers: Vec<_> = state.layers().iter().map(rows).collect();
    let example = |example: usize| {
        let positive = inputs[example].iter().map(|x| gain * x);
        let negative = inputs[example].iter().map(|x| -gain * x);
        let sources = positive.chain(negative).collect();
        let free = layers.iter().map(|layer| layer[example].clone());
        std::iter::once(sources).chain(free).collect()
    };
    (0..inputs.len()).map(example).collect()
}

/// The current of each source `b`, by free layer.
fn biases(network: &ResistiveNetwork) -> Vec<Vec<f64>> {
    parameters(network).split_off(network.layers().len())
}
