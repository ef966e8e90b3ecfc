//! Whole batches, for a single use of the weights.

use rayon::prelude::*;

use super::{Geometry, PackedConvolution, Pooled, Scratch};
use crate::kernel::outer::{Half, Pre};
use crate::kernel::threads::threads_for;

/// Multiplications that are worth a thread.
const WORTH_A_THREAD: usize = 1_000_000;

fn rows_per_thread(rows: usize, work: usize) -> usize {
    rows.div_ceil(threads_for(work, WORTH_A_THREAD)).max(1)
}

/// `P(K ∗ s)` of `batch` examples, in the order of the tensor.
pub fn forward_of_batch(
    below: &[f32],
    kernel: &[f32],
    geometry: Geometry,
    batch: usize,
) -> Vec<f32> {
    let convolution = PackedConvolution::new([kernel; 2], geometry);
    let (n_in, n_out) = (convolution.n_below(), convolution.n_above());
    let rows = rows_per_thread(batch, batch * convolution.work());
    let [order_below, order_above] = geometry.orders();
    let mut out = vec![0.0; batch * n_out];
    let parts = out.par_chunks_mut(rows * n_out);
    let parts = parts.zip(below.par_chunks(rows * n_in));
    parts.for_each(|(out, below)| {
        let mut pooled = Pooled::default();
        let below = order_below.reorder(below);
        convolution.forward(&below, &mut pooled, &mut Scratch::default());
        order_above.restore(&pooled.values, out);
    });
    out
}

/// The halves of `scale · Σ_batch [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]`, in the order of the
/// kernel `[channels above, channels below, kernel, kernel]`. The kernel must not take steps.
pub fn contrast_of_batch(
    halves: &[Half],
    pre: Pre<'_>,
    post: [&[f32]; 2],
    kernel: &[f32],
    geometry: Geometry,
    scale: f32,
) -> Vec<f32> {
    let convolution = PackedConvolution::new([kernel; 2], geometry);
    let (n_in, n_out) = (convolution.n_below(), convolution.n_above());
    let batch = post[0].len() / n_out;
    let rows = rows_per_thread(batch, batch * convolution.work());
    let sums = (0..batch.div_ceil(rows)).into_par_iter().map(|part| {
        let mut sum = vec![0.0; kernel.len()];
        for example in part * rows..batch.min((part + 1) * rows) {
            let post = post.map(|post| &post[example * n_out..][..n_out]);
            let pre = pre.map(|pre| &pre[example * n_in..][..n_in]);
            convolution.add_contrast(halves, pre, post, scale, &mut sum);
        }
        sum
    });
    let sum = sums.reduce_with(|mut sum, term| {
        let numbers = sum.iter_mut().zip(term);
        numbers.for_each(|(sum, term)| *sum += term);
        sum
    });
    let sum = sum.unwrap_or_else(|| vec![0.0; kernel.len()]);
    // From `[below, kernel, kernel, above]`.
    let above = geometry.output[0];
    let places = (0..above).flat_map(|channel| (channel..kernel.len()).step_by(above));
    places.map(|place| sum[place]).collect()
}
