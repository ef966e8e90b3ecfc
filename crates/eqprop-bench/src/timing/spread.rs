//! Times that vary from one measurement to the next.

use serde::{Deserialize, Serialize};

/// Median and quartiles of repeated measurements, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the measurements are below.
    pub median: f64,
    /// The lower quartile: a quarter of the measurements is below.
    pub low: f64,
    /// The upper quartile: a quarter of the measurements is above.
    pub high: f64,
}

impl Spread {
    /// The spread of some measurements in any order. A quantile `q` of `n` of them lies at
    /// position `q·(n − 1)` of the sorted measurements, linearly between its neighbors.
    ///
    /// # Panics
    /// If there are none.
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
