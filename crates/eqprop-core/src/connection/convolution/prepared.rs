//! A convolution with its kernels fixed.

use burn::tensor::module::{
    avg_pool2d, conv_transpose2d, conv2d, conv2d_weight_backward, max_pool2d,
    max_pool2d_with_indices,
};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::connection::pool_indices::PoolIndices;
use crate::connection::term::Prepared;
use crate::contrast::{Share, StatePair};
use crate::fused::Weights;
use crate::geometry::{ConvolutionGeometry, Pooling};

/// A convolution with its kernel fixed, and that of the transposed path, both
/// `[channels_out, channels_in, kernel, kernel]`.
#[derive(Debug)]
pub struct PreparedConvolution {
    pub kernel: Tensor<4>,
    pub feedback: Tensor<4>,
    pub geometry: ConvolutionGeometry,
}

impl Prepared for PreparedConvolution {
    /// `P(K ∗ s_from)`
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        let convolved = self.convolve(pre);
        let pooled = match self.geometry.config.pooling {
            Pooling::None => convolved,
            Pooling::Max(size) => max_pool2d(convolved, MaxPoolOptions::new([size; 2])),
            Pooling::Average(size) => avg_pool2d(convolved, AvgPoolOptions::new([size; 2])),
        };
        pooled.flatten(1, 3)
    }

    fn forward_with_indices(&self, pre: Tensor<2>) -> (Tensor<2>, PoolIndices) {
        match self.geometry.config.pooling {
            Pooling::None | Pooling::Average(_) => (self.forward(pre), PoolIndices::all()),
            Pooling::Max(size) => {
                let options = MaxPoolOptions::new([size; 2]);
                let (pooled, winners) = max_pool2d_with_indices(self.convolve(pre), options);
                (pooled.flatten(1, 3), PoolIndices::of(winners))
            }
        }
    }

    fn indices(&self, pre: &Tensor<2>) -> PoolIndices {
        match self.geometry.config.pooling {
            Pooling::None | Pooling::Average(_) => PoolIndices::all(),
            Pooling::Max(_) => self.forward_with_indices(pre.clone().without_autodiff()).1,
        }
    }

    /// `Kᵀ ∗ Pᵀ s_to`
    fn backward(&self, post: Tensor<2>, indices: &PoolIndices) -> Tensor<2> {
        let ConvolutionGeometry { config, input, .. } = self.geometry;
        // The stride may leave rows of the input that no kernel reaches.
        let rest = |size: usize| (size + 2 * config.padding - config.kernel) % config.stride;
        let options = ConvTransposeOptions::new(
            [config.stride; 2],
            [config.padding; 2],
            [rest(input[1]), rest(input[2])],
            [1, 1],
            1,
        );
        let unpooled = self.unpool(post, indices);
        conv_transpose2d(unpooled, self.feedback.clone(), None, options).flatten(1, 3)
    }

    fn weights(&self) -> Option<Weights<'_>> {
        Some(Weights::Convolution(
            [&self.kernel, &self.feedback],
            self.geometry,
        ))
    }
}

impl PreparedConvolution {
    /// The share of `scale · Σ_batch [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]`.
    pub fn contrast(
        &self,
        share: Share,
        pre: StatePair<'_>,
        [post_first, post_second]: [&Tensor<2>; 2],
        scale: f64,
    ) -> Tensor<4> {
        match pre {
            StatePair::Clamped(input) => {
                let difference = post_first.clone() - post_second.clone();
                self.correlate(input, difference, &self.indices(input), scale)
            }
            StatePair::Free(pre_first, pre_second) => {
                let half = 0.5 * scale;
                let pre_difference = (pre_first.clone() - pre_second.clone()) * half;
                let pre_sum = pre_first.clone() + pre_second.clone();
                let [post_sum, post_difference] = match self.geometry.config.pooling {
                    // Each state has its own winners, and their values pass as they are.
                    Pooling::Max(_) => {
                        let unpool =
                            |post: &Tensor<2>, pre| self.unpool(post.clone(), &self.indices(pre));
                        let first = unpool(post_first, pre_first);
                        let second = unpool(post_second, pre_second);
                        [first.clone() + second.clone(), first - second]
                    }
                    // Shares of a mean are rounded, so that the difference comes first.
                    Pooling::None | Pooling::Average(_) => [
                        post_first.clone() + post_second.clone(),
                        post_first.clone() - post_second.clone(),
                    ]
                    .map(|post| self.unpool(post, &PoolIndices::all())),
                };
                let post_difference = post_difference * half;
                match share {
                    // One correlation over a batch of both products.
                    Share::Whole => self.correlation(
                        Tensor::cat(vec![pre_difference, pre_sum], 0),
                        Tensor::cat(vec![post_sum, post_difference], 0),
                    ),
                    Share::Forward => self.correlation(pre_sum, post_difference),
                    Share::Feedback => self.correlation(pre_difference, post_sum),
                }
            }
        }
    }

    /// `scale · Σ_batch ∂⟨s_to, P(K ∗ s_from)⟩/∂K`, through `indices`.
    pub fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        indices: &PoolIndices,
        scale: f64,
    ) -> Tensor<4> {
        self.correlation(pre.clone(), self.unpool(post * scale, indices))
    }

    /// `K ∗ s_from`, before the pooling.
    fn convolve(&self, pre: Tensor<2>) -> Tensor<4> {
        conv2d(self.maps(pre), self.kernel.clone(), None, self.options())
    }

    /// `Pᵀ s_to`, `[batch, channels, height, width]` of the maps before the pooling.
    ///
    /// # Panics
    /// If there is max pooling and the indices are those of another connection.
    fn unpool(&self, post: Tensor<2>, indices: &PoolIndices) -> Tensor<4> {
        let ConvolutionGeometry { config, output, .. } = self.geometry;
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
            Pooling::Max(_) => scatter(post, indices.winners(), shape),
        }
    }

    /// `∂⟨p, K ∗ s⟩/∂K`, summed over the batch.
    fn correlation(&self, pre: Tensor<2>, unpooled: Tensor<4>) -> Tensor<4> {
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

/// Scatters each value to the position of the winner of its window.
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
