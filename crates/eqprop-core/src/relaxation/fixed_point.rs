//! Synchronous fixed-point iteration.

use core::fmt;

use super::dynamics::{Dynamics, update};
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::fused::Update;
use crate::state::State;

/// Updates all layers at once: `s ← σ(drive)`.
#[derive(Debug, Clone, Copy)]
pub struct FixedPoint;

impl fmt::Display for FixedPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("synchronous fixed point")
    }
}

impl Dynamics for FixedPoint {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let all = 0..state.layers().len();
        update(total, state, all, |layer, state| {
            total.minimize(layer, state)
        });
    }

    fn fused(&self) -> Option<Update> {
        Some(Update::AtOnce)
    }
}
