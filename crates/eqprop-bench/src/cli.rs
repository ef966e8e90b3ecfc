//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use eqprop_train::data::DatasetKind;
use eqprop_train::preset::Preset;

/// Equilibrium propagation: train networks without backpropagation, and look at how they relax.
///
/// `eqprop train` needs nothing: it trains on handwritten digits that are part of the program,
/// in seconds.
#[derive(Debug, Parser)]
#[command(name = "eqprop", version, max_term_width = 100)]
pub struct Cli {
    /// Print one JSON object on standard output; everything else goes to standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network; leaves a run folder with the model, measurements and pictures.
    Train(TrainArguments),
    /// Measure the test error of a trained network.
    Evaluate(EvaluateArguments),
    /// Classify PNG images with a trained network.
    Predict(PredictArguments),
    /// Draw how a few test examples relax in a trained network.
    Relax(RelaxArguments),
    /// List the devices of this build and of this machine.
    Devices,
    /// List the presets, or print one in full.
    Presets(PresetsArguments),
}

/// What to train.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eqprop train
  eqprop train --preset paper-1h --data-dir data/mnist
  eqprop train --preset dhn-1h --epochs 15 --set beta=0.1 --set 'learning_rates=[0.1, 0.05]'
  eqprop train --resume --run runs/digits")]
pub struct TrainArguments {
    /// Named configuration; `eqprop presets` lists them [default: digits, or paper-1h for a
    /// data set of 28x28 images].
    #[arg(long, value_name = "P")]
    pub preset: Option<Preset>,
    /// Data set: digits, mnist or fashion-mnist [default: the preset's].
    #[arg(long, value_name = "D")]
    pub dataset: Option<DatasetKind>,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Passes over the training examples [default: the preset's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Seed of weights, order and signs [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Run folder; must be new, unless --resume is given [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Change one field of the configuration; `eqprop presets NAME` shows them all.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Go on with the run in --run from its last checkpoint. The result is that of a run that
    /// was never interrupted. A larger --epochs extends it.
    #[arg(long, requires = "run", conflicts_with_all = ["preset", "dataset", "seed", "overrides"])]
    pub resume: bool,
}

/// Where the data is.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// Folder with the IDX files of MNIST or Fashion-MNIST, plain or gzipped [default: the
    /// environment variable EQPROP_DATA, else downloaded once].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// What to compute on.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// Device, such as flex, wgpu or cuda:1; `eqprop devices` lists them [default: flex, or
    /// the first that this build has].
    #[arg(long, value_name = "DEV")]
    pub device: Option<String>,
}

/// A trained network to measure.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Images to classify.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// PNG images, bright on dark as in the training data; scaled to its size.
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// The images are dark on bright.
    #[arg(long)]
    pub invert: bool,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Examples to watch.
#[derive(Debug, Args)]
pub struct RelaxArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// Number of test examples.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub examples: usize,
    /// Folder for the pictures [default: the run folder].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// A preset to show.
#[derive(Debug, Args)]
pub struct PresetsArguments {
    /// Print this preset's whole configuration.
    pub name: Option<Preset>,
}

/// `KEY=VALUE`.
#[derive(Debug, Clone)]
pub struct Override {
    /// The field.
    pub key: String,
    /// Its new value.
    pub value: String,
}

impl std::str::FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.trim().to_string(),
                value: value.trim().to_string(),
            }),
            _ => Err("expected KEY=VALUE, such as beta=0.5".to_string()),
        }
    }
}
