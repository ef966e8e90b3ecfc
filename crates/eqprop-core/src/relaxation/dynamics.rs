//! The rule of one step.

use core::fmt::Debug;

use burn::tensor::Tensor;

use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::fused::Update;
use crate::state::State;

/// The rule of one step of a state toward a minimum of the total energy.
///
/// Each relaxation starts without memory of earlier steps; see [`begin`](Self::begin).
pub trait Dynamics: Clone + Debug + Send + Sync {
    /// Moves `state` by one step.
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State);

    /// Returns the rule for fast code, if it is known there; only the dynamics of this crate are.
    #[doc(hidden)]
    fn fused(&self) -> Option<Update> {
        None
    }

    /// Returns the dynamics for a new relaxation: a clone, or one that remembers its steps.
    fn begin(&self) -> impl Dynamics {
        self.clone()
    }

    /// Returns the divisor that turns the change of one step into a residual.
    fn step_size(&self) -> f64 {
        1.0
    }

    /// Returns the distance of each example from an equilibrium at `before`, as the step from `before`
    /// to `after` shows it: the largest change of any unit, divided by the step size. `[batch]`
    fn residual<E: VectorField, C: Cost>(
        &self,
        _total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        after.max_distance(before) / self.step_size()
    }
}

/// Moves each of `layers` by `rule`, given the previous values of the others, except for those that
/// [stay](TotalEnergy::stays).
pub fn update<E: VectorField, C: Cost>(
    total: &TotalEnergy<'_, E, C>,
    state: &mut State,
    layers: impl Iterator<Item = usize>,
    rule: impl Fn(usize, &State) -> Tensor<2>,
) {
    let before = state.clone();
    for layer in layers.filter(|&layer| !total.stays(layer, &before)) {
        state.set(layer, rule(layer, &before));
    }
}
