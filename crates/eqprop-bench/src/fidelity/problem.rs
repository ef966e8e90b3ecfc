//! A batch with its free equilibrium and its exact gradient.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{GradientEstimator, into_params};
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use super::agreement::{Agreements, ByNudging, LayerGradients};
use super::equilibrium::{Phase, largest, read, select};
use super::error::FidelityError;
use super::precision::Precision;
use crate::baseline::{ImplicitExact, RecurrentBackprop};

/// The most units of a network whose costate is also found by a linear solve, and the number of examples
/// used: the Jacobian takes one product per unit, its factorization a time cubic in their number.
const SOLVED: (usize, usize) = (600, 8);

/// How exact the reference gradient is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Exactness {
    /// Largest residual of the free equilibria.
    pub free_residual: f64,
    /// The largest number of steps to a free equilibrium: those of the configured free phase, then
    /// asynchronous ones.
    pub free_steps: usize,
    /// Largest change of the costates in their last sweep.
    pub costate_residual: f64,
    /// The smallest group of examples that makes up half of the squared costate, as a share of all. These
    /// examples dominate the gradient. The share is small if a few are close to losing their equilibrium,
    /// where the gradient grows without bound and only a small β follows it.
    pub half: f64,
    /// Relative difference from the gradient by a linear solve for the costate, on a few examples of the
    /// first batch; none for large networks.
    pub solve_difference: Option<f64>,
}

/// A batch with its free equilibrium and its exact gradient.
pub(super) struct Problem<'a, E: VectorField, C: Cost> {
    pub network: &'a EquilibriumNetwork<E, C>,
    pub batch: Batch,
    pub clamped: E::Clamped,
    pub precision: Precision,
    /// The free equilibrium.
    pub free: State,
    pub free_residual: f64,
    /// The gradient of the mean cost at the free equilibrium.
    pub gradients: GradientsParams,
    /// The same gradient, layer by layer.
    pub exact: LayerGradients,
    free_steps: usize,
    pub costate_residual: f64,
    half: f64,
}

/// A nudging factor `beta`, and whether `−beta` is used too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nudge {
    pub beta: f64,
    pub both: bool,
}

/// The states nudged by `beta` and, if it is used, by `−beta`.
#[derive(Debug, Clone)]
pub(super) struct Nudged {
    pub first: State,
    pub second: Option<State>,
}

impl Nudge {
    /// Returns `beta`, with either sign where `network` allows it.
    pub fn new<E: VectorField, C: Cost>(
        beta: f64,
        network: &EquilibriumNetwork<E, C>,
    ) -> Option<Self> {
        let allowed = |beta| network.check_beta(beta).is_ok();
        let both = allowed(-beta);
        allowed(beta).then_some(Self { beta, both })
    }

    fn n_copies(self) -> usize {
        1 + usize::from(self.both)
    }

    fn split(self, state: &State) -> Nudged {
        let n = state.batch_size() / self.n_copies();
        Nudged {
            first: state.narrow(0, n),
            second: self.both.then(|| state.narrow(n, n)),
        }
    }
}

impl<'a, E: VectorField, C: Cost> Problem<'a, E, C> {
    /// Relaxes as `estimator` does, then further to the equilibrium, and computes the exact gradient there;
    /// `costate` sets its accuracy.
    pub fn new(
        network: &'a EquilibriumNetwork<E, C>,
        estimator: &impl GradientEstimator<E, C>,
        batch: &Batch,
        precision: Precision,
        costate: Stopping,
    ) -> Result<Self, FidelityError> {
        let batch = precision.batch(batch);
        let clamped = network.energy.clamp(&batch.input);
        let configured = estimator.infer(network, &batch.input, None);
        let n = configured.state.batch_size();
        let phase = Phase {
            network,
            input: batch.input.clone(),
            target: batch.target.clone(),
            beta: Tensor::zeros([n, 1], (&batch.input.device(), batch.input.dtype())),
            precision,
        };
        let free = phase.converge(configured.state);
        check("free phase", free.residual)?;
        let exact = RecurrentBackprop {
            free: one_step(),
            costate,
        };
        let exact = exact.estimate(network, &batch, Some(free.state));
        let costate = exact.second_phase.expect("the costate is reported");
        let costate_residual = costate.info().residual;
        check("costate of the free equilibrium", costate_residual)?;
        Ok(Self {
            network,
            clamped,
            precision,
            exact: LayerGradients::of(network, &exact.gradients),
            gradients: exact.gradients,
            free_residual: exact.free.info().residual,
            free: exact.free.state,
            free_steps: configured.n_steps + free.n_steps,
            costate_residual,
            half: half(&costate.state),
            batch,
        })
    }

    /// Returns the relative difference of the gradients by iteration and by a linear solve, on the examples
    /// with the highest cost: many others have no gradient.
    fn solve_difference(&self) -> Option<f64> {
        let layers = self.network.energy.layers();
        if layers.iter().map(|layer| layer.n_units()).sum::<usize>() > SOLVED.0 {
            return None;
        }
        let Batch { input, target, .. } = &self.batch;
        let cost = read(self.network.cost.value(self.free.output(), target));
        let mut rows: Vec<usize> = (0..cost.len()).collect();
        rows.sort_by(|&a, &b| cost[b].total_cmp(&cost[a]));
        rows.truncate(SOLVED.1);
        let batch = Batch::new(select(input, &rows), select(target, &rows));
        let start = self.free.map(|layer| select(layer, &rows));
        let start = || Some(start.clone());
        let iterated = RecurrentBackprop {
            free: one_step(),
            costate: self.precision.stopping(),
        };
        let solved = ImplicitExact { free: one_step() };
        let iterated = iterated.estimate(self.network, &batch, start());
        let solved = solved.estimate(self.network, &batch, start());
        let [iterated, solved] =
            [iterated, solved].map(|found| LayerGradients::of(self.network, &found.gradients));
        let agreement = Agreements::between(&iterated, &solved);
        Some(agreement.whole.relative_error)
    }

    /// Returns the nudged phase of the batch for `nudge`, with both signs one after the other.
    fn nudged_phase(&self, nudge: Nudge) -> Phase<'a, E, C> {
        let (n, n_copies) = (self.free.batch_size(), nudge.n_copies());
        let like = (&self.free.device(), self.batch.target.dtype());
        let signs = [nudge.beta, -nudge.beta].into_iter().take(n_copies);
        let columns = signs.map(|beta| Tensor::full([n, 1], beta, like));
        Phase {
            network: self.network,
            input: self.batch.input.clone().repeat_dim(0, n_copies),
            target: self.batch.target.clone().repeat_dim(0, n_copies),
            beta: Tensor::cat(columns.collect(), 0),
            precision: self.precision,
        }
    }

    /// Relaxes from `start` to the nudged equilibria; returns them and their largest residual.
    pub fn nudge(&self, start: &State, nudge: Nudge) -> (Nudged, f64) {
        let phase = self.nudged_phase(nudge);
        let found = phase.converge(start.repeat(nudge.n_copies()));
        (nudge.split(&found.state), found.residual)
    }

    /// Calls `visit` with the nudged states after each of `steps` steps from `start`.
    pub fn nudge_for(
        &self,
        steps: &[usize],
        dynamics: Scheme,
        start: &State,
        nudge: Nudge,
        mut visit: impl FnMut(usize, &Nudged),
    ) {
        let last = steps.iter().copied().max().unwrap_or(1);
        let Phase { target, beta, .. } = self.nudged_phase(nudge);
        let EquilibriumNetwork { energy, cost, .. } = self.network;
        let clamped = energy.repeat(&self.clamped, nudge.n_copies());
        let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
        let start = start.repeat(nudge.n_copies());
        Relaxation::steps(dynamics, last).relax_observed(&total, start, |step, state| {
            if steps.contains(&step) {
                visit(step, &nudge.split(state));
            }
        });
    }

    /// Returns the agreement of `scale · mean[∂E/∂θ(first) − ∂E/∂θ(second)]`, with the readout's gradient at
    /// `free`, with the exact gradient.
    pub fn agreement(&self, free: &State, first: &State, second: &State, scale: f64) -> Agreements {
        let EquilibriumNetwork { energy, cost, .. } = self.network;
        let mut gradients = energy.contrast(&self.clamped, first, second, scale);
        cost.summed_gradients(free, &self.batch.target, &mut gradients);
        self.compare(&into_params(&gradients, self.network))
    }

    /// Returns the agreement of an estimate with the exact gradient.
    pub fn compare(&self, estimate: &GradientsParams) -> Agreements {
        let estimate = LayerGradients::of(self.network, estimate);
        Agreements::between(&estimate, &self.exact)
    }

    /// Returns the agreement of every estimate that contrasts these states.
    pub fn agreements(&self, free: &State, nudged: &Nudged, beta: f64) -> ByNudging<Agreements> {
        let one_sided = self.agreement(free, &nudged.first, free, 1.0 / beta);
        let other = nudged.second.as_ref();
        let random_sign = other.map(|second| {
            let other = self.agreement(free, second, free, -1.0 / beta);
            one_sided.mean(&other)
        });
        let centered = other.map(|second| self.agreement(free, &nudged.first, second, 0.5 / beta));
        ByNudging {
            one_sided,
            random_sign,
            centered,
        }
    }
}

/// Returns the exactness over all problems.
pub(super) fn exactness<E: VectorField, C: Cost>(problems: &[Problem<'_, E, C>]) -> Exactness {
    let over_all = |part: fn(&Problem<'_, E, C>) -> f64| largest(problems.iter().map(part));
    Exactness {
        free_residual: over_all(|problem| problem.free_residual),
        free_steps: problems.iter().map(|p| p.free_steps).max().unwrap_or(0),
        costate_residual: over_all(|problem| problem.costate_residual),
        half: over_all(|problem| problem.half),
        solve_difference: problems[0].solve_difference(),
    }
}

/// Returns the share of the examples that makes up half of the sum of squares.
fn half(costate: &State) -> f64 {
    let squares = costate.layers().iter().map(|layer| {
        let squares = layer.clone() * layer.clone();
        squares.sum_dim(1).squeeze_dim::<1>(1)
    });
    let squares = squares.reduce(|a, b| a + b).map_or(Vec::new(), read);
    let total: f64 = squares.iter().sum();
    let mut largest_first = squares.clone();
    largest_first.sort_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let fewer = largest_first.into_iter().take_while(|square| {
        let before = sum;
        sum += square;
        before < 0.5 * total
    });
    fewer.count() as f64 / squares.len() as f64
}

/// A relaxation of one step; at an equilibrium it stays there.
fn one_step() -> Relaxation {
    Relaxation::steps(Scheme::default(), 1)
}

fn check(phase: &'static str, residual: f64) -> Result<(), FidelityError> {
    if residual.is_finite() {
        Ok(())
    } else {
        Err(FidelityError::NotFinite { phase })
    }
}
