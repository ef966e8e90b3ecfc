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

/// Images to classify, or what else to clamp.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// PNG or JPEG images, bright on dark as in the training data; scaled to its size, with as much of
    /// their ground beside them as makes them square. Also tables and arrays, of which each example is
    /// classified, for networks that were trained on data of your own; of quantities and of several labels at
    /// once what is predicted is named.
    #[arg(required_unless_present = "clamp")]
    pub images: Vec<PathBuf>,
    /// The images are dark on bright.
    #[arg(long)]
    pub invert: bool,
    /// Clamp something else, and relax the rest. Without images: classes, each by its number or name, or
    /// all; draws what the network takes them to look like into classes.png of the run folder. With images:
    /// the top, bottom, left or right half of each; draws how the network completes them into completed.png.
    /// For the model "hopfield" with the cost "squared_error", trained on images that are not normalized.
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    pub clamp: Vec<String>,
    /// How strongly a class that is clamped pulls at the image: its unit is held at X, where training knows 1.
    /// At 1 the image is one that the network could see beside that class; more makes it one that the network
    /// is surer of, and much more a caricature. Of the classes of the bundled digits, 5 of 10 images are
    /// then classified as what they are at 1, 8 at 8, and all at 20 [default: 1].
    #[arg(
        long,
        value_name = "X",
        requires = "clamp",
        allow_negative_numbers = true
    )]
    pub clamp_strength: Option<f64>,
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

/// A network to watch.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Run folder of `eqprop train`. It may be one that is still trained: the page follows. Its first epoch must be over.
    pub run: PathBuf,
    /// Port of this machine that the page is served at; 0 for one that is free. Other machines cannot reach it: forward the
    /// port, as with `ssh -L 7717:localhost:7717` [default: 7717, or one that is free].
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}
