//! A comparison as it is kept, to go on with it.

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::arm;
use super::error::ComparisonError;
use super::plan::Addition;
use super::run::{Comparison, Run};
use crate::timing::StepCost;

/// The form of a stored comparison; raised when it changes. The configuration of form 1 was flat; arms of forms 1 and 2
/// differed in nothing but their method.
const FORMAT: u64 = 3;

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
    /// The cost of a training step of each arm, as far as it was measured.
    pub steps: Vec<ArmCost>,
}

/// What a training step of an arm costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmCost {
    /// The name of the arm. Before form 3 it was the method.
    #[serde(default)]
    pub arm: String,
    /// The cost.
    #[serde(flatten)]
    pub cost: StepCost,
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

    /// As [`Comparison::extended`]; the cost of a step is still that of its arm.
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

    /// Whether the parts fit together.
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
