//! Gradient descent in the prediction errors.

use core::fmt;

use super::dynamics::{Dynamics, update};
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::ConfigError;
use crate::state::State;

/// Gradient descent in the errors `e_k = h_k − f_k(h_{k−1})` of a
/// [`PredictiveCoding`](crate::energy::PredictiveCoding) network, all at once, with the states that
/// they determine:
///
/// ```text
/// F(e) = ½ Σ_k |e_k|² + βC(h_L),   h_k = f_k(h_{k−1}) + e_k
/// e_k ← e_k − ε ∂F/∂e_k = (1 − ε) e_k − εβ ∂C/∂h_k
/// ```
///
/// where `∂C/∂h_k` passes through all layers above: a step is one pass down the chain and one pass up. Errors
/// and states determine each other, so that `F` has the same values and the same minima as over the states.
/// But a signal reaches every layer in the first step, and with `ε = 1` that step gives the errors of
/// backpropagation in the forward pass, `−β ∂C/∂h_k`. Further steps converge to the minimum as long as
/// `ε(1 + λ) < 2`, with `λ` the largest eigenvalue of `β JᵀC″J` and `J` the Jacobian of the output with
/// respect to all errors.
///
/// States are not kept within the range of their activation. If layers are clipped, and not in residual
/// blocks, the minimum differs from that over [projected](crate::energy::LayerUpdate::Projected) states by
/// the order of β; the gradient is the same to first order in β, and a centered estimate is of second order,
/// as with [`LayerUpdate::PreActivation`](crate::energy::LayerUpdate::PreActivation).
///
/// In a field that predicts none of its layers, each layer is its own error, and a step is one of gradient
/// flow; the same holds if units are [clamped](crate::energy::PartlyClamped), and for complex β.
///
/// # Reference
/// Goemaere et al. (2025), <https://arxiv.org/abs/2505.20137>
#[derive(Debug, Clone, Copy)]
pub struct ErrorDescent {
    /// Step size `ε`.
    pub step_size: f64,
}

impl ErrorDescent {
    /// Checks the range.
    pub fn validate(self) -> Result<(), ConfigError> {
        ConfigError::fraction("descent_step", self.step_size)
    }
}

impl fmt::Display for ErrorDescent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error descent, ε = {}", self.step_size)
    }
}

impl Dynamics for ErrorDescent {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let n_layers = state.layers().len();
        if (0..n_layers).all(|layer| total.stays(layer, state)) {
            return;
        }
        match total.descend_errors(state, self.step_size) {
            Some(moved) => *state = moved,
            None => update(total, state, 0..n_layers, |layer, state| {
                total.descend(layer, state, self.step_size)
            }),
        }
    }

    fn step_size(&self) -> f64 {
        self.step_size
    }
}
