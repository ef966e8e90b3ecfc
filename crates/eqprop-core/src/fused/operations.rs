//! Single operations, each as a backend does it best: here is the one place where that is chosen.

use burn::tensor::Tensor;

use super::flex;
/// Those that their callers do otherwise, where no backend has a way of its own.
pub(crate) use super::flex::{
    convolution, convolution_contrast, descend, prediction, prediction_error,
};
use crate::contrast::{Share, StatePair};

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
