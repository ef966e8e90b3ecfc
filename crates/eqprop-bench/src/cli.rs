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
    /// Compare methods, presets or values of any setting over several seeds, with intervals and verdicts.
    Compare(CompareArguments),
    /// Measure how true the gradient of equilibrium propagation is, and which β and steps it needs.
    Fidelity(FidelityArguments),
    /// Search the nudging, the steps, learning rates and more that learn best, within some minutes.
    Tune(TuneArguments),
    /// Time a training step of each method, and measure its memory.
    Bench(BenchArguments),
    /// Classify images, or rows of a table, with a trained network.
    Predict(PredictArguments),
    /// Draw how a few test examples relax in a trained network.
    Relax(RelaxArguments),
    /// Open a page that shows a trained network relax: draw an input, nudge the output, follow a training.
    Watch(WatchArguments),
    /// Write the weights of a trained network as safetensors.
    Export(ExportArguments),
    /// Make a run folder from weights: of `eqprop export`, or of published PyTorch code.
    Import(ImportArguments),
    /// Show what is understood of data of your own, and draw examples.
    Data(DataArguments),
    /// List the devices of this build and of this machine.
    Devices,
    /// List the presets, or print one in full.
    Presets(PresetsArguments),
}

/// A preset to show.
#[derive(Debug, Args)]
pub struct PresetsArguments {
    /// Print this preset's whole configuration.
    pub name: Option<Preset>,
}
