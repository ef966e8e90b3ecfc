//! Gradients of the parameters: sums over the batch of outer products.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::convolution::{Geometry, PackedConvolution, Pooled, Scratch};
use super::link::Places;
use super::product::{Left, Panels, Write, multiply, multiply_once};
use super::{Floats, tensor};
use crate::connection::{Contrast, Share};
use crate::shape::LayerShape;

/// Multiplications below which a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 1_000_000;

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

    /// The pairs of numbers before and after a synapse whose products, times `scale`, sum up to the
    /// share of the contrast: `x` and `Δ`, or `Δ` and `½Σ`, `Σ` and `½Δ`.
    fn pairs(&self, share: Share, post: [&Floats; 2], scale: f32) -> Vec<[Vec<f32>; 2]> {
        let [first, second] = post;
        let half = 0.5 * scale;
        match self {
            Self::Same(both) => vec![[
                both.slice().to_vec(),
                combined(first, second, |a, b| (a - b) * scale),
            ]],
            Self::Two(a, b) => {
                let feedback = || {
                    let change = combined(a, b, |a, b| a - b);
                    [change, combined(first, second, |a, b| (a + b) * half)]
                };
                let forward = || {
                    let sum = combined(a, b, |a, b| a + b);
                    [sum, combined(first, second, |a, b| (a - b) * half)]
                };
                match share {
                    Share::Whole => vec![feedback(), forward()],
                    Share::Forward => vec![forward()],
                    Share::Feedback => vec![feedback()],
                }
            }
        }
    }
}

fn combined(first: &Floats, second: &Floats, combine: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let pairs = first.slice().iter().zip(second.slice());
    pairs.map(|(&a, &b)| combine(a, b)).collect()
}

/// `x W` for a single use, `[batch, n_out]`, or `None` if it is not for this backend.
pub(crate) fn dense_forward(pre: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([batch, n_in], [_, n_out]) = (pre.dims(), weight.dims());
    let (left, right) = (Floats::of(pre)?, Floats::of(weight)?);
    let mut out = vec![0.0; batch * n_out];
    let rows = rows_per_thread(batch, batch * n_in * n_out);
    let (left, right) = (left.slice(), right.slice());
    let parts = out.par_chunks_mut(rows * n_out);
    parts
        .zip(left.par_chunks(rows * n_in))
        .for_each(|(out, data)| {
            let starts: Vec<usize> = (0..data.len() / n_in).map(|row| row * n_in).collect();
            let left = Left {
                data,
                starts: &starts,
                runs: &[0],
                run_length: n_in,
            };
            multiply_once(left, right, n_out, Write::Set, out, n_out);
        });
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
    let pairs = Factor::of(pre)?.pairs(share, [&first, &second], scale as f32);
    let n_in = pairs[0][0].len() / batch;
    let depth = batch * pairs.len();
    let right = Panels::new(depth, n_out, |row, column| {
        pairs[row / batch][1][row % batch * n_out + column]
    });
    // Every unit below with its values in the batch one after the other.
    let mut transposed = vec![0.0; n_in * depth];
    for (unit, row) in transposed.chunks_exact_mut(depth).enumerate() {
        for ([pre, _], row) in pairs.iter().zip(row.chunks_exact_mut(batch)) {
            for (example, value) in row.iter_mut().enumerate() {
                *value = pre[example * n_in + unit];
            }
        }
    }
    let mut out = vec![0.0; n_in * n_out];
    let rows = rows_per_thread(n_in, n_in * n_out * depth);
    let parts = out.par_chunks_mut(rows * n_out);
    parts
        .zip(transposed.par_chunks(rows * depth))
        .for_each(|(out, data)| {
            let starts: Vec<usize> = (0..data.len() / depth).map(|row| row * depth).collect();
            let left = Left {
                data,
                starts: &starts,
                runs: &[0],
                run_length: depth,
            };
            multiply(left, &right, Write::Set, out, n_out);
        });
    Some(tensor(out, [n_in, n_out], &device))
}

fn rows_per_thread(rows: usize, work: usize) -> usize {
    let threads = (work / WORTH_A_THREAD).clamp(1, rayon::current_num_threads());
    rows.div_ceil(threads).max(1)
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
