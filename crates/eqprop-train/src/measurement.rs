//! Measurements of a training.

mod labels;

use serde::{Deserialize, Serialize};

use crate::update::MeasuredRatios;
pub use labels::{Classified, LabelCounts, LabelSums};

/// Measurements of an epoch. Errors are fractions of the examples, in [0, 1], or for multiple labels the
/// fractions of wrong labels; for quantities they are mean absolute errors in the quantities' own units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Training error; each example is evaluated by its free phase before its update.
    pub train_error: f64,
    /// Mean cost on the training examples, measured in the same way.
    pub train_cost: f64,
    /// Error on the validation examples at the end of the epoch, if any are held out.
    #[serde(default)]
    pub validation_error: Option<f64>,
    /// Mean cost on the validation examples.
    #[serde(default)]
    pub validation_cost: Option<f64>,
    /// Error on the test examples at the end of the epoch, if there are any.
    pub test_error: Option<f64>,
    /// Mean cost on the test examples.
    pub test_cost: Option<f64>,
    /// Mean energy at the end of the free phases in training, if there is an energy.
    pub energy: Option<f64>,
    /// Mean residual at the end of the free phases in training.
    pub residual: f64,
    /// Fraction of the training examples whose residual exceeded the tolerance (0.01 if there is none).
    pub unconverged: f64,
    /// Mean number of steps of the free phases in training.
    pub free_steps: f64,
    /// Training time in seconds, without the evaluation.
    pub seconds: f64,
    /// Seconds of that spent in the gradient estimator.
    pub seconds_estimating: f64,
    /// Seconds of that spent in the optimizer.
    pub seconds_optimizing: f64,
    /// Mean ratio `‖ΔW‖/‖W‖` of each parameter, over the measured updates of the epoch: the first and every
    /// 50th after it.
    pub update_ratios: Vec<(String, f64)>,
    /// Coefficient of determination R² of quantities: 1 minus the ratio of the sum of squared errors to the
    /// sum of squared deviations from the mean of the same examples, averaged over the quantities. 1 is
    /// perfect, 0 no better than the mean; `None` if the examples do not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_squared: Option<ByPart>,
    /// Fraction of the examples with all labels right, for multiple labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_matches: Option<ByPart>,
}

/// A measurement on each part of the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ByPart {
    /// Value on the training examples, each evaluated before its update.
    pub train: Option<f64>,
    /// Value on the validation examples.
    pub validation: Option<f64>,
    /// Value on the test examples.
    pub test: Option<f64>,
}

impl EpochRecord {
    /// Returns the error by which to choose between trainings or epochs: that on the validation examples
    /// if any are held out, and else on the test examples.
    pub fn held_out_error(&self) -> f64 {
        let error = self.validation_error.or(self.test_error);
        error.expect("a training has validation examples, test examples or both")
    }

    /// Returns R² on the same examples, if quantities are learned.
    pub fn held_out_r_squared(&self) -> Option<f64> {
        self.held_out(self.r_squared?)
    }

    /// Returns the fraction of the same examples with all labels right, if multiple labels are learned.
    pub fn held_out_exact_matches(&self) -> Option<f64> {
        self.held_out(self.exact_matches?)
    }

    fn held_out(&self, found: ByPart) -> Option<f64> {
        match self.validation_error {
            Some(_) => found.validation,
            None => found.test,
        }
    }

    /// Returns whether all measurements are finite: JSON has no other numbers.
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

/// Progress of an epoch.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Number of updates done in this epoch.
    pub n_updates: usize,
    /// Number of training examples done in this epoch.
    pub n_done: usize,
    /// Number of training examples per epoch.
    pub n_total: usize,
    /// Training error, updated at short intervals.
    pub train_error: f64,
}

/// Error and mean cost on a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Fraction of misclassified examples, in [0, 1]; for multiple labels the fraction of wrong labels (the
    /// Hamming loss); for quantities the mean absolute error in their own units, averaged over the
    /// quantities.
    pub error: f64,
    /// Mean cost.
    pub cost: f64,
    /// Mean residual at the end of the free phase.
    pub residual: f64,
    /// Number of examples.
    pub n_examples: usize,
    /// Fit of each quantity; empty for classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantities: Vec<Fit>,
    /// Counts of each of multiple labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSums>,
}

/// Prediction quality of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Coefficient of determination; see [`EpochRecord::r_squared`].
    pub r_squared: Option<f64>,
    /// Mean absolute error, in its own unit.
    pub mean_error: f64,
}

impl Evaluation {
    /// Returns the mean of [R²](EpochRecord::r_squared) over the quantities; `None` for classes and labels.
    pub fn r_squared(&self) -> Option<f64> {
        mean_of(self.quantities.iter().map(|fit| fit.r_squared))
    }

    /// Returns the fraction of the examples with all labels right; `None` for classes and quantities.
    pub fn exact_matches(&self) -> Option<f64> {
        let labels = self.labels.as_ref()?;
        Some(labels.exact_matches(self.n_examples))
    }
}

/// Returns the mean of some numbers, if none is missing.
fn mean_of(numbers: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let numbers: Option<Vec<f64>> = numbers.collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    Some(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// Sums over the examples of a quantity, for targets and errors in units of its standard deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FitSums {
    /// Sum of absolute errors.
    pub absolute: f64,
    /// Sum of squared errors.
    pub squares: f64,
    /// Sum of targets.
    pub targets: f64,
    /// Sum of squared targets.
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

    /// Returns the fit of the quantity, whose standard deviation is `unit`, over `n` examples.
    pub(crate) fn fit(&self, n: usize, unit: f64) -> Fit {
        let n = n as f64;
        let variance = self.target_squares - self.targets * self.targets / n;
        // The computed variance of a constant is a rounding error.
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

/// Returns the mean of [R²](EpochRecord::r_squared) over the quantities, from their sums over `n` examples.
pub(crate) fn r_squared(sums: &[FitSums], n: usize) -> Option<f64> {
    mean_of(sums.iter().map(|sums| sums.fit(n, 1.0).r_squared))
}

/// Sums over examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Number of examples.
    pub n_examples: usize,
    /// Number of misclassified examples; for multiple labels the sum of each example's fraction of wrong
    /// labels; for quantities the sum of absolute errors in their own units, averaged over the quantities of
    /// each example.
    pub errors: f64,
    /// Sum of costs.
    pub cost: f64,
    /// Sum of energies, if there is an energy.
    pub energy: Option<f64>,
    /// Sum of residuals.
    pub residual: f64,
    /// Number of examples that did not converge.
    pub unconverged: f64,
    /// Sum of the steps of the free phase.
    pub steps: f64,
}

impl Sums {
    /// Returns a sum as a mean over the examples.
    pub fn mean(&self, sum: f64) -> f64 {
        sum / self.n_examples as f64
    }

    /// Returns whether all sums are finite: JSON has no other numbers.
    pub fn is_finite(&self) -> bool {
        let energy = self.energy.unwrap_or_default();
        [self.cost, energy, self.residual, self.errors]
            .iter()
            .all(|sum| sum.is_finite())
    }
}

/// The part of a paused epoch stored as text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedEpoch {
    /// Number of updates done in this epoch.
    pub n_updates: usize,
    /// Sums over the training examples so far.
    pub sums: Sums,
    /// Sums of each quantity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<FitSums>,
    /// Counts of multiple labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSums>,
    /// Update ratios measured so far.
    pub update_ratios: MeasuredRatios,
    /// Training time in seconds.
    pub seconds: f64,
    /// Seconds of that spent in the gradient estimator.
    pub seconds_estimating: f64,
    /// Seconds of that spent in the optimizer.
    pub seconds_optimizing: f64,
}

impl UnfinishedEpoch {
    /// Returns whether all measurements are finite: JSON has no other numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let mut ratios = self.update_ratios.sums.iter();
        self.sums.is_finite()
            && self.fits.iter().all(FitSums::is_finite)
            && ratios.all(|(_, sum)| sum.is_finite())
    }
}
