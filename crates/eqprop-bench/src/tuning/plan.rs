//! How trials are trained and judged.

use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};

/// Seeds of a trial that is trained to the end more than once, beside its first.
const MORE_SEEDS: usize = 2;
/// The part of the training examples by which trials are judged, where the configuration holds out none.
const SHARE: usize = 6;
/// More of them take longer than they are worth.
const MOST_VALIDATION: usize = 5000;
/// Shorter trainings tell nothing of longer ones: a whole training of fewer updates has fewer rungs.
const LEAST_UPDATES: usize = 20;

/// How trials are trained and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Epochs of a whole training.
    pub epochs: usize,
    /// Training examples that trials see, where they are not all; those by which they are judged among them.
    pub n_train: Option<usize>,
    /// Training examples that are held out, by which trials are judged.
    pub n_validation: usize,
    /// The rungs: parts of a whole training, in ascending order, up to 1.
    pub rungs: Vec<f64>,
    /// The last rung: further seeds with which whole trainings are repeated.
    pub more_seeds: usize,
}

impl Plan {
    /// Trainings of `epochs` epochs, on `n_train` examples of which some are held out.
    pub fn new(config: &TrainingConfig, n_train: usize, epochs: usize) -> Self {
        let n_validation = match config.data.n_validation {
            0 => (n_train / SHARE).clamp(1, MOST_VALIDATION),
            n => n,
        };
        let n_updates = n_train.saturating_sub(n_validation) / config.batch_size.max(1) * epochs;
        let rungs = [1.0 / 9.0, 1.0 / 3.0, 1.0];
        let is_long = |part: &f64| *part == 1.0 || part * n_updates as f64 >= LEAST_UPDATES as f64;
        Self {
            epochs,
            n_train: None,
            n_validation,
            rungs: rungs.into_iter().filter(is_long).collect(),
            more_seeds: MORE_SEEDS,
        }
    }

    /// The same on the first `n_train` examples only.
    pub fn with_n_train(self, n_train: usize) -> Self {
        let n_train = Some(n_train + self.n_validation);
        Self { n_train, ..self }
    }

    /// The rung of the repetitions.
    pub fn last_rung(&self) -> usize {
        self.rungs.len()
    }

    /// The length of a training up to a rung, in words.
    pub fn length(&self, rung: usize) -> String {
        let epochs = self.rungs.get(rung).unwrap_or(&1.0) * self.epochs as f64;
        match epochs.fract() == 0.0 {
            true if epochs == 1.0 => "1 epoch".to_string(),
            true => format!("{epochs:.0} epochs"),
            false => format!("{epochs:.1} epochs"),
        }
    }

    /// A configuration as it is trained in the search.
    pub fn searched(&self, mut config: TrainingConfig) -> TrainingConfig {
        config.epochs = self.epochs;
        config.data.n_train = self.n_train.or(config.data.n_train);
        config.data.n_validation = self.n_validation;
        config
    }
}
