//! Size limits, checked before anything is allocated: a failed allocation ends a program without an
//! explanation.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{AttentionConfig, ConnectionKind, Pooling};
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig};
use eqprop_core::error::ConfigError;
use eqprop_core::shape::LayerShape;

use super::TrainingConfig;
use crate::data::Dataset;
use crate::data::memory::{SHARE, memory};
use crate::error::TrainingError;
use crate::initial_state::InitialState;

/// Largest count of anything, such as epochs or steps: the product of two still fits a 64-bit integer.
const MOST: usize = u32::MAX as usize;
/// Widest padding: the number of pixels of an image still fits an integer.
const MOST_PADDING: usize = 1 << 15;
/// Largest number of hidden layers, and of skip connections: ten times those of any network ever trained
/// in this way.
const MOST_LAYERS: usize = 1000;
/// Arrays of the size of the parameters that a training holds: the parameters, their values before the
/// epoch, packed copies for both directions, the gradient, a velocity.
const PARAMETERS: f64 = 6.0;
/// Minimum number of arrays of the size of a state that a training step holds: the free state, two nudged
/// ones and their drives.
const STATES: f64 = 4.0;
/// Copies of the images: the data set as loaded and as prepared, the training's part of it, and the copy
/// on the device.
const IMAGES: f64 = 4.0;

impl TrainingConfig {
    /// Checks the magnitude of every number, as far as single fields determine.
    pub(super) fn check_numbers(&self) -> Result<(), TrainingError> {
        let (data, network, phases) = (&self.data, &self.network, &self.phases);
        for (field, found, most) in [
            ("padding", data.padding, MOST_PADDING),
            ("augmentation shift", data.augmentation.shift, MOST),
            ("n_train", data.n_train.unwrap_or(0), MOST),
            ("n_validation", data.n_validation, MOST),
            ("hidden layers", network.hidden.len(), MOST_LAYERS),
            ("skips", network.skips.len(), MOST_LAYERS),
            ("free_steps", phases.free_steps, MOST),
            ("nudged_steps", phases.nudged_steps, MOST),
            ("check_every", phases.check_every, MOST),
            ("batch_size", self.batch_size, MOST),
            ("epochs", self.epochs, MOST),
        ] {
            if found > most {
                return Err(TrainingError::TooMany { field, most, found });
            }
        }
        let optimizer = &self.optimizer;
        let numbers = [
            ("beta", phases.nudging.beta()),
            ("tolerance", phases.tolerance.unwrap_or(0.0)),
            ("momentum", optimizer.momentum),
            ("weight_decay", optimizer.weight_decay),
            ("gradient_clip", optimizer.gradient_clip.unwrap_or(0.0)),
        ];
        let rates = optimizer.learning_rates.iter();
        let rates = rates.map(|&rate| ("learning_rates", rate));
        for (field, number) in numbers.into_iter().chain(rates) {
            // Non-finite numbers have an error of their own.
            if number.is_finite() {
                ConfigError::single_precision(field, number)?;
            }
        }
        for &gain in &network.gains {
            ConfigError::positive_number("gains", gain)?;
        }
        Ok(())
    }

    /// Checks that parameters and states fit into the memory of this machine.
    pub(super) fn check_memory(&self) -> Result<(), TrainingError> {
        let energy = self.energy();
        let shape = |layer: usize| match layer {
            0 => energy.input,
            layer => energy.layers[layer - 1].shape,
        };
        let units = |shape: LayerShape| shape.n_units() as f64;
        let (mut parameters, mut states) = (0.0, units(energy.input) + STATES * n_units(&energy));
        for connection in &energy.connections {
            let (from, to) = (shape(connection.from), shape(connection.to));
            match connection.kind {
                ConnectionKind::Dense => parameters += units(from) * units(to),
                ConnectionKind::Identity => {}
                ConnectionKind::Attention(AttentionConfig { heads, width }) => {
                    let [channels, rows, columns] = to.maps().unwrap_or_default();
                    let n_tokens = rows as f64 * columns as f64;
                    let n_columns = heads as f64 * width as f64;
                    parameters += 2.0 * channels as f64 * n_columns;
                    // Queries, keys and what either collects; scores and probabilities.
                    states += 4.0 * n_tokens * n_columns;
                    states += 2.0 * heads as f64 * n_tokens * n_tokens;
                }
                ConnectionKind::Convolution(convolution) => {
                    let [below, height, width] = from.maps().unwrap_or_default();
                    let [channels, ..] = to.maps().unwrap_or_default();
                    let kernel = convolution.kernel as f64;
                    parameters += kernel * kernel * below as f64 * channels as f64;
                    let frame = 2.0 * convolution.padding as f64;
                    states += below as f64 * (height as f64 + frame) * (width as f64 + frame);
                    let before_pooling = convolution.with_pooling(Pooling::None);
                    let [rows, columns] =
                        before_pooling.output([height, width]).unwrap_or_default();
                    states += channels as f64 * rows as f64 * columns as f64;
                }
            }
        }
        let most_examples = self.data.dataset.most_examples();
        let n_train = self.data.n_train.unwrap_or(most_examples);
        let batch = self.batch_size.min(n_train).min(most_examples) as f64;
        in_memory("parameters", PARAMETERS * parameters)?;
        in_memory("states of a batch", batch * states)
    }

    /// Checks that the states of `n_steps` steps of a batch fit into the memory of this machine, for methods
    /// that store the whole trajectory.
    ///
    /// # Errors
    /// If they do not.
    ///
    /// # Panics
    /// As [`energy`](Self::energy).
    pub fn check_trajectory(&self, n_steps: usize) -> Result<(), TrainingError> {
        let numbers = n_units(&self.energy()) * n_steps as f64;
        let batch = self.batch_size.min(self.data.dataset.most_examples()) as f64;
        in_memory("states of all steps", batch * numbers)
    }

    /// Checks that the padded images of `dataset`, and the persistent particles if there are any, fit into
    /// the memory of this machine.
    ///
    /// # Errors
    /// If they do not.
    pub fn check_data(&self, dataset: &Dataset) -> Result<(), TrainingError> {
        self.check_numbers()?;
        let frame = 2 * self.data.padding;
        let parts = [&dataset.train, &dataset.test].into_iter();
        let in_memory_whole = parts.filter(|examples| examples.stream.is_none());
        let numbers = in_memory_whole.map(|examples| {
            let [channels, height, width] = examples.shape.map(|size| size as f64);
            let (height, width) = (height + frame as f64, width + frame as f64);
            examples.len() as f64 * channels * height * width
        });
        in_memory("padded images", IMAGES * numbers.sum::<f64>())?;
        if self.phases.start == InitialState::Particles {
            let n_train = self.data.n_train.unwrap_or(usize::MAX);
            let n_examples = n_train.min(dataset.train.len()) as f64;
            in_memory("particles", n_examples * n_units(&self.energy()))?;
        }
        Ok(())
    }
}

/// Returns the number of values in the state of one example, over all free layers.
fn n_units(energy: &HopfieldEnergyConfig) -> f64 {
    let layers = energy.layers.iter();
    // A phase is stored as a cosine and a sine.
    let numbers = |layer: &LayerConfig| match layer.activation {
        Activation::Phase => 2.0 * layer.n_units() as f64,
        _ => layer.n_units() as f64,
    };
    layers.map(numbers).sum()
}

/// Checks that `n_numbers` numbers in single precision fit into the [share](SHARE) of the memory.
fn in_memory(what: &'static str, n_numbers: f64) -> Result<(), TrainingError> {
    let (needed, there) = (n_numbers * size_of::<f32>() as f64, SHARE * memory());
    if needed <= there {
        Ok(())
    } else {
        Err(TrainingError::Memory {
            what,
            needed,
            there,
        })
    }
}
