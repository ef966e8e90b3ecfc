//! A small network with its cost and a batch.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig};
use eqprop_train::batch::Batch;
use eqprop_train::network::EquilibriumNetwork;

use crate::network::{Network, graph};
use crate::parameter::filled;
use crate::random::Numbers;
use crate::setup::Setup;

/// A small network: its input, layers and connections.
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    /// Units of the input and of each layer.
    pub sizes: &'a [usize],
    /// The ends of each connection.
    pub ends: &'a [(usize, usize)],
    /// Activation of all layers but the last.
    pub hidden: Activation,
    /// Activation of the last layer.
    pub output: Activation,
    /// The cost, with as many classes as outputs.
    pub cost: CostConfig,
}

impl Graph<'_> {
    /// Returns the layers and connections.
    pub fn config(&self) -> HopfieldEnergyConfig {
        let mut config = graph(self.sizes, self.hidden, self.ends);
        let output = config.layers.last_mut().expect("an output layer");
        output.activation = self.output;
        config
    }

    /// Creates the energy, with its own random weights.
    pub fn energy(&self) -> HopfieldEnergy {
        self.config().init(&Device::flex())
    }

    fn n_outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// Creates the network, with every parameter uniform in `±scale` and as many classes as outputs.
    pub fn network(&self, setup: &Setup, scale: f64, seed: u64) -> Network {
        let n = self.n_outputs();
        let cost = self.cost.init(n, n, &Device::flex());
        let mut numbers = Numbers(seed);
        let network = EquilibriumNetwork::new(self.energy().into(), cost);
        filled(network, setup, |n| numbers.list(n, -scale, scale))
    }

    /// Creates `n` inputs uniform in [0, 1], with the classes in turn.
    pub fn batch(&self, setup: &Setup, n: usize, seed: u64) -> Batch {
        let n_inputs = self.sizes[0];
        let input = Numbers(seed).list(n * n_inputs, 0.0, 1.0);
        let classes: Vec<usize> = (0..n).map(|row| row % self.n_outputs()).collect();
        Batch::new(
            setup.tensor(input, [n, n_inputs]),
            setup.one_hot(&classes, self.n_outputs()),
        )
    }
}
