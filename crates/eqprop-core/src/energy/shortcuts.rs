//! What the built-in fields know beyond their equations.

use burn::tensor::Tensor;

use crate::fused::Drives;
use crate::state::State;

/// What a field knows that makes its relaxations faster. Only the fields of this crate have any.
pub trait Shortcuts {
    /// The drives as data, for a relaxation that is one computation.
    fn drives(&self) -> Option<Drives<'_>> {
        None
    }

    /// The free equilibrium, where there is a closed form.
    fn equilibrium(&self) -> Option<State> {
        None
    }

    /// Whether a layer without a nudge is known to stay as it is: around an equilibrium, layers stay
    /// until a change has reached a neighbor.
    fn stays(&self, _layer: usize, _state: &State) -> bool {
        false
    }

    /// Keeps what else was computed of a state.
    fn keep(&self, _state: &State, _drives: Vec<Tensor<2>>) {}
}

/// Nothing is known.
impl Shortcuts for () {}
