//! The data of a training configuration.

use std::path::Path;

use burn::config::Config;

use super::TrainingConfig;
use crate::batch::Augmentation;
use crate::data::{Dataset, DatasetKind, Examples};
use crate::error::TrainingError;

/// What a training is on.
#[derive(Config, Debug, PartialEq)]
pub struct DataConfig {
    /// Data set: "digits", "mnist", "fashion-mnist" or "cifar-10".
    pub dataset: DatasetKind,
    /// Train on the first so many examples only; null for all.
    pub n_train: Option<usize>,
    /// Hold out the last so many training examples, and report the validation error on them beside the
    /// test error.
    #[config(default = 0)]
    pub n_validation: usize,
    /// Zeros on each side of an image.
    #[config(default = 0)]
    pub padding: usize,
    /// Shift and scale each channel, see [`DatasetKind::normalization`].
    #[config(default = false)]
    pub normalize: bool,
    /// Random changes of the training images: {"shift": pixels in each direction, "flip": left
    /// for right, half of the time}.
    #[config(default = "Augmentation::default()")]
    pub augmentation: Augmentation,
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
    /// Loads the data set with its images [prepared](DataConfig::prepare); see [`Dataset::load`].
    ///
    /// # Errors
    /// As [`Dataset::load`], and if the images are too large for this machine when they are padded.
    pub fn load_data(&self, data_dir: Option<&Path>) -> Result<Dataset, TrainingError> {
        let dataset = Dataset::load(self.data.dataset, data_dir)?;
        self.check_data(&dataset)?;
        Ok(dataset.map(|examples| self.data.prepare(examples)))
    }
}
