//! The trainings of a comparison.

use eqprop_train::error::CheckpointError;
use eqprop_train::training::{EpochRecord, Progress};
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::correctness::Correctness;
use super::error::{ComparisonError, MOST_SEEDS};
use super::plan::Plan;
use crate::method::Method;

/// A comparison of several ways to train, each with several seeds.
///
/// For each seed, arms with the same network start from the same weights, see the same examples in the same
/// order and use the same optimizer and learning rates, except for what is varied. They take turns epoch by
/// epoch, so that their times are measured in the same minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The description of the arms.
    #[serde(flatten)]
    pub plan: Plan,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// One entry per seed and arm, in this order, for the runs that were started.
    pub runs: Vec<Run>,
    /// The arms of the plan.
    #[serde(skip)]
    pub(super) arms: Vec<Arm>,
}

/// One training of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The name of its arm. Before format 3 this was the method.
    #[serde(default)]
    pub arm: String,
    /// The method.
    pub method: Method,
    /// The seed.
    pub seed: u64,
    /// The measurements of the finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// The reason for an early end, if it failed.
    pub failure: Option<String>,
    /// Which of the examples used to compare trainings it got right after its last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<Correctness>,
}

/// An event in the course of a comparison.
#[derive(Debug)]
pub enum Event<'a> {
    /// Progress within an epoch.
    Batch {
        /// The run.
        run: &'a Run,
        /// The number of the epoch, from 1.
        epoch: usize,
        /// The progress within the epoch.
        progress: Progress,
    },
    /// The end of an epoch, or of a run that failed in it.
    Epoch {
        /// The run.
        run: &'a Run,
        /// The number of the epoch, from 1.
        epoch: usize,
        /// The comparison so far.
        comparison: &'a Comparison,
    },
    /// A training in progress could not be saved. The training goes on.
    Unsaved {
        /// The reason.
        error: &'a CheckpointError,
    },
}

/// Returns `n_seeds` consecutive seeds from `first` on.
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
