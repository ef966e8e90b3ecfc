//! Convolution between two layers of feature maps, with pooling.

mod prepared;

use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use self::prepared::PreparedConvolution;
use super::config::{ConnectionKind, InitializerConfig, can_be_counted, draw};
use super::pool_indices::PoolIndices;
use super::source::{WeightSource, redraw};
use super::term::{Prepared, Term, same_kind};
use crate::contrast::{Share, StatePair};
use crate::fused::operations;
use crate::geometry::{ConvolutionConfig, ConvolutionGeometry};
use crate::gradients::Gradients;
use crate::shape::LayerShape;

/// Convolution with a kernel `K` and pooling `P`, the energy term `−⟨s_to, P(K ∗ s_from)⟩`.
///
/// The transposed path is the exact adjoint. Average pooling is linear, so the term is bilinear and
/// layers have exact minimizers, as with [`Dense`](super::Dense) connections. Max pooling is linear
/// only as long as the same units win their windows: the transposed path routes through the winners of
/// the current `s_from`, and an update of `s_from` is a fixed-point step. If `s_to` has no negative
/// values, the term is concave in `s_from` and lies below its tangent, so that the step does not raise
/// the energy; otherwise it may.
///
/// # Reference
/// Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>; Laborieux et al. (2021),
/// <https://arxiv.org/abs/2006.03824>
#[derive(Module, Debug)]
pub struct Convolution {
    /// Kernel, `[channels_out, channels_in, kernel, kernel]`.
    pub kernel: Param<Tensor<4>>,
    #[module(skip)]
    geometry: ConvolutionGeometry,
}

impl Convolution {
    pub(super) fn fits(
        config: ConvolutionConfig,
        from: LayerShape,
        to: LayerShape,
    ) -> Result<(), String> {
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

    /// A convolution between layers that [fit](Self::fits).
    pub(super) fn new(
        config: ConvolutionConfig,
        initializer: InitializerConfig,
        from: LayerShape,
        to: LayerShape,
        device: &Device,
    ) -> Self {
        let maps = |shape: LayerShape| shape.maps().expect("checked to fit");
        let (input, output) = (maps(from), maps(to));
        let area = config.kernel * config.kernel;
        let shape = [output[0], input[0], config.kernel, config.kernel];
        let fans = (input[0] * area, output[0] * area);
        Self {
            kernel: draw(initializer, shape, fans, device),
            geometry: ConvolutionGeometry {
                config,
                input,
                output,
            },
        }
    }

    /// Returns the kernel size, stride, padding and pooling.
    pub fn config(&self) -> ConvolutionConfig {
        self.geometry.config
    }

    fn prepared_with(&self, feedback: &Self) -> PreparedConvolution {
        PreparedConvolution {
            kernel: self.kernel.val(),
            feedback: feedback.kernel.val(),
            geometry: self.geometry,
        }
    }
}

impl Term for Convolution {
    fn kind(&self) -> ConnectionKind {
        ConnectionKind::Convolution(self.config())
    }

    fn parameter(&self) -> Option<ParamId> {
        Some(self.kernel.id)
    }

    fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        let [n_out, n_in, rows, columns] = self.kernel.val().dims();
        let fans = [n_in, n_out].map(|channels| channels * rows * columns);
        redraw(&mut self.kernel, initializer, fans, source);
    }

    /// `P(K ∗ s_from)`
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        let prepared = self.prepared_with(self);
        operations::convolution(&pre, &prepared.kernel, self.geometry)
            .unwrap_or_else(|| prepared.forward(pre))
    }

    fn prepare(&self, feedback: &dyn Term) -> Arc<dyn Prepared> {
        Arc::new(self.prepared_with(same_kind(feedback)))
    }

    /// `∂E/∂K = −corr(s_from, Pᵀ s_to)`. With `p = Pᵀ s_to`, each through its own winners, the
    /// difference of two correlations is formed as `½[corr(Δ_from, Σ_p) + corr(Σ_from, Δ_p)]`, as
    /// in [`Dense`](super::Dense).
    fn contrast(
        &self,
        others: &[&dyn Term],
        share: Share,
        pre: StatePair<'_>,
        post: [&Tensor<2>; 2],
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let prepared = self.prepared_with(self);
        let (kernel, geometry) = (&prepared.kernel, self.geometry);
        let gradient = operations::convolution_contrast(share, pre, post, kernel, geometry, -scale)
            .unwrap_or_else(|| prepared.contrast(share, pre, post, -scale));
        for id in others.iter().filter_map(|other| other.parameter()) {
            gradients.register(id, gradient.clone());
        }
    }

    fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        indices: &PoolIndices,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let prepared = self.prepared_with(self);
        let (pair, both) = (StatePair::Clamped(pre), [&post, &post.zeros_like()]);
        let (kernel, geometry) = (&prepared.kernel, self.geometry);
        let gradient =
            operations::convolution_contrast(Share::Whole, pair, both, kernel, geometry, scale)
                .unwrap_or_else(|| prepared.correlate(pre, post.clone(), indices, scale));
        gradients.register(self.kernel.id, gradient);
    }
}
