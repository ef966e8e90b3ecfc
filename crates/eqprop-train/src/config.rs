//! Configurations of training runs: everything that determines a run.

mod class_weights;
mod data;
mod hardware;
mod hidden;
mod intermediate;
mod json;
mod limits;
mod network;
mod optimizer;
mod phases;
mod setting;
mod validate;

use burn::config::Config;
use serde::{Deserialize, Serialize};

pub use class_weights::ClassWeights;
pub use data::DataConfig;
pub use hardware::HardwareConfig;
pub use hidden::{HiddenLayer, SkipConnection};
pub use intermediate::IntermediateConfig;
pub use network::NetworkConfig;
pub use optimizer::{OptimizerConfig, Schedule};
pub use phases::PhaseConfig;

pub use crate::initial_state::InitialState;

/// Configuration of a training run: data, network, phases, optimizer, length and seed.
///
/// A preset fills in all of it; a program or a user changes single fields. Together with the data it
/// determines the result: to the last bit on the same kind of device and processor with the same number of
/// threads, and within rounding elsewhere.
///
/// ```
/// use eqprop_train::prelude::*;
///
/// let config = TrainingConfig::new(
///     DataConfig::new(DatasetKind::Digits),
///     NetworkConfig::new(vec![128.into()]).with_output_activation(Activation::Identity),
///     PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
///     OptimizerConfig::new(vec![0.1, 0.02]),
///     8,
///     40,
/// );
/// config.validate()?;
/// # Ok::<(), eqprop_train::error::TrainingError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Data to learn.
    pub data: DataConfig,
    /// Network to train.
    pub network: NetworkConfig,
    /// Relaxation phases.
    pub phases: PhaseConfig,
    /// Optimizer and learning rates.
    pub optimizer: OptimizerConfig,
    /// Mini-batch size: examples per update.
    pub batch_size: usize,
    /// Number of passes over the training examples.
    pub epochs: usize,
    /// Order of the examples: "shuffled" or "sequential".
    #[config(default = "OrderKind::Shuffled")]
    pub order: OrderKind,
    /// Seed of the initial weights, the order of the examples and the signs of β.
    #[config(default = 0)]
    pub seed: u64,
    /// Imperfections of the devices that store the weights.
    #[config(default = "HardwareConfig::new()")]
    pub hardware: HardwareConfig,
}

/// Order of the examples; see [`crate::batch::Order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A new permutation in each epoch.
    Shuffled,
    /// Storage order.
    Sequential,
}
