//! Data of a training configuration.

use std::path::Path;

use burn::config::Config;
use serde::{Deserialize, Serialize};

use super::{ClassWeights, TrainingConfig};
use crate::batch::Augmentation;
use crate::data::{DataSource, Dataset, Examples, Reading};
use crate::error::TrainingError;

/// Data set of a training, and how its examples are prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Data set: a name, such as "digits" or "mnist", the path of your own files, or an object with the
    /// fields of [`DataFiles`](crate::data::DataFiles).
    pub dataset: DataSource,
    /// Number of training examples to use, from the first on; null for all.
    pub n_train: Option<usize>,
    /// Number of training examples to hold out for validation, from the end; the validation error on them is
    /// reported beside the test error.
    pub n_validation: usize,
    /// Width of the frame of zeros around an image, in pixels.
    pub padding: usize,
    /// Whether to shift and scale each channel; see [`DataSource::normalization`].
    pub normalize: bool,
    /// Random changes of the training images: {"shift": pixels in each direction, "flip": whether to mirror
    /// half of them left to right}.
    pub augmentation: Augmentation,
    /// Weights of the examples of each class in the cost: "balanced", or a list with a number for each class;
    /// null for equal weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Whether to leave the inputs in their files and read each batch as it is needed, for data larger than
    /// memory; see [`Dataset::stream`]. The results are the same to the last bit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
}

impl Config for DataConfig {}

/// Burn's derived `new` would not take a [`DatasetKind`](crate::data::DatasetKind) for a [`DataSource`].
impl DataConfig {
    /// Selects all examples of a data set, unchanged.
    pub fn new(dataset: impl Into<DataSource>) -> Self {
        Self {
            dataset: dataset.into(),
            n_train: None,
            n_validation: 0,
            padding: 0,
            normalize: false,
            augmentation: Augmentation::default(),
            class_weights: None,
            stream: false,
        }
    }

    /// Sets [`class_weights`](Self::class_weights).
    pub fn with_class_weights(self, class_weights: Option<ClassWeights>) -> Self {
        Self {
            class_weights,
            ..self
        }
    }

    /// Sets [`stream`](Self::stream).
    pub fn with_stream(self, stream: bool) -> Self {
        Self { stream, ..self }
    }

    /// Sets [`n_train`](Self::n_train).
    pub fn with_n_train(self, n_train: Option<usize>) -> Self {
        Self { n_train, ..self }
    }

    /// Sets [`n_validation`](Self::n_validation).
    pub fn with_n_validation(self, n_validation: usize) -> Self {
        Self {
            n_validation,
            ..self
        }
    }

    /// Sets [`padding`](Self::padding).
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// Sets [`normalize`](Self::normalize).
    pub fn with_normalize(self, normalize: bool) -> Self {
        Self { normalize, ..self }
    }

    /// Sets [`augmentation`](Self::augmentation).
    pub fn with_augmentation(self, augmentation: Augmentation) -> Self {
        Self {
            augmentation,
            ..self
        }
    }
}

impl DataConfig {
    /// Pads and normalizes images as configured.
    pub fn prepare(&self, examples: Examples) -> Examples {
        let padded = match self.padding {
            0 => examples,
            n => examples.padded(n),
        };
        if self.normalize {
            let (mean, deviation) = self.dataset.normalization();
            padded.normalized(mean, deviation)
        } else {
            padded
        }
    }

    /// Returns channels, height and width of a padded image.
    pub(super) fn image_shape(&self) -> [usize; 3] {
        let [channels, height, width] = self.dataset.image_shape();
        let frame = 2 * self.padding;
        [channels, height + frame, width + frame]
    }
}

impl TrainingConfig {
    /// Loads the data set with its images [prepared](DataConfig::prepare); see [`Dataset::load`], or
    /// [`Dataset::stream`] for a configuration with [`stream`](DataConfig::stream).
    ///
    /// # Errors
    /// Those of [`Dataset::load`] or [`Dataset::stream`]; or if the padded images are too large for this
    /// machine.
    pub fn load_data(&self, data_dir: Option<&Path>) -> Result<Dataset, TrainingError> {
        self.read_data(data_dir).map(|reading| reading.dataset)
    }

    /// Like [`load_data`](Self::load_data), with the places of the test examples in the files.
    ///
    /// # Errors
    /// As for [`load_data`](Self::load_data).
    pub fn read_data(&self, data_dir: Option<&Path>) -> Result<Reading, TrainingError> {
        let reading = match (&self.data.dataset, self.data.stream) {
            (DataSource::Files(files), false) => files.read(data_dir)?,
            (DataSource::Files(files), true) => files.read_streaming(data_dir)?,
            (source, false) => Dataset::load(source, data_dir)?.into(),
            (source, true) => Dataset::stream(source, data_dir)?.into(),
        };
        Ok(Reading {
            dataset: self.prepare_data(reading.dataset)?,
            ..reading
        })
    }

    /// Returns a data set loaded before, with its images [prepared](DataConfig::prepare).
    ///
    /// # Errors
    /// If the padded images are too large for this machine.
    pub fn prepare_data(&self, dataset: Dataset) -> Result<Dataset, TrainingError> {
        self.check_data(&dataset)?;
        Ok(dataset.map(|examples| self.data.prepare(examples)))
    }
}
