//! Arguments of `eqprop data`.

use std::path::PathBuf;

use clap::Args;
use eqprop_train::data::DataSource;

use super::arguments::FolderArguments;
use super::files::FilesArguments;

/// The data to look at.
#[derive(Debug, Args)]
#[command(after_help = "\
Formats:
  images       a folder with a folder of PNG or JPEG images for each class, itself or in train and test
  csv          a line for each example, in one file or in train.csv and test.csv
  npy, npz     arrays such as x_train, y_train, x_test and y_test, or images and labels (or targets)
  safetensors  likewise
  idx          files as those of MNIST, under any name: a folder, or one of them
  cifar        files as those of CIFAR-10 or CIFAR-100 in the binary version

Without a test part, a share of each class is taken for it at random. Inputs are scaled by what the
training part holds alone. Targets that cannot be classes are quantities, learned by regression.
With --task labels an example has none, one or several labels: a column of 0 and 1 for each, or a row
of an array. A label must be there for some of the training examples, and not for all.

Examples:
  eqprop data photos/ --image-size 32x32
  eqprop data iris.csv --target species --json
  eqprop data houses.csv --target price,rent
  eqprop data scenes.csv --target beach,sunset,city --task labels
  eqprop train --dataset iris.csv --target species")]
pub struct DataArguments {
    /// File or folder, or the name of a data set.
    #[arg(value_name = "PATH")]
    pub source: DataSource,
    #[command(flatten)]
    pub files: FilesArguments,
    /// PNG file for the sheet of examples [default: data-NAME.png, or with a number where that is there already].
    #[arg(long, value_name = "FILE")]
    pub sheet: Option<PathBuf>,
    #[command(flatten)]
    pub data: FolderArguments,
}
