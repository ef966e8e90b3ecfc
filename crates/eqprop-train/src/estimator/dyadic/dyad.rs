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
/// A state has the examples of `a` followed by those of `b`; if repeated, further such pairs follow.
#[derive(Module, Debug)]
pub(super) struct Dyad<E: VectorField> {
    field: E,
}

/// A clamped input of two copies.
#[derive(Debug, Clone)]
pub(super) struct ClampedDyad<C> {
    /// Input clamped for the mean of the copies.
    mean: C,
    /// Input clamped for both copies one after the other: that of the adjoint field, if it has a closed form.
    both: C,
    is_adjoint: bool,
    /// Number of examples of one copy.
    batch: usize,
}

impl<E: VectorField> Dyad<E> {
    pub fn new(field: E) -> Self {
        Self { field }
    }

    /// Clamps the input for two copies near `state`.
    pub fn at(&self, clamped: &E::Clamped, state: &State) -> ClampedDyad<E::Clamped> {
        let adjoint = self.field.adjoint(clamped, state);
        ClampedDyad {
            mean: clamped.clone(),
            is_adjoint: adjoint.is_some(),
            both: self.field.repeat(adjoint.as_ref().unwrap_or(clamped), 2),
            batch: state.batch_size(),
        }
    }

    /// Splits the rows into the copies `a` of all pairs and the copies `b`.
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

    /// Joins the two arrays that [`copies`](Self::copies) splits.
    fn joined(copies: [Tensor<2>; 2], batch: usize) -> Tensor<2> {
        let [n_rows, n_units] = copies[0].dims();
        let pairs = copies.map(|copy| copy.reshape([n_rows / batch, 1, batch * n_units]));
        let pairs: Tensor<3> = Tensor::cat(pairs.to_vec(), 1);
        pairs.reshape([2 * n_rows, n_units])
    }

    /// Splits a state into the copies `a` of all pairs and the copies `b`.
    fn states(both: &State, batch: usize) -> [State; 2] {
        let copies = both.layers().iter().map(|layer| Self::copies(layer, batch));
        let (a, b) = copies.map(|[a, b]| (a, b)).unzip();
        [State::new(a), State::new(b)]
    }
}

/// Returns `a + factor · b`.
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

    /// Clamps the input for both copies, at the start state.
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
        // ½Jᵀ(a − b): for affine drives half the difference of the adjoint field's drives.
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

    /// Returns `∂A/∂θ` of one pair of copies minus that of another.
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
