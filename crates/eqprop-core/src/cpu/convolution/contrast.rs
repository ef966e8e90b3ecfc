//! The gradient of the kernel.

use super::{Geometry, PackedConvolution, Pooled, Scratch, grid};
use crate::connection::{Pooling, Share};
use crate::cpu::finish::Finish;
use crate::cpu::link::Places;
use crate::cpu::nonzero::Nonzero;
use crate::cpu::panels::Panels;
use crate::cpu::product::{Left, multiply};

impl PackedConvolution {
    /// Adds the share of `scale · [∂⟨s_to, P(K ∗ s_from)⟩/∂K (first) − … (second)]` of one example to `sum`,
    /// `[channels below, kernel, kernel, channels above]`. All maps are in the order of the tensor;
    /// `pre` holds the maps below in the first and the second state, or once if they are the same.
    ///
    /// # Panics
    /// If the kernel takes steps: the positions that it is applied at must be neighbors.
    pub fn add_contrast(
        &self,
        share: Share,
        pre: &[&[f32]],
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
            pooling,
        } = self.geometry;
        assert_eq!(stride, 1, "a kernel that takes steps");
        let size = pooling.size();
        let (rows, columns) = (rows * size, columns * size);
        // `Pᵀ s_to` of both states, combined. Through winners their values pass as they are, but each
        // state has its own; shares of a mean are rounded, so that they are combined first.
        let unpooled = |combine: Combine| match (pooling, pre) {
            (Pooling::Max(_), [a, b]) => {
                combine(&self.unpool(a, post[0]), &self.unpool(b, post[1]))
            }
            _ => self.unpool(pre[0], &combine(post[0], post[1])),
        };
        let mut terms = Vec::new();
        match pre {
            [a, b] => {
                if share != Share::Forward {
                    terms.push((difference_of(a, b), unpooled(sum_of), 0.5 * scale));
                }
                if share != Share::Feedback {
                    terms.push((sum_of(a, b), unpooled(difference_of), 0.5 * scale));
                }
            }
            _ => terms.push((pre[0].to_vec(), unpooled(difference_of), scale)),
        }
        // With the channels first, what one weight sees of a row of positions is one run.
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
            let nonzero = &mut Nonzero::default();
            multiply(left, &right, Finish::ADD, sum, above, nonzero);
        }
    }

    /// `Pᵀ s_to`, `[row, column, channel]`, through the winners of `pre`; both in the order of the
    /// tensor.
    fn unpool(&self, pre: &[f32], post: &[f32]) -> Vec<f32> {
        let Geometry {
            input,
            output: [above, rows, columns],
            pooling,
            ..
        } = self.geometry;
        let size = pooling.size();
        let mut pooled = Pooled::default();
        if self.has_winners() {
            let pre = Places::new(input.into()).channels_last(pre);
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
                match pooling {
                    Pooling::Max(_) => {
                        put(usize::from(pooled.winners[pixel * above + channel]), value);
                    }
                    Pooling::None | Pooling::Average(_) => {
                        let share = value / (size * size) as f32;
                        (0..size * size).for_each(|place| put(place, share));
                    }
                }
            }
        }
        out
    }
}

/// What makes one list of numbers of two.
type Combine = fn(&[f32], &[f32]) -> Vec<f32>;

fn sum_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn difference_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
