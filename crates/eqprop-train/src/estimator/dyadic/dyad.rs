//! Two copies of a network as one field.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::energy::{HeldUnits, LayerConfig, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::state::State;

use crate::estimator::pull_back::pull_back;

/// Two copies `a` and `b` of a field, coupled so that they have an action; see
/// [`DyadicEquilibriumPropagation`](super::DyadicEquilibriumPropagation).
///
/// ```text
/// drive_a = drive(m) + ½Jᵀ(a − b)        drive_b = drive(m) − ½Jᵀ(a − b)
/// ```
///
/// A state has the examples of `a` and after them those of `b`; repeated, further such pairs follow.
#[derive(Module, Debug)]
pub(super) struct Dyad<E: VectorField> {
    field: E,
}

/// A clamped input of two copies.
#[derive(Debug, Clone)]
pub(super) struct ClampedDyad<C> {
    /// Of the mean of the copies.
    mean: C,
    /// Of both copies one after the other: of the adjoint field, if the field knows it.
    both: C,
    is_adjoint: bool,
    /// Examples of one copy.
    batch: usize,
}

impl<E: VectorField> Dyad<E> {
    pub fn new(field: E) -> Self {
        Self { field }
    }

    /// Two copies of what is clamped, near `state`.
    pub fn at(&self, clamped: &E::Clamped, state: &State) -> ClampedDyad<E::Clamped> {
        let adjoint = self.field.adjoint(clamped, state);
        ClampedDyad {
            mean: clamped.clone(),
            is_adjoint: adjoint.is_some(),
            both: self.field.repeat(adjoint.as_ref().unwrap_or(clamped), 2),
            batch: state.batch_size(),
        }
    }

    /// The copies `a` of all pairs, and the copies `b`.
    fn copies(both: &Tensor<2>, batch: usize) -> [Tensor<2>; 2] {
        let [n_rows, n_units] = both.dims();
        let pairs = both
            .clone()
            .reshape([n_rows / (2 * batch), 2, batch * n_units]);
        [0, 1].map(|copy| {
            pairs
                .clone()
                .narrow(1, copy, 1)
                .reshape([n_rows / 2, n_units])
        })
    }

    /// What [`copies`](Self::copies) takes apart.
    fn joined(copies: [Tensor<2>; 2], batch: usize) -> Tensor<2> {
        let [n_rows, n_units] = copies[0].dims();
        let pairs = copies.map(|copy| copy.reshape([n_rows / batch, 1, batch * n_units]));
        let pairs: Tensor<3> = Tensor::cat(pairs.to_vec(), 1);
        pairs.reshape([2 * n_rows, n_units])
    }

    /// The copies `a` of all pairs, and the copies `b`.
    fn states(both: &State, batch: usize) -> [State; 2] {
        let copies = both.layers().iter().map(|layer| Self::copies(layer, batch));
        let (a, b) = copies.map(|[a, b]| (a, b)).unzip();
        [State::new(a), State::new(b)]
    }
}

/// `a + factor · b`.
fn combined(a: &State, b: &State, factor: f64) -> State {
    let layers = a.layers().iter().zip(b.layers());
    let layers = layers.map(|(a, b)| a.clone() + b.clone() * factor);
    State::new(layers.collect())
}

impl<E: VectorField> VectorField for Dyad<E> {
    type Clamped = ClampedDyad<E::Clamped>;

    fn layers(&self) -> &[LayerConfig] {
        self.field.layers()
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.field.groups()
    }

    /// Of both copies.
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped {
        let clamped = self.field.clamp(input);
        let start = self.field.start(input, &clamped);
        self.at(&clamped, &start)
    }

    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped {
        ClampedDyad {
            mean: self.field.repeat(&clamped.mean, n),
            both: self.field.repeat(&clamped.both, n),
            ..clamped.clone()
        }
    }

    fn held<'a>(&self, layer: usize, clamped: &'a Self::Clamped) -> Option<&'a HeldUnits> {
        self.field.held(layer, &clamped.both)
    }

    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2> {
        let ClampedDyad {
            mean,
            both,
            is_adjoint,
            batch,
        } = clamped;
        let [a, b] = Self::states(state, *batch);
        let middle = combined(&a, &b, 1.0).map(|sum| sum.clone() * 0.5);
        let drive = self.field.drive(layer, mean, &middle);
        // ½Jᵀ(a − b): of affine drives half the difference of those of the adjoint field.
        let back = if *is_adjoint {
            let [a, b] = Self::copies(&self.field.drive(layer, both, state), *batch);
            a - b
        } else {
            let difference = combined(&a, &b, -1.0);
            pull_back(&self.field, layer, mean, &middle, &difference)
        };
        let back = back * 0.5;
        Self::joined([drive.clone() + back.clone(), drive - back], *batch)
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        self.field.curvature(layer)
    }

    /// `∂A/∂θ` of one pair of copies less that of another.
    fn contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let of = |both: &State, scale: f64| {
            let [a, b] = Self::states(both, clamped.batch);
            self.field.drive_contrast(&clamped.mean, &a, &b, scale)
        };
        let mut gradients = of(first, scale);
        gradients.add(&of(second, -scale), &self.field);
        gradients
    }
}
