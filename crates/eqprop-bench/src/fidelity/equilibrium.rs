//! Equilibria converged to rounding level.

use burn::tensor::{Int, Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_train::network::EquilibriumNetwork;

use super::precision::Precision;

/// Number of steps after which converged examples are set aside.
const ROUND: usize = 30;

/// The setting of a relaxation: network, input, target and nudging of a batch.
pub(super) struct Phase<'a, E: VectorField, C: Cost> {
    pub network: &'a EquilibriumNetwork<E, C>,
    /// `[batch, n_inputs]`
    pub input: Tensor<2>,
    /// `[batch, n_classes]`
    pub target: Tensor<2>,
    /// The nudging factor of each example, `[batch, 1]`; 0 in a free phase.
    pub beta: Tensor<2>,
    pub precision: Precision,
}

/// A batch of equilibria.
pub(super) struct Equilibrium {
    pub state: State,
    /// The largest residual; NaN if a state is not finite.
    pub residual: f64,
    /// The largest number of steps that any example took.
    pub n_steps: usize,
}

impl<E: VectorField, C: Cost> Phase<'_, E, C> {
    /// Relaxes from `start` to convergence by block coordinate descent, which cannot oscillate.
    ///
    /// Most examples converge long before the last one, so the remaining ones go on alone.
    pub fn converge(&self, start: State) -> Equilibrium {
        let stopping = self.precision.stopping();
        let tolerance = self.precision.tolerance();
        let relaxation = Relaxation {
            dynamics: Scheme::default(),
            stopping: Stopping {
                max_steps: ROUND,
                ..stopping
            },
        };
        let EquilibriumNetwork { energy, cost, .. } = self.network;
        let mut residuals = vec![f64::INFINITY; start.batch_size()];
        let mut waiting: Vec<usize> = (0..residuals.len()).collect();
        let mut state = start;
        let mut n_steps = 0;
        while !waiting.is_empty() && n_steps < stopping.max_steps {
            let all = waiting.len() == state.batch_size();
            let rows = |tensor: &Tensor<2>| {
                if all {
                    tensor.clone()
                } else {
                    select(tensor, &waiting)
                }
            };
            let clamped = energy.clamp(&rows(&self.input));
            let (target, beta) = (rows(&self.target), rows(&self.beta));
            let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
            let relaxed = relaxation.relax(&total, state.map(rows));
            n_steps += relaxed.n_steps;
            state = replace(&state, &waiting, &relaxed.state);
            for (&row, residual) in waiting.iter().zip(read(relaxed.residual)) {
                residuals[row] = residual;
            }
            // A NaN does not recover.
            waiting.retain(|&row| residuals[row] > tolerance);
        }
        Equilibrium {
            residual: largest(residuals),
            state,
            n_steps,
        }
    }
}

/// Selects rows of a tensor.
pub(super) fn select(tensor: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let rows = TensorData::from(rows.as_slice());
    let rows = Tensor::<1, Int>::from_data(rows, &tensor.device());
    tensor.clone().select(0, rows)
}

/// Returns `state` with `rows` replaced.
fn replace(state: &State, rows: &[usize], by: &State) -> State {
    let n = state.batch_size();
    if rows.len() == n {
        return by.clone();
    }
    let mut order: Vec<usize> = (0..n).collect();
    for (position, &row) in rows.iter().enumerate() {
        order[row] = n + position;
    }
    let pairs = state.layers().iter().zip(by.layers());
    let layers = pairs.map(|(old, new)| {
        let both = Tensor::cat(vec![old.clone(), new.clone()], 0);
        select(&both, &order)
    });
    State::new(layers.collect())
}

/// Returns the largest number; NaN if any is NaN.
pub(super) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    values.into_iter().fold(0.0, larger)
}

/// Reads the numbers of a tensor.
pub(super) fn read(values: Tensor<1>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
