//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use eqprop_bench::method::Method;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::DatasetKind;
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;

use crate::command::train::Cadence;

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
    /// Compare equilibrium propagation with backpropagation: train the same network by each method.
    Compare(CompareArguments),
    /// Measure how true the gradient of equilibrium propagation is, and which β and steps it needs.
    Fidelity(FidelityArguments),
    /// Time a training step of each method, and measure its memory.
    Bench(BenchArguments),
    /// Classify PNG images with a trained network.
    Predict(PredictArguments),
    /// Draw how a few test examples relax in a trained network.
    Relax(RelaxArguments),
    /// Write the weights of a trained network as safetensors.
    Export(ExportArguments),
    /// Make a run folder from weights: of `eqprop export`, or of published PyTorch code.
    Import(ImportArguments),
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
    #[command(flatten)]
    pub model: ModelArguments,
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
    /// Write a checkpoint within an epoch every so often too: a time such as 10min, 90s or 2h, or a
    /// number of updates. One is written at the end of each epoch and when the program is stopped
    /// by Ctrl-C or SIGTERM.
    #[arg(long, value_name = "TIME|N", default_value = "10min")]
    pub checkpoint_every: Cadence,
    /// Go on with the run in --run from its last checkpoint, with the data that it began with. The
    /// result is that of a run that was never interrupted. A larger --epochs extends it, unless its
    /// learning rates follow a cosine.
    #[arg(long, requires = "run", conflicts_with_all = ["preset", "dataset", "seed", "overrides"])]
    pub resume: bool,
}

/// Which network, trained how.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Named configuration; `eqprop presets` lists them [default: digits, or paper-1h for a
    /// data set of 28x28 images, or dchn for cifar-10].
    #[arg(long, value_name = "P")]
    pub preset: Option<Preset>,
    /// Data set: digits, mnist, fashion-mnist or cifar-10 [default: the preset's]. Where a preset is
    /// convolutional, smaller images are padded to the size that it is made for.
    #[arg(long, value_name = "D")]
    pub dataset: Option<DatasetKind>,
    /// Change one field of the configuration; `eqprop presets NAME` shows them all.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
}

impl ModelArguments {
    /// The configuration, and a name for it.
    ///
    /// # Errors
    /// If a field to change is unknown, or its value of another type.
    pub fn configure(&self) -> Result<(String, TrainingConfig), TrainingError> {
        let preset = self.preset.unwrap_or(match self.dataset {
            None | Some(DatasetKind::Digits) => Preset::Digits,
            Some(DatasetKind::Mnist | DatasetKind::FashionMnist) => Preset::Paper1h,
            Some(DatasetKind::Cifar10) => Preset::Dchn,
        });
        let own = preset.config();
        let (name, config) = match self.dataset {
            Some(dataset) if dataset != own.data.dataset => {
                let name = format!("{}-{dataset}", preset.name());
                (name, preset.config_for(dataset))
            }
            _ => (preset.name().to_string(), own),
        };
        Ok((name, self.change(config)?))
    }

    /// `config` with the fields of `--set` changed.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn change(&self, config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        Override::apply(&self.overrides, config)
    }
}

/// Where the data is.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// Folder with the IDX files of MNIST or Fashion-MNIST, or the binary version of CIFAR-10,
    /// plain or gzipped, in itself or in a folder named after the data set, such as fashion-mnist or
    /// FashionMNIST/raw, which comes first [default: the environment variable EQPROP_DATA, else
    /// downloaded once].
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
    pub data: DataArguments,
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

/// Which gradient to examine.
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
    /// Examine the network of this run folder instead of training one; --set may change how it
    /// relaxes and is nudged.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["preset", "dataset", "epochs", "seed"])]
    pub run: Option<PathBuf>,
    /// Epochs to train before; 0 for the initial weights.
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
    /// Number of batches.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        allow_negative_numbers = true
    )]
    pub batches: usize,
    /// Examples per batch.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    pub batch: usize,
    /// The cosine similarity that every layer has to reach in the recommendation.
    #[arg(
        long,
        value_name = "C",
        default_value_t = 0.99,
        allow_negative_numbers = true
    )]
    pub bound: f64,
    /// Folder for the pictures and fidelity.json; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// What to time.
#[derive(Debug, Args)]
#[command(after_help = "\
Inputs are random, of the shape of the preset's data: no data set is read. Every phase takes all of
its steps, because the preset's tolerance is off; --set tolerance=1e-3 turns it on again. Memory is
the most that one step holds at once: counted where it is allocated on a CPU, and what the device's
memory pools reserve on a GPU. With several --steps, its growth is reported too.

--relaxations compares the ways to relax instead: how many steps, and how long, the free phase of a
batch of training examples takes with each until its residual, max |σ(drive) − s|, is 1e-2, 1e-3,
1e-4 and 1e-6.

Examples:
  eqprop bench
  eqprop bench --preset paper-1h --preset dhn-1h --methods eqprop,backprop --batch 20,128
  eqprop bench --preset digits --methods eqprop,bptt,rbp --steps 10,100,1000
  eqprop bench --relaxations --preset dhn-3h --batch 128 --epochs 2 --set n_train=2000")]
pub struct BenchArguments {
    /// Named configuration, or several; `eqprop presets` lists them.
    #[arg(
        long,
        value_name = "P,…",
        value_delimiter = ',',
        default_value = "digits,paper-1h"
    )]
    pub preset: Vec<Preset>,
    /// Change one field of every configuration; `eqprop presets NAME` shows them all.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Methods, separated by commas; `eqprop compare --help` explains them.
    #[arg(
        long,
        value_name = "M,…",
        value_delimiter = ',',
        default_value = "eqprop,bptt,rbp,backprop"
    )]
    pub methods: Vec<Method>,
    /// Examples per step [default: the preset's].
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub batch: Vec<usize>,
    /// Steps of the free phase [default: the preset's].
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub steps: Vec<usize>,
    /// Timed rounds; the methods take turns in each.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 15,
        value_parser = rounds,
        allow_negative_numbers = true
    )]
    pub rounds: usize,
    /// Compare relaxations instead of methods; --steps is then the most steps [default: five times
    /// the preset's].
    #[arg(long, conflicts_with = "methods")]
    pub relaxations: bool,
    /// Epochs to train before relaxations are compared; 0 for the initial weights.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "relaxations",
        allow_negative_numbers = true
    )]
    pub epochs: usize,
    /// Folder with the data, as for `eqprop train`; where the data are not found, steps are timed on
    /// random inputs.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What `bench --json` printed earlier, to compare with: fails if a step takes 1.3 times as long, in
    /// units of backprop's step where both have it.
    #[arg(long, value_name = "FILE", conflicts_with = "relaxations")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Images to classify.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// PNG images, bright on dark as in the training data; scaled to its size, with as much of
    /// their ground beside them as makes them square.
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

/// Weights to write.
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds the tensors `energy.connections.N.weight` ([n_in, n_out]) or `.kernel`
([channels_out, channels_in, height, width]), `energy.biases.N` and, with a readout, `cost.weight`
and `cost.bias`; and the configuration as text, so that `eqprop import` needs nothing else.

Example:
  eqprop export runs/digits digits.safetensors")]
pub struct ExportArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// The file to write; one that is there is replaced.
    pub file: PathBuf,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Weights to read.
#[derive(Debug, Args)]
#[command(after_help = "\
The new run folder works with evaluate, predict and relax; `eqprop train --resume --run DIR` trains
from these weights on.

Files:
  safetensors of `eqprop export`, with its configuration unless --preset or --dataset is given
  `torch.save` of a module, its state_dict or a checkpoint, with `synapses.N.weight` and `.bias`
    (P_MLP and P_CNN of github.com/Laborieux-Axel/Equilibrium-Propagation)
  `torch.save` of a list: biases of the free layers, then weights
    (github.com/rain-neuromorphics/energy-based-learning)
PyTorch files hold no configuration: --preset and --set have to name the same layers, activations
and cost. The activation 1/(1+exp(-4(x-0.5))) of published code is `sigmoid` here. For clip(x/2, 0, 1)
take `hard_sigmoid` in all layers, with --scale 0.5.

Examples:
  eqprop import digits.safetensors --run runs/copy
  eqprop import checkpoint.tar --preset paper-1h --set 'hidden=[512]' --set hidden_activation=sigmoid \
    --set output_activation=sigmoid")]
pub struct ImportArguments {
    /// The file.
    pub file: PathBuf,
    #[command(flatten)]
    pub model: ModelArguments,
    /// Multiply weights and biases by this; not those of a readout.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub scale: f64,
    /// Run folder; must be new [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// A preset to show.
#[derive(Debug, Args)]
pub struct PresetsArguments {
    /// Print this preset's whole configuration.
    pub name: Option<Preset>,
}

/// A number of rounds whose times can all be kept.
fn rounds(text: &str) -> Result<usize, String> {
    const MOST: usize = 1_000_000;
    match text.parse::<usize>() {
        Ok(rounds) if rounds <= MOST => Ok(rounds),
        Ok(_) => Err(format!("at most {MOST}")),
        Err(error) => Err(error.to_string()),
    }
}

/// `KEY=VALUE`.
#[derive(Debug, Clone)]
pub struct Override {
    /// The field.
    pub key: String,
    /// Its new value.
    pub value: String,
}

impl Override {
    /// `config` with all of them.
    ///
    /// # Errors
    /// As [`TrainingConfig::with_override`].
    pub fn apply(all: &[Self], config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        let changes = all.iter();
        config.with_overrides(changes.map(|change| (&*change.key, &*change.value)))
    }
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

#[cfg(test)]
mod tests;
