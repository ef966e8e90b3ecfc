//! Tests differences of pairs.

use serde::{Deserialize, Serialize};

use super::student::{quantile, within};

/// The mean difference of pairs, with its confidence interval.
///
/// For differences `d_i` with mean `d` and standard deviation `s`, assumed to be normal,
///
/// ```text
/// d ± t · s/√n        t: the quantile of Student's distribution with n − 1 degrees of freedom
/// ```
///
/// contains the mean over all possible pairs with probability `level`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Number of pairs.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Sample standard deviation of the differences, with `n − 1`.
    pub deviation: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The p-value: the probability of a mean at least as far from 0 if there were no difference.
    pub p: f64,
}

impl PairedDifference {
    /// Tests differences that are multiples of `resolution`, which is `1/n` for errors on `n` examples.
    /// Returns `None` for fewer than two, which have no spread and no interval.
    ///
    /// Differences with such a coarse resolution may be equal by chance, and would then have no spread. The
    /// spread is therefore taken to be at least that of a rounding on either side, `√(1/6)` steps.
    pub fn of(differences: &[f64], resolution: f64, level: f64) -> Option<Self> {
        let n = differences.len();
        if n < 2 {
            return None;
        }
        let count = n as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let squares = differences.iter().map(|value| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        let error = deviation.max(resolution / 6f64.sqrt()) / count.sqrt();
        let half = quantile(level, n - 1) * error;
        let p = match error {
            0.0 if mean == 0.0 => 1.0,
            0.0 => 0.0,
            error => 1.0 - within(mean / error, n - 1),
        };
        Some(Self {
            n,
            mean,
            deviation,
            low: mean - half,
            high: mean + half,
            p: p.clamp(0.0, 1.0),
        })
    }

    /// Returns the number of pairs that would show a difference of this mean and deviation, if they continue
    /// as they began; `None` if the mean is 0 or more than `most` pairs would be needed.
    pub fn n_needed(&self, level: f64, most: usize) -> Option<usize> {
        let enough = |n: &usize| {
            let half = quantile(level, n - 1) * self.deviation / (*n as f64).sqrt();
            half < self.mean.abs()
        };
        (self.n + 1..=most).find(enough)
    }
}
