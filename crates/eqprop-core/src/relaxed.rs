//! The stopping criterion and the result of a relaxation.

use burn::config::Config;
use burn::tensor::Tensor;

use crate::error::ConfigError;
use crate::state::State;

/// The stopping criterion of a relaxation.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct Stopping {
    /// Maximum number of steps; `T` (free) and `K` (nudged) in Ernoult et al. (2019).
    pub max_steps: usize,
    /// Residual at or below which the relaxation stops early; see [`Relaxed::residual`].
    pub tolerance: Option<f64>,
    /// With a tolerance: number of steps between readbacks of the residual. Each one waits for the
    /// device.
    #[config(default = 10)]
    pub check_every: usize,
}

impl Stopping {
    /// Checks the ranges.
    ///
    /// # Errors
    /// If a number of steps is 0, or the tolerance is not a positive number.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("max_steps", self.max_steps)?;
        ConfigError::at_least_one("check_every", self.check_every)?;
        match self.tolerance {
            Some(tolerance) => ConfigError::positive_number("tolerance", tolerance),
            None => Ok(()),
        }
    }
}

/// The result of a relaxation.
#[derive(Debug, Clone)]
pub struct Relaxed {
    /// The final state.
    pub state: State,
    /// For each example, the largest change of any unit in the last step, divided by the step size if
    /// the dynamics has one: for the synchronous fixed point the residual `max |σ(drive) − s|` of the
    /// state before the last; for others see
    /// [`Dynamics::residual`](crate::relaxation::Dynamics::residual). `[batch]`
    pub residual: Tensor<1>,
    /// Number of steps taken.
    pub n_steps: usize,
    /// The requested tolerance.
    pub tolerance: Option<f64>,
}

/// The outcome of a relaxation, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelaxationInfo {
    /// How the relaxation ended.
    pub outcome: Outcome,
    /// Number of steps taken.
    pub n_steps: usize,
    /// The largest residual of the batch.
    pub residual: f64,
}

/// How a relaxation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The residual of every example is within the tolerance.
    Converged,
    /// All steps were taken; without a tolerance, the normal end.
    MaxSteps,
    /// Some unit is infinite or NaN.
    NotFinite,
}

impl Relaxed {
    /// Returns the outcome. Reads the residual back, which waits for the device.
    pub fn info(&self) -> RelaxationInfo {
        let residual = largest(&self.residual);
        let outcome = match self.tolerance {
            _ if !residual.is_finite() => Outcome::NotFinite,
            Some(tolerance) if residual <= tolerance => Outcome::Converged,
            _ => Outcome::MaxSteps,
        };
        RelaxationInfo {
            outcome,
            n_steps: self.n_steps,
            residual,
        }
    }

    /// Returns the state if it is an equilibrium, for callers that must not continue from anything
    /// else.
    ///
    /// # Errors
    /// If the tolerance was not reached, or the state is not finite. Without a tolerance any finite
    /// state is returned.
    pub fn converged(self) -> Result<State, RelaxationError> {
        let info = self.info();
        match (info.outcome, self.tolerance) {
            (Outcome::NotFinite, _) => Err(RelaxationError::NotFinite { info }),
            (Outcome::MaxSteps, Some(tolerance)) => {
                Err(RelaxationError::NotConverged { info, tolerance })
            }
            _ => Ok(self.state),
        }
    }
}

/// A relaxation that did not reach an equilibrium.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelaxationError {
    /// The maximum number of steps was reached first.
    #[error(
        "no equilibrium after {} steps: residual {:e} is above the tolerance {tolerance:e}; \
         raise the number of steps or the tolerance", info.n_steps, info.residual
    )]
    NotConverged {
        /// The outcome.
        info: RelaxationInfo,
        /// The requested tolerance.
        tolerance: f64,
    },
    /// The state is not finite.
    #[error(
        "the state became infinite or not a number after {} steps; use a smaller step size, \
         nudging factor or learning rate", info.n_steps
    )]
    NotFinite {
        /// The outcome.
        info: RelaxationInfo,
    },
}

/// The largest of numbers that are not negative, or NaN if one is NaN.
pub(crate) fn largest(values: &Tensor<1>) -> f64 {
    let values = values.clone().into_data();
    let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    values.iter::<f64>().fold(0.0, larger)
}
