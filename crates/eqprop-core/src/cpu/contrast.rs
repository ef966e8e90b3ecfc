//! Gradients of the parameters: sums over the batch of outer products.

use std::borrow::Cow;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::convolution::{Geometry, PackedConvolution, Pooled, Scratch};
use super::link::Places;
use super::nonzero::Columns;
use super::panels::{Panels, lanes};
use super::product::{Left, multiply_columns, multiply_once};
use super::{Floats, append_in_parts, tensor, threads_for};
use crate::connection::{Contrast, Share};
use crate::shape::LayerShape;

/// Multiplications that are worth a thread.
const WORTH_A_THREAD: usize = 1_000_000;
/// Rows of a gradient that are written together, so that they stay in cache meanwhile.
const ROWS_AT_ONCE: usize = 64;

/// A factor of an outer product in the two states that are contrasted.
enum Factor {
    /// The same in both.
    Same(Floats),
    /// One and the other.
    Two(Floats, Floats),
}

impl Factor {
    fn of(contrast: Contrast<'_>) -> Option<Self> {
        Some(match contrast {
            Contrast::Clamped(input) => Self::Same(Floats::of(input)?),
            Contrast::Free(first, second) => Self::Two(Floats::of(first)?, Floats::of(second)?),
        })
    }

    /// The numbers before and after a synapse whose products, times `scale`, sum up to the share of
    /// the contrast: `x` and `Δ`, or `Δ` and `½Σ`, `Σ` and `½Δ` one below the other.
    fn pair(&self, share: Share, post: [&Floats; 2], scale: f32) -> [Cow<'_, [f32]>; 2] {
        let post = post.map(Floats::slice);
        let half = 0.5 * scale;
        match self {
            Self::Same(both) => {
                let mut change = Vec::new();
                combine(post, &mut change, |a, b| (a - b) * scale);
                [both.slice().into(), change.into()]
            }
            Self::Two(a, b) => {
                let pre = [a.slice(), b.slice()];
                let (mut below, mut above) = (Vec::new(), Vec::new());
                if share != Share::Forward {
                    combine(pre, &mut below, |a, b| a - b);
                    combine(post, &mut above, |a, b| (a + b) * half);
                }
                if share != Share::Feedback {
                    combine(pre, &mut below, |a, b| a + b);
                    combine(post, &mut above, |a, b| (a - b) * half);
                }
                [below.into(), above.into()]
            }
        }
    }
}

fn combine([first, second]: [&[f32]; 2], out: &mut Vec<f32>, of: impl Fn(f32, f32) -> f32) {
    out.extend(first.iter().zip(second).map(|(&a, &b)| of(a, b)));
}

/// `x W` for a single use, `[batch, n_out]`, or `None` if it is not for this backend.
pub(crate) fn dense_forward(pre: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([batch, n_in], [_, n_out]) = (pre.dims(), weight.dims());
    let (left, right) = (Floats::of(pre)?, Floats::of(weight)?);
    let starts: Vec<usize> = (0..batch).map(|row| row * n_in).collect();
    let left = Left {
        data: left.slice(),
        starts: &starts,
        runs: &[0],
        run_length: n_in,
    };
    // Each thread takes some of the columns, so that it reads only that part of the weights.
    let n_vectors = n_out.div_ceil(lanes());
    let n_threads = threads_for(batch * n_in * n_out, WORTH_A_THREAD).min(n_vectors);
    let bound = |thread: usize| n_out.min(thread * n_vectors / n_threads * lanes());
    let parts = (0..n_threads).into_par_iter().map(|thread| {
        let columns = bound(thread)..bound(thread + 1);
        let mut part = vec![0.0; batch * columns.len()];
        multiply_once(left, right.slice(), n_out, columns, &mut part);
        part
    });
    let parts: Vec<Vec<f32>> = parts.collect();
    let out = match &parts[..] {
        [_] => parts.into_iter().next().expect("one part"),
        parts => {
            let mut out = Vec::with_capacity(batch * n_out);
            for row in 0..batch {
                for part in parts {
                    out.extend_from_slice(self::row(part, batch, row));
                }
            }
            out
        }
    };
    Some(tensor(out, [batch, n_out], &pre.device()))
}

/// The share of `scale · Σ_batch [pre ⊗ post (first) − pre ⊗ post (second)]`, `[n_in, n_out]`, from
/// differences and sums as in [`Dense`](crate::connection::Dense).
pub(crate) fn dense_contrast(
    share: Share,
    pre: Contrast<'_>,
    [first, second]: [&Tensor<2>; 2],
    scale: f64,
) -> Option<Tensor<2>> {
    let device = first.device();
    let [batch, n_out] = first.dims();
    let (first, second) = (Floats::of(first)?, Floats::of(second)?);
    let factor = Factor::of(pre)?;
    let n_in = match &factor {
        Factor::Same(values) | Factor::Two(values, _) => values.slice().len() / batch,
    };
    let [below, above] = factor.pair(share, [&first, &second], scale as f32);
    Some(tensor(
        product_over_batch(&below, &above, [n_in, n_out]),
        [n_in, n_out],
        &device,
    ))
}

/// `scale · Σ_batch pre ⊗ post`, `[n_in, n_out]`, or `None` if it is not for this backend.
pub(crate) fn dense_correlation(
    pre: &Tensor<2>,
    post: &Tensor<2>,
    scale: f64,
) -> Option<Tensor<2>> {
    let ([_, n_in], [_, n_out]) = (pre.dims(), post.dims());
    let (below, above) = (Floats::of(pre)?, Floats::of(post)?);
    let shape = [n_in, n_out];
    let above: Vec<f32> = above.slice().iter().map(|x| x * scale as f32).collect();
    let out = product_over_batch(below.slice(), &above, shape);
    Some(tensor(out, shape, &pre.device()))
}

/// The product of one matrix, transposed, with another.
fn product_over_batch(below: &[f32], above: &[f32], [n_in, n_out]: [usize; 2]) -> Vec<f32> {
    let depth = below.len() / n_in;
    let right = Panels::of_columns(above, n_out, 0..n_out);
    let rows = match threads_for(n_in * n_out * depth, WORTH_A_THREAD) {
        1 => n_in,
        _ => ROWS_AT_ONCE,
    };
    let mut product = Vec::new();
    append_in_parts(&mut product, n_in * n_out, rows * n_out, |index, out| {
        let units = index * rows..n_in.min((index + 1) * rows);
        let left = Columns::new(below, n_in, units);
        multiply_columns(&left, &right, out, n_out);
    });
    product
}

fn rows_per_thread(rows: usize, work: usize) -> usize {
    rows.div_ceil(threads_for(work, WORTH_A_THREAD)).max(1)
}

/// `P(K ∗ s_from)` for a single use, or `None` if it is not for this backend.
pub(crate) fn convolution_forward(
    pre: &Tensor<2>,
    kernel: &Tensor<4>,
    geometry: Geometry,
) -> Option<Tensor<2>> {
    let (numbers, kernel) = (Floats::of(pre)?, Floats::of(kernel)?);
    if !geometry.is_supported() {
        return None;
    }
    let [batch, n_in] = pre.dims();
    let n_out = geometry.output.iter().product::<usize>();
    let convolution = PackedConvolution::new([kernel.slice(); 2], geometry);
    let mut out = vec![0.0; batch * n_out];
    let rows = rows_per_thread(batch, batch * convolution.work());
    let places = [geometry.input, geometry.output].map(|maps| Places::new(LayerShape::Maps(maps)));
    let parts = out.par_chunks_mut(rows * n_out);
    parts
        .zip(numbers.slice().par_chunks(rows * n_in))
        .for_each(|(out, pre)| {
            let mut pooled = Pooled::default();
            let pre = places[0].channels_last(pre);
            convolution.forward(&pre, &mut pooled, &mut Scratch::default());
            places[1].in_tensor_order(&pooled.values, out);
        });
    Some(tensor(out, [batch, n_out], &pre.device()))
}

/// The share of `scale · Σ_batch [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]`, as in
/// [`Convolution`](crate::connection::Convolution); `None` too for a kernel that takes steps.
pub(crate) fn convolution_contrast(
    share: Share,
    pre: Contrast<'_>,
    [first, second]: [&Tensor<2>; 2],
    kernel: &Tensor<4>,
    geometry: Geometry,
    scale: f64,
) -> Option<Tensor<4>> {
    if !geometry.is_supported() || geometry.stride != 1 {
        return None;
    }
    let device = first.device();
    let [batch, _] = first.dims();
    let shape = kernel.dims();
    let (first, second) = (Floats::of(first)?, Floats::of(second)?);
    let kernel = Floats::of(kernel)?;
    let pre = Factor::of(pre)?;
    let convolution = PackedConvolution::new([kernel.slice(); 2], geometry);
    let rows = rows_per_thread(batch, batch * convolution.work());
    let n_parts = batch.div_ceil(rows);
    let sums = (0..n_parts).into_par_iter().map(|part| {
        let mut sum = vec![0.0; kernel.slice().len()];
        for example in part * rows..batch.min((part + 1) * rows) {
            let [first, second] = [&first, &second].map(|post| row(post.slice(), batch, example));
            let pre: Vec<&[f32]> = match &pre {
                Factor::Same(both) => vec![row(both.slice(), batch, example)],
                Factor::Two(first, second) => [first, second]
                    .map(|pre| row(pre.slice(), batch, example))
                    .to_vec(),
            };
            convolution.add_contrast(share, &pre, [first, second], scale as f32, &mut sum);
        }
        sum
    });
    let sum = sums.reduce_with(|mut sum, term| {
        sum.iter_mut()
            .zip(term)
            .for_each(|(sum, term)| *sum += term);
        sum
    })?;
    // From `[below, kernel, kernel, above]` to the order of a kernel.
    let [above, below, height, width] = shape;
    let depth = below * height * width;
    let ordered = (0..above)
        .flat_map(|channel| (0..depth).map(move |index| index * above + channel))
        .map(|place| sum[place]);
    Some(tensor(ordered.collect(), shape, &device))
}

fn row(numbers: &[f32], n_rows: usize, row: usize) -> &[f32] {
    let n = numbers.len() / n_rows;
    &numbers[row * n..][..n]
}
