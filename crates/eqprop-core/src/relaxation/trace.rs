//! Energy and residual of every step.

use burn::tensor::Tensor;

use super::dynamics::Dynamics;
use super::{Relaxation, Relaxed};
use crate::cost::Cost;
use crate::energy::{Energy, TotalEnergy};
use crate::relaxed::largest;
use crate::state::State;

/// The course of a relaxation: entry `t` belongs to the state after `t` steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// Batch mean of the total energy `F`.
    pub energy: Vec<f64>,
    /// Largest residual of any example in step `t + 1`, see [`Dynamics::residual`].
    pub residual: Vec<f64>,
}

impl<D: Dynamics> Relaxation<D> {
    /// Relaxes as [`relax`](Self::relax) does, and records a trace. Evaluates the energy and waits for
    /// the device at every step.
    pub fn relax_traced<E: Energy, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        start: State,
    ) -> (Relaxed, Trace) {
        let mut trace = Trace::default();
        let mut before: Option<State> = None;
        let relaxed = self.relax_observed(total, start, |_, state| {
            let energy: Tensor<1> = total.value(state).mean();
            trace.energy.push(energy.into_scalar::<f64>());
            if let Some(before) = before.replace(state.clone()) {
                let residual = self.dynamics.residual(total, &before, state);
                trace.residual.push(largest(&residual));
            }
        });
        (relaxed, trace)
    }
}
