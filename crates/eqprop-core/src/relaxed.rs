//! When a relaxation stops, and what it gives.

use burn::config::Config;
use burn::tensor::Tensor;

use crate::error::ConfigError;
use crate::state::State;

/// When a relaxation stops.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct Stopping {
    /// The most steps to take; `T` (free) and `K` (nudged) in Ernoult et al. (2019).
    pub max_steps: usize,
    /// Stop early when the residual is at most this; see [`Relaxed::residual`].
    pub tolerance: Option<f64>,
    /// With a tolerance: read the residual back every so many steps. Each reading waits for
    /// the device.
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

/// A state after a relaxation, and how far it came.
#[derive(Debug, Clone)]
pub struct Relaxed {
    /// The last state.
    pub state: State,
    /// For each example, the largest change of any unit in the last step, divided by the step
    /// size where the dynamics has one: for the synchronous fixed point the residual
    /// `max |σ(drive) − s|` of the state before the last, for others see
    /// [`Dynamics::residual`](crate::relaxation::Dynamics::residual). `[batch]`
    pub residual: Tensor<1>,
    /// Number of steps taken.
    pub n_steps: usize,
    /// The tolerance that was asked for.
    pub tolerance: Option<f64>,
}

/// The outcome of a relaxation, in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelaxationInfo {
    /// How it ended.
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
    /// Some unit is infinite or not a number.
    NotFinite,
}

impl Relaxed {
    /// The outcome. Reads the residual back, which waits for the device.
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

    /// The state, if it is an equilibrium: for callers that must not go on from anything else.
    ///
    /// # Errors
    /// If the tolerance was not reached, or the state is not finite. Without a tolerance a
    /// finite state is taken as it is.
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
    /// The step limit came first.
    #[error(
        "no equilibrium after {} steps: residual {:e} is above the tolerance {tolerance:e}; \
         raise the number of steps or the tolerance", info.n_steps, info.residual
    )]
    NotConverged {
        /// What was reached.
        info: RelaxationInfo,
        /// What was asked for.
        tolerance: f64,
    },
    /// The state is not finite.
    #[error(
        "the state became infinite or not a number after {} steps; use a smaller step size, \
         nudging factor or learning rate", info.n_steps
    )]
    NotFinite {
        /// What was reached.
        info: RelaxationInfo,
    },
}

/// The largest entry of numbers that are not negative, or NaN if one is NaN.
pub(crate) fn largest(values: &Tensor<1>) -> f64 {
    let values = values.clone().into_data();
    let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    values.iter::<f64>().fold(0.0, larger)
}
