//! The plan by which trials are trained and judged.

use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};

/// Number of further seeds with which full trainings are repeated.
const MORE_SEEDS: usize = 2;
/// One in this many training examples is held out to judge trials, if the configuration holds out none.
const SHARE: usize = 6;
/// The most examples held out: more take longer than they are worth.
const MOST_VALIDATION: usize = 5000;
/// The fewest updates on a rung: shorter trainings say nothing about longer ones. A full training of few
/// updates has fewer rungs.
const LEAST_UPDATES: usize = 20;

/// The plan by which trials are trained and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Number of epochs of a full training.
    pub epochs: usize,
    /// Number of training examples that trials use, including the held-out ones, if not all.
    pub n_train: Option<usize>,
    /// Number of training examples held out to judge trials.
    pub n_validation: usize,
    /// The rungs: fractions of a full training, in ascending order, up to 1.
    pub rungs: Vec<f64>,
    /// Number of further seeds with which full trainings are repeated, at the last rung.
    pub more_seeds: usize,
}

impl Plan {
    /// Creates a plan for trainings of `epochs` epochs on `n_train` examples, some of which are held out.
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

    /// Returns the same plan with `n_train` examples to learn from.
    pub fn with_n_train(self, n_train: usize) -> Self {
        let n_train = Some(n_train + self.n_validation);
        Self { n_train, ..self }
    }

    /// Returns the index of the rung of the repetitions.
    pub fn last_rung(&self) -> usize {
        self.rungs.len()
    }

    /// Describes the length of a training up to a rung.
    pub fn length(&self, rung: usize) -> String {
        let epochs = self.rungs.get(rung).unwrap_or(&1.0) * self.epochs as f64;
        match epochs.fract() == 0.0 {
            true if epochs == 1.0 => "1 epoch".to_string(),
            true => format!("{epochs:.0} epochs"),
            false => format!("{epochs:.1} epochs"),
        }
    }

    /// Returns a configuration as it is trained in the search.
    pub fn searched(&self, mut config: TrainingConfig) -> TrainingConfig {
        config.epochs = self.epochs;
        config.data.n_train = self.n_train.or(config.data.n_train);
        config.data.n_validation = self.n_validation;
        config
    }
}
