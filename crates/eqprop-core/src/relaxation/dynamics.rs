//! The rule of one step.

use core::fmt::Debug;

use burn::tensor::Tensor;

use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::fused::Update;
use crate::state::State;

/// The rule by which a state moves toward a minimum of the total energy.
///
/// What a rule remembers from step to step begins afresh with every relaxation, see
/// [`begin`](Self::begin).
pub trait Dynamics: Clone + Debug + Send + Sync {
    /// Moves `state` by one step.
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State);

    /// The rule as fast code knows it, if it does; only the dynamics of this crate are known.
    #[doc(hidden)]
    fn fused(&self) -> Option<Update> {
        None
    }

    /// What takes the steps of a relaxation that begins: a clone, or what remembers its steps.
    fn begin(&self) -> impl Dynamics {
        self.clone()
    }

    /// What the change of one step is divided by to give a residual.
    fn step_size(&self) -> f64 {
        1.0
    }

    /// For each example, how far the last step, from `before` to `after`, says that `before` was
    /// from an equilibrium: the largest change of any unit, divided by the step size. `[batch]`
    fn residual<E: VectorField, C: Cost>(
        &self,
        _total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        after.max_distance(before) / self.step_size()
    }
}

/// Moves `layers` by `rule`, each with the others where they were, but for those that
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
