//! The data of a training configuration.

use std::path::Path;

use burn::config::Config;
use serde::{Deserialize, Serialize};

use super::{ClassWeights, TrainingConfig};
use crate::batch::Augmentation;
use crate::data::{DataSource, Dataset, Examples};
use crate::error::TrainingError;

/// What a training is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Data set: a name, such as "digits" or "mnist", the path of files of one's own, or an object with
    /// the fields of [`DataFiles`](crate::data::DataFiles).
    pub dataset: DataSource,
    /// Train on the first so many examples only; null for all.
    pub n_train: Option<usize>,
    /// Hold out the last so many training examples, and report the validation error on them beside the
    /// test error.
    pub n_validation: usize,
    /// Zeros on each side of an image.
    pub padding: usize,
    /// Shift and scale each channel, see [`DataSource::normalization`].
    pub normalize: bool,
    /// Random changes of the training images: {"shift": pixels in each direction, "flip": left
    /// for right, half of the time}.
    pub augmentation: Augmentation,
    /// How much the examples of each class count in the cost: "balanced", or a list of a number for each class; null for
    /// all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Leave the inputs in their files and read each batch as it is needed, for data that are larger than memory; see
    /// [`Dataset::stream`]. The results are the same to the last bit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
}

impl Config for DataConfig {}

/// Burn's derived `new` would not take a [`DatasetKind`](crate::data::DatasetKind) for a [`DataSource`].
impl DataConfig {
    /// All examples of a data set, as they are.
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

    /// Channels, height and width of a padded image.
    pub(super) fn image_shape(&self) -> [usize; 3] {
        let [channels, height, width] = self.dataset.image_shape();
        let frame = 2 * self.padding;
        [channels, height + frame, width + frame]
    }
}

impl TrainingConfig {
    /// Loads the data set with its images [prepared](DataConfig::prepare); see [`Dataset::load`], and
    /// [`Dataset::stream`] for a configuration that says so.
    ///
    /// # Errors
    /// As [`Dataset::load`] or [`Dataset::stream`], and if the images are too large for this machine when they are padded.
    pub fn load_data(&self, data_dir: Option<&Path>) -> Result<Dataset, TrainingError> {
        let source = &self.data.dataset;
        self.prepare_data(match self.data.stream {
            false => Dataset::load(source, data_dir)?,
            true => Dataset::stream(source, data_dir)?,
        })
    }

    /// The images of a data set that was loaded before, [prepared](DataConfig::prepare).
    ///
    /// # Errors
    /// If the images are too large for this machine when they are padded.
    pub fn prepare_data(&self, dataset: Dataset) -> Result<Dataset, TrainingError> {
        self.check_data(&dataset)?;
        Ok(dataset.map(|examples| self.data.prepare(examples)))
    }
}
