//! Configuration of connections and of their initial weights.

use burn::module::Param;
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::geometry::ConvolutionConfig;

/// The two layers that a connection joins, and its kind.
///
/// Layers are counted from the clamped input, which is layer 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// Presynaptic layer: the start of the forward direction.
    pub from: usize,
    /// Postsynaptic layer: the end of the forward direction.
    pub to: usize,
    /// The kind of connection.
    pub kind: ConnectionKind,
    /// Distribution of the initial weights.
    pub initializer: InitializerConfig,
}

/// The kind of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// Connects every unit of one layer to every unit of the other; see [`Dense`](super::Dense).
    Dense,
    /// A kernel that slides over feature maps; see [`Convolution`](super::Convolution).
    Convolution(ConvolutionConfig),
    /// Connects each unit to the unit at the same position: `−⟨s_to, s_from⟩`, without parameters.
    Identity,
    /// Softmax attention between the positions of one layer; see [`Attention`](super::Attention).
    Attention(AttentionConfig),
}

/// Configuration of an [`Attention`](super::Attention).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionConfig {
    /// Number of heads, at least 1.
    pub heads: usize,
    /// Width of the queries and keys of a head, at least 1.
    pub width: usize,
}

impl AttentionConfig {
    /// Creates a configuration with the given number of heads and width of their keys.
    pub fn new(heads: usize, width: usize) -> Self {
        Self { heads, width }
    }

    /// Width of the queries of all heads together.
    pub(super) fn n_columns(self) -> usize {
        self.heads * self.width
    }
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

    /// Returns the largest absolute value of a weight with fan-in `n_in` and fan-out `n_out`.
    pub fn bound(self, n_in: usize, n_out: usize) -> f64 {
        match self {
            Self::Glorot => 3f64.sqrt() * (2.0 / (n_in + n_out) as f64).sqrt(),
            Self::FanIn { gain } => gain / (n_in as f64).sqrt(),
        }
    }
}

/// Draws weights at once: Burn draws a parameter when it is first used, so that it would depend on
/// anything drawn in between.
pub(crate) fn draw<const D: usize>(
    initializer: InitializerConfig,
    shape: [usize; D],
    (n_in, n_out): (usize, usize),
    device: &Device,
) -> Param<Tensor<D>> {
    let max = initializer.bound(n_in, n_out);
    let weight = Initializer::Uniform { min: -max, max }.init(shape, device);
    weight.val();
    weight
}

/// Returns whether every byte of a tensor of these sizes has an address, even in double precision.
pub fn can_be_counted<const D: usize>(sizes: [usize; D]) -> bool {
    let n = sizes
        .into_iter()
        .try_fold(size_of::<f64>(), usize::checked_mul);
    n.is_some_and(|n| isize::try_from(n).is_ok())
}
