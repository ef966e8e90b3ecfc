//! Arguments of `eqprop fidelity`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};
use super::machine::MachineSettings;

/// The gradient to examine.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares equilibrium propagation, in every weight matrix and bias, with the exact gradient at the
free equilibrium, against β and against the steps of both phases; and each nudged step with
backpropagation through time. Computes in f64 where the device has it. The recommendation is the
fewest steps, and the largest β, that reach the bound with the nudging and dynamics of the preset.

The report holds beta.svg, steps.svg, gdu.svg (\"gradient-descending updates\": step by step),
residual.svg and fidelity.json.

With --hardware it measures, in place of all that, what the estimates of a machine are worth whose
units or weights are not ideal: one-sided and centered, against β, with the configured steps. Each
--hardware is a machine, beside the ideal one; the network is trained as configured all the same
(--set hardware.state_noise=D trains it on such a machine). Keys:
  state_noise=D   noise of deviation D on every unit after every step
  state_bits=N    states of N bits after every step, with state_range=R where units have no range
  weight_bits=N   weights of N bits, rounded at random for each estimate, and weight_range=R
A run that was trained with such states is measured so without --hardware, as the machine that it
was trained on. Of a machine with chance in it each batch has --draws estimates. Printed are the
cosine of a single one with the exact gradient of the ideal machine (its mean ± deviation), that of
their mean, the bias that no number of draws averages out, and the noise, both relative to the
gradient; then the β at which single estimates are best. The report holds hardware.svg and
fidelity.json. What changes updates only (mismatch, stuck, update_asymmetry, update_noise) shows in
`eqprop compare --vary hardware.…`.

Examples:
  eqprop fidelity
  eqprop fidelity --run runs/digits --bound 0.999 --report report
  eqprop fidelity --preset paper-1h --epochs 2 --set hidden_activation=sigmoid --batch 500
  eqprop fidelity --hardware state_noise=0.01 --hardware state_noise=0.1
  eqprop fidelity --preset digits-oscillators --hardware state_noise=0.1,state_bits=4")]
pub struct FidelityArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Examine the network of this run folder instead of training one; --set may change how it relaxes, how
    /// it is nudged, and its hardware.*.
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
    /// Cosine similarity that every layer has to reach in the recommendation [default: 0.99].
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub bound: Option<f64>,
    /// Measure a machine that is not ideal, such as state_noise=0.1,state_bits=4; once for each machine.
    #[arg(long, value_name = "KEY=V,…", conflicts_with = "bound")]
    pub hardware: Vec<MachineSettings>,
    /// Estimates of each batch by a machine in which there is chance [default: 10].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub draws: Option<usize>,
    /// Folder for the pictures and fidelity.json; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}
