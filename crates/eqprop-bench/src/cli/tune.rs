//! Arguments of `eqprop tune`.

use std::path::PathBuf;

use clap::Args;
use eqprop_bench::tuning::ParameterKind;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};

/// The configuration to tune, and the time for it.
#[derive(Debug, Args)]
#[command(after_help = about())]
pub struct TuneArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Minutes for the whole search [default: 3, or no limit if --trials is given].
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    pub minutes: Option<f64>,
    /// Largest number of trials. Without --minutes nothing depends on the clock: the same seed finds the same
    /// result again.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub trials: Option<usize>,
    /// Number of epochs of a full training, that is passes over the training examples [default: the preset's,
    /// or as many as the minutes allow].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Number of seeds with which the result is finally compared with the starting configuration; fewer than
    /// three carry no verdict [default: 5].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Seed of the search and of its trainings [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Search only these parameters, separated by commas [default: all that the network has].
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    pub only: Vec<ParameterKind>,
    /// Folder for tuned.json, trials.csv, effects.svg and tune.json, created if it does not exist; must not
    /// hold a search [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Resume the search in DIR. More --minutes, --trials and --seeds extend it, as long as its result has
    /// not been confirmed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["report", "preset", "config", "dataset", "overrides", "epochs", "seed", "only"])]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Returns the text of the help: how the search works, and the parameters.
fn about() -> String {
    let width = ParameterKind::ALL.map(|kind| kind.name().len());
    let width = width.into_iter().max().unwrap_or_default();
    let lines =
        ParameterKind::ALL.map(|kind| format!("  {:width$}  {}\n", kind.name(), kind.about()));
    format!(
        "\
Begins with the configuration as it is, and with the steps and β that `eqprop fidelity` recommends
for it. Each further trial changes some values of one of the best so far, or is drawn at random.
Trials are trained for a part of the epochs first; a third of them go on, and of these a third to
the end (successive halving). They are judged by training examples that are held out, never by
those of the test: by the share of them that is classified wrongly, of several labels at once by the
share of the labels that are wrong, and of quantities by their mean error. Where two are equal as far
as these examples can tell, the one of fewer steps wins.

In the end what was found and the configuration that it began with are trained with a few seeds
that the search has not seen, the examples that were held out among them, and judged by the test: once, and by the
same verdicts as in `eqprop compare`.

The report holds tuned.json, which --config takes in every command; trials.csv, what was tried;
effects.svg, what each value does; and tune.json, from which --resume goes on.

What is searched:
{}
Examples:
  eqprop tune
  eqprop tune --dataset iris.csv --minutes 1
  eqprop tune --preset paper-1h --dataset fashion-mnist --minutes 20 --epochs 10
  eqprop tune --only rate,beta --trials 30
  eqprop tune --resume runs/tune-digits --minutes 10
  eqprop train --config runs/tune-digits/tuned.json",
        lines.concat()
    )
}
