//! Arguments of `eqprop train`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, FolderArguments, ModelArguments};
use super::cadence::Cadence;

/// The network to train.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eqprop train
  eqprop train --preset paper-1h --data-dir data/mnist
  eqprop train --dataset iris.csv --target species
  eqprop train --dataset photos/ --image-size 32x32
  eqprop train --dataset photos/ --image-size 224x224 --stream   # more than fits into memory
  eqprop train --preset dhn-1h --epochs 15 --set beta=0.1 --set 'learning_rates=[0.1, 0.05]'
  eqprop train --config runs/tune-digits/tuned.json
  eqprop train --tensorboard        # then: tensorboard --logdir runs
  eqprop train --resume --run runs/digits")]
pub struct TrainArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub data: FolderArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Number of epochs, that is passes over the training examples [default: the preset's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Seed of the initial weights, the order of the examples and the signs of β [default: 0].
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Run folder; must be new unless --resume is given [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Also write checkpoints within an epoch, at this interval: a time such as 10min, 90s or 2h, or a number
    /// of updates. A checkpoint is always written at the end of each epoch and when the program is stopped by
    /// Ctrl-C or SIGTERM.
    #[arg(long, value_name = "TIME|N", default_value = "10min")]
    pub checkpoint_every: Cadence,
    /// Also write the measurements of each epoch for TensorBoard, as an event file in DIR [default: the run
    /// folder]. A resumed run appends to the event file in its own folder; any other DIR has to be named
    /// again.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    pub tensorboard: Option<Option<PathBuf>>,
    /// Resume the run in --run from its last checkpoint, with the data that it began with. The result is that
    /// of a run that was never interrupted. A larger --epochs extends the run, unless its learning rates
    /// follow a cosine schedule.
    #[arg(long, requires = "run", conflicts_with_all = ["preset", "config", "dataset", "seed", "stream", "overrides"])]
    pub resume: bool,
}
