//! Shortcuts of the built-in fields, beyond their equations.

use burn::tensor::Tensor;

use crate::fused::Drives;
use crate::state::State;

/// Knowledge of a field that makes its relaxations faster. Only the fields of this crate have any.
pub trait Shortcuts {
    /// The drives as data, for a fused relaxation.
    fn drives(&self) -> Option<Drives<'_>> {
        None
    }

    /// The free equilibrium, if there is a closed form.
    fn equilibrium(&self) -> Option<State> {
        None
    }

    /// Whether a layer without a nudge is known to stay unchanged: around an equilibrium, layers stay
    /// until a change has reached a neighbor.
    fn stays(&self, _layer: usize, _state: &State) -> bool {
        false
    }

    /// The state after a step of gradient descent in the prediction errors, instead of the layers themselves;
    /// `None` for a field that does not predict its layers.
    fn descend_errors(
        &self,
        _state: &State,
        _acting: Acting<'_>,
        _step_size: f64,
    ) -> Option<State> {
        None
    }

    /// Keeps other results computed for a state.
    fn keep(&self, _state: &State, _drives: Vec<Tensor<2>>) {}
}

/// Whatever acts on the layers besides the energy.
pub struct Acting<'a> {
    /// Where the output is held, if it is, `[batch, n_units]`.
    pub held: Option<&'a Tensor<2>>,
    /// The force on each layer, `[batch, n_units]`; none where nothing acts.
    pub forces: &'a [Option<Tensor<2>>],
}

/// No shortcuts.
impl Shortcuts for () {}
