//! The gradient of the kernel.

use super::{Geometry, PackedConvolution, Pooled, Scratch, grid};
use crate::kernel::epilogue::Epilogue;
use crate::kernel::left::Left;
use crate::kernel::outer::{Half, Pre};
use crate::kernel::panels::Panels;
use crate::kernel::product::multiply;
use crate::kernel::zero_pattern::ZeroPattern;

impl PackedConvolution {
    /// Adds the halves of `scale · [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]` of one example to
    /// `sum`, `[channels below, kernel, kernel, channels above]`. All feature maps are in tensor order.
    ///
    /// # Panics
    /// If the stride is not 1: the positions of the kernel must be adjacent.
    pub fn add_contrast(
        &self,
        halves: &[Half],
        pre: Pre<'_>,
        post: [&[f32]; 2],
        scale: f32,
        sum: &mut [f32],
    ) {
        let Geometry {
            input: [below, height, width],
            output: [above, rows, columns],
            kernel,
            stride,
            padding,
            pool,
        } = self.geometry;
        assert_eq!(stride, 1, "a kernel that takes steps");
        let size = pool.size;
        let (rows, columns) = (rows * size, columns * size);
        // `Pᵀ s_to` of both states, combined. Max pooling passes values unchanged, but each state has
        // winners of its own; the shares of a mean are rounded, so the values are combined first.
        let unpooled = |combine: Combine| match pre {
            Pre::Two(a, b) if pool.is_max => {
                combine(&self.unpool(a, post[0]), &self.unpool(b, post[1]))
            }
            Pre::Same(pre) | Pre::Two(pre, _) => self.unpool(pre, &combine(post[0], post[1])),
        };
        let terms = match pre {
            Pre::Same(pre) => vec![(pre.to_vec(), unpooled(difference_of), scale)],
            Pre::Two(a, b) => halves
                .iter()
                .map(|half| match half {
                    Half::Difference => (difference_of(a, b), unpooled(sum_of), 0.5 * scale),
                    Half::Sum => (sum_of(a, b), unpooled(difference_of), 0.5 * scale),
                })
                .collect(),
        };
        // With the channels first, the inputs of one weight over a row of positions are one contiguous run.
        let (padded_height, padded_width) = (height + 2 * padding, width + 2 * padding);
        let starts: Vec<usize> = (0..below)
            .flat_map(|channel| grid(kernel, kernel).map(move |place| (channel, place)))
            .map(|(channel, (y, x))| (channel * padded_height + y) * padded_width + x)
            .collect();
        let runs: Vec<usize> = (0..rows).map(|y| y * padded_width).collect();
        for (pre, post, scale) in terms {
            let mut padded = vec![0.0; below * padded_height * padded_width];
            for (row, values) in pre.chunks_exact(width).enumerate() {
                let (channel, y) = (row / height, row % height + padding);
                let start = (channel * padded_height + y) * padded_width + padding;
                padded[start..][..width].copy_from_slice(values);
            }
            let right = Panels::new(rows * columns, above, |position, channel| {
                post[position * above + channel] * scale
            });
            let left = Left {
                data: &padded,
                starts: &starts,
                runs: &runs,
                run_length: columns,
            };
            let zeros = &mut ZeroPattern::default();
            multiply(left, &right, Epilogue::ADD, sum, above, zeros);
        }
    }

    /// `Pᵀ s_to`, `[row, column, channel]`, through the winners of `pre`; both arguments are in tensor order.
    fn unpool(&self, pre: &[f32], post: &[f32]) -> Vec<f32> {
        let Geometry {
            output: [above, rows, columns],
            pool,
            ..
        } = self.geometry;
        let size = pool.size;
        let mut pooled = Pooled::default();
        if self.has_winners() {
            let [below, _] = self.geometry.orders();
            let pre = below.reorder(pre);
            self.forward(&pre, &mut pooled, &mut Scratch::default());
        }
        let width = columns * size;
        let mut out = vec![0.0; above * rows * size * width];
        for (pixel, (y, x)) in grid(rows, columns).enumerate() {
            for channel in 0..above {
                let value = post[channel * rows * columns + pixel];
                let mut put = |place: usize, value: f32| {
                    let (dy, dx) = (place / size, place % size);
                    let pixel = (y * size + dy) * width + x * size + dx;
                    out[pixel * above + channel] = value;
                };
                if pool.is_max {
                    put(usize::from(pooled.winners[pixel * above + channel]), value);
                } else {
                    let share = value / (size * size) as f32;
                    (0..size * size).for_each(|place| put(place, share));
                }
            }
        }
        out
    }
}

/// Combines two lists of numbers into one, element by element.
type Combine = fn(&[f32], &[f32]) -> Vec<f32>;

fn sum_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn difference_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
