//! The results of an examination, to be printed and written.

use eqprop_bench::fidelity::{Fidelity, HardwareFidelity, Precision};
use eqprop_train::config::TrainingConfig;
use serde::Serialize;

use crate::machine::Machine;

/// The output of `fidelity --json`, and the content of `fidelity.json`.
#[derive(Debug, Serialize)]
pub struct Results {
    pub command: String,
    pub machine: Machine,
    /// Name of the preset, or the run folder.
    pub network: String,
    /// Number of epochs trained here; `None` for a network that was trained before.
    pub epochs: Option<usize>,
    /// Error on the test examples after these epochs, in [0, 1]; for quantities the mean error.
    pub test_error: Option<f64>,
    pub training: TrainingConfig,
    pub batches: usize,
    pub batch_size: usize,
    /// Seconds of the examination, without the training.
    pub seconds: f64,
    #[serde(flatten)]
    pub found: Found,
}

/// The examined network.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one, in the results of a command"
)]
pub enum Found {
    /// The gradient of the ideal machine.
    Ideal(Fidelity),
    /// The estimates of machines.
    Machines(HardwareFidelity),
}

impl Found {
    /// The number format that it was computed in.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Ideal(found) => found.precision,
            Self::Machines(found) => found.precision,
        }
    }
}
