//! A connection: one interaction term of the energy.

pub mod dense;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gradients::Gradients;
pub use dense::{Dense, DenseOperator};

/// Which two layers a connection joins, and how.
///
/// Layers are counted from the clamped input, which is layer 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// The layer that the forward direction starts from.
    pub from: usize,
    /// The layer that it leads to.
    pub to: usize,
    /// The kind of connection.
    pub kind: ConnectionKind,
    /// Distribution of the initial weights.
    pub initializer: InitializerConfig,
}

/// The kinds of connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// Every unit of one layer with every unit of the other; see [`Dense`].
    Dense,
}

/// Distribution of initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitializerConfig {
    /// Uniform in `±√(6 / (n_in + n_out))` (Glorot & Bengio 2010).
    Glorot,
    /// Uniform in `±gain / √n_in`.
    FanIn {
        /// The gain, greater than 0.
        gain: f64,
    },
}

impl InitializerConfig {
    /// The largest weight of an `[n_in, n_out]` matrix.
    pub fn bound(self, n_in: usize, n_out: usize) -> f64 {
        match self {
            Self::Glorot => 3f64.sqrt() * (2.0 / (n_in + n_out) as f64).sqrt(),
            Self::FanIn { gain } => gain / (n_in as f64).sqrt(),
        }
    }

    pub(crate) fn initializer(self) -> Initializer {
        match self {
            Self::Glorot => Initializer::XavierUniform { gain: 1.0 },
            // Burn's Kaiming bound is gain·√(3 / n_in).
            Self::FanIn { gain } => Initializer::KaimingUniform {
                gain: gain / 3f64.sqrt(),
                fan_out_only: false,
            },
        }
    }
}

/// A matrix of weights `[n_in, n_out]`, drawn at once: Burn draws a parameter when it is first
/// used, so that it would depend on what else is drawn in between.
pub(crate) fn draw(
    initializer: Initializer,
    n_in: usize,
    n_out: usize,
    device: &Device,
) -> Param<Tensor<2>> {
    let weight = initializer.init_with([n_in, n_out], Some(n_in), Some(n_out), device);
    weight.val();
    weight
}

/// One interaction term `−⟨s_to, f_θ(s_from)⟩` of the energy.
///
/// `f_θ` is linear in `s_from` and in its parameters. A new kind of connection is a new
/// variant here, with its value, its adjoint and the contrast of its parameters.
#[derive(Module, Debug)]
pub enum Connection {
    /// Matrix of weights.
    Dense(Dense),
}

impl Connection {
    /// A connection between layers of `n_in` and `n_out` units.
    pub(crate) fn new(
        config: &ConnectionConfig,
        n_in: usize,
        n_out: usize,
        device: &Device,
    ) -> Self {
        match config.kind {
            ConnectionKind::Dense => Self::Dense(Dense::new(config, n_in, n_out, device)),
        }
    }

    /// `f_θ(s_from)`, for a single use; a relaxation uses the [`operator`](Self::operator).
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.forward(pre),
        }
    }

    /// The connection with its parameters held: what a relaxation uses at every step.
    pub fn operator(&self) -> Operator {
        match self {
            Self::Dense(dense) => Operator::Dense(dense.operator()),
        }
    }

    /// Adds `scale · [∂E/∂θ(first) − ∂E/∂θ(second)]`, summed over the batch, of this term to
    /// `gradients`.
    pub fn contrast(
        &self,
        pre: Contrast<'_>,
        post: Contrast<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        match self {
            Self::Dense(dense) => dense.contrast(pre, post, scale, gradients),
        }
    }
}

/// A layer in the two states that a gradient estimate contrasts.
#[derive(Debug, Clone, Copy)]
pub enum Contrast<'a> {
    /// The clamped input, the same in both.
    Clamped(&'a Tensor<2>),
    /// A free layer in the first and the second state.
    Free(&'a Tensor<2>, &'a Tensor<2>),
}

/// A connection with its parameters held, and what can be computed from them alone
/// computed once.
#[derive(Debug, Clone)]
pub enum Operator {
    /// See [`DenseOperator`].
    Dense(DenseOperator),
}

impl Operator {
    /// `f_θ(s_from)`: the drive that `s_from` exerts on the layer above.
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.forward(pre),
        }
    }

    /// `∂⟨s_to, f_θ(s_from)⟩ / ∂s_from`: the drive that `s_to` exerts on the layer below.
    pub fn backward(&self, post: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.backward(post),
        }
    }
}
