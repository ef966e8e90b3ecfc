//! Anderson acceleration of a relaxation.

mod least_squares;

use core::fmt;

use burn::tensor::{Bool, Tensor};

use super::dynamics::Dynamics;
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::{ConfigError, assert_valid};
use crate::state::State;
use least_squares::least_squares;

/// An extrapolation counts as progress if it lowers the squared residual by at least this fraction.
const PROGRESS: f64 = 0.02;
/// The longest history: the system solved for each example stays small.
const LONGEST: usize = 8;

/// Anderson acceleration of plain dynamics `D`, for each example separately.
///
/// A plain step takes a state `x` to `g(x)`; at an equilibrium the residual `f(x) = g(x) − x` vanishes.
/// From the last `m` differences `ΔF`, `ΔG` of `f` and of `g` between consecutive steps, the next plain
/// step starts at
///
/// ```text
/// γ = argmin |f − ΔF γ|²              m numbers per example, by regularized normal equations
/// x ← (1 − μ) x + μ g − [ΔG − (1 − μ) ΔF] γ,    then s ← g(x)
/// ```
///
/// which is the secant method in as many directions as are remembered, type II of Walker & Ni (2011),
/// <https://doi.org/10.1137/10078356X>, and the solver of deep equilibrium models (Bai et al. 2019,
/// <https://arxiv.org/abs/1909.01377>). Every state is the result of a plain step, so it lies within
/// the range of its activations, wherever `x` was.
///
/// An extrapolation is kept only if it takes `|f|` at least 1 % below its lowest value so far.
/// Otherwise the example returns to the previous state, clears its history and takes the plain step
/// from there. So either `|f|` goes to 0, or from some step on only plain steps are kept, which
/// converge where the plain scheme does; at worst every other step is lost.
///
/// The asynchronous scheme is the recommended base: its plain steps never raise the energy. Complex
/// states, whose real and imaginary parts are two rows, are accelerated as if they were two examples.
///
/// A step costs a plain step and about `3m + 10` passes over the state. Nothing is read back from the
/// device.
#[derive(Debug, Clone)]
pub struct Anderson<D> {
    base: D,
    history: usize,
    mixing: f64,
    past: Option<History>,
}

/// The history of the last steps, with all layers of an example side by side.
#[derive(Debug, Clone)]
struct History {
    /// `g(x)` of the last step that was kept, `[batch, n_units]`.
    output: Tensor<2>,
    /// `f(x) = g(x) − x`, `[batch, n_units]`.
    residual: Tensor<2>,
    /// The lowest `|f|²` so far, `[batch, 1]`.
    lowest: Tensor<2>,
    /// `ΔG`, `[batch, m, n_units]`.
    outputs: Tensor<3>,
    /// `ΔF`, `[batch, m, n_units]`.
    residuals: Tensor<3>,
    /// 1 for the differences that count, 0 for those forgotten or not yet there, `[batch, m, 1]`.
    counted: Tensor<3>,
    /// Index at which the next difference is written.
    slot: usize,
}

impl<D: Dynamics> Anderson<D> {
    /// Accelerates `base` with a history of `history` differences and the mixing parameter `mixing`.
    ///
    /// # Panics
    /// If the history is not 1 to 8 differences long, or the mixing not in (0, 1].
    pub fn new(base: D, history: usize, mixing: f64) -> Self {
        assert_valid(validate(history, mixing));
        Self {
            base,
            history,
            mixing,
            past: None,
        }
    }
}

impl<D> fmt::Display for Anderson<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anderson, m = {}", self.history)
    }
}

impl<D: Dynamics> Dynamics for Anderson<D> {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let input = match &self.past {
            Some(past) => past.extrapolate(self.mixing),
            None => join(state),
        };
        let sizes: Vec<usize> = state.layers().iter().map(|s| s.dims()[1]).collect();
        let mut next = split(&input, &sizes);
        self.base.step(total, &mut next);
        let output = join(&next);
        let residual = output.clone() - input;
        let past = match self.past.take() {
            Some(past) => past.advance(output, residual),
            None => History::new(output, residual, self.history),
        };
        *state = split(&past.output, &sizes);
        self.past = Some(past);
    }

    fn begin(&self) -> impl Dynamics {
        Self {
            past: None,
            ..self.clone()
        }
    }

    /// The residual of the plain step: `max |g(x) − x|` of the last one that was kept.
    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        before: &State,
        _after: &State,
    ) -> Tensor<1> {
        let Some(past) = &self.past else {
            let mut next = before.clone();
            self.base.clone().step(total, &mut next);
            return self.base.residual(total, before, &next);
        };
        let residual = State::new(vec![past.residual.clone()]);
        let zero = past.residual.zeros_like();
        residual.max_distance(&State::new(vec![zero]))
    }
}

/// Checks that the history is 1 to 8 differences long, and the mixing in (0, 1].
pub(super) fn validate(history: usize, mixing: f64) -> Result<(), ConfigError> {
    let ok = (1..=LONGEST).contains(&history);
    ConfigError::in_range("history", "1 to 8", history as f64, ok)?;
    ConfigError::fraction("mixing", mixing)
}

impl History {
    fn new(output: Tensor<2>, residual: Tensor<2>, history: usize) -> Self {
        let [batch, n_units] = output.dims();
        let like = (&output.device(), output.dtype());
        let zeros = || Tensor::zeros([batch, history, n_units], like);
        Self {
            outputs: zeros(),
            residuals: zeros(),
            counted: Tensor::zeros([batch, history, 1], like),
            lowest: squared_length(&residual),
            output,
            residual,
            slot: 0,
        }
    }

    /// The start of the next plain step.
    fn extrapolate(&self, mixing: f64) -> Tensor<2> {
        let target = self.residual.clone().unsqueeze_dim(2);
        let weights = least_squares(&self.residuals, &self.counted, target);
        // Constants when the steps are differentiated.
        let weights = weights.swap_dims(1, 2).detach();
        let combined = |differences: &Tensor<3>| {
            let sum = weights.clone().matmul(differences.clone());
            sum.squeeze_dim::<2>(1)
        };
        let plain = self.output.clone() - combined(&self.outputs);
        if mixing == 1.0 {
            return plain;
        }
        let held = self.residual.clone() - combined(&self.residuals);
        plain - held * (1.0 - mixing)
    }

    /// The history after the plain step from there, which is kept if it made progress or was not
    /// extrapolated.
    fn advance(mut self, output: Tensor<2>, residual: Tensor<2>) -> Self {
        let [batch, history, n_units] = self.residuals.dims();
        let n_counted = self.counted.clone().sum_dim(1).squeeze_dim::<2>(2);
        let is_plain = n_counted.equal_elem(0.0);
        let square = squared_length(&residual);
        let wanted = self.lowest.clone() * (1.0 - PROGRESS);
        let kept: Tensor<2, Bool> = square.clone().lower_equal(wanted).bool_or(is_plain);
        let lost = kept.clone().bool_not().expand([batch, n_units]);
        let at = [0..batch, self.slot..self.slot + 1, 0..n_units];
        let difference = |new: &Tensor<2>, old: &Tensor<2>| {
            let difference = (new.clone() - old.clone()).mask_fill(lost.clone(), 0.0);
            difference.unsqueeze_dim::<3>(1)
        };
        let f = difference(&residual, &self.residual);
        let g = difference(&output, &self.output);
        self.residuals = self.residuals.slice_assign(at.clone(), f);
        self.outputs = self.outputs.slice_assign(at, g);
        let counts = kept.float().cast(residual.dtype()).unsqueeze_dim::<3>(2);
        let at = [0..batch, self.slot..self.slot + 1, 0..1];
        self.counted = (self.counted * counts.clone()).slice_assign(at, counts);
        Self {
            lowest: self.lowest.min_pair(square),
            output: output.mask_where(lost.clone(), self.output),
            residual: residual.mask_where(lost, self.residual),
            slot: (self.slot + 1) % history,
            ..self
        }
    }
}

/// `|f|²` of each example, `[batch, 1]`.
fn squared_length(residual: &Tensor<2>) -> Tensor<2> {
    (residual.clone() * residual.clone()).sum_dim(1)
}

/// All layers of an example side by side.
fn join(state: &State) -> Tensor<2> {
    Tensor::cat(state.layers().to_vec(), 1)
}

/// The layers, of `sizes` units each.
fn split(joined: &Tensor<2>, sizes: &[usize]) -> State {
    let mut start = 0;
    let layers = sizes.iter().map(|&size| {
        start += size;
        joined.clone().narrow(1, start - size, size)
    });
    State::new(layers.collect())
}
