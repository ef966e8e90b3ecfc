//! Arguments of `eqprop fidelity`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};

/// The gradient to examine.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares equilibrium propagation, in every weight matrix and bias, with the exact gradient at the
free equilibrium, against β and against the steps of both phases; and each nudged step with
backpropagation through time. Computes in f64 where the device has it. The recommendation is the
fewest steps, and the largest β, that reach the bound with the nudging and dynamics of the preset.

The report holds beta.svg, steps.svg, gdu.svg (\"gradient-descending updates\": step by step),
residual.svg and fidelity.json.

Examples:
  eqprop fidelity
  eqprop fidelity --run runs/digits --bound 0.999 --report report
  eqprop fidelity --preset paper-1h --epochs 2 --set hidden_activation=sigmoid --batch 500")]
pub struct FidelityArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Examine the network of this run folder instead of training one; --set may change how it relaxes and
    /// how it is nudged.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["preset", "config", "dataset", "epochs", "seed"])]
    pub run: Option<PathBuf>,
    /// Epochs to train before the examination; 0 examines the initial weights.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub epochs: usize,
    /// Seed of the training.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub seed: u64,
    /// Number of mini-batches.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        allow_negative_numbers = true
    )]
    pub batches: usize,
    /// Examples per mini-batch.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    pub batch: usize,
    /// Cosine similarity that every layer has to reach in the recommendation.
    #[arg(
        long,
        value_name = "C",
        default_value_t = 0.99,
        allow_negative_numbers = true
    )]
    pub bound: f64,
    /// Folder for the pictures and fidelity.json; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}
