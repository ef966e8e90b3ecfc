//! Summarizes times that vary between measurements.

use serde::{Deserialize, Serialize};

/// Median and quartiles of repeated measurements, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median: half of the measurements are below.
    pub median: f64,
    /// The lower quartile: a quarter of the measurements are below.
    pub low: f64,
    /// The upper quartile: a quarter of the measurements are above.
    pub high: f64,
}

impl Spread {
    /// Computes the spread of measurements in any order. The quantile `q` of `n` measurements lies at
    /// position `q·(n − 1)` of the sorted sequence, with linear interpolation.
    ///
    /// # Panics
    /// If there are no measurements.
    pub fn of(seconds: &[f64]) -> Self {
        assert!(!seconds.is_empty(), "a spread needs a measurement");
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let quantile = |share: f64| {
            let position = share * last as f64;
            let below = position.floor() as usize;
            let above = (below + 1).min(last);
            sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
        };
        Self {
            median: quantile(0.5),
            low: quantile(0.25),
            high: quantile(0.75),
        }
    }
}
