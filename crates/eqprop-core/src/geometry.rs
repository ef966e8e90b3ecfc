//! The geometry of convolutions.

use serde::{Deserialize, Serialize};

/// Geometry of a [`Convolution`](crate::connection::Convolution).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionConfig {
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step of the kernel in both directions.
    #[serde(default = "one")]
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    #[serde(default)]
    pub padding: usize,
    /// Pooling after the convolution.
    #[serde(default)]
    pub pooling: Pooling,
}

fn one() -> usize {
    1
}

/// Pooling after a convolution, with windows that do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// No pooling.
    #[default]
    None,
    /// The largest value of each `n × n` window.
    Max(usize),
    /// The mean of each `n × n` window.
    Average(usize),
}

impl Pooling {
    pub(crate) fn size(self) -> usize {
        match self {
            Self::None => 1,
            Self::Max(size) | Self::Average(size) => size,
        }
    }

    pub(crate) fn is_max(self) -> bool {
        matches!(self, Self::Max(_))
    }
}

impl ConvolutionConfig {
    /// Creates a kernel with stride 1, without padding or pooling.
    pub fn new(kernel: usize) -> Self {
        Self {
            kernel,
            stride: 1,
            padding: 0,
            pooling: Pooling::None,
        }
    }

    /// Sets the number of rows and columns of zeros on each side.
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// Sets the stride.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets the pooling.
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    /// Returns the height and width of the output maps for input maps of the given size, or `None` if
    /// the kernel does not fit, the pooling windows do not tile the result, or the padding is too large
    /// to count.
    pub fn output(self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let pool = self.pooling.size();
        let along = |size: usize| {
            let padded = self.padding.checked_mul(2)?.checked_add(size)?;
            let room = padded.checked_sub(self.kernel)?;
            let convolved = room.checked_div(self.stride)?.checked_add(1)?;
            convolved.is_multiple_of(pool).then(|| convolved / pool)
        };
        if self.kernel == 0 {
            return None;
        }
        Some([along(height)?, along(width)?])
    }
}

/// A convolution between two layers.
#[derive(Debug, Clone, Copy)]
pub struct ConvolutionGeometry {
    /// The sliding kernel.
    pub config: ConvolutionConfig,
    /// Channels, height and width of the presynaptic layer.
    pub input: [usize; 3],
    /// Channels, height and width of the postsynaptic layer.
    pub output: [usize; 3],
}
