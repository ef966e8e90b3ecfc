//! What there is to compute, as data.

use burn::tensor::Tensor;

use super::packed::Packed;
use crate::geometry::ConvolutionGeometry;
use crate::relaxed::{Relaxed, Stopping};
use crate::shape::LayerShape;
use crate::state::State;

/// A relaxation: what drives each layer, how it responds, in which order, and for how long.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The free layers.
    pub layers: Vec<Layer>,
    /// What drives them.
    pub drives: Drives<'a>,
    /// What acts on the last one.
    pub output: Output<'a>,
    /// Which layers move together.
    pub update: Update,
    /// Groups of layers that do not interact.
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

/// The rule of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Update {
    /// Each group in turn goes to its response.
    InTurn,
    /// All layers at once.
    AtOnce,
    /// All at once, a step of this size toward their drive.
    Flow(f64),
}

/// What drives the layers.
#[derive(Debug)]
pub enum Drives<'a> {
    /// Sums over connections:
    ///
    /// ```text
    /// drive_k = constant_k + Σ_{to = k} f_θ(s_from) + Σ_{from = k} f_θᵀ(s_to)
    /// ```
    Sums {
        /// Of each layer, `[batch, n_units]`.
        constant: &'a [Tensor<2>],
        /// The connections between free layers.
        edges: Vec<Edge<'a>>,
    },
    /// Predictions, each layer's from the one below: around the state in which each is as predicted.
    Predictions(Predictions<'a>),
}

/// A chain of dense layers that predict one another, `a_k = h_{k−1} W_k + b_k`:
///
/// ```text
/// h_k ← P_k(from + W_{k+1}ᵀ [σ′(a_{k+1}) (h_{k+1} − σ(a_{k+1}))])
/// ```
#[derive(Debug)]
pub struct Predictions<'a> {
    /// The state in which each layer is as predicted, which the relaxation starts from.
    pub pass: &'a State,
    /// `a_k` of each layer there, `[batch, n_units]`.
    pub drives: Vec<&'a Tensor<2>>,
    /// What leads to each layer above the first.
    pub edges: Vec<Edge<'a>>,
    /// `b_k` of each layer above the first, `[1, n_units]`.
    pub biases: Vec<&'a Tensor<2>>,
    /// Whether a layer moves from `a_k`, and not from `σ(a_k)`.
    pub from_pre_activation: bool,
}

/// A connection between two free layers, counted from 0.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'a> {
    /// The layer that the forward direction starts from.
    pub from: usize,
    /// The layer that it leads to.
    pub to: usize,
    /// Its parameters.
    pub weights: Weights<'a>,
    /// Where they are kept as the backend wants them.
    pub packed: &'a Packed,
}

/// The parameters of a connection forth and back.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// Both `[n_in, n_out]`.
    Dense([&'a Tensor<2>; 2]),
    /// Both `[channels_out, channels_in, kernel, kernel]`.
    Convolution([&'a Tensor<4>; 2], ConvolutionGeometry),
    /// None: one to one.
    Identity,
}

/// What acts on the output layer.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// Nothing.
    Free,
    /// The force of a quadratic cost.
    Nudged(QuadraticNudge<'a>),
    /// It is held.
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
    /// What is added to the drive, `[batch, n_units]`.
    pub offset: &'a Tensor<2>,
    /// What the sum is multiplied by, `[batch or 1, n_units or 1]`.
    pub shrink: &'a Tensor<2>,
}

/// A relaxed state, and what else was computed on the way.
#[derive(Debug)]
pub struct Settled {
    /// The outcome.
    pub relaxed: Relaxed,
    /// Of [`Predictions`] the `a_k` of the layers above the first.
    pub drives: Vec<Tensor<2>>,
}

/// Options of a step of stochastic gradient descent, see [`Descent`](crate::descent::Descent).
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// `η`.
    pub learning_rate: f64,
    /// `μ`.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// `λ`.
    pub weight_decay: f64,
}

/// A parameter, its gradient and its velocity.
pub type Before<const D: usize> = (Tensor<D>, Tensor<D>, Option<Tensor<D>>);
/// A parameter and its velocity.
pub type After<const D: usize> = (Tensor<D>, Option<Tensor<D>>);
