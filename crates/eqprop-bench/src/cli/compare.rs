//! Arguments of `eqprop compare`.

use std::path::PathBuf;

use clap::Args;
use eqprop_bench::method::{Method, MethodOptions};
use eqprop_train::preset::Preset;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};
use super::vary::Vary;

/// The arms, the seeds and the report of a comparison.
#[derive(Debug, Args)]
#[command(after_help = about())]
pub struct CompareArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Compare values of a field that --set takes, or of a method's option; several --vary give all
    /// combinations. `preset` and `method` are also accepted as fields. Lists inside a value keep their
    /// commas: `hidden=[50,50],[100]`.
    #[arg(long, value_name = "KEY=V,…")]
    pub vary: Vec<Vary>,
    /// Compare presets, separated by commas, on the data set that they share or on --dataset.
    #[arg(
        long,
        value_name = "P,…",
        value_delimiter = ',',
        conflicts_with_all = ["preset", "config"]
    )]
    pub presets: Vec<Preset>,
    /// Methods, separated by commas [default: eqprop,bptt,tbp,rbp,backprop; with --vary or --presets eqprop].
    #[arg(long, value_name = "M,…", value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// Number of seeds; each arm is trained once with each. Fewer than three carry no verdict [default: 3].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// First seed; the others follow it [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Number of epochs, that is passes over the training examples [default: the preset's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Folder for report.html, results.json, results.csv and differences.csv, created if it does not exist;
    /// must not hold a comparison unless --resume is given [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Train whatever is missing from the comparison in --report. The results are those of a comparison that
    /// was never interrupted. More --seeds, a larger --epochs, further --methods and --presets, and further
    /// values of a varied field extend it.
    #[arg(long, requires = "report", conflicts_with_all = ["preset", "config", "dataset", "seed", "overrides"])]
    pub resume: bool,
    /// Least number of milliseconds between two saves of the trainings in progress: for tests that kill it.
    #[arg(long, value_name = "MS", hide = true)]
    pub save_every: Option<u64>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Returns the text of the help: how `eqprop compare` compares, and the methods.
fn about() -> String {
    let width = Method::ALL
        .map(|method| method.name().len())
        .into_iter()
        .max();
    let width = width.unwrap_or_default();
    let lines = Method::ALL.map(|method| format!("  {method:<width$}  {}\n", method.about()));
    let options = MethodOptions::default().list().into_iter();
    let options = options.map(|(name, value)| format!("  {name} = {value}\n"));
    format!(
        "\
What is compared, an \"arm\", is a combination of a preset, a method and a value of each --vary.
Every arm is trained with each of the seeds, all in turns, epoch by epoch. With one seed all start
from the same weights, see the same examples in the same order and use the same optimizer and
learning rates, but for what is varied. `backprop` trains the feedforward twin: the same layers,
activations and parameters, each connection used forward only.

A verdict says that one arm makes fewer errors than another only if both sources of chance speak
for it: the differences seed by seed (Student's t on the pairs, with its interval of 95 %) and the
same test examples (McNemar's test). Of two equal arms it says so at most once in 20 comparisons,
and of all pairs of several arms together too (Holm). The time that it will take is told at the
start.

Examples:
  eqprop compare
  eqprop compare --vary beta=0.05,0.1,0.2 --seeds 5
  eqprop compare --vary hidden_activation=tanh,sigmoid --vary batch_size=8,32 --methods eqprop,rbp
  eqprop compare --presets paper-1h,dhn-1h --epochs 10 --seeds 5 --report report
  eqprop compare --methods eqprop,stochastic --set stochastic.temperature=0.01
  eqprop compare --methods cep,higher-order --set hidden_activation=tanh --vary higher-order.n_pairs=2,3
  eqprop compare --preset paper-1h --methods eqprop,bptt,backprop --epochs 10 --report report
  eqprop compare --resume --report report --seeds 10

Methods:
{}
Options of methods, and what they are without --set or --vary:
{}",
        lines.concat(),
        options.collect::<String>().trim_end()
    )
}
