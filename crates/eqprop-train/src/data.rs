//! The data sets: handwritten digits built into the crate, MNIST, Fashion-MNIST and CIFAR-10.
//!
//! Everything is read into memory once, as plain vectors. The 8×8 digits need neither a file nor
//! a network. The others are read in the format in which they are published from a directory, or
//! downloaded when no directory is named.
//!
//! ```
//! use eqprop_train::prelude::*;
//!
//! let digits = Dataset::load(DatasetKind::Digits, None)?;
//! assert_eq!((digits.train.len(), digits.test.len()), (1437, 360));
//! assert_eq!(digits.train.input(0).len(), DatasetKind::Digits.n_inputs());
//! # Ok::<(), eqprop_train::data::DataError>(())
//! ```

mod archive;
mod cifar;
mod contents;
mod digits;
mod download;
mod error;
mod examples;
mod fingerprint;
mod idx;
mod place;
mod reader;

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

pub use contents::Contents;
pub use error::{DataError, Hint, Incomplete};
pub use examples::Examples;

/// The environment variable that names the data directory when the caller names none.
pub const DATA_DIR_VARIABLE: &str = "EQPROP_DATA";

/// Which data set.
///
/// The names `digits`, `mnist`, `fashion-mnist` and `cifar-10` are the same in text, on the command
/// line and in configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// UCI optical handwritten digits: 1797 images of 8×8 pixels, part of this crate.
    Digits,
    /// MNIST: 60,000 training and 10,000 test images of 28×28 pixels.
    Mnist,
    /// Fashion-MNIST: pictures of clothes, in the format and the sizes of MNIST.
    FashionMnist,
    /// CIFAR-10: 50,000 training and 10,000 test photographs of 32×32 pixels in color.
    #[serde(rename = "cifar-10")]
    Cifar10,
}

impl DatasetKind {
    /// Every data set, the smallest first.
    pub const ALL: [Self; 4] = [Self::Digits, Self::Mnist, Self::FashionMnist, Self::Cifar10];

    /// Channels, height and width of an image; the channels of a color image are red, green and
    /// blue.
    pub fn image_shape(self) -> [usize; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
            Self::Cifar10 => [3, 32, 32],
        }
    }

    /// Mean and deviation of each channel that [`Examples::normalized`] takes in a training: the
    /// usual ones of MNIST, Fashion-MNIST and the digits, and for CIFAR-10 those of Laborieux et
    /// al. (2021), whose deviations are three times the images'.
    pub fn normalization(self) -> (&'static [f32], &'static [f32]) {
        match self {
            Self::Digits => (&[0.3053], &[0.3760]),
            Self::Mnist => (&[0.1307], &[0.3081]),
            Self::FashionMnist => (&[0.2860], &[0.3530]),
            Self::Cifar10 => (&[0.4914, 0.4822, 0.4465], &[0.6069, 0.5982, 0.6030]),
        }
    }

    /// Number of classes; labels run from 0 to one less.
    pub fn n_classes(self) -> usize {
        10
    }

    /// Number of inputs: the pixels of an image in all channels.
    pub fn n_inputs(self) -> usize {
        self.image_shape().iter().product()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
        }
    }

    /// The files it is published in.
    fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &[],
            Self::Mnist | Self::FashionMnist => &idx::FILE_NAMES,
            Self::Cifar10 => &cifar::FILE_NAMES,
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

/// A data set with its two splits.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Which data set this is.
    pub kind: DatasetKind,
    /// The examples to train on.
    pub train: Examples,
    /// The examples to judge by.
    pub test: Examples,
    /// Of the examples that it was made from.
    fingerprint: String,
}

impl Dataset {
    /// A data set of these examples, whose [`fingerprint`](Self::fingerprint) is taken now.
    pub fn new(kind: DatasetKind, train: Examples, test: Examples) -> Self {
        Self {
            fingerprint: fingerprint::of(kind, [&train, &test]),
            kind,
            train,
            test,
        }
    }

    /// Loads a data set.
    ///
    /// The digits are built in and ignore `data_dir`. The others look, in this order, at
    ///
    /// 1. `data_dir`, if given;
    /// 2. the directory in the environment variable `EQPROP_DATA`, if set and not empty;
    /// 3. the download cache, which is filled over the network if it is empty.
    ///
    /// A directory that was named is the only one looked at: nothing is downloaded in its stead. All
    /// files must be in one place for it, the first of these that holds them:
    ///
    /// 1. the folders of `D` that are named after the data set, and the folder `raw` in them;
    /// 2. `D` itself, and `D/raw`.
    ///
    /// | data set | files | folders named after it |
    /// | --- | --- | --- |
    /// | MNIST | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` | `mnist`, so also torchvision's `MNIST/raw` |
    /// | Fashion-MNIST | the same | `fashion-mnist`, `fashion`, `fmnist`, so also `FashionMNIST/raw` |
    /// | CIFAR-10, binary version | `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` | `cifar-10`, `cifar-10-binary`, `cifar-10-batches-bin`, also one in another |
    ///
    /// In the names of folders only letters and digits count, large or small. Files are plain or end
    /// in `.gz`; `train-images.idx3-ubyte` with a dot is found too, and so is a file in a folder of
    /// its own name, or in `train` or `test`.
    ///
    /// MNIST and Fashion-MNIST have the same file names. So that neither is taken for the other,
    ///
    /// - `D` itself is not looked at when it has a folder named after the data set, even where that
    ///   folder lacks files, unless `D` is named after the data set too;
    /// - files that begin with the published labels of the other one are refused;
    /// - all other files, which may be of your own, are taken, but not from a `D` that is named after
    ///   the other data set.
    ///
    /// # Errors
    /// If a file is missing, of another data set or not what it should be, or if the download fails; see
    /// [`DataError`].
    pub fn load(kind: DatasetKind, data_dir: Option<&Path>) -> Result<Self, DataError> {
        if kind == DatasetKind::Digits {
            return Ok(digits::load());
        }
        let from_environment = std::env::var_os(DATA_DIR_VARIABLE)
            .filter(|value| value != OsStr::new(""))
            .map(PathBuf::from);
        match (kind, data_dir.or(from_environment.as_deref())) {
            (_, None) => download::load(kind),
            (DatasetKind::Cifar10, Some(dir)) => cifar::load(dir, cifar::N_RECORDS),
            (_, Some(dir)) => idx::load(kind, dir),
        }
    }

    /// What tells this data set from any other: the SHA-256, as 64 lower-case hexadecimal digits,
    /// of its kind and of the shapes, labels and pixels of both splits.
    ///
    /// It is that of the examples as they were loaded, or given to [`new`](Self::new): whatever is
    /// made of them later, by [`map`](Self::map) or by changing the fields, does not count. So the
    /// same files have the same fingerprint under every padding and normalization, on every
    /// machine, and however they are named and compressed.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// The same data set with `change` made to both splits, such as
    /// [`TrainingConfig::prepare`](crate::config::TrainingConfig::prepare).
    pub fn map(self, change: impl Fn(Examples) -> Examples) -> Self {
        Self {
            train: change(self.train),
            test: change(self.test),
            ..self
        }
    }
}

/// Readers of single formats with files of other sizes, for tests.
#[doc(hidden)]
pub mod format {
    use std::io;
    use std::path::Path;

    use super::{DataError, Dataset, archive, cifar};

    /// CIFAR-10 from files of `n_records` records each.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn cifar_10(dir: &Path, n_records: usize) -> Result<Dataset, DataError> {
        cifar::load(dir, n_records)
    }

    /// The files `names`, each of `n_bytes`, out of a compressed archive.
    ///
    /// # Errors
    /// If the archive is damaged, or a file is missing or of another size.
    pub fn archive<'a>(
        packed: &[u8],
        names: &[&'a str],
        n_bytes: usize,
    ) -> io::Result<Vec<(&'a str, Vec<u8>)>> {
        archive::extract(packed, names, n_bytes)
    }
}

#[cfg(test)]
mod tests;
