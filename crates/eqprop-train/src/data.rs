//! The data sets: handwritten digits built into the crate, MNIST and Fashion-MNIST.
//!
//! Everything is read into memory once, as plain vectors; tensors are made per batch. The 8×8
//! digits need neither a file nor a network. The two 28×28 sets are read from IDX files in a
//! directory, or downloaded when no directory is named.
//!
//! ```
//! use eqprop_train::data::{Dataset, DatasetKind};
//!
//! let digits = Dataset::load(DatasetKind::Digits, None)?;
//! assert_eq!((digits.train.len(), digits.test.len()), (1437, 360));
//! assert_eq!(digits.train.input(0).len(), DatasetKind::Digits.n_inputs());
//! # Ok::<(), eqprop_train::data::DataError>(())
//! ```

mod digits;
mod download;
mod error;
mod idx;

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

pub use error::DataError;

/// The environment variable that names the data directory when the caller names none.
pub const DATA_DIR_VARIABLE: &str = "EQPROP_DATA";

/// Which data set.
///
/// The names `digits`, `mnist` and `fashion-mnist` are the same in text, on the command line and
/// in configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// UCI optical handwritten digits: 1797 images of 8×8 pixels, part of this crate.
    Digits,
    /// MNIST: 60,000 training and 10,000 test images of 28×28 pixels.
    Mnist,
    /// Fashion-MNIST: pictures of clothes, in the format and the sizes of MNIST.
    FashionMnist,
}

impl DatasetKind {
    /// Every data set, the smallest first.
    pub const ALL: [Self; 3] = [Self::Digits, Self::Mnist, Self::FashionMnist];

    /// Height and width of an image in pixels.
    pub fn image_shape(self) -> [usize; 2] {
        match self {
            Self::Digits => [8, 8],
            Self::Mnist | Self::FashionMnist => [28, 28],
        }
    }

    /// Number of classes; labels run from 0 to one less.
    pub fn n_classes(self) -> usize {
        10
    }

    /// Number of inputs: the pixels of an image.
    pub fn n_inputs(self) -> usize {
        self.image_shape().iter().product()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DatasetKind {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| DataError::UnknownDataset { name: name.into() })
    }
}

/// One split of a data set: images as rows of numbers, and their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Pixels scaled to `[0, 1]`, row-major: `[n, n_inputs]`.
    pub inputs: Vec<f32>,
    /// The class of each example, below `n_classes`.
    pub labels: Vec<u8>,
    /// Number of inputs of one example.
    pub n_inputs: usize,
    /// Number of classes.
    pub n_classes: usize,
}

impl Examples {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The inputs of example `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn input(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.n_inputs..(i + 1) * self.n_inputs]
    }

    /// The first `n` examples, or all of them if there are fewer.
    pub fn take(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.inputs.truncate(n * self.n_inputs);
        self.labels.truncate(n);
        self
    }

    /// Splits off the last `n` examples, or all of them if there are fewer: `(rest, last n)`.
    ///
    /// Made for holding out a validation set without touching the test split.
    pub fn split_tail(mut self, n: usize) -> (Self, Self) {
        let n_rest = self.len().saturating_sub(n);
        let tail = Self {
            inputs: self.inputs.split_off(n_rest * self.n_inputs),
            labels: self.labels.split_off(n_rest),
            ..self
        };
        (self, tail)
    }
}

/// A data set with its two splits.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Which data set this is.
    pub kind: DatasetKind,
    /// The examples to train on.
    pub train: Examples,
    /// The examples to judge by.
    pub test: Examples,
}

impl Dataset {
    /// Loads a data set.
    ///
    /// The digits are built in and ignore `data_dir`. The other two look, in this order, at
    ///
    /// 1. `data_dir`, if given;
    /// 2. the directory in the environment variable `EQPROP_DATA`, if set and not empty;
    /// 3. the download cache, which is filled over the network if it is empty.
    ///
    /// A directory `D` holds the files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    /// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with `.gz`, in `D`
    /// itself or in `D/mnist` (`D/fashion-mnist`). A directory that was named is the only place
    /// looked at: nothing is downloaded in its stead.
    ///
    /// # Errors
    /// If a file is missing or is not what it should be, or if the download fails; see
    /// [`DataError`].
    pub fn load(kind: DatasetKind, data_dir: Option<&Path>) -> Result<Self, DataError> {
        if kind == DatasetKind::Digits {
            return Ok(digits::load());
        }
        let from_environment = std::env::var_os(DATA_DIR_VARIABLE)
            .filter(|value| value != OsStr::new(""))
            .map(PathBuf::from);
        match data_dir.or(from_environment.as_deref()) {
            Some(dir) => idx::load(kind, dir),
            None => download::load(kind),
        }
    }
}

#[cfg(test)]
mod tests;
