//! The adjoint of a field without a closed form of it.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::energy::{HeldUnits, LayerConfig, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::state::State;

use crate::estimator::pull_back::pull_back;

/// A field with affine drives and the transposed Jacobian of another field at a state:
///
/// ```text
/// drive*(s) = drive(s⁰) + Jᵀ(s − s⁰)
/// ```
///
/// It equals `drive(s) − (J − Jᵀ)(s − s⁰)` up to terms of second order, and exactly for affine drives.
#[derive(Module, Debug)]
pub(super) struct Linearized<E: VectorField> {
    field: E,
}

/// A clamped input of a field, and the state at which it is linearized.
#[derive(Debug, Clone)]
pub(super) struct Around<C> {
    own: C,
    state: State,
    drives: Vec<Tensor<2>>,
}

impl<E: VectorField> Linearized<E> {
    pub fn new(field: E) -> Self {
        Self { field }
    }

    /// Linearizes at `state`.
    pub fn around(&self, clamped: &E::Clamped, state: &State) -> Around<E::Clamped> {
        let layers = 0..state.layers().len();
        let drives = layers.map(|layer| self.field.drive(layer, clamped, state));
        Around {
            own: clamped.clone(),
            state: state.clone(),
            drives: drives.collect(),
        }
    }
}

impl<E: VectorField> VectorField for Linearized<E> {
    type Clamped = Around<E::Clamped>;

    fn layers(&self) -> &[LayerConfig] {
        self.field.layers()
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.field.groups()
    }

    /// Clamps the input, linearized at the start state.
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped {
        let own = self.field.clamp(input);
        let start = self.field.start(input, &own);
        self.around(&own, &start)
    }

    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped {
        let drives = clamped.drives.iter();
        Around {
            own: self.field.repeat(&clamped.own, n),
            state: clamped.state.repeat(n),
            drives: drives.map(|drive| drive.clone().repeat_dim(0, n)).collect(),
        }
    }

    fn held<'a>(&self, layer: usize, clamped: &'a Self::Clamped) -> Option<&'a HeldUnits> {
        self.field.held(layer, &clamped.own)
    }

    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2> {
        let Around {
            own,
            state: at,
            drives,
        } = clamped;
        let pairs = state.layers().iter().zip(at.layers());
        let moved = pairs.map(|(now, before)| now.clone() - before.clone());
        let moved = State::new(moved.collect());
        drives[layer].clone() + pull_back(&self.field, layer, own, at, &moved)
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        self.field.curvature(layer)
    }

    fn contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        self.field
            .drive_contrast(&clamped.own, first, second, scale)
    }
}
