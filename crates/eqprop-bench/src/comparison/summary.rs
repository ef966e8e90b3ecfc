//! The summary of a comparison.

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::run::{Comparison, Run};
use crate::method::Method;

/// The mean over seeds and its spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanSpread {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation, with `n − 1`; none for a single seed.
    pub deviation: Option<f64>,
}

/// The results of the finished runs of an arm. Errors are shares of the examples or of their labels, in [0,
/// 1], or mean distances from quantities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The name of the arm.
    pub arm: String,
    /// The method.
    pub method: Method,
    /// Number of finished runs.
    pub n_finished: usize,
    /// Validation error after the last epoch, if examples are held out for validation.
    pub validation_error: Option<MeanSpread>,
    /// Test error after the last epoch, if there are test examples.
    pub test_error: Option<MeanSpread>,
    /// Training error in the last epoch.
    pub train_error: Option<MeanSpread>,
    /// The [share of the variance](EpochRecord::held_out_r_squared) of the quantities explained after the
    /// last epoch, on the examples used to compare trainings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_squared: Option<MeanSpread>,
    /// The [share of the examples](EpochRecord::held_out_exact_matches) with every label right after the last
    /// epoch, on the same examples, where several labels are learned at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_matches: Option<MeanSpread>,
    /// Training seconds per epoch, median over epochs and seeds.
    pub seconds_per_epoch: Option<f64>,
    /// Median ratio to the seconds of backprop in the same epoch, with the same configuration and seed.
    pub ratio_to_backprop: Option<f64>,
    /// Training seconds until the [held-out error](EpochRecord::held_out_error) was at most
    /// [`Comparison::common_error`], mean over seeds.
    pub seconds_to_common_error: Option<f64>,
}

impl MeanSpread {
    /// Computes mean and spread of `values`; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let deviation = (values.len() > 1).then(|| (squares.sum::<f64>() / (n - 1.0)).sqrt());
        Some(Self { mean, deviation })
    }
}

/// Returns the middle value, or the mean of the two middle values; `None` if there are none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[n / 2]),
        _ => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

pub(super) fn summarize(comparison: &Comparison) -> Vec<Summary> {
    let common = comparison.common_error();
    let arms = comparison.arms().iter();
    arms.map(|arm| {
        let runs: Vec<&Run> = comparison.finished_of(&arm.name).collect();
        let last = |value: fn(&EpochRecord) -> Option<f64>| {
            let ends = runs.iter().filter_map(|run| run.epochs.last());
            MeanSpread::of(&ends.filter_map(value).collect::<Vec<_>>())
        };
        let records = runs.iter().flat_map(|run| &run.epochs);
        let times = common.map(|error| {
            let times = runs.iter().filter_map(|run| seconds_to(run, error));
            times.collect::<Vec<_>>()
        });
        Summary {
            arm: arm.name.clone(),
            method: arm.method,
            n_finished: runs.len(),
            validation_error: last(|record| record.validation_error),
            test_error: last(|record| record.test_error),
            train_error: last(|record| Some(record.train_error)),
            r_squared: last(EpochRecord::held_out_r_squared),
            exact_matches: last(EpochRecord::held_out_exact_matches),
            seconds_per_epoch: median(records.map(|record| record.seconds).collect()),
            ratio_to_backprop: ratio(comparison, arm, &runs),
            seconds_to_common_error: times
                .and_then(|times| MeanSpread::of(&times))
                .map(|seconds| seconds.mean),
        }
    })
    .collect()
}

/// Returns the training seconds until the held-out error was at most `error`.
fn seconds_to(run: &Run, error: f64) -> Option<f64> {
    let mut seconds = 0.0;
    let mut records = run.epochs.iter();
    let reached = records.find(|record| {
        seconds += record.seconds;
        record.held_out_error() <= error
    });
    reached.map(|_| seconds)
}

fn ratio(comparison: &Comparison, arm: &Arm, runs: &[&Run]) -> Option<f64> {
    let mut arms = comparison.arms().iter();
    let twin = arms.find(|twin| twin.method == Method::Backprop && twin.config == arm.config)?;
    let pairs = runs.iter().filter_map(|run| {
        let twin = comparison.run(&twin.name, run.seed)?;
        Some(run.epochs.iter().zip(&twin.epochs))
    });
    median(
        pairs
            .flatten()
            .map(|(record, twin)| record.seconds / twin.seconds)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::{MeanSpread, median};

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = MeanSpread::of(&[1.0, 2.0, 3.0, 6.0]).expect("values");
        assert_eq!(spread.mean, 3.0);
        // Squared distances 4, 1, 0, 9 over n − 1 = 3.
        let deviation = spread.deviation.expect("more than one value");
        assert!((deviation - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(MeanSpread::of(&[5.0]).expect("a value").deviation, None);
        assert_eq!(MeanSpread::of(&[]), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
