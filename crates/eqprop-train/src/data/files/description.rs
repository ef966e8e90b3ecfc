//! Description of the user's files, and of the data found in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::{Quantities, TargetKind};
use super::error::FilesError;
use super::option_error::FilesOptionError;
use super::scaling::{Scaling, ScalingKind};
use super::task::Task;

/// Largest number of classes: a label is a byte.
pub(super) const MOST_CLASSES: usize = 256;

/// Largest height and width of an image, and largest number of channels.
const MOST_ALONG: usize = 1 << 14;

/// Largest number of inputs of an example.
pub(super) const MOST_INPUTS: usize = 1 << 26;

/// Default fraction of the examples that are test examples if the files have no test part.
const TEST_SHARE: f64 = 0.2;

/// The user's own files as a data set.
///
/// | format | files | classes |
/// | --- | --- | --- |
/// | `images` | a folder with a folder of PNG or JPEG images for each class, itself or in `train` and `test` | names of the folders |
/// | `csv` | a table with a line for each example, `.csv` or `.tsv` | column `target`, else `label`, `class`, `target` or `y`, else the last |
/// | `npy` | a folder of arrays, or one whose last column (or number `target`) is the class | array `y` or `labels` |
/// | `npz`, `safetensors` | arrays by name | likewise |
/// | `idx` | a folder, or a file of images beside one of labels | the file with one number per example |
/// | `cifar` | CIFAR-10's or CIFAR-100's binary version, `.bin` | first, or second, byte of a record |
///
/// All formats but images and arrays within one file may end in `.gz`. Parts are identified by `train` and
/// `test` in the names of folders, files and arrays; `val` is the test part if there is no other, and
/// otherwise the end of the training part. Without a test part, [`test_share`](Self::test_share) of each
/// class is drawn at random by [`split_seed`](Self::split_seed). Training examples that come class by class
/// are shuffled by the same seed, so that both the first and the last of them cover all classes.
///
/// Inputs are scaled as listed at [`Scaling`], by statistics of the training part alone. Instead of a class,
/// an example may have quantities, as listed at [`Task`]: numbers that are learned standardized by the mean
/// and standard deviation of the training part, and reported in their own units. With the task `labels` an
/// example has none, one or several labels: each is a column of a table or an array, with 1 or 0, true or
/// false, or yes or no for each example, and must be present in some of the training examples but not in all.
///
/// ```no_run
/// use eqprop_train::prelude::*;
///
/// let files = DataFiles {
///     target: Some("species".into()),
///     ..DataFiles::new("iris.csv")
/// };
/// let dataset = files.look()?;
/// let config = Preset::Digits.config_for(&dataset.kind);
/// # Ok::<(), eqprop_train::data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFiles {
    /// Path of the file or folder.
    pub path: String,
    /// Format; detected by default.
    #[serde(default)]
    pub format: Option<DataFormat>,
    /// Column of the class, quantity or label, by its name or by its number from 1; several quantities or
    /// labels are separated by commas.
    #[serde(default)]
    pub target: Option<String>,
    /// Learning task; by default chosen as listed at [`Task`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Height and width. Images are scaled to it with their aspect ratio kept, which is required if they have
    /// several sizes; rows of a table are taken as images of this size.
    #[serde(default)]
    pub image_size: Option<[usize; 2]>,
    /// Number of channels: 1 for gray images, 3 for color; by default 1 if no image has a color.
    #[serde(default)]
    pub channels: Option<usize>,
    /// Scaling of the inputs; by default chosen as listed at [`Scaling`].
    #[serde(default)]
    pub scaling: Option<ScalingKind>,
    /// Fraction of each class to use as test examples if the files have no test part.
    #[serde(default = "test_share")]
    pub test_share: f64,
    /// Seed of the random split and order.
    #[serde(default)]
    pub split_seed: u64,
    /// Findings in the files; `None` before they are inspected.
    #[serde(default)]
    pub found: Option<Findings>,
}

fn test_share() -> f64 {
    TEST_SHARE
}

/// Findings in data files: everything a network needs to know of them, so that it can be used without the
/// files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Format of the files.
    pub format: DataFormat,
    /// Channels, height and width of an example.
    pub shape: [usize; 3],
    /// Class names in the order of their labels: sorted by value if all are numbers, else alphabetically.
    /// Empty if the targets are quantities or labels.
    pub classes: Vec<String>,
    /// Quantities to learn instead of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantities: Option<Quantities>,
    /// Names of the labels instead of classes, of which an example has none, one or several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Names of the input columns, if they have names and are not pixels.
    pub columns: Vec<String>,
    /// Scaling of the numbers in the files.
    pub scaling: Scaling,
    /// Mean of each channel over the training part, after the scaling.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel over the training part, after the scaling.
    pub deviation: Vec<f32>,
    /// Number of training examples.
    pub n_train: usize,
    /// Number of test examples.
    pub n_test: usize,
}

/// Format of [`DataFiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// A folder with a folder of images for each class.
    Images,
    /// A text table.
    Csv,
    /// NumPy arrays, one per file.
    Npy,
    /// NumPy arrays in one file.
    Npz,
    /// Named arrays in a safetensors file, as Hugging Face writes them.
    Safetensors,
    /// The IDX format of MNIST.
    Idx,
    /// The binary format of CIFAR-10 and CIFAR-100.
    Cifar,
}

impl DataFormat {
    /// All formats.
    pub const ALL: [Self; 7] = [
        Self::Images,
        Self::Csv,
        Self::Npy,
        Self::Npz,
        Self::Safetensors,
        Self::Idx,
        Self::Cifar,
    ];

    /// Returns its name on the command line and in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Csv => "csv",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Idx => "idx",
            Self::Cifar => "cifar",
        }
    }
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DataFormat {
    type Err = FilesOptionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| FilesOptionError::unknown("format", name, Self::ALL.map(Self::name)))
    }
}

impl DataFiles {
    /// Describes the files at `path`, with all choices left to detection.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            format: None,
            target: None,
            task: None,
            image_size: None,
            channels: None,
            scaling: None,
            test_share: TEST_SHARE,
            split_seed: 0,
            found: None,
        }
    }

    /// Returns the findings.
    ///
    /// # Panics
    /// If the files have not been inspected.
    pub(crate) fn found(&self) -> &Findings {
        self.found.as_ref().unwrap_or_else(|| {
            panic!(
                "the files at `{}` were not looked at: `DataFiles::look` does",
                self.path
            )
        })
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn check(&self) -> Result<(), FilesError> {
        let share = self.test_share;
        if !(share > 0.0 && share < 1.0) {
            return Err(FilesOptionError::TestShare { found: share }.into());
        }
        if let Some(size) = self.image_size
            && !size.iter().all(|length| (1..=MOST_ALONG).contains(length))
        {
            let most = MOST_ALONG;
            return Err(FilesOptionError::ImageSize { found: size, most }.into());
        }
        if let Some(found) = self.channels
            && ![1, 3].contains(&found)
        {
            return Err(FilesOptionError::Channels { found }.into());
        }
        match &self.found {
            Some(found) if !found.is_sound() => {
                let path = self.path.clone();
                Err(FilesOptionError::Findings { path }.into())
            }
            _ => Ok(()),
        }
    }
}

impl Findings {
    /// Returns the labels, if there are any.
    pub(crate) fn labels(&self) -> Option<&[String]> {
        (!self.labels.is_empty()).then_some(&self.labels)
    }

    /// Returns the kind of the targets, if they are not classes.
    pub(crate) fn target_kind(&self) -> Option<TargetKind> {
        let quantities = self.quantities.clone().map(TargetKind::Quantities);
        quantities.or_else(|| Some(TargetKind::Labels(self.labels()?.to_vec())))
    }

    /// Returns the number of outputs of a network: one for each class, quantity or label.
    pub(crate) fn n_outputs(&self) -> usize {
        match &self.quantities {
            Some(quantities) => quantities.len(),
            None => self.classes.len() + self.labels.len(),
        }
    }

    /// Returns the number of table columns with targets: one for a class.
    pub(super) fn n_targets(&self) -> usize {
        match self.classes.is_empty() {
            true => self.n_outputs(),
            false => 1,
        }
    }

    /// Returns whether these findings are possible: a configuration may hold anything.
    fn is_sound(&self) -> bool {
        let n_inputs = inputs_of(self.shape);
        let is_sound = |&number: &f32| number.is_finite() && number >= 0.0;
        n_inputs.is_some_and(|n| self.scaling.is_sound(n))
            && match (&self.quantities, self.labels()) {
                (None, None) => (2..=MOST_CLASSES).contains(&self.classes.len()),
                (None, Some(_)) => self.classes.is_empty(),
                (Some(quantities), None) => self.classes.is_empty() && quantities.is_sound(),
                (Some(_), Some(_)) => false,
            }
            && self.mean.len() == self.shape[0]
            && self.deviation.len() == self.shape[0]
            && self.mean.iter().all(|mean| mean.is_finite())
            && self.deviation.iter().all(is_sound)
            && self.n_train > 0
    }
}

/// Returns the number of inputs of an example, if it is a valid one.
pub(super) fn inputs_of(shape: [usize; 3]) -> Option<usize> {
    let mut sizes = shape.iter();
    let n = sizes.try_fold(1usize, |n, &size| n.checked_mul(size))?;
    (1..=MOST_INPUTS).contains(&n).then_some(n)
}
