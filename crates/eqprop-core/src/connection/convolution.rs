//! Convolution between two layers of feature maps, with pooling.

use burn::module::{Module, Param};
use burn::tensor::module::{
    avg_pool2d, conv_transpose2d, conv2d, conv2d_weight_backward, max_pool2d,
    max_pool2d_with_indices,
};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::{Contrast, InitializerConfig, Share, WeightSource, draw, redraw};
#[cfg(feature = "flex")]
use crate::cpu;

/// Geometry of a [`Convolution`].
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
    /// What follows the convolution.
    #[serde(default)]
    pub pooling: Pooling,
}

fn one() -> usize {
    1
}

/// What follows a convolution: the windows do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Nothing.
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
}

impl ConvolutionConfig {
    /// A kernel of stride 1, without padding and pooling.
    pub fn new(kernel: usize) -> Self {
        Self {
            kernel,
            stride: 1,
            padding: 0,
            pooling: Pooling::None,
        }
    }

    /// With so many zeros on each side.
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// With steps of `stride`.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With pooling.
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    /// Height and width of the maps that maps of `size` lead to, or `None` where the kernel does
    /// not fit, the pooling windows do not tile the result, or the padding is too large to count.
    pub fn output(self, size: [usize; 2]) -> Option<[usize; 2]> {
        let [height, width] = self.convolved(size)?;
        let pool = self.pooling.size();
        let tiles = pool > 0 && height.is_multiple_of(pool) && width.is_multiple_of(pool);
        tiles.then(|| [height / pool, width / pool])
    }

    /// Height and width before the pooling.
    fn convolved(self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        if self.kernel == 0 || self.stride == 0 {
            return None;
        }
        let along = |size: usize| {
            let padded = self.padding.checked_mul(2)?.checked_add(size)?;
            let room = padded.checked_sub(self.kernel)?;
            (room / self.stride).checked_add(1)
        };
        Some([along(height)?, along(width)?])
    }
}

/// Convolution with a kernel `K` and pooling `P`, the term `−⟨s_to, P(K ∗ s_from)⟩` of the energy.
///
/// The transposed path is the exact adjoint. Average pooling is linear, so the term is bilinear
/// and layers have exact minimizers as between [`Dense`](super::Dense) connections. Max pooling is
/// linear only as long as the same units win their windows: the transposed path routes through
/// the winners of the current `s_from`, and an update of `s_from` is a fixed-point step. Where
/// `s_to` has no negative values the term is concave in `s_from`, with its tangent above it, so
/// that the step does not raise the energy; where it has, the step may.
///
/// # Reference
/// Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>; Laborieux et al. (2021),
/// <https://arxiv.org/abs/2006.03824>
#[derive(Module, Debug)]
pub struct Convolution {
    /// Kernel, `[channels_out, channels_in, kernel, kernel]`.
    pub kernel: Param<Tensor<4>>,
    #[module(skip)]
    geometry: Geometry,
}

#[derive(Debug, Clone, Copy)]
struct Geometry {
    config: ConvolutionConfig,
    /// Channels, height and width of the layer below.
    input: [usize; 3],
    /// Channels, height and width of the layer above.
    output: [usize; 3],
}

impl Convolution {
    pub(super) fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        let [n_out, n_in, rows, columns] = self.kernel.val().dims();
        let fans = [n_in, n_out].map(|channels| channels * rows * columns);
        redraw(&mut self.kernel, initializer, fans, source);
    }

    /// A convolution between maps whose sizes [fit](ConvolutionConfig::output).
    pub(crate) fn new(
        config: ConvolutionConfig,
        initializer: InitializerConfig,
        input: [usize; 3],
        output: [usize; 3],
        device: &Device,
    ) -> Self {
        let area = config.kernel * config.kernel;
        let shape = [output[0], input[0], config.kernel, config.kernel];
        let fans = (input[0] * area, output[0] * area);
        Self {
            kernel: draw(initializer, shape, fans, device),
            geometry: Geometry {
                config,
                input,
                output,
            },
        }
    }

    /// Kernel, stride, padding and pooling.
    pub fn config(&self) -> ConvolutionConfig {
        self.geometry.config
    }

    /// `P(K ∗ s_from)`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        let operator = self.operator();
        #[cfg(feature = "flex")]
        if let Some(sent) = cpu::convolution_forward(&pre, &operator.kernel, operator.geometry()) {
            return sent;
        }
        operator.forward(pre)
    }

    /// See [`Connection::operator`](super::Connection::operator).
    pub fn operator(&self) -> ConvolutionOperator {
        self.operator_with(self)
    }

    /// See [`Connection::operator_with`](super::Connection::operator_with).
    pub(crate) fn operator_with(&self, feedback: &Self) -> ConvolutionOperator {
        ConvolutionOperator {
            kernel: self.kernel.val(),
            feedback: feedback.kernel.val(),
            geometry: self.geometry,
        }
    }

    /// `∂E/∂K = −corr(s_from, Pᵀ s_to)`. With `p = Pᵀ s_to`, each through its own winners, the
    /// difference of two correlations is formed as `½[corr(Δ_from, Σ_p) + corr(Σ_from, Δ_p)]`, as
    /// in [`Dense`](super::Dense).
    pub(crate) fn contrast(
        &self,
        share: Share,
        pre: Contrast<'_>,
        post: Contrast<'_>,
        scale: f64,
    ) -> Tensor<4> {
        let Contrast::Free(post_first, post_second) = post else {
            unreachable!("a configuration with a connection into the input is refused");
        };
        let operator = self.operator();
        #[cfg(feature = "flex")]
        if let Some(gradient) = cpu::convolution_contrast(
            share,
            pre,
            [post_first, post_second],
            &operator.kernel,
            operator.geometry(),
            -scale,
        ) {
            return gradient;
        }
        match pre {
            Contrast::Clamped(input) => {
                let difference = post_first.clone() - post_second.clone();
                let winners = operator.winners(input);
                self.correlate(input, difference, &winners, -scale)
            }
            Contrast::Free(pre_first, pre_second) => {
                let half = -0.5 * scale;
                let pre_difference = (pre_first.clone() - pre_second.clone()) * half;
                let pre_sum = pre_first.clone() + pre_second.clone();
                let [post_sum, post_difference] = match operator.geometry.config.pooling {
                    // Each state has its own winners, and their values pass as they are.
                    Pooling::Max(_) => {
                        let unpool = |post: &Tensor<2>, pre| {
                            operator.unpool(post.clone(), &operator.winners(pre))
                        };
                        let first = unpool(post_first, pre_first);
                        let second = unpool(post_second, pre_second);
                        [first.clone() + second.clone(), first - second]
                    }
                    // Shares of a mean are rounded, so that the difference comes first.
                    Pooling::None | Pooling::Average(_) => [
                        post_first.clone() + post_second.clone(),
                        post_first.clone() - post_second.clone(),
                    ]
                    .map(|post| operator.unpool(post, &Winners::all())),
                };
                let post_difference = post_difference * half;
                match share {
                    // One correlation over a batch of both products.
                    Share::Whole => operator.correlate(
                        Tensor::cat(vec![pre_difference, pre_sum], 0),
                        Tensor::cat(vec![post_sum, post_difference], 0),
                    ),
                    Share::Forward => operator.correlate(pre_sum, post_difference),
                    Share::Feedback => operator.correlate(pre_difference, post_sum),
                }
            }
        }
    }

    /// See [`Connection::correlate`](super::Connection::correlate).
    pub(crate) fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        winners: &Winners,
        scale: f64,
    ) -> Tensor<4> {
        let operator = self.operator();
        #[cfg(feature = "flex")]
        if let Some(gradient) = cpu::convolution_contrast(
            Share::Whole,
            Contrast::Clamped(pre),
            [&post, &post.zeros_like()],
            &operator.kernel,
            operator.geometry(),
            scale,
        ) {
            return gradient;
        }
        let unpooled = operator.unpool(post * scale, winners);
        operator.correlate(pre.clone(), unpooled)
    }
}

/// The units whose values max pooling lets through: of each window the one with the largest value.
#[derive(Debug, Clone)]
pub struct Winners(Option<Tensor<4, Int>>);

impl Winners {
    /// Where nothing is left out: without max pooling.
    pub fn all() -> Self {
        Self(None)
    }

    /// Repeated `n` times along the batch axis, as [`State::repeat`](crate::state::State::repeat).
    pub fn repeat(&self, n: usize) -> Self {
        let winners = self.0.clone();
        Self(winners.map(|winners| winners.repeat_dim(0, n)))
    }
}

/// [`Convolution`] with its kernel held, and that of the transposed path.
#[derive(Debug, Clone)]
pub struct ConvolutionOperator {
    kernel: Tensor<4>,
    feedback: Tensor<4>,
    geometry: Geometry,
}

impl ConvolutionOperator {
    /// The kernels forth and back, both `[channels_out, channels_in, kernel, kernel]`.
    #[cfg(feature = "flex")]
    pub(crate) fn kernels(&self) -> [&Tensor<4>; 2] {
        [&self.kernel, &self.feedback]
    }

    #[cfg(feature = "flex")]
    pub(crate) fn geometry(&self) -> cpu::Geometry {
        let Geometry {
            config,
            input,
            output,
        } = self.geometry;
        cpu::Geometry {
            input,
            output,
            kernel: config.kernel,
            stride: config.stride,
            padding: config.padding,
            pooling: config.pooling,
        }
    }

    /// `P(K ∗ s_from)`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        let convolved = self.convolve(pre);
        let pooled = match self.geometry.config.pooling {
            Pooling::None => convolved,
            Pooling::Max(size) => max_pool2d(convolved, max_pool(size)),
            Pooling::Average(size) => avg_pool2d(convolved, average_pool(size)),
        };
        pooled.flatten(1, 3)
    }

    /// [`forward`](Self::forward), with the winners of `pre`.
    pub fn forward_with_winners(&self, pre: Tensor<2>) -> (Tensor<2>, Winners) {
        match self.geometry.config.pooling {
            Pooling::None | Pooling::Average(_) => (self.forward(pre), Winners::all()),
            Pooling::Max(size) => {
                let (pooled, winners) = max_pool2d_with_indices(self.convolve(pre), max_pool(size));
                (pooled.flatten(1, 3), Winners(Some(winners)))
            }
        }
    }

    /// `Kᵀ ∗ Pᵀ s_to`, with max pooling through the winners of `pre`.
    ///
    /// # Shapes
    /// - `post`: `[batch, n_out]`, `pre` and output: `[batch, n_in]`
    pub fn backward(&self, post: Tensor<2>, pre: &Tensor<2>) -> Tensor<2> {
        self.backward_through(post, &self.winners(pre))
    }

    /// [`backward`](Self::backward) with the winners known.
    pub fn backward_through(&self, post: Tensor<2>, winners: &Winners) -> Tensor<2> {
        let Geometry { config, input, .. } = self.geometry;
        // The stride may leave rows of the input that no kernel reaches.
        let rest = |size: usize| (size + 2 * config.padding - config.kernel) % config.stride;
        let options = ConvTransposeOptions::new(
            [config.stride; 2],
            [config.padding; 2],
            [rest(input[1]), rest(input[2])],
            [1, 1],
            1,
        );
        let unpooled = self.unpool(post, winners);
        conv_transpose2d(unpooled, self.feedback.clone(), None, options).flatten(1, 3)
    }

    /// `K ∗ s_from`, before the pooling.
    fn convolve(&self, pre: Tensor<2>) -> Tensor<4> {
        conv2d(self.maps(pre), self.kernel.clone(), None, self.options())
    }

    /// The winners of `pre`.
    fn winners(&self, pre: &Tensor<2>) -> Winners {
        match self.geometry.config.pooling {
            Pooling::None | Pooling::Average(_) => Winners::all(),
            Pooling::Max(_) => self.forward_with_winners(pre.clone().without_autodiff()).1,
        }
    }

    /// `Pᵀ s_to`, `[batch, channels, height, width]` of the maps before the pooling.
    ///
    /// # Panics
    /// If there is max pooling and the winners are those of another connection.
    fn unpool(&self, post: Tensor<2>, winners: &Winners) -> Tensor<4> {
        let Geometry { config, output, .. } = self.geometry;
        let [channels, height, width] = output;
        let [batch, _] = post.dims();
        let size = config.pooling.size();
        let shape = [batch, channels, height * size, width * size];
        match config.pooling {
            Pooling::None => post.reshape(shape),
            Pooling::Average(size) => {
                // Each mean goes back to all of its window in equal shares.
                let shares = post / (size * size) as f64;
                shares
                    .reshape([batch * channels, height, 1, width, 1])
                    .expand([batch * channels, height, size, width, size])
                    .reshape(shape)
            }
            Pooling::Max(_) => {
                let winners = winners.0.clone();
                let winners = winners.expect("max pooling has winners");
                scatter(post, winners, shape)
            }
        }
    }

    /// `∂⟨p, K ∗ s⟩/∂K`, summed over the batch.
    fn correlate(&self, pre: Tensor<2>, unpooled: Tensor<4>) -> Tensor<4> {
        let kernel = self.kernel.clone();
        conv2d_weight_backward(self.maps(pre), kernel, unpooled, self.options())
    }

    fn maps(&self, pre: Tensor<2>) -> Tensor<4> {
        let [batch, _] = pre.dims();
        let [channels, height, width] = self.geometry.input;
        pre.reshape([batch, channels, height, width])
    }

    fn options(&self) -> ConvOptions<2> {
        let config = self.geometry.config;
        ConvOptions::new([config.stride; 2], [config.padding; 2], [1, 1], 1)
    }
}

fn max_pool(size: usize) -> MaxPoolOptions<2> {
    MaxPoolOptions::new([size; 2])
}

fn average_pool(size: usize) -> AvgPoolOptions<2> {
    AvgPoolOptions::new([size; 2])
}

/// Each value to the place of the winner of its window.
fn scatter(values: Tensor<2>, winners: Tensor<4, Int>, shape: [usize; 4]) -> Tensor<4> {
    let [batch, channels, height, width] = shape;
    let [_, _, rows, columns] = winners.dims();
    let flat = [batch, channels, rows * columns];
    let like = (&values.device(), values.dtype());
    Tensor::<3>::zeros([batch, channels, height * width], like)
        .scatter(
            2,
            winners.reshape(flat),
            values.reshape(flat),
            IndexingUpdateOp::Add,
        )
        .reshape(shape)
}
