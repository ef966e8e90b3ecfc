//! Trainings of a comparison.

use eqprop_train::config::TrainingConfig;
use eqprop_train::error::CheckpointError;
use eqprop_train::training::{EpochRecord, Progress};
use serde::{Deserialize, Serialize};

use super::error::{ComparisonError, MOST_SEEDS};
use crate::method::Method;

/// The same network trained by several methods, with several seeds.
///
/// For each seed all methods start from the same weights, see the same examples in the same order
/// and use the same optimizer and learning rates; nothing differs but the gradient. They take
/// turns epoch by epoch, so that their times are of the same minutes of the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The network, its phases and its training; the seed is replaced by each of `seeds`.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub config: TrainingConfig,
    /// The methods.
    pub methods: Vec<Method>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// One entry per seed and method, in this order, as far as they were started.
    pub runs: Vec<Run>,
}

/// One training of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The method.
    pub method: Method,
    /// The seed.
    pub seed: u64,
    /// What the finished epochs measured.
    pub epochs: Vec<EpochRecord>,
    /// Why it ended early, if it did by itself.
    pub failure: Option<String>,
}

/// Where a comparison stands.
#[derive(Debug)]
pub enum Event<'a> {
    /// Within an epoch.
    Batch {
        /// The run.
        run: &'a Run,
        /// The number of the epoch, from 1.
        epoch: usize,
        /// Its place in the epoch.
        progress: Progress,
    },
    /// At the end of an epoch, or of a run that failed in it.
    Epoch {
        /// The run.
        run: &'a Run,
        /// The number of the epoch, from 1.
        epoch: usize,
        /// All there is so far.
        comparison: &'a Comparison,
    },
    /// A training in progress could not be saved. It goes on.
    Unsaved {
        /// Why.
        error: &'a CheckpointError,
    },
}

/// `n_seeds` seeds from `first` on.
pub(super) fn seeds(first: u64, n_seeds: usize) -> Result<Vec<u64>, ComparisonError> {
    if n_seeds == 0 {
        return Err(ComparisonError::Nothing { what: "seed" });
    }
    let last = first.checked_add(n_seeds as u64 - 1);
    match last.filter(|_| n_seeds <= MOST_SEEDS) {
        Some(last) => Ok((first..=last).collect()),
        None => Err(ComparisonError::Seeds { first, n_seeds }),
    }
}
