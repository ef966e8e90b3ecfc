//! Of `eqprop compare`.

use std::path::PathBuf;

use clap::Args;
use eqprop_bench::method::Method;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = about_methods())]
pub struct CompareArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Methods, separated by commas [default: eqprop,bptt,tbp,rbp,backprop].
    #[arg(long, value_name = "M,…", value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// Number of seeds: each method is trained once with each [default: 3].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// The first seed; the others follow it [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Passes over the training examples [default: the preset's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Folder for report.html, results.json and results.csv, made if it is not there; must not hold a
    /// comparison, unless --resume is given [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Train what is missing of the comparison in --report. The results are those of a comparison that
    /// was never interrupted. More --seeds, a larger --epochs and further --methods extend it.
    #[arg(long, requires = "report", conflicts_with_all = ["preset", "dataset", "seed", "overrides"])]
    pub resume: bool,
    /// Milliseconds between two savings of the trainings in progress, at least: for tests that kill it.
    #[arg(long, value_name = "MS", hide = true)]
    pub save_every: Option<u64>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// What `eqprop compare` does with each method, and which there are.
fn about_methods() -> String {
    let lines = Method::ALL.map(|method| format!("  {method:<11}  {}\n", method.about()));
    format!(
        "\
All methods start from the same weights, see the same examples in the same order and use the same
optimizer and learning rates. `backprop` trains the feedforward twin: the same layers, activations
and parameters, each connection used forward only.

Methods:
{}
Examples:
  eqprop compare
  eqprop compare --preset paper-1h --methods eqprop,bptt,backprop --epochs 10 --report report
  eqprop compare --resume --report report --seeds 5",
        lines.concat()
    )
}
