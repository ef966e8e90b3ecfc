//! The fewest steps and the largest β that suffice.

use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Scheme;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use serde::Serialize;

use super::agreement::{Agreements, NudgingKind};
use super::beta::{BetaCurve, BetaPoint};
use super::course::FreeCourse;
use super::problem::{Nudge, Nudged, Problem};

/// Smaller nudging factors are not searched: they cost as many steps, and are lost in the rounding errors of
/// a training in `f32`.
const SMALLEST_BETA: f64 = 0.01;

/// The cheapest numbers of free steps `T` and nudged steps `K`, and the β, with which the cosine of every
/// parameter reaches the bound on every batch, for the configured nudging and dynamics.
///
/// The cost is `T + n·K` steps with `n` nudged phases (two if centered); of two choices of equal cost the
/// larger β wins. A random sign has to reach the bound with either sign. Every free phase starts at rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The bound.
    pub bound: f64,
    /// The kind of nudging.
    pub nudging: NudgingKind,
    /// The dynamics of both phases.
    pub dynamics: Scheme,
    /// The choice that suffices, if any of those searched does.
    pub enough: Option<Candidate>,
    /// The best choice found if none suffices.
    pub best: Option<Candidate>,
    /// The cause that keeps the best choice below the bound.
    pub limit: Option<Limit>,
    /// The agreement of the configured estimator, with its own number of steps.
    pub configured: Candidate,
}

/// A choice of steps and β, and the agreement it reaches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Steps of the free phase.
    pub free_steps: usize,
    /// Steps of each nudged phase.
    pub nudged_steps: usize,
    /// Nudging factor.
    pub beta: f64,
    /// Total number of steps of all phases.
    pub cost: usize,
    /// Agreement of the estimate with the exact gradient.
    pub agreements: Agreements,
}

/// The cause that keeps an estimate from the exact gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// With converged phases this β would reach the bound: it takes more steps than were searched.
    Steps,
    /// Even converged phases would not reach the bound, and units cross kinks of their activation.
    Kinks,
    /// Even converged phases would not reach the bound, although the equilibrium is smooth in β.
    Beta,
}

/// A search for the cheapest choice.
pub(super) struct Search<'a, 'n, E: VectorField, C: Cost> {
    pub problems: &'a [Problem<'n, E, C>],
    pub courses: &'a [FreeCourse],
    pub estimator: &'a EquilibriumPropagation<Scheme>,
    pub nudged_grid: &'a [usize],
    pub curve: &'a BetaCurve,
    pub bound: f64,
}

impl<E: VectorField, C: Cost> Search<'_, '_, E, C> {
    /// Searches all free steps of the courses.
    pub fn run(&self, mut tick: impl FnMut()) -> Recommendation {
        let (mut enough, mut best) = (None::<Candidate>, None::<Candidate>);
        let points = self.promising();
        let free_grid = self.courses[0].states.iter().map(|(steps, _)| *steps);
        for (index, free_steps) in free_grid.enumerate() {
            tick();
            for point in &points {
                let affordable = |nudged_steps: usize| match &enough {
                    None => true,
                    Some(found) => {
                        let cost = self.cost(free_steps, nudged_steps);
                        let larger = point.beta.abs() > found.beta.abs();
                        cost < found.cost || (cost == found.cost && larger)
                    }
                };
                let grid = self.nudged_grid.iter().copied();
                let grid: Vec<usize> = grid.filter(|&steps| affordable(steps)).collect();
                for candidate in self.candidates(index, free_steps, point.beta, &grid) {
                    let cosine = candidate.agreements.lowest_cosine();
                    if cosine >= self.bound {
                        enough = Some(candidate);
                        // The remaining candidates take more steps.
                        break;
                    }
                    let is_better = |best: &Candidate| cosine > best.agreements.lowest_cosine();
                    if best.as_ref().is_none_or(is_better) {
                        best = Some(candidate);
                    }
                }
            }
        }
        let best = best.filter(|_| enough.is_none());
        Recommendation {
            bound: self.bound,
            nudging: self.kind(),
            dynamics: self.estimator.free.dynamics,
            limit: best.as_ref().map(|best| self.limit(best.beta)),
            enough,
            best,
            configured: self.configured(),
        }
    }

    fn kind(&self) -> NudgingKind {
        self.estimator.nudging.into()
    }

    fn cost(&self, free_steps: usize, nudged_steps: usize) -> usize {
        let n_phases = match self.kind() {
            NudgingKind::OneSided | NudgingKind::RandomSign => 1,
            NudgingKind::Centered => 2,
        };
        free_steps + n_phases * nudged_steps
    }

    /// Returns the lowest cosine with converged phases; none where this kind of nudging is refused.
    fn converged(&self, point: &BetaPoint) -> Option<f64> {
        let found = point.estimates.get(self.kind());
        found.map(Agreements::lowest_cosine)
    }

    /// Returns the points of the curve to search, the largest β first: those that reach the bound with
    /// converged phases, or else the one that comes closest.
    fn promising(&self) -> Vec<&BetaPoint> {
        let configured = self.estimator.nudging.beta();
        let points = self.curve.points.iter().rev();
        let points: Vec<_> = points
            .filter(|point| point.beta.abs() >= SMALLEST_BETA || point.beta == configured)
            .filter(|point| self.converged(point).is_some())
            .collect();
        let good: Vec<_> = points
            .iter()
            .copied()
            .filter(|point| self.converged(point) >= Some(self.bound))
            .collect();
        if !good.is_empty() {
            return good;
        }
        let closest = points.into_iter().max_by(|a, b| {
            let [a, b] = [a, b].map(|point| self.converged(point).unwrap_or(-1.0));
            a.total_cmp(&b)
        });
        closest.into_iter().collect()
    }

    /// Returns the candidates with `beta`, the free steps at `index` of the courses, and each number of
    /// nudged steps in `grid`, from few to many.
    fn candidates(
        &self,
        index: usize,
        free_steps: usize,
        beta: f64,
        grid: &[usize],
    ) -> Vec<Candidate> {
        if grid.is_empty() {
            return Vec::new();
        }
        let both = self.kind() != NudgingKind::OneSided;
        let mut found: Vec<Vec<Agreements>> = vec![Vec::new(); grid.len()];
        for (problem, course) in self.problems.iter().zip(self.courses) {
            let start = &course.states[index].1;
            let mut rows = found.iter_mut();
            let dynamics = self.estimator.nudged.dynamics;
            problem.nudge_for(grid, dynamics, start, Nudge { beta, both }, |_, nudged| {
                let row = rows.next().expect("each number of steps is visited once");
                let estimate = |nudged: &Nudged| match (self.kind(), &nudged.second) {
                    (NudgingKind::Centered, Some(second)) => {
                        vec![problem.agreement(start, &nudged.first, second, 0.5 / beta)]
                    }
                    (_, second) => {
                        let signs = [(Some(&nudged.first), beta), (second.as_ref(), -beta)];
                        let signs = signs.into_iter().filter_map(|(s, beta)| Some((s?, beta)));
                        signs
                            .map(|(s, beta)| problem.agreement(start, s, start, 1.0 / beta))
                            .collect()
                    }
                };
                row.extend(estimate(nudged));
            });
        }
        let candidates = grid
            .iter()
            .zip(found)
            .map(|(&nudged_steps, found)| Candidate {
                free_steps,
                nudged_steps,
                beta,
                cost: self.cost(free_steps, nudged_steps),
                agreements: Agreements::worst(&found).expect("there is at least one batch"),
            });
        candidates.collect()
    }

    fn limit(&self, beta: f64) -> Limit {
        let point = self.curve.points.iter().find(|point| point.beta == beta);
        let point = point.expect("only points of the curve are searched");
        let crossed = point.kinks.as_ref().map_or(0.0, |kinks| match self.kind() {
            NudgingKind::Centered => kinks.centered.unwrap_or(0.0),
            NudgingKind::OneSided | NudgingKind::RandomSign => kinks.one_sided,
        });
        if self.converged(point) >= Some(self.bound) {
            Limit::Steps
        } else if crossed > 0.0 {
            Limit::Kinks
        } else {
            Limit::Beta
        }
    }

    /// Measures the configured estimator.
    fn configured(&self) -> Candidate {
        let nudging = self.estimator.nudging;
        let signs = match nudging {
            // The sign is drawn for each batch, so both signs must suffice.
            Nudging::RandomSign { beta } => [beta, -beta]
                .map(|beta| Nudging::OneSided { beta })
                .to_vec(),
            other => vec![other],
        };
        let (mut free_steps, mut nudged_steps, mut found) = (0, 0, Vec::new());
        for problem in self.problems {
            for &nudging in &signs {
                let mut estimator = self.estimator.clone();
                estimator.nudging = nudging;
                let estimate = estimator.estimate(problem.network, &problem.batch, None);
                let taken = estimate.second_phase.map_or(0, |phase| phase.n_steps);
                free_steps = free_steps.max(estimate.free.n_steps);
                nudged_steps = nudged_steps.max(taken);
                found.push(problem.compare(&estimate.gradients));
            }
        }
        Candidate {
            free_steps,
            nudged_steps,
            beta: nudging.beta(),
            cost: self.cost(free_steps, nudged_steps),
            agreements: Agreements::worst(&found).expect("there is at least one batch"),
        }
    }
}
