//! Connections: the interaction terms of the energy.

mod attention;
mod config;
mod convolution;
mod dense;
mod identity;
mod pool_indices;
mod source;
mod term;

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};

pub use self::attention::Attention;
pub(crate) use self::config::draw;
pub use self::config::{AttentionConfig, ConnectionConfig, ConnectionKind, InitializerConfig};
pub use self::convolution::Convolution;
pub use self::dense::Dense;
pub(crate) use self::dense::PreparedDense;
pub use self::identity::Identity;
pub use self::pool_indices::PoolIndices;
#[doc(hidden)]
pub use self::source::{WeightSource, redraw};
use self::term::{Prepared, Term};
pub(crate) use crate::contrast::Share;
pub use crate::contrast::StatePair;
use crate::fused::Weights;
pub use crate::geometry::{ConvolutionConfig, Pooling};
use crate::gradients::Gradients;
use crate::shape::LayerShape;

impl ConnectionKind {
    /// Returns whether the connection has max pooling, so that the units that it passes on depend on
    /// the state.
    pub fn has_max_pooling(self) -> bool {
        match self {
            Self::Convolution(kind) => matches!(kind.pooling, Pooling::Max(_)),
            Self::Dense | Self::Identity | Self::Attention(_) => false,
        }
    }

    /// Checks that such a connection can join a layer of shape `from` to a layer of shape `to`.
    ///
    /// # Errors
    /// The missing requirement, in words that follow "needs".
    pub fn fits(self, from: LayerShape, to: LayerShape) -> Result<(), String> {
        match self {
            Self::Dense => Dense::fits(from, to),
            Self::Convolution(config) => Convolution::fits(config, from, to),
            Self::Identity => Identity::fits(from, to),
            Self::Attention(config) => Attention::fits(config, to),
        }
    }

    /// Checks that such a connection can join these two layers, which may be one and the same.
    ///
    /// # Errors
    /// The missing requirement, in words that follow "needs".
    pub(crate) fn joins(self, [from, to]: [usize; 2]) -> Result<(), String> {
        let needed = match self {
            Self::Convolution(_) | Self::Identity if from == to => "two different layers",
            Self::Attention(_) if from != to => {
                "the same layer at both ends: attention is of the positions of one layer to each other"
            }
            _ => return Ok(()),
        };
        Err(needed.to_string())
    }
}

/// An interaction term of the energy: `−⟨s_to, f_θ(s_from)⟩`, except for [`Attention`].
///
/// `f_θ` is linear in its parameters and, except with max pooling, in `s_from`. Attention is a term of
/// one layer with itself and linear in neither. A new kind of connection is a file beside the others,
/// with its value, its adjoint and the contrast of its parameters, and a variant here.
#[derive(Module, Debug)]
pub enum Connection {
    /// Weight matrix.
    Dense(Dense),
    /// Kernel and pooling.
    Convolution(Convolution),
    /// One-to-one connection without parameters.
    Identity(Identity),
    /// Queries and keys.
    Attention(Attention),
}

impl Connection {
    /// A connection between layers of these shapes, which must [fit](ConnectionKind::fits).
    pub(crate) fn new(
        config: &ConnectionConfig,
        from: LayerShape,
        to: LayerShape,
        device: &Device,
    ) -> Self {
        match config.kind {
            ConnectionKind::Dense => Self::Dense(Dense::new(config, from, to, device)),
            ConnectionKind::Convolution(kind) => {
                Self::Convolution(Convolution::new(kind, config.initializer, from, to, device))
            }
            ConnectionKind::Identity => Self::Identity(Identity),
            ConnectionKind::Attention(kind) => {
                Self::Attention(Attention::new(kind, config.initializer, to, device))
            }
        }
    }

    fn term(&self) -> &dyn Term {
        match self {
            Self::Dense(dense) => dense,
            Self::Convolution(convolution) => convolution,
            Self::Identity(identity) => identity,
            Self::Attention(attention) => attention,
        }
    }

    fn term_mut(&mut self) -> &mut dyn Term {
        match self {
            Self::Dense(dense) => dense,
            Self::Convolution(convolution) => convolution,
            Self::Identity(identity) => identity,
            Self::Attention(attention) => attention,
        }
    }

    /// Returns the kind of this connection.
    pub fn kind(&self) -> ConnectionKind {
        self.term().kind()
    }

    /// Draws new weights, if it has any.
    pub(crate) fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        self.term_mut().redraw(initializer, source);
    }

    /// Returns a connection with parameters of its own that start from the same values.
    pub(crate) fn duplicate(&self) -> Self {
        struct Renew;

        impl ModuleMapper for Renew {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                Param::from_tensor(param.val().detach())
            }
        }

        self.clone().map(&mut Renew)
    }

    /// Computes `f_θ(s_from)`, for a single use; a relaxation [prepares](Self::prepare) the connection.
    /// For [`Attention`] this is the drive of the tokens as queries.
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        self.term().forward(pre)
    }

    /// Computes [`forward`](Self::forward), together with the winners of max pooling.
    pub fn forward_with_indices(&self, pre: Tensor<2>) -> (Tensor<2>, PoolIndices) {
        self.prepare().forward_with_indices(pre)
    }

    /// Prepares the connection, with its parameters fixed, for use at every step of a relaxation.
    pub fn prepare(&self) -> PreparedConnection {
        self.prepare_with(self)
    }

    /// Prepares the connection, with the parameters of `feedback`, a connection of the same kind and
    /// shape, for the drive that `s_to` exerts on the presynaptic layer. Max pooling uses the winners
    /// of the forward direction in both.
    pub(crate) fn prepare_with(&self, feedback: &Self) -> PreparedConnection {
        PreparedConnection::new(self.term().prepare(feedback.term()))
    }

    /// Registers this term's `scale · [∂E/∂θ(first) − ∂E/∂θ(second)]`, summed over the batch, in
    /// `gradients`.
    pub fn contrast(
        &self,
        pre: StatePair<'_>,
        post: StatePair<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        self.contrast_for(&[self], Share::Whole, [pre, post], scale, gradients);
    }

    /// Registers a share of the [`contrast`](Self::contrast) for the parameters of all `others`,
    /// connections of the same kind and shape.
    ///
    /// # Panics
    /// If `post` is the clamped input: no connection leads into it.
    pub(crate) fn contrast_for(
        &self,
        others: &[&Self],
        share: Share,
        [pre, post]: [StatePair<'_>; 2],
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let StatePair::Free(first, second) = post else {
            unreachable!("a configuration with a connection into the input is refused");
        };
        let others: Vec<_> = others.iter().map(|other| other.term()).collect();
        let term = self.term();
        term.contrast(&others, share, pre, [first, second], scale, gradients);
    }

    /// Registers `scale · ∂⟨post, f_θ(pre)⟩/∂θ`, summed over the batch, in `gradients`. A contrast
    /// reduces to this single product if `pre` is the same in both states, or `post` is 0 in one.
    /// `indices` are those of `pre`. [`Attention`] is no such product and registers nothing.
    pub fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        indices: &PoolIndices,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        self.term().correlate(pre, post, indices, scale, gradients);
    }
}

/// A connection with its parameters fixed, which computes once whatever depends on them alone. Clones
/// share the result.
#[derive(Debug, Clone)]
pub struct PreparedConnection(Arc<dyn Prepared>);

impl PreparedConnection {
    pub(crate) fn new(prepared: Arc<dyn Prepared>) -> Self {
        Self(prepared)
    }

    /// Computes `f_θ(s_from)`: the drive that `s_from` exerts on the postsynaptic layer.
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        self.0.forward(pre)
    }

    /// Computes [`forward`](Self::forward), together with the winners of max pooling.
    pub fn forward_with_indices(&self, pre: Tensor<2>) -> (Tensor<2>, PoolIndices) {
        self.0.forward_with_indices(pre)
    }

    /// Computes `∂⟨s_to, f_θ(s_from)⟩ / ∂s_from`: the drive that `s_to` exerts on the presynaptic
    /// layer. Max pooling depends on `pre`, the current `s_from`.
    pub fn backward(&self, post: Tensor<2>, pre: &Tensor<2>) -> Tensor<2> {
        self.0.backward(post, &self.0.indices(pre))
    }

    /// Computes [`backward`](Self::backward) with the known indices of the current `s_from`.
    pub fn backward_through(&self, post: Tensor<2>, indices: &PoolIndices) -> Tensor<2> {
        self.0.backward(post, indices)
    }

    /// Computes the drive that a layer exerts on itself, for a connection from a layer to itself.
    pub fn within(&self, state: &Tensor<2>) -> Tensor<2> {
        self.0.within(state)
    }

    /// Computes the term's energy for each example: `−⟨s_to, f_θ(s_from)⟩`, except for [`Attention`].
    ///
    /// # Shapes
    /// - output: `[batch]`
    pub fn energy(&self, pre: &Tensor<2>, post: &Tensor<2>) -> Tensor<1> {
        self.0.energy(pre, post)
    }

    /// The parameters, for fast code, `None` if there is none for it.
    pub(crate) fn weights(&self) -> Option<Weights<'_>> {
        self.0.weights()
    }
}
