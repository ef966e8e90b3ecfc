//! A comparison as it is stored, to be resumed later.

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::arm;
use super::error::ComparisonError;
use super::plan::Addition;
use super::run::{Comparison, Run};
use crate::timing::StepCost;

/// The format of a stored comparison; raised whenever it changes. In format 1 the configuration was flat; in
/// formats 1 and 2 arms differed only in their method.
const FORMAT: u64 = 3;

/// A whole comparison except its trainings in progress, which are in [`Checkpoints`](super::Checkpoints).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredComparison {
    /// The format, for later versions.
    format: u64,
    /// The command line that repeats the comparison.
    pub command: String,
    /// Name of the configuration.
    pub preset: String,
    /// The device on which it was started.
    pub device: String,
    /// Fingerprint of the data.
    pub data: String,
    /// The trainings.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The cost of a training step of each arm, as far as it was measured.
    pub steps: Vec<ArmCost>,
}

/// The cost of a training step of one arm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmCost {
    /// The name of the arm. Before format 3 this was the method.
    #[serde(default)]
    pub arm: String,
    /// The cost.
    #[serde(flatten)]
    pub cost: StepCost,
}

impl StoredComparison {
    /// Creates the record of a new comparison; `data` is the fingerprint of its training data.
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

    /// Reads a stored comparison; redundant fields are ignored, and derived from the others.
    ///
    /// # Errors
    /// If its format is newer, it is damaged, or it cannot work.
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
        let runs = stored.comparison.runs.iter_mut();
        let runs = runs.map(|run| (&mut run.arm, run.method));
        let steps = stored
            .steps
            .iter_mut()
            .map(|step| (&mut step.arm, step.cost.method));
        for (arm, method) in runs.chain(steps).filter(|(arm, _)| arm.is_empty()) {
            *arm = method.to_string();
        }
        stored.comparison.arms = stored.comparison.plan.arms()?;
        stored.check()?;
        stored.format = FORMAT;
        Ok(stored)
    }

    /// Does the same as [`Comparison::extended`]; the cost of a step stays with its arm.
    ///
    /// # Errors
    /// As [`Comparison::extended`].
    pub fn extended(
        mut self,
        epochs: Option<usize>,
        n_seeds: Option<usize>,
        more: &Addition,
    ) -> Result<Self, ComparisonError> {
        let before = self.comparison.arms().to_vec();
        self.comparison = self.comparison.extended(epochs, n_seeds, more)?;
        for step in &mut self.steps {
            step.arm = arm::renamed(&step.arm, &before, self.comparison.arms());
        }
        Ok(self)
    }

    /// Checks that the parts are consistent.
    fn check(&self) -> Result<(), ComparisonError> {
        let inconsistent = |what| Err(ComparisonError::Inconsistent { what });
        let comparison = &self.comparison;
        let first = comparison.plan.config.seed;
        let seeds = super::run::seeds(first, comparison.seeds.len())?;
        if seeds != comparison.seeds {
            return inconsistent(format!(
                "the seeds do not follow one another from {first} on"
            ));
        }
        for (index, run) in comparison.runs.iter().enumerate() {
            let name = format!("{} with seed {}", run.arm, run.seed);
            let arm = comparison.arm(&run.arm);
            let Some(arm) =
                arm.filter(|arm| arm.method == run.method && comparison.seeds.contains(&run.seed))
            else {
                return inconsistent(format!("{name} is not part of the comparison"));
            };
            let is_same = |other: &Run| other.arm == run.arm && other.seed == run.seed;
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
            let epochs = arm.config.epochs;
            if !in_order || run.epochs.len() > epochs {
                return inconsistent(format!(
                    "the epochs of {name} do not count from 1 to {epochs}"
                ));
            }
        }
        Ok(())
    }
}
