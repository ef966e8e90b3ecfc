//! Dense connection between two layers, or within one.

use std::sync::{Arc, OnceLock};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::{ConnectionConfig, Contrast, InitializerConfig, Share, WeightSource, draw, redraw};
#[cfg(feature = "flex")]
use crate::cpu;

/// Dense connection, the term `−s_from W s_toᵀ` of the energy.
///
/// Within one layer (`from == to`) the diagonal of `W` is ignored: no unit is connected to
/// itself (Scellier & Bengio 2017, §2.1). Two units are joined by `W + Wᵀ`, which is symmetric
/// whatever `W` is. All units of the layer are updated at once, so that `s ← σ(drive)` is a
/// fixed-point step and no exact minimization. As every potential has a curvature of at least 1,
///
/// ```text
/// E(σ(drive)) − E(s) ≤ −½ dᵀ (I + W + Wᵀ) d,   d = σ(drive) − s
/// ```
///
/// so that the step does not raise the energy while no eigenvalue of `W + Wᵀ` is below −1. With
/// stronger inhibition it may, and units that inhibit each other may switch on and off together
/// for ever: gradient flow of a small step size does not.
#[derive(Module, Debug)]
pub struct Dense {
    /// Weights, `[n_in, n_out]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    lateral: bool,
}

impl Dense {
    pub(super) fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        let fans = self.weight.val().dims();
        redraw(&mut self.weight, initializer, fans, source);
    }

    pub(crate) fn new(
        config: &ConnectionConfig,
        n_in: usize,
        n_out: usize,
        device: &Device,
    ) -> Self {
        Self {
            weight: draw(config.initializer, [n_in, n_out], (n_in, n_out), device),
            lateral: config.from == config.to,
        }
    }

    /// `s_from W`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        product_once(pre, &self.held())
    }

    /// The weights, without the diagonal within one layer.
    fn held(&self) -> Tensor<2> {
        let weight = self.weight.val();
        if self.lateral {
            weight.clone() * off_diagonal(&weight)
        } else {
            weight
        }
    }

    /// See [`Connection::operator`](super::Connection::operator).
    pub fn operator(&self) -> DenseOperator {
        self.operator_with(self)
    }

    /// See [`Connection::operator_with`](super::Connection::operator_with).
    pub(crate) fn operator_with(&self, feedback: &Self) -> DenseOperator {
        DenseOperator::new(self.held(), feedback.held())
    }

    /// `∂E/∂W = −s_fromᵀ s_to`; the difference of two such products is formed as
    /// `½[Δ_fromᵀ Σ_to + Σ_fromᵀ Δ_to]` from the differences `Δ` and sums `Σ` of the two states,
    /// which loses no digits when the states are close.
    pub(crate) fn contrast(
        &self,
        share: Share,
        pre: Contrast<'_>,
        post: Contrast<'_>,
        scale: f64,
    ) -> Tensor<2> {
        let Contrast::Free(post_first, post_second) = post else {
            unreachable!("a configuration with a connection into the input is refused");
        };
        let product = contrast_of_products(share, pre, [post_first, post_second], -scale);
        if self.lateral {
            product.clone() * off_diagonal(&product)
        } else {
            product
        }
    }

    /// See [`Connection::correlate`](super::Connection::correlate).
    pub(crate) fn correlate(&self, pre: &Tensor<2>, post: &Tensor<2>, scale: f64) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if let Some(product) = cpu::dense_correlation(pre, post, scale) {
            return product;
        }
        pre.clone().transpose().matmul(post.clone() * scale)
    }
}

/// `s_from W`, for a single use.
pub(crate) fn product_once(pre: Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(product) = cpu::dense_forward(&pre, weight) {
        return product;
    }
    pre.matmul(weight.clone())
}

/// The share of `scale · Σ_batch [s_fromᵀ s_to (first) − s_fromᵀ s_to (second)]`.
pub(crate) fn contrast_of_products(
    share: Share,
    pre: Contrast<'_>,
    post: [&Tensor<2>; 2],
    scale: f64,
) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(product) = cpu::dense_contrast(share, pre, post, scale) {
        return product;
    }
    let [post_first, post_second] = post;
    let post_difference = post_first.clone() - post_second.clone();
    match pre {
        Contrast::Clamped(input) => input.clone().transpose().matmul(post_difference * scale),
        Contrast::Free(pre_first, pre_second) => {
            let half = 0.5 * scale;
            let feedback = || {
                let pre_difference = (pre_first.clone() - pre_second.clone()) * half;
                let post_sum = post_first.clone() + post_second.clone();
                pre_difference.transpose().matmul(post_sum)
            };
            let forward = || {
                let pre_sum = pre_first.clone() + pre_second.clone();
                pre_sum.transpose().matmul(post_difference.clone() * half)
            };
            match share {
                Share::Whole => feedback() + forward(),
                Share::Forward => forward(),
                Share::Feedback => feedback(),
            }
        }
    }
}

/// 1 off the diagonal, 0 on it.
fn off_diagonal(like: &Tensor<2>) -> Tensor<2> {
    let [n, _] = like.dims();
    let eye = Tensor::<2>::eye(n, &like.device()).cast(like.dtype());
    1.0 - eye
}

/// The transpose, copied: products with a transposed right factor run several times slower on
/// CPU, and a relaxation makes one per step.
fn transposed(weight: Tensor<2>) -> Tensor<2> {
    let [n_in, n_out] = weight.dims();
    // Reshaping makes it contiguous.
    let flat = weight.transpose().reshape([n_in * n_out]);
    flat.reshape([n_out, n_in])
}

/// [`Dense`] with its weights held, and those of the way back, transposed once that is asked for.
#[derive(Debug, Clone)]
pub struct DenseOperator {
    weight: Tensor<2>,
    feedback: Tensor<2>,
    transposed: Arc<OnceLock<Tensor<2>>>,
}

impl DenseOperator {
    /// Weights forth and back, both `[n_in, n_out]`.
    pub(crate) fn new(weight: Tensor<2>, feedback: Tensor<2>) -> Self {
        Self {
            weight,
            feedback,
            transposed: Arc::default(),
        }
    }

    /// The weights forth and back, both `[n_in, n_out]`.
    #[cfg(feature = "flex")]
    pub(crate) fn weights(&self) -> [&Tensor<2>; 2] {
        [&self.weight, &self.feedback]
    }

    /// `s_from W`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        product_once(pre, &self.weight)
    }

    /// `s_to Wᵀ`.
    ///
    /// # Shapes
    /// - `post`: `[batch, n_out]`, output: `[batch, n_in]`
    pub fn backward(&self, post: Tensor<2>) -> Tensor<2> {
        let transposed = || transposed(self.feedback.clone());
        post.matmul(self.transposed.get_or_init(transposed).clone())
    }
}
