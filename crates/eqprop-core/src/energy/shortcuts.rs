//! What the built-in fields know beyond their equations.

use burn::tensor::Tensor;

use crate::fused::Drives;
use crate::state::State;

/// What a field knows that makes its relaxations faster. Only the fields of this crate have any.
pub struct Shortcuts<'a>(Option<Box<dyn Known + 'a>>);

/// What may be known.
pub(crate) trait Known {
    /// The drives as data, for a relaxation that is one computation.
    fn drives(&self) -> Option<Drives<'_>>;

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

impl<'a> Shortcuts<'a> {
    /// Nothing is known.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn of(known: impl Known + 'a) -> Self {
        Self(Some(Box::new(known)))
    }

    pub(crate) fn drives(&self) -> Option<Drives<'_>> {
        self.0.as_ref()?.drives()
    }

    pub(crate) fn equilibrium(&self) -> Option<State> {
        self.0.as_ref()?.equilibrium()
    }

    pub(crate) fn stays(&self, layer: usize, state: &State) -> bool {
        self.0
            .as_ref()
            .is_some_and(|known| known.stays(layer, state))
    }

    pub(crate) fn keep(&self, state: &State, drives: Vec<Tensor<2>>) {
        if let Some(known) = &self.0 {
            known.keep(state, drives);
        }
    }
}
