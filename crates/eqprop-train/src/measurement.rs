//! What a training measures.

mod labels;

use serde::{Deserialize, Serialize};

use crate::update::MeasuredRatios;
pub use labels::{LabelCounts, LabelSums};

/// What an epoch measured. Errors are shares of the examples, in [0, 1], or of several labels at once the shares of the
/// labels that are wrong; of quantities they are mean absolute errors, in their own units.
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
    /// How well quantities are predicted, where those are learned: 1 less the sum of the squared errors by that of the
    /// squared distances from the mean of the same examples, mean over the quantities. 1 is perfect, 0 no better than the
    /// mean, and there is none where the examples do not differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_squared: Option<ByPart>,
    /// The shares of the examples of which every label is right, where several are learned at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_matches: Option<ByPart>,
}

/// What is measured beside the error, on each part of the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ByPart {
    /// On the training examples, each judged before its update.
    pub train: Option<f64>,
    /// On the validation examples.
    pub validation: Option<f64>,
    /// On the test examples.
    pub test: Option<f64>,
}

impl EpochRecord {
    /// The error that a choice between trainings or epochs should go by: on the validation examples
    /// if some are held out, else on the test examples.
    pub fn held_out_error(&self) -> f64 {
        let error = self.validation_error.or(self.test_error);
        error.expect("a training has validation examples, test examples or both")
    }

    /// The share of the variance that is explained, of the same examples, where quantities are learned.
    pub fn held_out_r_squared(&self) -> Option<f64> {
        self.held_out(self.r_squared?)
    }

    /// The share of the same examples of which every label is right, where several are learned at once.
    pub fn held_out_exact_matches(&self) -> Option<f64> {
        self.held_out(self.exact_matches?)
    }

    fn held_out(&self, found: ByPart) -> Option<f64> {
        match self.validation_error {
            Some(_) => found.validation,
            None => found.test,
        }
    }

    /// Whether everything measured is finite: JSON has no other numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let ratios = self.update_ratios.iter().map(|(_, ratio)| *ratio);
        let means = [self.train_cost, self.residual, self.train_error];
        let optional = [
            self.test_cost,
            self.validation_cost,
            self.energy,
            self.test_error,
            self.validation_error,
        ];
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Share of the examples that are classified wrongly, in [0, 1]; of several labels at once the share of the labels that
    /// are wrong (the Hamming loss); of quantities the mean absolute error, in their own units, mean over the quantities.
    pub error: f64,
    /// Mean cost.
    pub cost: f64,
    /// Mean residual at the end of the free phase.
    pub residual: f64,
    /// Number of examples.
    pub n_examples: usize,
    /// How well each quantity is predicted; nothing of classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantities: Vec<Fit>,
    /// How often each of several labels is found and missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSums>,
}

/// How well a quantity is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// See [`EpochRecord::r_squared`].
    pub r_squared: Option<f64>,
    /// Mean absolute error, in its own unit.
    pub mean_error: f64,
}

impl Evaluation {
    /// The mean of the [shares](EpochRecord::r_squared) of the quantities; none of classes and labels.
    pub fn r_squared(&self) -> Option<f64> {
        mean_of(self.quantities.iter().map(|fit| fit.r_squared))
    }

    /// The share of the examples of which every label is right; none of classes and quantities.
    pub fn exact_matches(&self) -> Option<f64> {
        let labels = self.labels.as_ref()?;
        Some(labels.exact_matches(self.n_examples))
    }
}

/// The mean of some numbers that are all there.
fn mean_of(numbers: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let numbers: Option<Vec<f64>> = numbers.collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    Some(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// Sums over examples of a quantity, of targets and errors in deviations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FitSums {
    /// Errors without their signs.
    pub absolute: f64,
    /// Squares of errors.
    pub squares: f64,
    /// Targets.
    pub targets: f64,
    /// Squares of targets.
    pub target_squares: f64,
}

impl FitSums {
    /// Adds an example.
    pub(crate) fn add(&mut self, predicted: f64, target: f64) {
        let error = predicted - target;
        self.absolute += error.abs();
        self.squares += error * error;
        self.targets += target;
        self.target_squares += target * target;
    }

    /// How well the quantity, whose deviation is `unit`, is predicted of `n` examples.
    pub(crate) fn fit(&self, n: usize, unit: f64) -> Fit {
        let n = n as f64;
        let variance = self.target_squares - self.targets * self.targets / n;
        // What does not vary has a rounding error for a variance.
        let varies = variance > 1e-9 * self.target_squares;
        Fit {
            r_squared: varies.then(|| 1.0 - self.squares / variance),
            mean_error: unit * self.absolute / n,
        }
    }

    fn is_finite(&self) -> bool {
        self.squares.is_finite()
    }
}

/// The mean of the [shares](EpochRecord::r_squared) of quantities of which these are the sums over `n` examples.
pub(crate) fn r_squared(sums: &[FitSums], n: usize) -> Option<f64> {
    mean_of(sums.iter().map(|sums| sums.fit(n, 1.0).r_squared))
}

/// Sums over examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Examples.
    pub n_examples: usize,
    /// Of these, examples that were classified wrongly; of several labels at once the share of each example's that are
    /// wrong; of quantities the absolute errors in their own units, the mean over the quantities of each example.
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
        [self.cost, energy, self.residual, self.errors]
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
    /// And of each quantity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<FitSums>,
    /// And of several labels at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSums>,
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
        self.sums.is_finite()
            && self.fits.iter().all(FitSums::is_finite)
            && ratios.all(|(_, sum)| sum.is_finite())
    }
}
