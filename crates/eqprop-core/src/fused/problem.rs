//! A relaxation, described as data.

use burn::tensor::Tensor;

use super::packed::Packed;
use crate::geometry::ConvolutionGeometry;
use crate::relaxed::{Relaxed, Stopping};
use crate::shape::LayerShape;
use crate::state::State;

/// A relaxation: the drives and responses of its layers, the order of updates, and when to stop.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The free layers.
    pub layers: Vec<Layer>,
    /// The terms of their drives.
    pub drives: Drives<'a>,
    /// Whether the last one is free, nudged or clamped.
    pub output: Output<'a>,
    /// The update rule of one step.
    pub update: Update,
    /// Groups of layers; those within a group do not interact.
    pub groups: &'a [Vec<usize>],
    /// When to stop.
    pub stopping: Stopping,
}

/// A layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// How its units are arranged.
    pub shape: LayerShape,
    /// How they respond to their drive.
    pub response: Response,
}

/// How a layer responds to its drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Response {
    /// `clip(u, low, high)`
    Clip([f64; 2]),
    /// `max(u, 0)` in the first half of the units, `min(u, 0)` in the second.
    Halves,
    /// `1 / (1 + e^{−(4u − 2)})`
    Logistic,
    /// `tanh u`
    HyperbolicTangent,
}

/// The update rule of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Update {
    /// Asynchronous: the groups in turn, each to its response.
    InTurn,
    /// Synchronous: all layers at once, each to its response.
    AtOnce,
    /// Gradient flow: all layers at once, by a step of this size toward their drive.
    Flow(f64),
}

/// The terms of the layers' drives.
#[derive(Debug)]
pub enum Drives<'a> {
    /// Sums over connections:
    ///
    /// ```text
    /// drive_k = constant_k + Σ_{to = k} f_θ(s_from) + Σ_{from = k} f_θᵀ(s_to)
    /// ```
    Sums {
        /// The constant part of each layer's drive, `[batch, n_units]`.
        constant: &'a [Tensor<2>],
        /// The connections between free layers.
        edges: Vec<Edge<'a>>,
    },
    /// Predictions of each layer from the one below, starting where every layer equals its prediction.
    Predictions(Predictions<'a>),
}

/// A chain of dense layers, each predicted from the one below, `a_k = h_{k−1} W_k + b_k`:
///
/// ```text
/// h_k ← P_k(from + W_{k+1}ᵀ [σ′(a_{k+1}) (h_{k+1} − σ(a_{k+1}))])
/// ```
#[derive(Debug)]
pub struct Predictions<'a> {
    /// The state in which every layer equals its prediction, where the relaxation starts.
    pub pass: &'a State,
    /// `a_k` of each layer in that state, `[batch, n_units]`.
    pub drives: Vec<&'a Tensor<2>>,
    /// The incoming connection of each layer above the first.
    pub edges: Vec<Edge<'a>>,
    /// `b_k` of each layer above the first, `[1, n_units]`.
    pub biases: Vec<&'a Tensor<2>>,
    /// Whether `from` is `a_k` instead of `σ(a_k)`.
    pub from_pre_activation: bool,
}

/// A connection between two free layers, which are numbered from 0.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'a> {
    /// The presynaptic layer in the forward direction.
    pub from: usize,
    /// The postsynaptic layer in the forward direction.
    pub to: usize,
    /// Its parameters.
    pub weights: Weights<'a>,
    /// The parameters in the backend's layout, packed on first use.
    pub packed: &'a Packed,
}

/// The parameters of a connection: forward and backward.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// Both `[n_in, n_out]`.
    Dense([&'a Tensor<2>; 2]),
    /// Both `[channels_out, channels_in, kernel, kernel]`.
    Convolution([&'a Tensor<4>; 2], ConvolutionGeometry),
    /// None: units are connected one to one.
    Identity,
}

/// The condition imposed on the output layer.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// None.
    Free,
    /// The force of a quadratic cost.
    Nudged(QuadraticNudge<'a>),
    /// It is clamped to this state.
    Clamped(&'a Tensor<2>),
}

/// `βC` of a squared error, for an output layer whose potential is `½s²`:
///
/// ```text
/// −β ∂C/∂s = β(y − s),   minimizer σ((drive + offset) · shrink)
/// ```
#[derive(Debug, Clone, Copy)]
pub struct QuadraticNudge<'a> {
    /// `β`, `[batch or 1, n_units or 1]`.
    pub beta: &'a Tensor<2>,
    /// `y`, `[batch, n_units]`.
    pub target: &'a Tensor<2>,
    /// Added to the drive, `[batch, n_units]`.
    pub offset: &'a Tensor<2>,
    /// Factor of the sum, `[batch or 1, n_units or 1]`.
    pub shrink: &'a Tensor<2>,
}

/// A relaxed state and by-products of the relaxation.
#[derive(Debug)]
pub struct Settled {
    /// The relaxed state, with its residual.
    pub relaxed: Relaxed,
    /// For [`Predictions`], `a_k` of the layers above the first.
    pub drives: Vec<Tensor<2>>,
}

/// Options of one step of stochastic gradient descent; see [`Descent`](crate::descent::Descent).
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// `η`.
    pub learning_rate: f64,
    /// `μ`.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// `λ`.
    pub weight_decay: f64,
}

/// A parameter, its gradient and its velocity.
pub type Before<const D: usize> = (Tensor<D>, Tensor<D>, Option<Tensor<D>>);
/// A parameter and its velocity.
pub type After<const D: usize> = (Tensor<D>, Option<Tensor<D>>);
