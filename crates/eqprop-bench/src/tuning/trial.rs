//! A trial of a search.

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

/// The value of halving the steps, in standard errors.
const WORTH_OF_HALVING: f64 = 0.25;

/// The values of one trial and its measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// The source of its values.
    pub origin: Origin,
    /// The values, in the order of the parameters.
    pub values: Vec<f64>,
    /// Its measurement at each rung that it reached.
    pub measured: Vec<Measured>,
    /// The reason why it was given up, if it was.
    pub failure: Option<String>,
}

/// The source of the values of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration that the search started from.
    Start,
    /// The steps and β recommended by fidelity.
    Fidelity,
    /// Drawn at random within the limits.
    Random,
    /// Drawn around another trial.
    Near(usize),
    /// Another trial with fewer steps.
    Cheaper(usize),
}

/// The measurement of a trial at a rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The rung.
    pub rung: usize,
    /// The error on the held-out examples, for each seed.
    pub errors: Vec<f64>,
    /// The mean cost on these examples, for each seed.
    pub costs: Vec<f64>,
    /// Seconds since the previous rung.
    pub seconds: f64,
}

impl Trial {
    /// Creates a trial that has not been trained.
    pub fn new(number: usize, origin: Origin, values: Vec<f64>) -> Self {
        Self {
            number,
            origin,
            values,
            measured: Vec::new(),
            failure: None,
        }
    }

    /// Returns the measurement at a rung.
    pub fn at(&self, rung: usize) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.rung == rung)
    }

    /// Returns the latest measurement.
    pub fn last(&self) -> Option<&Measured> {
        self.measured.last()
    }
}

impl Measured {
    /// Returns the mean error over the seeds.
    pub fn error(&self) -> f64 {
        mean(&self.errors)
    }

    /// Returns the mean cost over the seeds.
    pub fn cost(&self) -> f64 {
        mean(&self.costs)
    }

    /// Returns the score by which trials are compared, lower is better: for error `e` on `n` examples and
    /// `steps` steps per example,
    ///
    /// ```text
    /// e + ¼ √(e(1 − e)/n) log₂(steps / steps of the start)
    /// ```
    ///
    /// The root is the standard error of a share of the examples; for the share of wrong labels it is an
    /// upper bound of the standard error. An error of 0 counts as half an example. Between equals the lower
    /// cost wins.
    pub fn score(&self, n_examples: usize, steps: [usize; 2]) -> f64 {
        let (n, error) = (n_examples as f64, self.error());
        let likely = (error * n + 0.5) / (n + 1.0);
        let deviation = (likely * (1.0 - likely) / n).sqrt();
        // Smaller than the effect of one example, so that it only separates equals.
        let cost = self.cost();
        let tie = 1e-3 / n * (cost / (1.0 + cost));
        error + WORTH_OF_HALVING * deviation * doublings(steps) + tie
    }

    /// Returns the score for the mean absolute error of quantities, whose standard error is that of normally
    /// distributed errors:
    ///
    /// ```text
    /// e + ¼ √((π/2 − 1)/n) e log₂(steps / steps of the start)
    /// ```
    pub fn score_of_distances(&self, n_examples: usize, steps: [usize; 2]) -> f64 {
        let error = self.error();
        let deviation = ((FRAC_PI_2 - 1.0) / n_examples as f64).sqrt() * error;
        error + WORTH_OF_HALVING * deviation * doublings(steps)
    }
}

/// Returns how often the steps have doubled relative to the start.
fn doublings([steps, of_start]: [usize; 2]) -> f64 {
    (steps.max(1) as f64 / of_start.max(1) as f64).log2()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
