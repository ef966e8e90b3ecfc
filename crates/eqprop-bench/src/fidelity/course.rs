//! The residual of the configured free phase, step by step.

use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::estimator::EquilibriumPropagation;
use serde::Serialize;

use super::equilibrium::read;
use super::problem::Problem;

/// The residual that counts as converged if the configuration has no tolerance.
const DEFAULT_TOLERANCE: f64 = 1e-3;

/// Distance of the free phase from an equilibrium after each step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FreePhaseCourse {
    /// The residual after each step.
    pub residuals: Vec<ResidualQuantiles>,
    /// The configured number of steps.
    pub free_steps: usize,
    /// The residual that counts as converged: the configured tolerance, or 1e-3.
    pub tolerance: f64,
    /// Share of the examples within the tolerance after the configured number of steps.
    pub converged: f64,
}

/// The residuals of the examples after a step: the largest change of a unit in that step, divided by the step
/// size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ResidualQuantiles {
    /// The number of the step, from 1.
    pub step: usize,
    /// The smallest.
    pub min: f64,
    /// The first decile: a tenth of the examples are at most here.
    pub tenth: f64,
    /// The median: half of the examples are at most here.
    pub median: f64,
    /// The ninth decile: nine tenths of the examples are at most here.
    pub ninetieth: f64,
    /// The largest.
    pub max: f64,
}

/// The free phase of one batch from its start, with the configured dynamics.
#[derive(Debug)]
pub(super) struct FreeCourse {
    /// The states after the requested steps.
    pub states: Vec<(usize, State)>,
    /// The residual of each example after each step.
    residuals: Vec<Vec<f64>>,
}

impl<E: VectorField, C: Cost> Problem<'_, E, C> {
    /// Follows the free phase from its start to the last of `steps`.
    pub fn follow(&self, dynamics: Scheme, steps: &[usize]) -> FreeCourse {
        let energy = &self.network.energy;
        let total = TotalEnergy::<E, C>::free(energy, &self.clamped);
        let last = steps.iter().copied().max().unwrap_or(1);
        let mut course = FreeCourse {
            states: Vec::new(),
            residuals: Vec::new(),
        };
        let mut before: Option<State> = None;
        let start = self.network.start(&self.batch.input, &self.clamped);
        Relaxation::steps(dynamics, last).relax_observed(&total, start, |step, state| {
            if let Some(before) = before.replace(state.clone()) {
                let residual = dynamics.residual(&total, &before, state);
                course.residuals.push(read(residual));
            }
            if steps.contains(&step) {
                course.states.push((step, state.clone()));
            }
        });
        course
    }
}

/// Summarizes the residuals of all batches.
pub(super) fn summarize(
    courses: &[FreeCourse],
    estimator: &EquilibriumPropagation<Scheme>,
) -> FreePhaseCourse {
    let stopping = estimator.free.stopping;
    let tolerance = stopping.tolerance.unwrap_or(DEFAULT_TOLERANCE);
    let n_steps = courses.iter().map(|c| c.residuals.len()).min().unwrap_or(0);
    let all = |step: usize| -> Vec<f64> {
        let residuals = courses.iter().flat_map(|c| c.residuals[step].clone());
        residuals.collect()
    };
    let reached = all(stopping.max_steps.min(n_steps) - 1);
    let converged = reached.iter().filter(|&&r| r <= tolerance).count();
    FreePhaseCourse {
        residuals: (0..n_steps)
            .map(|step| quantiles(step + 1, all(step)))
            .collect(),
        free_steps: stopping.max_steps,
        tolerance,
        converged: converged as f64 / reached.len() as f64,
    }
}

fn quantiles(step: usize, mut values: Vec<f64>) -> ResidualQuantiles {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    ResidualQuantiles {
        step,
        min: at(0.0),
        tenth: at(0.1),
        median: at(0.5),
        ninetieth: at(0.9),
        max: at(1.0),
    }
}
