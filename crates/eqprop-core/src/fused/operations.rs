//! Single operations, each as a backend does it best: here is the one place where that is chosen.
//!
//! `None` means that no backend has a way of its own.

use burn::tensor::Tensor;

use super::{Edge, Response, flex};
use crate::contrast::{Share, StatePair};
use crate::geometry::ConvolutionGeometry;

/// `x W`, for a single use of the weights.
///
/// # Shapes
/// - `x`: `[batch, n_in]`, `weights`: `[n_in, n_out]`, output: `[batch, n_out]`
pub(crate) fn product(x: Tensor<2>, weights: &Tensor<2>) -> Tensor<2> {
    flex::product(&x, weights).unwrap_or_else(|| x.matmul(weights.clone()))
}

/// The share of `scale · Σ_batch [preᵀ post (first) − preᵀ post (second)]`, formed as
/// `½[Δ_preᵀ Σ_post + Σ_preᵀ Δ_post]` from the differences `Δ` and sums `Σ` of the two states, which loses
/// no digits when the states are close.
///
/// # Shapes
/// - `pre`: `[batch, n_in]`, `post`: `[batch, n_out]`, output: `[n_in, n_out]`
pub(crate) fn contrast(
    share: Share,
    pre: StatePair<'_>,
    post: [&Tensor<2>; 2],
    scale: f64,
) -> Tensor<2> {
    if let Some(contrast) = flex::contrast(share, pre, post, scale) {
        return contrast;
    }
    let [post_first, post_second] = post;
    let post_difference = post_first.clone() - post_second.clone();
    match pre {
        StatePair::Clamped(input) => input.clone().transpose().matmul(post_difference * scale),
        StatePair::Free(pre_first, pre_second) => {
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

/// `scale · preᵀ post`.
///
/// # Shapes
/// - as [`contrast`]
pub(crate) fn correlation(pre: &Tensor<2>, post: &Tensor<2>, scale: f64) -> Tensor<2> {
    flex::correlation(pre, post, scale)
        .unwrap_or_else(|| pre.clone().transpose().matmul(post.clone() * scale))
}

/// `P(K ∗ pre)`, for a single use of the kernel.
pub(crate) fn convolution(
    pre: &Tensor<2>,
    kernel: &Tensor<4>,
    geometry: ConvolutionGeometry,
) -> Option<Tensor<2>> {
    flex::convolution(pre, kernel, geometry)
}

/// The share of `scale · Σ_batch [∂⟨post, P(K ∗ pre)⟩/∂K (first) − … (second)]`.
pub(crate) fn convolution_contrast(
    share: Share,
    pre: StatePair<'_>,
    post: [&Tensor<2>; 2],
    kernel: &Tensor<4>,
    geometry: ConvolutionGeometry,
    scale: f64,
) -> Option<Tensor<4>> {
    flex::convolution_contrast(share, pre, post, kernel, geometry, scale)
}

/// The pre-activation `a = h W + b` that a layer predicts of the one above, and `σ(a)`.
pub(crate) fn prediction(
    edge: Edge<'_>,
    below: &Tensor<2>,
    bias: &Tensor<2>,
    response: Response,
) -> Option<[Tensor<2>; 2]> {
    flex::prediction(edge, below, bias, response)
}

/// `σ′(a) (h − σ(a))`
pub(crate) fn prediction_error(
    state: &Tensor<2>,
    drive: &Tensor<2>,
    response: Response,
) -> Option<Tensor<2>> {
    flex::prediction_error(state, drive, response)
}

/// Options of a step of stochastic gradient descent, see [`Descent`](crate::descent::Descent).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub learning_rate: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

/// A parameter, its gradient and its velocity.
pub(crate) type Before<const D: usize> = (Tensor<D>, Tensor<D>, Option<Tensor<D>>);
/// A parameter and its velocity.
pub(crate) type After<const D: usize> = (Tensor<D>, Option<Tensor<D>>);

/// A step in place, or what it was given if no backend does that.
#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub(crate) fn descend<const D: usize>(
    step: Step,
    before: Before<D>,
) -> Result<After<D>, Before<D>> {
    flex::descend(step, before)
}
