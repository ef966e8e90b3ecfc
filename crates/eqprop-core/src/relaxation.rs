//! The search for a minimum: the one loop over steps.

mod adaptive_flow;
mod anderson;
mod asynchronous;
mod dynamics;
mod error_descent;
mod fixed_point;
mod gradient_flow;
mod scheme;
mod trace;

pub use self::adaptive_flow::*;
pub use self::anderson::*;
pub use self::dynamics::Dynamics;
pub use self::error_descent::ErrorDescent;
pub use self::scheme::Scheme;
pub use self::trace::Trace;
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::assert_valid;
use crate::relaxed::largest;
pub use crate::relaxed::{Outcome, RelaxationError, RelaxationInfo, Relaxed, Stopping};
use crate::state::State;

/// A relaxation: its dynamics, and when it stops.
///
/// `D` is the rule of one step: one of the [`Scheme`]s, or a user-defined [`Dynamics`].
#[derive(Debug, Clone)]
pub struct Relaxation<D = Scheme> {
    /// The rule of one step.
    pub dynamics: D,
    /// The stopping criterion.
    pub stopping: Stopping,
}

impl<D: Dynamics> Relaxation<D> {
    /// Creates a relaxation of `max_steps` steps, without a tolerance.
    pub fn steps(dynamics: D, max_steps: usize) -> Self {
        Self {
            dynamics,
            stopping: Stopping::new(max_steps),
        }
    }

    /// Sets a tolerance: the relaxation stops early when the residual is at most `tolerance`.
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.stopping.tolerance = Some(tolerance);
        self
    }

    /// Relaxes `start` toward a minimum of `total`.
    ///
    /// With `Asynchronous`, `FixedPoint` and `GradientFlow`, in `f32` on `flex` or a GPU backend, the
    /// steps are fused into one computation if the backend supports all parts of the network; the
    /// result is that of [`relax_observed`](Self::relax_observed) up to rounding.
    ///
    /// # Panics
    /// If [`Stopping::validate`] fails, with its message.
    pub fn relax<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        start: State,
    ) -> Relaxed {
        assert_valid(self.stopping.validate());
        let fused = self.dynamics.fused();
        let relaxed = fused.and_then(|update| total.relax_fused(update, self.stopping, &start));
        relaxed.unwrap_or_else(|| self.relax_observed(total, start, |_, _| {}))
    }

    /// Relaxes as [`relax`](Self::relax) does, step by step, and calls `observe` with the start as step
    /// 0 and with the state after each step.
    ///
    /// # Panics
    /// As [`relax`](Self::relax).
    pub fn relax_observed<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        start: State,
        mut observe: impl FnMut(usize, &State),
    ) -> Relaxed {
        assert_valid(self.stopping.validate());
        let stopping = self.stopping;
        let mut dynamics = self.dynamics.begin();
        let mut state = start;
        observe(0, &state);
        let mut step = 0;
        loop {
            step += 1;
            let last = step >= stopping.max_steps;
            let is_check = step % stopping.check_every == 0;
            let check = stopping.tolerance.filter(|_| is_check);
            let before = (last || check.is_some()).then(|| state.clone());
            dynamics.step(total, &mut state);
            observe(step, &state);
            let Some(before) = before else { continue };
            let residual = dynamics.residual(total, &before, &state);
            // A state that is infinite or NaN does not recover.
            let is_over = check.is_some_and(|tolerance| {
                let largest = largest(&residual);
                !largest.is_finite() || largest <= tolerance
            });
            if last || is_over {
                return Relaxed {
                    state,
                    residual,
                    n_steps: step,
                    tolerance: stopping.tolerance,
                };
            }
        }
    }
}
