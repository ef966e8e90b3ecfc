//! What is printed and kept of an examination.

use eqprop_bench::fidelity::Fidelity;
use eqprop_train::config::TrainingConfig;
use serde::Serialize;

use crate::machine::Machine;

/// What `fidelity --json` prints and `fidelity.json` holds.
#[derive(Debug, Serialize)]
pub struct Results {
    pub command: String,
    pub machine: Machine,
    /// Name of the preset, or the run folder.
    pub network: String,
    /// Epochs that were trained here; none for a network that was trained before.
    pub epochs: Option<usize>,
    /// Error on the test examples after them, in [0, 1]; of quantities the mean error.
    pub test_error: Option<f64>,
    pub training: TrainingConfig,
    pub batches: usize,
    pub batch_size: usize,
    /// Seconds of the examination, without the training.
    pub seconds: f64,
    #[serde(flatten)]
    pub fidelity: Fidelity,
}
