//! A connection: one interaction term of the energy.

pub mod convolution;
pub mod dense;
mod source;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::gradients::Gradients;
use crate::shape::LayerShape;
pub use convolution::{Convolution, ConvolutionConfig, ConvolutionOperator, Pooling, Winners};
pub use dense::{Dense, DenseOperator};
pub(crate) use dense::{contrast_of_products, product_once};
pub use source::{WeightSource, redraw};

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
    /// A kernel that slides over feature maps; see [`Convolution`].
    Convolution(ConvolutionConfig),
    /// Each unit with the one in the same place: `−⟨s_to, s_from⟩`, without parameters.
    Identity,
}

impl ConnectionKind {
    /// Whether such a connection can lead from a layer of one shape to a layer of another; if
    /// not, what it would need.
    ///
    /// # Errors
    /// In words, to follow "needs".
    pub fn fits(self, from: LayerShape, to: LayerShape) -> Result<(), String> {
        match self {
            Self::Dense if can_be_counted([from.n_units(), to.n_units()]) => Ok(()),
            Self::Dense => Err("smaller layers: its weights cannot be counted".to_string()),
            Self::Identity if from == to => Ok(()),
            Self::Identity => Err("two layers of the same shape".to_string()),
            Self::Convolution(config) => {
                let (Some([below, height, width]), Some([channels, rows, columns])) =
                    (from.maps(), to.maps())
                else {
                    return Err("layers of feature maps at both ends".to_string());
                };
                let sizes = [config.kernel, config.kernel, below, channels];
                if !can_be_counted(sizes) {
                    return Err("a smaller kernel: its weights cannot be counted".to_string());
                }
                match config.output([height, width]) {
                    Some(size) if size == [rows, columns] => Ok(()),
                    Some([rows, columns]) => Err(format!(
                        "{channels}×{rows}×{columns} units in the layer above"
                    )),
                    None => Err(
                        "a kernel that fits into the layer below, a stride of at least 1, and \
                         pooling windows that tile the result"
                            .to_string(),
                    ),
                }
            }
        }
    }
}

/// Whether a tensor of these sizes has an address for each of its bytes, in double precision too.
fn can_be_counted<const D: usize>(sizes: [usize; D]) -> bool {
    let n = sizes
        .into_iter()
        .try_fold(size_of::<f64>(), usize::checked_mul);
    n.is_some_and(|n| isize::try_from(n).is_ok())
}

/// Distribution of initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
    /// Checks the gain.
    ///
    /// # Errors
    /// If it is not a positive number.
    pub(crate) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::Glorot => Ok(()),
            Self::FanIn { gain } => ConfigError::positive_number("initializer gain", gain),
        }
    }

    /// The largest weight of a unit that `n_in` units drive, and that drives `n_out`.
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

/// Weights, drawn at once: Burn draws a parameter when it is first used, so that it would depend
/// on what else is drawn in between.
pub(crate) fn draw<const D: usize>(
    initializer: InitializerConfig,
    shape: [usize; D],
    (n_in, n_out): (usize, usize),
    device: &Device,
) -> Param<Tensor<D>> {
    let initializer = initializer.initializer();
    let weight = initializer.init_with(shape, Some(n_in), Some(n_out), device);
    weight.val();
    weight
}

/// A parameter of its own with the same values.
fn duplicate<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    Param::from_tensor(param.val().detach())
}

/// One interaction term `−⟨s_to, f_θ(s_from)⟩` of the energy.
///
/// `f_θ` is linear in its parameters and, but for max pooling, in `s_from`. A new kind of
/// connection is a new variant here, with its value, its adjoint and the contrast of its
/// parameters.
#[derive(Module, Debug)]
pub enum Connection {
    /// Matrix of weights.
    Dense(Dense),
    /// Kernel and pooling.
    Convolution(Convolution),
    /// One to one.
    Identity(Identity),
}

/// See [`ConnectionKind::Identity`].
#[derive(Module, Debug)]
pub struct Identity;

impl Connection {
    /// A connection between layers of these shapes, which must [fit](ConnectionKind::fits).
    pub(crate) fn new(
        config: &ConnectionConfig,
        from: LayerShape,
        to: LayerShape,
        device: &Device,
    ) -> Self {
        match config.kind {
            ConnectionKind::Dense => {
                Self::Dense(Dense::new(config, from.n_units(), to.n_units(), device))
            }
            ConnectionKind::Convolution(kind) => {
                let maps = |shape: LayerShape| shape.maps().expect("checked to fit");
                let (from, to) = (maps(from), maps(to));
                Self::Convolution(Convolution::new(kind, config.initializer, from, to, device))
            }
            ConnectionKind::Identity => Self::Identity(Identity),
        }
    }

    /// The kind of connection that this is.
    pub fn kind(&self) -> ConnectionKind {
        match self {
            Self::Dense(_) => ConnectionKind::Dense,
            Self::Convolution(convolution) => ConnectionKind::Convolution(convolution.config()),
            Self::Identity(_) => ConnectionKind::Identity,
        }
    }

    /// New weights, if it has any.
    pub(crate) fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        match self {
            Self::Dense(dense) => dense.redraw(initializer, source),
            Self::Convolution(convolution) => convolution.redraw(initializer, source),
            Self::Identity(_) => {}
        }
    }

    /// A connection with parameters of its own that begin with the values of these.
    pub(crate) fn duplicate(&self) -> Self {
        let mut other = self.clone();
        match &mut other {
            Self::Dense(dense) => dense.weight = duplicate(&dense.weight),
            Self::Convolution(convolution) => convolution.kernel = duplicate(&convolution.kernel),
            Self::Identity(_) => {}
        }
        other
    }

    /// `f_θ(s_from)`, for a single use; a relaxation uses the [`operator`](Self::operator).
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.forward(pre),
            Self::Convolution(convolution) => convolution.forward(pre),
            Self::Identity(_) => pre,
        }
    }

    /// [`forward`](Self::forward), with the units whose values max pooling lets through.
    pub fn forward_with_winners(&self, pre: Tensor<2>) -> (Tensor<2>, Winners) {
        match self {
            Self::Convolution(convolution) => convolution.operator().forward_with_winners(pre),
            Self::Dense(_) | Self::Identity(_) => (self.forward(pre), Winners::all()),
        }
    }

    /// The connection with its parameters held: what a relaxation uses at every step.
    pub fn operator(&self) -> Operator {
        match self {
            Self::Dense(dense) => Operator::Dense(dense.operator()),
            Self::Convolution(convolution) => Operator::Convolution(convolution.operator()),
            Self::Identity(_) => Operator::Identity,
        }
    }

    /// The connection with its parameters held, and with those of `feedback`, a connection of the
    /// same kind and shape, for the drive that `s_to` exerts on the layer below. Max pooling has
    /// the winners of the forward direction in both.
    pub(crate) fn operator_with(&self, feedback: &Self) -> Operator {
        match (self, feedback) {
            (Self::Dense(forward), Self::Dense(feedback)) => {
                Operator::Dense(forward.operator_with(feedback))
            }
            (Self::Convolution(forward), Self::Convolution(feedback)) => {
                Operator::Convolution(forward.operator_with(feedback))
            }
            (Self::Identity(_), Self::Identity(_)) => Operator::Identity,
            _ => unreachable!("both directions are made from one configuration"),
        }
    }

    /// Registers `scale · [∂E/∂θ(first) − ∂E/∂θ(second)]`, summed over the batch, of this term in
    /// `gradients`.
    pub fn contrast(
        &self,
        pre: Contrast<'_>,
        post: Contrast<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        self.contrast_for(&[self], Share::Whole, [pre, post], scale, gradients);
    }

    /// As [`contrast`](Self::contrast), of a share, and for the parameters of other connections of
    /// the same kind and shape.
    pub(crate) fn contrast_for(
        &self,
        others: &[&Self],
        share: Share,
        [pre, post]: [Contrast<'_>; 2],
        scale: f64,
        gradients: &mut Gradients,
    ) {
        match self {
            Self::Dense(dense) => {
                let gradient = dense.contrast(share, pre, post, scale);
                for other in others {
                    if let Self::Dense(other) = other {
                        gradients.register(other.weight.id, gradient.clone());
                    }
                }
            }
            Self::Convolution(convolution) => {
                let gradient = convolution.contrast(share, pre, post, scale);
                for other in others {
                    if let Self::Convolution(other) = other {
                        gradients.register(other.kernel.id, gradient.clone());
                    }
                }
            }
            Self::Identity(_) => {}
        }
    }

    /// Registers `scale · ∂⟨post, f_θ(pre)⟩/∂θ`, summed over the batch, in `gradients`: the one
    /// product that a contrast is where `pre` is the same in both states, or `post` is 0 in one.
    /// `winners` are those of `pre`.
    pub fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        winners: &Winners,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        match self {
            Self::Dense(dense) => {
                gradients.register(dense.weight.id, dense.correlate(pre, &post, scale));
            }
            Self::Convolution(convolution) => {
                let gradient = convolution.correlate(pre, post, winners, scale);
                gradients.register(convolution.kernel.id, gradient);
            }
            Self::Identity(_) => {}
        }
    }
}

/// What of a contrast the synapses of one direction see. With differences `Δ` and sums `Σ` of the
/// two states the shares of a dense connection are
///
/// ```text
/// Whole       −½[Δ_fromᵀ Σ_to + Σ_fromᵀ Δ_to]    the difference of ∂E/∂W
/// Forward     −½ Σ_fromᵀ Δ_to                    by how much the driven layer moved
/// Feedback    −½ Δ_fromᵀ Σ_to                    likewise, where s_to drives s_from
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Whole,
    Forward,
    Feedback,
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
    /// See [`ConvolutionOperator`].
    Convolution(ConvolutionOperator),
    /// See [`ConnectionKind::Identity`].
    Identity,
}

impl Operator {
    /// `f_θ(s_from)`: the drive that `s_from` exerts on the layer above.
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.forward(pre),
            Self::Convolution(convolution) => convolution.forward(pre),
            Self::Identity => pre,
        }
    }

    /// [`forward`](Self::forward), with the units whose values max pooling lets through.
    pub fn forward_with_winners(&self, pre: Tensor<2>) -> (Tensor<2>, Winners) {
        match self {
            Self::Convolution(convolution) => convolution.forward_with_winners(pre),
            Self::Dense(_) | Self::Identity => (self.forward(pre), Winners::all()),
        }
    }

    /// `∂⟨s_to, f_θ(s_from)⟩ / ∂s_from`: the drive that `s_to` exerts on the layer below. Max
    /// pooling depends on `pre`, the current `s_from`.
    pub fn backward(&self, post: Tensor<2>, pre: &Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.backward(post),
            Self::Convolution(convolution) => convolution.backward(post, pre),
            Self::Identity => post,
        }
    }

    /// [`backward`](Self::backward) with the winners that the current `s_from` is known to have.
    pub fn backward_through(&self, post: Tensor<2>, winners: &Winners) -> Tensor<2> {
        match self {
            Self::Dense(dense) => dense.backward(post),
            Self::Convolution(convolution) => convolution.backward_through(post, winners),
            Self::Identity => post,
        }
    }
}
