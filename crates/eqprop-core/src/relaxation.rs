//! How a minimum is found: the one loop over steps.

mod adaptive_flow;
mod anderson;
mod dynamics;
mod trace;

use burn::config::Config;
use burn::tensor::Tensor;

use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::{ConfigError, RelaxationError};
use crate::state::State;
pub use adaptive_flow::AdaptiveFlow;
pub use anderson::Anderson;
pub use dynamics::{Dynamics, Scheme};
pub use trace::Trace;

/// How a state relaxes: which dynamics, and when to stop.
///
/// `D` is the rule of one step: one of the [`Scheme`]s, or a [`Dynamics`] of your own.
#[derive(Debug, Clone)]
pub struct Relaxation<D = Scheme> {
    /// The rule of one step.
    pub dynamics: D,
    /// When to stop.
    pub stopping: Stopping,
}

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

    fn assert_valid(&self) {
        if let Err(error) = self.validate() {
            panic!("{error}");
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
    /// [`Dynamics::residual`]. `[batch]`
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

impl<D: Dynamics> Relaxation<D> {
    /// A relaxation of `max_steps` steps, without a tolerance.
    pub fn steps(dynamics: D, max_steps: usize) -> Self {
        Self {
            dynamics,
            stopping: Stopping::new(max_steps),
        }
    }

    /// Stops early when the residual is at most `tolerance`.
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.stopping.tolerance = Some(tolerance);
        self
    }

    /// Relaxes `start` toward a minimum of `total`.
    ///
    /// With a built-in scheme in `f32` on `flex` all steps are one computation; the result is that of
    /// [`relax_observed`](Self::relax_observed) up to rounding.
    ///
    /// # Panics
    /// If [`Stopping::validate`] fails, with its message.
    pub fn relax<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        start: State,
    ) -> Relaxed {
        self.stopping.assert_valid();
        #[cfg(feature = "flex")]
        if let Some(scheme) = self.dynamics.scheme()
            && let Some(relaxed) = total.relax_fused(scheme, self.stopping, &start)
        {
            return relaxed;
        }
        self.relax_observed(total, start, |_, _| {})
    }

    /// As [`relax`](Self::relax), and calls `observe` with the start as step 0 and with the
    /// state after each step.
    ///
    /// # Panics
    /// As [`relax`](Self::relax).
    pub fn relax_observed<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        start: State,
        mut observe: impl FnMut(usize, &State),
    ) -> Relaxed {
        self.stopping.assert_valid();
        let Stopping {
            max_steps,
            tolerance,
            check_every,
        } = self.stopping;
        let mut dynamics = self.dynamics.begin();
        let mut state = start;
        observe(0, &state);
        let mut step = 0;
        loop {
            step += 1;
            let last = step >= max_steps;
            let check = tolerance.filter(|_| step % check_every == 0);
            let before = (last || check.is_some()).then(|| state.clone());
            dynamics.step(total, &mut state);
            observe(step, &state);
            let Some(before) = before else { continue };
            let residual = dynamics.residual(total, &before, &state);
            // A state that is infinite or not a number does not recover.
            let go_on = check.is_some_and(|tolerance| {
                let largest = largest(&residual);
                largest.is_finite() && largest > tolerance
            });
            if last || (check.is_some() && !go_on) {
                return Relaxed {
                    state,
                    residual,
                    n_steps: step,
                    tolerance,
                };
            }
        }
    }
}

/// The largest entry, or NaN if one is NaN.
fn largest(values: &Tensor<1>) -> f64 {
    let values = values.clone().into_data().iter::<f64>().collect::<Vec<_>>();
    values.into_iter().fold(0.0, |a, b| {
        if a.is_nan() || b.is_nan() {
            f64::NAN
        } else {
            a.max(b)
        }
    })
}
