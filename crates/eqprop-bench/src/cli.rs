//! The command line.

mod arguments;
mod bench;
mod cadence;
mod compare;
mod data;
mod fidelity;
mod files;
mod machine;
mod run_folder;
#[cfg(test)]
mod tests;
mod train;
mod tune;
mod vary;
mod weights;

use clap::{Args, Parser, Subcommand};
use eqprop_train::preset::Preset;

pub use arguments::{Override, at_least_one, load_data, usual_preset};
pub use bench::BenchArguments;
pub use compare::CompareArguments;
pub use data::DataArguments;
pub use fidelity::FidelityArguments;
pub use run_folder::{EvaluateArguments, PredictArguments, RelaxArguments, WatchArguments};
pub use train::TrainArguments;
pub use tune::TuneArguments;
pub use vary::Vary;
pub use weights::{ExportArguments, ImportArguments};

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
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network; leaves a run folder with the model, measurements and pictures.
    Train(TrainArguments),
    /// Measure the test error of a trained network, as a whole and by class.
    Evaluate(EvaluateArguments),
    /// Compare methods, presets or values of any setting over several seeds, with intervals and verdicts.
    Compare(CompareArguments),
    /// Measure how close the gradient of equilibrium propagation is to the exact one, and which β and steps
    /// it needs.
    Fidelity(FidelityArguments),
    /// Search for the nudging, steps, learning rates and other settings that learn best, within a few
    /// minutes.
    Tune(TuneArguments),
    /// Time a training step of each method, and measure its memory.
    Bench(BenchArguments),
    /// Classify images, or rows of a table, with a trained network.
    Predict(PredictArguments),
    /// Draw how a few test examples relax in a trained network.
    Relax(RelaxArguments),
    /// Open a page that shows a trained network relaxing: draw an input, nudge the output, follow a training.
    Watch(WatchArguments),
    /// Write the weights of a trained network as safetensors.
    Export(ExportArguments),
    /// Make a run folder from weights written by `eqprop export` or by published PyTorch code.
    Import(ImportArguments),
    /// Show how your own data are understood, and draw examples.
    Data(DataArguments),
    /// List the devices of this build and of this machine.
    Devices,
    /// List the presets, or print one in full.
    Presets(PresetsArguments),
}

/// Arguments of `eqprop presets`.
#[derive(Debug, Args)]
pub struct PresetsArguments {
    /// Preset whose whole configuration is printed.
    pub name: Option<Preset>,
}
