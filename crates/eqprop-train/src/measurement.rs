//! What a training measures.

use serde::{Deserialize, Serialize};

use crate::update::MeasuredRatios;

/// What an epoch measured. Errors are shares of the examples, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Training error: each example is judged by its free phase, before its update.
    pub train_error: f64,
    /// Mean cost on the training examples, measured likewise.
    pub train_cost: f64,
    /// Error on the validation examples at the end of the epoch, if some are held out.
    #[serde(default)]
    pub validation_error: Option<f64>,
    /// Mean cost on these examples.
    #[serde(default)]
    pub validation_cost: Option<f64>,
    /// Error on the test examples at the end of the epoch, if there are any.
    pub test_error: Option<f64>,
    /// Mean cost on these examples.
    pub test_cost: Option<f64>,
    /// Mean energy at the end of the free phases of the training, if there is an energy.
    pub energy: Option<f64>,
    /// Mean residual at the end of the free phases of the training.
    pub residual: f64,
    /// Share of the training examples whose residual was above the tolerance (0.01 if there is
    /// none).
    pub unconverged: f64,
    /// Mean number of steps of the free phases of the training.
    pub free_steps: f64,
    /// Seconds of training, without the evaluation.
    pub seconds: f64,
    /// Of these, seconds in the gradient estimator.
    pub seconds_estimating: f64,
    /// Of these, seconds in the optimizer.
    pub seconds_optimizing: f64,
    /// `‖ΔW‖/‖W‖` of each parameter, mean of the updates of the epoch that were measured: the
    /// first and every 50th after it.
    pub update_ratios: Vec<(String, f64)>,
}

impl EpochRecord {
    /// The error that a choice between trainings or epochs should go by: on the validation examples
    /// if some are held out, else on the test examples.
    pub fn held_out_error(&self) -> f64 {
        let error = self.validation_error.or(self.test_error);
        error.expect("a training has validation examples, test examples or both")
    }

    /// Whether everything measured is finite: JSON has no other numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let ratios = self.update_ratios.iter().map(|(_, ratio)| *ratio);
        let means = [self.train_cost, self.residual];
        let optional = [self.test_cost, self.validation_cost, self.energy];
        let optional = optional.into_iter().flatten();
        ratios.chain(means).chain(optional).all(f64::is_finite)
    }
}

/// Where an epoch stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Updates done in this epoch.
    pub n_updates: usize,
    /// Training examples done in this epoch.
    pub n_done: usize,
    /// Training examples of an epoch.
    pub n_total: usize,
    /// Training error, as of a moment ago.
    pub train_error: f64,
}

/// The error and mean cost on a set of examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Share of the examples that are classified wrongly, in [0, 1].
    pub error: f64,
    /// Mean cost.
    pub cost: f64,
    /// Mean residual at the end of the free phase.
    pub residual: f64,
    /// Number of examples.
    pub n_examples: usize,
}

/// Sums over examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Examples.
    pub n_examples: usize,
    /// Of these, examples that were classified wrongly.
    pub errors: f64,
    /// Costs.
    pub cost: f64,
    /// Energies, if there is an energy.
    pub energy: Option<f64>,
    /// Residuals.
    pub residual: f64,
    /// Examples that did not converge.
    pub unconverged: f64,
    /// Steps of the free phase.
    pub steps: f64,
}

impl Sums {
    /// A sum as a mean over the examples.
    pub fn mean(&self, sum: f64) -> f64 {
        sum / self.n_examples as f64
    }

    /// Whether all are finite: JSON has no other numbers.
    pub fn is_finite(&self) -> bool {
        let energy = self.energy.unwrap_or_default();
        [self.cost, energy, self.residual]
            .iter()
            .all(|sum| sum.is_finite())
    }
}

/// A paused epoch, as far as it is text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedEpoch {
    /// Updates done in this epoch.
    pub n_updates: usize,
    /// What the training examples showed so far.
    pub sums: Sums,
    /// What the updates measured so far.
    pub update_ratios: MeasuredRatios,
    /// Seconds of training.
    pub seconds: f64,
    /// Of these, seconds in the gradient estimator.
    pub seconds_estimating: f64,
    /// Of these, seconds in the optimizer.
    pub seconds_optimizing: f64,
}

impl UnfinishedEpoch {
    /// Whether everything measured is finite: JSON has no other numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let mut ratios = self.update_ratios.sums.iter();
        self.sums.is_finite() && ratios.all(|(_, sum)| sum.is_finite())
    }
}
