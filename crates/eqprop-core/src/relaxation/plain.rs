//! Dynamics without a memory.

use burn::tensor::Tensor;

use super::dynamics::Dynamics;
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::fused::Update;
use crate::state::State;

/// Exact block coordinate descent, the synchronous fixed point, or Euler steps of the gradient flow: see
/// [`Scheme`](super::Scheme).
impl Dynamics for Update {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let minimize = |layer, state: &State| total.minimize(layer, state);
        let all = 0..state.layers().len();
        match *self {
            Self::InTurn => {
                for group in total.energy().groups() {
                    // The layers of a group do not interact: one after the other is at once.
                    update(total, state, group.iter().copied(), minimize);
                }
            }
            Self::AtOnce => update(total, state, all, minimize),
            Self::Flow(step_size) => update(total, state, all, |layer, state| {
                total.descend(layer, state, step_size)
            }),
        }
    }

    fn fused(&self) -> Option<Update> {
        Some(*self)
    }

    fn step_size(&self) -> f64 {
        match *self {
            Self::InTurn | Self::AtOnce => 1.0,
            Self::Flow(step_size) => step_size,
        }
    }
}

/// Moves `layers` by `rule`, each with the others where they were, but for those that
/// [stay](TotalEnergy::stays).
fn update<E: VectorField, C: Cost>(
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
