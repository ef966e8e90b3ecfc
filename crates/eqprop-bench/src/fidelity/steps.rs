//! The estimate as a function of the number of steps.

use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_train::estimator::EquilibriumPropagation;
use serde::Serialize;

use super::agreement::{Agreements, ByNudging};
use super::course::FreeCourse;
use super::problem::{Nudge, Problem};

/// The estimate at the configured β as a function of the steps of both phases, under the configured dynamics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepCurves {
    /// The nudging factor.
    pub beta: f64,
    /// For each number of free steps `T`, with converged nudged phases.
    pub free: Vec<StepPoint>,
    /// For each number of free steps `T`, with the configured number of nudged steps.
    pub free_with_configured: Vec<StepPoint>,
    /// The configured number of nudged steps.
    pub nudged_steps: usize,
    /// For each number of nudged steps `K`, from the converged free equilibrium.
    pub nudged: Vec<StepPoint>,
}

/// The estimate after a number of steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepPoint {
    /// The number of steps.
    pub steps: usize,
    /// Agreement of the estimates with the exact gradient.
    pub estimates: ByNudging<Agreements>,
}

/// Returns numbers of steps spaced about equally in their logarithm, up to four times `configured` and at
/// least 30, including `configured`.
pub(super) fn grid(configured: usize) -> Vec<usize> {
    let largest = (4 * configured).max(30);
    let tens = (0..).map(|exponent| 10usize.saturating_pow(exponent));
    let series = tens.flat_map(|ten| [12, 20, 30, 50, 80].map(|n| n * ten));
    let mut steps = vec![1, 2, 3, 5, 8];
    steps.extend(series.take_while(|&n| n < largest));
    steps.extend([configured, largest]);
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// Measures the estimates at each `T` of the courses and each `K` of `nudged_grid`.
pub(super) fn measure<E: VectorField, C: Cost>(
    problems: &[Problem<'_, E, C>],
    courses: &[FreeCourse],
    estimator: &EquilibriumPropagation<Scheme>,
    nudged_grid: &[usize],
    mut tick: impl FnMut(),
) -> StepCurves {
    let beta = estimator.nudging.beta();
    let nudge = Nudge::new(beta, problems[0].network);
    let nudge = nudge.expect("the configured nudging was validated");
    let nudged_steps = estimator.nudged.stopping.max_steps;
    let after = |problem: &Problem<'_, E, C>, start: &State, steps: &[usize]| {
        let mut found = Vec::new();
        let dynamics = estimator.nudged.dynamics;
        problem.nudge_for(steps, dynamics, start, nudge, |steps, nudged| {
            let estimates = problem.agreements(start, nudged, beta);
            found.push(StepPoint { steps, estimates });
        });
        found
    };

    let (mut free, mut free_with_configured, mut nudged) = (Vec::new(), Vec::new(), Vec::new());
    for (problem, course) in problems.iter().zip(courses) {
        let (mut converged, mut configured) = (Vec::new(), Vec::new());
        for (steps, state) in &course.states {
            tick();
            let (equilibrium, _) = problem.nudge(state, nudge);
            converged.push(StepPoint {
                steps: *steps,
                estimates: problem.agreements(state, &equilibrium, beta),
            });
            let as_configured = after(problem, state, &[nudged_steps]);
            configured.extend(as_configured.into_iter().map(|point| StepPoint {
                steps: *steps,
                ..point
            }));
        }
        free.push(converged);
        free_with_configured.push(configured);
        nudged.push(after(problem, &problem.free, nudged_grid));
    }
    StepCurves {
        beta,
        free: worst(&free),
        free_with_configured: worst(&free_with_configured),
        nudged_steps,
        nudged: worst(&nudged),
    }
}

/// Returns the worst over the batches at each number of steps.
fn worst(batches: &[Vec<StepPoint>]) -> Vec<StepPoint> {
    let points = batches[0].iter().enumerate().map(|(index, point)| {
        let batches = batches.iter().map(|batch| batch[index].estimates.clone());
        StepPoint {
            steps: point.steps,
            estimates: ByNudging::worst(&batches.collect::<Vec<_>>()),
        }
    });
    points.collect()
}
