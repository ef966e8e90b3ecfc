//! Convolutions of whole batches, for a single use of the weights.

use super::{Geometry, PackedConvolution, Pooled, Scratch};
use crate::kernel::outer::{Half, Pre};
use crate::kernel::team::share;
use crate::kernel::threads::threads_for;

/// Minimum number of multiplications per thread.
const WORTH_A_THREAD: usize = 1_000_000;

/// Number of parts into which to divide a batch, and rows per part.
fn parts_of(batch: usize, work: usize) -> [usize; 2] {
    let n_threads = threads_for(batch * work, WORTH_A_THREAD);
    let rows = batch.div_ceil(n_threads).max(1);
    [batch.div_ceil(rows), rows]
}

/// `P(K ∗ s)` of `batch` examples, in tensor order.
pub fn forward_of_batch(
    below: &[f32],
    kernel: &[f32],
    geometry: Geometry,
    batch: usize,
) -> Vec<f32> {
    let convolution = PackedConvolution::new([kernel; 2], geometry);
    let (n_in, n_out) = (convolution.n_below(), convolution.n_above());
    let [n_parts, rows] = parts_of(batch, convolution.work());
    let [order_below, order_above] = geometry.orders();
    let mut out = vec![0.0; batch * n_out];
    let parts = out.chunks_mut(rows * n_out);
    let parts = parts.zip(below.chunks(rows * n_in));
    share(parts.collect(), n_parts, |(out, below)| {
        let mut pooled = Pooled::default();
        let below = order_below.reorder(below);
        convolution.forward(&below, &mut pooled, &mut Scratch::default());
        order_above.restore(&pooled.values, out);
    });
    out
}

/// The halves of `scale · Σ_batch [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]`, in the order of the
/// kernel `[channels above, channels below, kernel, kernel]`. The stride must be 1.
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
    let [n_parts, rows] = parts_of(batch, convolution.work());
    let mut sums = vec![vec![0.0; kernel.len()]; n_parts.max(1)];
    share(
        sums.iter_mut().enumerate().collect(),
        n_parts,
        |(part, sum)| {
            for example in part * rows..batch.min((part + 1) * rows) {
                let post = post.map(|post| &post[example * n_out..][..n_out]);
                let pre = pre.map(|pre| &pre[example * n_in..][..n_in]);
                convolution.add_contrast(halves, pre, post, scale, sum);
            }
        },
    );
    let (sum, terms) = sums.split_first_mut().expect("one part or more");
    for term in terms {
        let numbers = sum.iter_mut().zip(term);
        numbers.for_each(|(sum, term)| *sum += *term);
    }
    // From `[below, kernel, kernel, above]`.
    let above = geometry.output[0];
    let places = (0..above).flat_map(|channel| (channel..kernel.len()).step_by(above));
    places.map(|place| sum[place]).collect()
}
