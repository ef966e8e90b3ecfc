//! Data sets: handwritten digits built into the crate, data sets known by name, such as MNIST, and
//! [the user's own files](DataFiles).
//!
//! Everything is read into memory once, as plain vectors, or [stays in its files](Dataset::stream) until it
//! is needed. The 8×8 digits need neither a file nor a network. Named data sets are read from a directory in
//! the format in which they are published; MNIST, Fashion-MNIST and CIFAR-10 are downloaded if no directory
//! is given.
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
mod change;
mod cifar;
mod contents;
mod dataset;
mod digits;
mod download;
mod error;
mod examples;
mod files;
mod fingerprint;
mod idx;
mod inputs;
mod kind;
pub(crate) mod memory;
#[doc(hidden)]
pub mod picture;
mod place;
mod reader;
mod recall;
mod source;
mod stream;
mod targets;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use contents::Contents;
pub use dataset::Dataset;
pub use error::{DataError, Hint, Incomplete};
pub use examples::Examples;
pub use files::{
    DataFiles, DataFormat, FilesError, FilesOptionError, Findings, Reading, Scaling, ScalingKind,
    TargetError, Task,
};
pub use kind::{DATA_DIR_VARIABLE, DatasetKind};
pub use recall::DelayedRecall;
pub use source::DataSource;
pub use stream::InputStream;
use stream::Residence;
pub use targets::{Quantities, TargetKind, Targets};

impl FromStr for DatasetKind {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| DataError::UnknownDataset { name: name.into() })
    }
}

impl Dataset {
    /// Loads a data set.
    ///
    /// The [user's own files](DataFiles) are read from `data_dir`, if given, and else from their path. The
    /// digits are built in and ignore `data_dir`. The other data sets are looked for, in this order, in
    ///
    /// 1. `data_dir`, if given;
    /// 2. the directory in the environment variable `EQPROP_DATA`, if set and not empty;
    /// 3. the download cache, for MNIST, Fashion-MNIST and CIFAR-10; it is filled over the network if it is
    ///    empty.
    ///
    /// If a directory `D` is given, no other is searched, and nothing is downloaded in its stead. All files
    /// must be in one folder, the first of these that holds them all:
    ///
    /// 1. the folders of `D` that are named after the data set, and the folder `raw` in them;
    /// 2. `D` itself, and `D/raw`.
    ///
    /// | data set | files | folders named after it |
    /// | --- | --- | --- |
    /// | MNIST | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` | `mnist`, so also torchvision's `MNIST/raw` |
    /// | Fashion-MNIST | the same | `fashion-mnist`, `fashion`, `fmnist`, so also `FashionMNIST/raw` |
    /// | KMNIST | the same | `kmnist`, `kuzushiji-mnist` |
    /// | QMNIST | `qmnist-train-images-idx3-ubyte`, `qmnist-train-labels-idx2-int`, and `test` | `qmnist` |
    /// | EMNIST's splits | `emnist-letters-train-images-idx3-ubyte`, `emnist-letters-train-labels-idx1-ubyte`, and `test` | `emnist`, `gzip` |
    /// | CIFAR-10, binary version | `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` | `cifar-10`, `cifar-10-binary`, `cifar-10-batches-bin`, also one in another |
    /// | CIFAR-100, binary version | `train.bin`, `test.bin` | `cifar-100`, `cifar-100-binary` |
    ///
    /// EMNIST's images, which are published with rows and columns exchanged, are transposed to stand upright,
    /// and its letters have the labels 0 to 25. In folder names only letters and digits count, regardless of
    /// case. Files are plain or end in `.gz`. A name with a dot, such as `train-images.idx3-ubyte`, is found
    /// too, and so is a file in a folder of its own name, or in `train` or `test`.
    ///
    /// MNIST, Fashion-MNIST and KMNIST use the same file names. To avoid confusing them,
    ///
    /// - `D` itself is not searched if it has a folder named after the data set, even if that folder lacks
    ///   files, unless `D` is named after the data set too;
    /// - files that begin with the published labels of MNIST or Fashion-MNIST are refused for another;
    /// - all other files, which may be the user's own, are accepted, but not from a `D` that is named after
    ///   another of these data sets.
    ///
    /// # Errors
    /// If a file is missing, belongs to another data set or is malformed, or if the download fails; see
    /// [`DataError`].
    pub fn load(source: impl Into<DataSource>, data_dir: Option<&Path>) -> Result<Self, DataError> {
        Self::load_into(Residence::Memory, &source.into(), data_dir)
    }

    /// Loads a data set whose inputs stay in their files and are read batch by batch, for data larger than
    /// memory.
    ///
    /// All files are scanned once, for properties of the whole data set such as standard deviations. Memory
    /// holds the labels or quantities, and the data described at [`InputStream`]. Inputs are those of
    /// [`load`](Self::load) to the last bit, and so are a training and the
    /// [`fingerprint`](Self::fingerprint).
    ///
    /// # Errors
    /// As for [`load`](Self::load), and if the format does not allow reading single examples: text tables and
    /// compressed files.
    pub fn stream(
        source: impl Into<DataSource>,
        data_dir: Option<&Path>,
    ) -> Result<Self, DataError> {
        Self::load_into(Residence::Files, &source.into(), data_dir)
    }

    fn load_into(
        residence: Residence,
        source: &DataSource,
        data_dir: Option<&Path>,
    ) -> Result<Self, DataError> {
        let kind = match source {
            DataSource::BuiltIn(kind) => *kind,
            DataSource::Files(files) => return Ok(files.read_into(residence, data_dir)?.dataset),
        };
        if kind == DatasetKind::Digits {
            return match residence {
                Residence::Memory => Ok(digits::load()),
                Residence::Files => Err(DataError::NotStreamed {
                    path: kind.name().into(),
                    reason: "these examples are part of the program, and in memory with it",
                }),
            };
        }
        let from_environment = std::env::var_os(DATA_DIR_VARIABLE)
            .filter(|value| value != OsStr::new(""))
            .map(PathBuf::from);
        match (kind, data_dir.or(from_environment.as_deref())) {
            (_, None) => download::load(kind, residence),
            (DatasetKind::Cifar10, Some(dir)) => cifar::load(dir, cifar::N_RECORDS, residence),
            (DatasetKind::Cifar100, Some(dir)) => {
                cifar::load_100(dir, cifar::N_RECORDS_100, residence)
            }
            (_, Some(dir)) => idx::load(kind, dir, residence),
        }
    }
}

/// Readers of single formats, for files of other sizes in tests.
#[doc(hidden)]
pub mod format {
    use std::io;
    use std::path::Path;

    use super::stream::Residence;
    use super::{DataError, Dataset, archive, cifar};

    /// Loads CIFAR-10 from files of `n_records` records each.
    ///
    /// # Errors
    /// As for [`Dataset::load`].
    pub fn cifar_10(dir: &Path, n_records: usize) -> Result<Dataset, DataError> {
        cifar::load(dir, n_records, Residence::Memory)
    }

    /// Loads the same data set, with images that stay in their files.
    ///
    /// # Errors
    /// As for [`Dataset::stream`].
    pub fn stream_cifar_10(dir: &Path, n_records: usize) -> Result<Dataset, DataError> {
        cifar::load(dir, n_records, Residence::Files)
    }

    /// Loads CIFAR-100 from files with these numbers of training and test records.
    ///
    /// # Errors
    /// As for [`Dataset::load`].
    pub fn cifar_100(dir: &Path, n_records: [usize; 2]) -> Result<Dataset, DataError> {
        cifar::load_100(dir, n_records, Residence::Memory)
    }

    /// Extracts the files `names`, each of `n_bytes`, from a compressed archive.
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
