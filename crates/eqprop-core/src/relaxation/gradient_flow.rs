//! Projected gradient flow.

use core::fmt;

use super::dynamics::{Dynamics, update};
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::ConfigError;
use crate::fused::Update;
use crate::state::State;

/// Euler steps of all layers at once: `s ← σ(σ⁻¹(s) − ε ∂F/∂s)`.
#[derive(Debug, Clone, Copy)]
pub struct GradientFlow {
    /// Step size `ε`.
    pub step_size: f64,
}

impl GradientFlow {
    /// Checks the range.
    pub fn validate(self) -> Result<(), ConfigError> {
        ConfigError::fraction("step_size", self.step_size)
    }
}

impl fmt::Display for GradientFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradient flow, ε = {}", self.step_size)
    }
}

impl Dynamics for GradientFlow {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let all = 0..state.layers().len();
        update(total, state, all, |layer, state| {
            total.descend(layer, state, self.step_size)
        });
    }

    fn fused(&self) -> Option<Update> {
        Some(Update::Flow(self.step_size))
    }

    fn step_size(&self) -> f64 {
        self.step_size
    }
}
