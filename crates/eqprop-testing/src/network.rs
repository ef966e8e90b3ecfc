//! Small networks with reproducible random numbers.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{AnyField, HopfieldEnergy, HopfieldEnergyConfig, LayerConfig};
use eqprop_train::network::EquilibriumNetwork;

use crate::parameter::filled;
use crate::random::Numbers;
use crate::setup::Setup;

/// A network as configurations build it.
pub type Network = EquilibriumNetwork<AnyField, AnyCost>;

/// A network whose energy is known to be Hopfield's.
pub type HopfieldNetwork = EquilibriumNetwork<HopfieldEnergy, AnyCost>;

/// Every activation but that of oscillators.
pub const ACTIVATIONS: [Activation; 9] = [
    Activation::HardSigmoid,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::ClippedRelu { max: 0.7 },
    Activation::Identity,
    Activation::Softmax,
    Activation::Softplus,
    Activation::Diode,
];

/// Every cost but that of oscillators.
pub const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];

/// Returns a dense connection.
pub fn connection(from: usize, to: usize) -> ConnectionConfig {
    joined(from, to, ConnectionKind::Dense)
}

/// Returns a connection of any kind.
pub fn joined(from: usize, to: usize, kind: ConnectionKind) -> ConnectionConfig {
    ConnectionConfig {
        from,
        to,
        kind,
        initializer: InitializerConfig::Glorot,
    }
}

/// Returns a network of `sizes`, with one activation in all free layers and connections between `ends`.
pub fn graph(
    sizes: &[usize],
    activation: Activation,
    ends: &[(usize, usize)],
) -> HopfieldEnergyConfig {
    let layers = sizes[1..]
        .iter()
        .map(|&size| LayerConfig::new(size, activation));
    let connections = ends.iter().map(|&(from, to)| connection(from, to));
    HopfieldEnergyConfig::new(sizes[0].into(), layers.collect(), connections.collect())
}

/// Returns a layered network of `sizes`, with one activation in all free layers.
pub fn chain(sizes: &[usize], activation: Activation) -> HopfieldEnergyConfig {
    HopfieldEnergyConfig::dense(sizes, activation, activation, InitializerConfig::Glorot)
}

/// Creates a network with every parameter uniform in `±scale`.
pub fn network(
    config: &HopfieldEnergyConfig,
    setup: &Setup,
    scale: f64,
    seed: u64,
) -> HopfieldEnergy {
    let mut numbers = Numbers(seed);
    let energy = config.init(&setup.device);
    filled(energy, setup, |n| numbers.list(n, -scale, scale))
}

/// Creates a cost for `n_units` outputs and as many classes, with readout parameters in `±scale`.
pub fn cost(which: CostConfig, n_units: usize, setup: &Setup, scale: f64, seed: u64) -> AnyCost {
    let mut numbers = Numbers(seed);
    let cost = which.init(n_units, n_units, &setup.device);
    filled(cost, setup, |n| numbers.list(n, -scale, scale))
}
