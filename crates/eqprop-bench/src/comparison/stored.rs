//! A comparison as it is kept, to go on with it.

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::error::ComparisonError;
use super::run::{Comparison, Run};
use crate::timing::StepCost;

/// The form of a stored comparison; raised when it changes. The configuration of form 1 was flat.
const FORMAT: u64 = 2;

/// All of a comparison but its trainings in progress: those are [`Checkpoints`](super::Checkpoints).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredComparison {
    /// The form, for versions to come.
    format: u64,
    /// The command that repeats it.
    pub command: String,
    /// Name of the configuration.
    pub preset: String,
    /// The device that it was started on.
    pub device: String,
    /// Fingerprint of the data.
    pub data: String,
    /// The trainings.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The cost of a training step of each method, as far as it was measured.
    pub steps: Vec<StepCost>,
}

impl StoredComparison {
    /// A comparison that begins; `data` is the fingerprint of what it trains on.
    pub fn new(
        comparison: Comparison,
        preset: String,
        device: String,
        data: String,
        command: String,
    ) -> Self {
        Self {
            format: FORMAT,
            command,
            preset,
            device,
            data,
            comparison,
            steps: Vec::new(),
        }
    }

    /// Reads what was stored; fields that this does not know are derived from the others.
    ///
    /// # Errors
    /// If it is of a newer format, damaged, or cannot work.
    pub fn from_json(text: &[u8]) -> Result<Self, ComparisonError> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<u64>,
        }

        let head: Head = serde_json::from_slice(text).map_err(ComparisonError::NotStored)?;
        match head.format {
            None => return Err(ComparisonError::Unversioned),
            Some(found) if found > FORMAT => {
                let newest = FORMAT;
                return Err(ComparisonError::Version { found, newest });
            }
            Some(_) => {}
        }
        let mut stored: Self = serde_json::from_slice(text).map_err(ComparisonError::NotStored)?;
        stored.check()?;
        stored.format = FORMAT;
        Ok(stored)
    }

    /// Whether the parts fit together.
    fn check(&self) -> Result<(), ComparisonError> {
        let inconsistent = |what| Err(ComparisonError::Inconsistent { what });
        let comparison = &self.comparison;
        comparison.config.validate()?;
        comparison.check_methods()?;
        let seeds = super::run::seeds(comparison.config.seed, comparison.seeds.len())?;
        if seeds != comparison.seeds {
            let first = comparison.config.seed;
            return inconsistent(format!(
                "the seeds do not follow one another from {first} on"
            ));
        }
        for (index, run) in comparison.runs.iter().enumerate() {
            let Run { method, seed, .. } = *run;
            let name = format!("{method} with seed {seed}");
            if !comparison.methods.contains(&method) || !comparison.seeds.contains(&seed) {
                return inconsistent(format!("{name} is not part of the comparison"));
            }
            let is_same = |other: &Run| other.method == method && other.seed == seed;
            if comparison.runs[..index].iter().any(is_same) {
                return inconsistent(format!("{name} is there twice"));
            }
            let is_judged = |record: &EpochRecord| {
                record.validation_error.is_some() || record.test_error.is_some()
            };
            if !run.epochs.iter().all(is_judged) {
                return inconsistent(format!("an epoch of {name} has no error"));
            }
            let counts = |(index, record): (usize, &EpochRecord)| record.epoch == index + 1;
            let in_order = run.epochs.iter().enumerate().all(counts);
            if !in_order || run.epochs.len() > comparison.config.epochs {
                let epochs = comparison.config.epochs;
                return inconsistent(format!(
                    "the epochs of {name} do not count from 1 to {epochs}"
                ));
            }
        }
        Ok(())
    }
}
