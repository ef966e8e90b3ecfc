//! Single operations, each by a backend's fastest code: the one place where that is chosen.

use burn::tensor::Tensor;

pub(crate) use super::cube::{computes_in_place, copied, launches, overwrite, overwrite_both};
/// Operations that their callers compute otherwise where no backend implements them.
pub(crate) use super::flex::{convolution, convolution_contrast, prediction, prediction_error};
use super::{After, Before, Step, cube, flex};
use crate::contrast::{Share, StatePair};
use crate::state::State;

/// `x W`, for a single use of the weights.
///
/// # Shapes
/// - `x`: `[batch, n_in]`, `weights`: `[n_in, n_out]`, output: `[batch, n_out]`
pub(crate) fn product(x: Tensor<2>, weights: &Tensor<2>) -> Tensor<2> {
    flex::product(&x, weights)
        .or_else(|| cube::product(&x, weights))
        .unwrap_or_else(|| x.matmul(weights.clone()))
}

/// `x W`, for weights already laid out as they are read.
pub(crate) fn product_with_prepared(x: Tensor<2>, weights: &Tensor<2>) -> Tensor<2> {
    // On a CPU, Burn's product is the fastest for weights that are used once or twice; on a GPU it would
    // round its factors to TF32.
    cube::product(&x, weights).unwrap_or_else(|| x.matmul(weights.clone()))
}

/// `n` copies, one after the other along the batch axis.
///
/// # Shapes
/// - `batch`: `[batch, n_units]`, output: `[n · batch, n_units]`
pub(crate) fn repeated(batch: &Tensor<2>, n: usize) -> Tensor<2> {
    if n == 1 {
        return batch.clone();
    }
    // Burn's operation copies twice, on one thread.
    flex::repeated(batch, n).unwrap_or_else(|| batch.clone().repeat_dim(0, n))
}

// Here because operations know states, and states must not know operations.
impl State {
    /// Repeats the state `n` times along the batch axis.
    pub fn repeat(&self, n: usize) -> Self {
        self.repeated_by(n, repeated)
    }
}

/// Two factors whose [product over rows](product_over_rows) is the given share of
/// `scale · Σ_batch [preᵀ post (first) − preᵀ post (second)]`. They are formed from differences `Δ` and
/// sums `Σ` of the two states, `½[Δ_preᵀ Σ_post + Σ_preᵀ Δ_post]`, which loses no digits when the states
/// are close.
///
/// # Shapes
/// - `pre`: `[batch, n_in]`, `post`: `[batch, n_out]`, output: `[n · batch, n_in]` and `[n · batch, n_out]`
pub(crate) fn factors(
    share: Share,
    pre: StatePair<'_>,
    post: [&Tensor<2>; 2],
    scale: f64,
) -> [Tensor<2>; 2] {
    let fast = flex::factors(share, pre, post, scale);
    if let Some(factors) = fast.or_else(|| cube::factors(share, pre, post, scale)) {
        return factors;
    }
    let [post_first, post_second] = post;
    let post_difference = post_first.clone() - post_second.clone();
    match pre {
        StatePair::Clamped(input) => [input.clone(), post_difference * scale],
        StatePair::Free(pre_first, pre_second) => {
            let half = 0.5 * scale;
            let feedback = || {
                let pre_difference = pre_first.clone() - pre_second.clone();
                [
                    pre_difference,
                    (post_first.clone() + post_second.clone()) * half,
                ]
            };
            let forward = || {
                let pre_sum = pre_first.clone() + pre_second.clone();
                [pre_sum, post_difference.clone() * half]
            };
            match share {
                Share::Whole => {
                    let ([below, above], [sum, difference]) = (feedback(), forward());
                    [
                        Tensor::cat(vec![below, sum], 0),
                        Tensor::cat(vec![above, difference], 0),
                    ]
                }
                Share::Forward => forward(),
                Share::Feedback => feedback(),
            }
        }
    }
}

/// `belowᵀ above`.
///
/// # Shapes
/// - `below`: `[rows, n_in]`, `above`: `[rows, n_out]`, output: `[n_in, n_out]`
pub(crate) fn product_over_rows(below: &Tensor<2>, above: &Tensor<2>) -> Tensor<2> {
    flex::product_over_rows(below, above)
        .or_else(|| cube::product_over_rows(below, above))
        .unwrap_or_else(|| below.clone().transpose().matmul(above.clone()))
}

/// `parameter − rate · belowᵀ above` in place, or the unchanged parameter where no backend implements it.
#[allow(
    clippy::result_large_err,
    reason = "the tensor must be handed back, so that nobody else holds it"
)]
pub(crate) fn descend_along(
    rate: f64,
    parameter: Tensor<2>,
    factors: [&Tensor<2>; 2],
) -> Result<Tensor<2>, Tensor<2>> {
    flex::descend_along(rate, parameter, factors)
        .or_else(|parameter| cube::descend_along(rate, parameter, factors))
}

/// A descent step in place, or its arguments where no backend implements it.
#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub(crate) fn descend<const D: usize>(
    step: Step,
    before: Before<D>,
) -> Result<After<D>, Before<D>> {
    flex::descend(step, before).or_else(|before| cube::descend(step, before))
}

/// `scale · Σ_batch (first − second)` of each unit; `None` where no backend implements it.
///
/// # Shapes
/// - `first`, `second`: `[batch, n]`, output: `[n]`
pub(crate) fn summed_difference(
    first: &Tensor<2>,
    second: &Tensor<2>,
    scale: f64,
) -> Option<Tensor<1>> {
    cube::summed_difference(first, second, scale)
}
