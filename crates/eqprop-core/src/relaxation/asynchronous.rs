//! Updates of one group of layers after the other.

use core::fmt;

use super::dynamics::{Dynamics, update};
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::fused::Update;
use crate::state::State;

/// Exact block coordinate descent: each group of layers in turn moves to its minimum, given the others.
#[derive(Debug, Clone, Copy)]
pub struct Asynchronous;

impl fmt::Display for Asynchronous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asynchronous")
    }
}

impl Dynamics for Asynchronous {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        for group in total.energy().groups() {
            // The layers of a group do not interact: one after the other is the same as all at once.
            update(total, state, group.iter().copied(), |layer, state| {
                total.minimize(layer, state)
            });
        }
    }

    fn fused(&self) -> Option<Update> {
        Some(Update::InTurn)
    }
}
