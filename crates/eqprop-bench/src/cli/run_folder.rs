//! Arguments of the commands that use a run folder.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, FolderArguments};

/// The trained network to evaluate.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// Measure on the first N test examples only.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_test: Option<usize>,
    /// Write a line for each test example that is taken for another class to this CSV file: its number in the
    /// data, its file if it has one of its own, its class, and the class found.
    #[arg(long, value_name = "FILE")]
    pub mistakes: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Images to classify, or other values to clamp.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// PNG or JPEG images like those of the training data (digits: bright on dark); each is scaled to the size of the training
    /// images, and made square with its own background. Networks trained on your own data also take tables
    /// and arrays, and every example in them is classified; for quantities and for several labels at once,
    /// the predicted values are named.
    #[arg(required_unless_present = "clamp")]
    pub images: Vec<PathBuf>,
    /// The images are dark on a bright background.
    #[arg(long)]
    pub invert: bool,
    /// Clamp something else, and relax the rest. Without images: clamp classes, each given by its number or
    /// name, or all of them; draws what the network takes them to look like into classes.png of the run
    /// folder. With images: clamp the top, bottom, left or right half of each; draws how the network
    /// completes them into completed.png. For the model "hopfield" with the cost "squared_error", trained on
    /// images that are not normalized.
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    pub clamp: Vec<String>,
    /// How strongly a clamped class pulls at the image: its unit is held at X, where training uses 1. At 1
    /// the image is one that the network could see together with that class; a larger X gives an image of
    /// which the network is more certain, and a very large one a caricature. For the classes of the bundled
    /// digits, 5 of 10 images are then classified as the class they were made for at 1, 8 at 8, and all at 20
    /// [default: 1].
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

/// The test examples whose relaxation is drawn.
#[derive(Debug, Args)]
pub struct RelaxArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// Number of test examples: the first ones, or those of each class in turn if the first are all of one.
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

/// The trained network to watch.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Run folder of `eqprop train`. The training may still be running, and the page then follows it; its
    /// first epoch must be finished.
    pub run: PathBuf,
    /// Port of this machine at which the page is served; 0 picks a free one. Other machines cannot reach it:
    /// forward the port, as with `ssh -L 7717:localhost:7717` [default: 7717, or one that is free].
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
}
