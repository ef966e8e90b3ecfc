//! The trait that every kind of connection implements.

use core::any::Any;
use core::fmt::Debug;
use std::sync::Arc;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::config::{ConnectionKind, InitializerConfig};
use super::pool_indices::PoolIndices;
use super::source::WeightSource;
use crate::contrast::{Share, StatePair};
use crate::fused::Weights;
use crate::gradients::Gradients;

/// A connection; see the methods of [`Connection`](super::Connection).
pub trait Term: Any {
    fn kind(&self) -> ConnectionKind;

    /// The parameters, if there are any and they are a single tensor.
    fn parameter(&self) -> Option<ParamId> {
        None
    }

    /// Draws new values for the parameters.
    fn redraw(&mut self, _initializer: InitializerConfig, _source: &mut dyn WeightSource) {}

    fn forward(&self, pre: Tensor<2>) -> Tensor<2>;

    /// Prepares the connection, with the parameters of `feedback`, of the same kind, for the feedback
    /// direction.
    fn prepare(&self, feedback: &dyn Term) -> Arc<dyn Prepared>;

    /// Registers the contrast for the parameters of all of `others`.
    fn contrast(
        &self,
        _others: &[&dyn Term],
        _share: Share,
        _pre: StatePair<'_>,
        _post: [&Tensor<2>; 2],
        _scale: f64,
        _gradients: &mut Gradients,
    ) {
    }

    fn correlate(
        &self,
        _pre: &Tensor<2>,
        _post: Tensor<2>,
        _indices: &PoolIndices,
        _scale: f64,
        _gradients: &mut Gradients,
    ) {
    }
}

/// Downcasts `term` to its type; both directions are made from one configuration.
pub fn same_kind<T: Term>(term: &dyn Term) -> &T {
    let any: &dyn Any = term;
    any.downcast_ref()
        .expect("both directions are made from one configuration")
}

/// A connection with its parameters fixed; see the methods of
/// [`PreparedConnection`](super::PreparedConnection).
pub trait Prepared: Debug + Send + Sync {
    fn forward(&self, pre: Tensor<2>) -> Tensor<2>;

    fn forward_with_indices(&self, pre: Tensor<2>) -> (Tensor<2>, PoolIndices) {
        (self.forward(pre), PoolIndices::all())
    }

    /// The winners of the current `pre`.
    fn indices(&self, _pre: &Tensor<2>) -> PoolIndices {
        PoolIndices::all()
    }

    fn backward(&self, post: Tensor<2>, indices: &PoolIndices) -> Tensor<2>;

    fn within(&self, state: &Tensor<2>) -> Tensor<2> {
        let indices = self.indices(state);
        self.forward(state.clone()) + self.backward(state.clone(), &indices)
    }

    fn energy(&self, pre: &Tensor<2>, post: &Tensor<2>) -> Tensor<1> {
        let products = post.clone() * self.forward(pre.clone());
        products.sum_dim(1).squeeze_dim::<1>(1).neg()
    }

    /// The parameters as fast code knows them, `None` if it does not.
    fn weights(&self) -> Option<Weights<'_>>;
}
