//! Of `eqprop tune`.

use std::path::PathBuf;

use clap::Args;
use eqprop_bench::tuning::ParameterKind;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};

/// What to tune, and for how long.
#[derive(Debug, Args)]
#[command(after_help = about())]
pub struct TuneArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Minutes for all of it [default: 3, or without end if --trials is given].
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    pub minutes: Option<f64>,
    /// Trials, at most. Without --minutes the clock decides nothing: the same seed finds the same again.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub trials: Option<usize>,
    /// Passes over the training examples of a whole training [default: the preset's, or as many as the
    /// minutes allow].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Seeds by which what was found is held against what the search began with, in the end; fewer than
    /// three carry no verdict [default: 5].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Seed of the search, and of the trainings in it [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Search only these, separated by commas [default: all that the network has].
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    pub only: Vec<ParameterKind>,
    /// Folder for tuned.json, trials.csv, effects.svg and tune.json, made if it is not there; must not hold a
    /// search [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Go on with the search in DIR. More --minutes, --trials and --seeds extend it, as long as what was found
    /// has not been confirmed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["report", "preset", "config", "dataset", "overrides", "epochs", "seed", "only"])]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// How it searches, and what for.
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
