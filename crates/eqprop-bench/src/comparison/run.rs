//! Trainings of a comparison.

use eqprop_train::error::CheckpointError;
use eqprop_train::training::{EpochRecord, Progress};
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::correctness::Correctness;
use super::error::{ComparisonError, MOST_SEEDS};
use super::plan::Plan;
use crate::method::Method;

/// Ways to train, held against each other with several seeds.
///
/// For each seed, arms of one network start from the same weights, see the same examples in the same
/// order and use the same optimizer and learning rates, but for what is varied. They take
/// turns epoch by epoch, so that their times are of the same minutes of the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    #[serde(flatten)]
    pub plan: Plan,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// One entry per seed and arm, in this order, as far as they were started.
    pub runs: Vec<Run>,
    /// As the plan has them.
    #[serde(skip)]
    pub(super) arms: Vec<Arm>,
}

/// One training of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The name of its arm. Before form 3 it was the method.
    #[serde(default)]
    pub arm: String,
    /// The method.
    pub method: Method,
    /// The seed.
    pub seed: u64,
    /// What the finished epochs measured.
    pub epochs: Vec<EpochRecord>,
    /// Why it ended early, if it did by itself.
    pub failure: Option<String>,
    /// Which of the examples by which trainings are held against one another it got right after its last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<Correctness>,
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
