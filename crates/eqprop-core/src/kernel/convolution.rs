//! Convolution and pooling over feature maps with the channels last, `[row, column, channel]`: the part of
//! a row of pixels that a kernel covers is then one contiguous run.

mod backward;
mod batch;
mod contrast;
mod pooled;

use super::channels_last::ChannelsLast;
use super::panels::Panels;
use super::zero_pattern::ZeroPattern;
pub use batch::{contrast_of_batch, forward_of_batch};
pub use pooled::Pooled;

/// Kernel positions computed together, so that their results stay in cache.
const BLOCK: usize = 64;

/// A convolution with pooling between feature maps.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Channels, height and width below.
    pub input: [usize; 3],
    /// Channels, height and width above, after the pooling.
    pub output: [usize; 3],
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Stride of the kernel.
    pub stride: usize,
    /// Zero padding on each side.
    pub padding: usize,
    /// The pooling that follows.
    pub pool: Pool,
}

/// Pooling over windows that do not overlap.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Height and width of a window, 1 for no pooling.
    pub size: usize,
    /// Whether to take the maximum instead of the mean.
    pub is_max: bool,
}

impl Geometry {
    /// Whether the position of a window's winner fits into a byte.
    pub fn is_supported(&self) -> bool {
        self.pool.size <= 15
    }

    /// The order of the units below and above.
    pub fn orders(&self) -> [ChannelsLast; 2] {
        [self.input, self.output]
            .map(|[channels, height, width]| ChannelsLast::new(channels, height * width))
    }
}

/// A kernel packed for both directions, with all positions at which it is applied.
#[derive(Debug)]
pub struct PackedConvolution {
    geometry: Geometry,
    /// `[kernel · kernel · channels below, channels above]`.
    forward: Panels,
    /// `[channels above, kernel · kernel · channels below]`, for linear pooling.
    backward: Panels,
    /// The same, row by row, for max pooling.
    rows: Vec<f32>,
    /// Offset of the patch at each position; those of a pooling window are consecutive.
    starts: Vec<usize>,
    /// Offsets of the rows of a patch from its start.
    runs: Vec<usize>,
    run_length: usize,
}

/// Reusable workspace.
#[derive(Debug, Default)]
pub struct Scratch {
    padded: Vec<f32>,
    block: Vec<f32>,
    /// Zero pattern of the left factor.
    pub zeros: ZeroPattern,
}

impl PackedConvolution {
    /// Packs the forward and backward kernels, `[channels above, channels below, kernel, kernel]`.
    pub fn new([forth, back]: [&[f32]; 2], geometry: Geometry) -> Self {
        let Geometry {
            input: [below, _, width],
            output: [above, height_out, width_out],
            kernel: size,
            stride,
            padding,
            pool,
        } = geometry;
        let run_length = size * below;
        let depth = size * run_length;
        // Index of the weight from entry `index` of a patch to channel `channel`.
        let place = |index: usize, channel: usize| {
            let (y, x) = (index / run_length, index % run_length / below);
            ((channel * below + index % below) * size + y) * size + x
        };
        let row = (width + 2 * padding) * below;
        let window = pool.size;
        let mut starts = Vec::with_capacity(height_out * width_out * window * window);
        for (y, x) in grid(height_out, width_out) {
            for (dy, dx) in grid(window, window) {
                let (y, x) = ((y * window + dy) * stride, (x * window + dx) * stride);
                starts.push(y * row + x * below);
            }
        }
        let is_max = pool.is_max;
        let entries = (0..above).flat_map(|channel| (0..depth).map(move |index| (index, channel)));
        Self {
            geometry,
            forward: Panels::new(depth, above, |index, channel| forth[place(index, channel)]),
            backward: Panels::new(above, if is_max { 0 } else { depth }, |channel, index| {
                back[place(index, channel)]
            }),
            rows: match is_max {
                true => entries
                    .map(|(index, channel)| back[place(index, channel)])
                    .collect(),
                false => Vec::new(),
            },
            starts,
            runs: (0..size).map(|y| y * row).collect(),
            run_length,
        }
    }

    /// Number of weights that a step reads.
    pub fn n_weights(&self) -> usize {
        2 * self.forward.depth() * self.forward.columns()
    }

    /// Multiplications per example in both directions.
    pub fn work(&self) -> usize {
        2 * self.starts.len() * self.forward.depth() * self.forward.columns()
    }

    /// Whether the backward direction depends on the state below.
    pub fn has_winners(&self) -> bool {
        self.geometry.pool.is_max
    }

    fn n_below(&self) -> usize {
        self.geometry.input.iter().product()
    }

    fn n_above(&self) -> usize {
        self.geometry.output.iter().product()
    }

    /// Positions in a pooling window.
    fn window(&self) -> usize {
        self.geometry.pool.size.pow(2)
    }

    fn padded_len(&self) -> usize {
        let Geometry { input, padding, .. } = self.geometry;
        (input[1] + 2 * padding) * (input[2] + 2 * padding) * input[0]
    }

    /// The feature maps of one example with zero padding.
    fn padded<'a>(&self, below: &'a [f32], padded: &'a mut Vec<f32>) -> &'a [f32] {
        let Geometry { input, padding, .. } = self.geometry;
        if padding == 0 {
            return below;
        }
        let row = input[2] * input[0];
        let padded_row = row + 2 * padding * input[0];
        padded.clear();
        padded.resize(self.padded_len(), 0.0);
        let inside = padded.chunks_exact_mut(padded_row).skip(padding);
        for (to, from) in inside.zip(below.chunks_exact(row)) {
            to[padding * input[0]..][..row].copy_from_slice(from);
        }
        padded
    }

    fn add_cropped(&self, padded: &[f32], out: &mut [f32]) {
        let Geometry { input, padding, .. } = self.geometry;
        let row = input[2] * input[0];
        let inside = padded.chunks_exact(row + 2 * padding * input[0]);
        for (from, to) in inside.skip(padding).zip(out.chunks_exact_mut(row)) {
            for (to, from) in to.iter_mut().zip(&from[padding * input[0]..]) {
                *to += from;
            }
        }
    }
}

/// All pairs of row and column, in row-major order.
fn grid(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}
