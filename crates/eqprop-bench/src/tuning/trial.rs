//! Something that was tried.

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

/// How much of a standard error a halving of the steps is worth.
const WORTH_OF_HALVING: f64 = 0.25;

/// Values that were tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// Where its values come from.
    pub origin: Origin,
    /// The values, in the order of the parameters.
    pub values: Vec<f64>,
    /// What it showed at each rung that it reached.
    pub measured: Vec<Measured>,
    /// Why it was given up, if it was.
    pub failure: Option<String>,
}

/// Where the values of a trial come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration that the search began with.
    Start,
    /// The steps and β that fidelity recommends.
    Fidelity,
    /// Drawn within the limits.
    Random,
    /// Drawn around another trial.
    Near(usize),
    /// Another trial with fewer steps.
    Cheaper(usize),
}

/// What a trial showed at a rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The rung.
    pub rung: usize,
    /// The error on the held-out examples, of each seed.
    pub errors: Vec<f64>,
    /// Mean cost on these examples, likewise.
    pub costs: Vec<f64>,
    /// Seconds since the rung before.
    pub seconds: f64,
}

impl Trial {
    /// A trial before it is trained.
    pub fn new(number: usize, origin: Origin, values: Vec<f64>) -> Self {
        Self {
            number,
            origin,
            values,
            measured: Vec::new(),
            failure: None,
        }
    }

    /// What it showed at a rung.
    pub fn at(&self, rung: usize) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.rung == rung)
    }

    /// What it showed last.
    pub fn last(&self) -> Option<&Measured> {
        self.measured.last()
    }
}

impl Measured {
    /// The mean error.
    pub fn error(&self) -> f64 {
        mean(&self.errors)
    }

    /// The mean cost.
    pub fn cost(&self) -> f64 {
        mean(&self.costs)
    }

    /// What trials are compared by, less is better: with error `e` on `n` examples and `steps` steps for an example,
    ///
    /// ```text
    /// e + ¼ √(e(1 − e)/n) log₂(steps / steps of the start)
    /// ```
    ///
    /// The root is the standard error of a share of the examples; of the share of several labels that is wrong it is the most
    /// that theirs can be. An error of 0 is taken for half an example. Where two are equal the lower cost wins.
    pub fn score(&self, n_examples: usize, steps: [usize; 2]) -> f64 {
        let (n, error) = (n_examples as f64, self.error());
        let likely = (error * n + 0.5) / (n + 1.0);
        let deviation = (likely * (1.0 - likely) / n).sqrt();
        // Below what one example more or less changes, so that it only parts equals.
        let cost = self.cost();
        let tie = 1e-3 / n * (cost / (1.0 + cost));
        error + WORTH_OF_HALVING * deviation * doublings(steps) + tie
    }

    /// The same of the mean absolute error of quantities, whose standard error is that of errors with a normal distribution:
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

/// How often steps were doubled since the start.
fn doublings([steps, of_start]: [usize; 2]) -> f64 {
    (steps.max(1) as f64 / of_start.max(1) as f64).log2()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
