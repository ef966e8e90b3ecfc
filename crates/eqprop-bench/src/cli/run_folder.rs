//! Of the commands that look at a run folder.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, FolderArguments};

/// A trained network to measure.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// Measure on the first so many test examples only.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_test: Option<usize>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Images to classify.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// PNG or JPEG images, bright on dark as in the training data; scaled to its size, with as much of
    /// their ground beside them as makes them square. Also tables and arrays, of which each example is
    /// classified, for networks that were trained on data of your own.
    #[arg(required_unless_present = "clamp")]
    pub images: Vec<PathBuf>,
    /// The images are dark on bright.
    #[arg(long)]
    pub invert: bool,
    /// Clamp the output at these classes instead, each by its number or name, or all, and relax the input:
    /// draws what the network takes them to look like into classes.png of the run folder. For the model
    /// "hopfield" with the cost "squared_error", trained on images that are not normalized.
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',', conflicts_with_all = ["images", "invert"])]
    pub clamp: Vec<String>,
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
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}
