//! Convolution and pooling over feature maps with the channels last, `[row, column, channel]`: what a
//! kernel sees of a row of pixels is then one run of numbers.

use pulp::{Arch, Simd};

use super::finish::Finish;
use super::link::Places;
use super::nonzero::Nonzero;
use super::panels::Panels;
use super::product::{Left, multiply};
use super::simd::{VectorWork, WithVectors, add_scaled};
use crate::connection::{Pooling, Share};

/// Positions of the kernel that are computed together: their results stay in cache.
const BLOCK: usize = 64;

/// Geometry of a convolution with pooling.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Channels, height and width below.
    pub input: [usize; 3],
    /// Channels, height and width above, after the pooling.
    pub output: [usize; 3],
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// What follows.
    pub pooling: Pooling,
}

impl Geometry {
    /// Whether the winner of a window fits into a byte.
    pub fn is_supported(&self) -> bool {
        self.pooling.size() <= 15
    }
}

/// A kernel packed for both directions, with all positions where it is applied.
#[derive(Debug)]
pub struct PackedConvolution {
    geometry: Geometry,
    /// `[kernel · kernel · channels below, channels above]`.
    forward: Panels,
    /// `[channels above, kernel · kernel · channels below]`, for linear pooling.
    backward: Panels,
    /// The same row by row, for max pooling.
    rows: Vec<f32>,
    /// Where the patch of each position begins; those of a pooling window follow each other.
    starts: Vec<usize>,
    /// Where the rows of a patch begin, counted from its start.
    runs: Vec<usize>,
    run_length: usize,
}

/// `P(K ∗ s)` of some examples for their current `s`, kept until `s` changes.
#[derive(Debug, Default)]
pub struct Pooled {
    /// The result, `[examples, pixels, channels]`.
    pub values: Vec<f32>,
    /// Which position of its window each value comes from.
    winners: Vec<u8>,
    /// Whether this belongs to the current `s`.
    pub is_current: bool,
}

/// Memory that is used over and over.
#[derive(Debug, Default)]
pub struct Scratch {
    padded: Vec<f32>,
    block: Vec<f32>,
    /// For products outside convolutions too.
    pub nonzero: Nonzero,
}

impl PackedConvolution {
    /// Packs the kernels forth and back, `[channels above, channels below, kernel, kernel]`.
    pub fn new([forth, back]: [&[f32]; 2], geometry: Geometry) -> Self {
        let Geometry {
            input: [below, _, width],
            output: [above, height_out, width_out],
            kernel: size,
            stride,
            padding,
            pooling,
        } = geometry;
        let run_length = size * below;
        let depth = size * run_length;
        // Where entry `index` of the patch that leads to channel `channel` stands.
        let place = |index: usize, channel: usize| {
            let (y, x) = (index / run_length, index % run_length / below);
            ((channel * below + index % below) * size + y) * size + x
        };
        let row = (width + 2 * padding) * below;
        let window = pooling.size();
        let mut starts = Vec::with_capacity(height_out * width_out * window * window);
        for (y, x) in grid(height_out, width_out) {
            for (dy, dx) in grid(window, window) {
                let (y, x) = ((y * window + dy) * stride, (x * window + dx) * stride);
                starts.push(y * row + x * below);
            }
        }
        let is_max = matches!(pooling, Pooling::Max(_));
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

    /// Numbers that a step reads of the weights.
    pub fn n_weights(&self) -> usize {
        2 * self.forward.depth() * self.forward.columns()
    }

    /// Multiplications for one example in both directions.
    pub fn work(&self) -> usize {
        2 * self.starts.len() * self.forward.depth() * self.forward.columns()
    }

    /// Whether the backward direction depends on the state below.
    pub fn has_winners(&self) -> bool {
        matches!(self.geometry.pooling, Pooling::Max(_))
    }

    fn n_below(&self) -> usize {
        self.geometry.input.iter().product()
    }

    fn n_above(&self) -> usize {
        self.geometry.output.iter().product()
    }

    /// Positions in a pooling window.
    fn window(&self) -> usize {
        self.geometry.pooling.size().pow(2)
    }

    /// Brings `pooled` up to date with the maps below.
    pub fn forward(&self, below: &[f32], pooled: &mut Pooled, scratch: &mut Scratch) {
        if pooled.is_current {
            return;
        }
        let channels = self.geometry.output[0];
        let window = self.window();
        let (n_below, n_above) = (self.n_below(), self.n_above());
        let n_examples = below.len() / n_below;
        pooled.values.resize(n_examples * n_above, 0.0);
        pooled.winners.resize(n_examples * n_above, 0);
        pooled.is_current = true;
        let examples = below.chunks_exact(n_below);
        let values = pooled.values.chunks_exact_mut(n_above);
        let winners = pooled.winners.chunks_exact_mut(n_above);
        let windows_per_block = (BLOCK / window).max(1);
        for ((below, values), winners) in examples.zip(values).zip(winners) {
            let Scratch {
                padded,
                block,
                nonzero,
            } = scratch;
            let left = Left {
                data: self.padded(below, padded),
                starts: &[],
                runs: &self.runs,
                run_length: self.run_length,
            };
            block.resize(windows_per_block * window * channels, 0.0);
            let starts = self.starts.chunks(windows_per_block * window);
            let values = values.chunks_mut(windows_per_block * channels);
            let winners = winners.chunks_mut(windows_per_block * channels);
            for ((starts, values), winners) in starts.zip(values).zip(winners) {
                let left = Left { starts, ..left };
                multiply(left, &self.forward, Finish::SET, block, channels, nonzero);
                let windows = block.chunks_exact(window * channels);
                let values = values.chunks_exact_mut(channels);
                let winners = winners.chunks_exact_mut(channels);
                for ((window, values), winners) in windows.zip(values).zip(winners) {
                    pool(self.geometry.pooling, window, values, winners);
                }
            }
        }
    }

    /// Adds `Kᵀ ∗ Pᵀ s_to` to `out`, with max pooling through the winners in `pooled`.
    pub fn backward(&self, above: &[f32], pooled: &Pooled, out: &mut [f32], scratch: &mut Scratch) {
        let channels = self.geometry.output[0];
        let (n_below, n_above) = (self.n_below(), self.n_above());
        let examples = above
            .chunks_exact(n_above)
            .zip(out.chunks_exact_mut(n_below));
        for (index, (above, out)) in examples.enumerate() {
            let Scratch {
                padded,
                block,
                nonzero,
            } = &mut *scratch;
            let is_padded = self.geometry.padding > 0;
            let target = if is_padded {
                padded.clear();
                padded.resize(self.padded_len(), 0.0);
                &mut padded[..]
            } else {
                &mut *out
            };
            if let Pooling::Max(_) = self.geometry.pooling {
                Arch::new().dispatch(WithVectors(Scatter {
                    convolution: self,
                    above,
                    winners: &pooled.winners[index * n_above..][..n_above],
                    out: target,
                }));
            } else {
                let depth = self.backward.columns();
                let window = self.window();
                let share = 1.0 / window as f32;
                let pixels: Vec<usize> = (0..above.len() / channels)
                    .map(|pixel| pixel * channels)
                    .collect();
                block.resize(BLOCK * depth, 0.0);
                let positions = self.starts.chunks(BLOCK * window);
                for (pixels, positions) in pixels.chunks(BLOCK).zip(positions) {
                    let left = Left {
                        data: above,
                        starts: pixels,
                        runs: &[0],
                        run_length: channels,
                    };
                    multiply(left, &self.backward, Finish::SET, block, depth, nonzero);
                    Arch::new().dispatch(WithVectors(Spread {
                        convolution: self,
                        patches: block,
                        positions,
                        share,
                        out: target,
                    }));
                }
            }
            if is_padded {
                self.add_cropped(padded, out);
            }
        }
    }

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

    fn padded_len(&self) -> usize {
        let Geometry { input, padding, .. } = self.geometry;
        (input[1] + 2 * padding) * (input[2] + 2 * padding) * input[0]
    }

    /// The maps of one example with zeros around them.
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

/// What makes one list of numbers of two.
type Combine = fn(&[f32], &[f32]) -> Vec<f32>;

fn sum_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn difference_of(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Rows and columns in order.
fn grid(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

/// Pools one window, `[positions, channels]`.
fn pool(pooling: Pooling, window: &[f32], values: &mut [f32], winners: &mut [u8]) {
    let channels = values.len();
    let mut positions = window.chunks_exact(channels);
    values.copy_from_slice(positions.next().expect("a window has a position"));
    match pooling {
        Pooling::None => {}
        Pooling::Max(_) => super::simd::vectorized(
            #[inline(always)]
            || {
                winners.fill(0);
                for (position, row) in (1u8..).zip(positions) {
                    let best = values.iter_mut().zip(winners.iter_mut());
                    for ((value, winner), &other) in best.zip(row) {
                        // The first of equal values wins.
                        let wins = other > *value;
                        *value = if wins { other } else { *value };
                        *winner = if wins { position } else { *winner };
                    }
                }
            },
        ),
        Pooling::Average(size) => {
            for row in positions {
                for (value, other) in values.iter_mut().zip(row) {
                    *value += other;
                }
            }
            let share = 1.0 / (size * size) as f32;
            values.iter_mut().for_each(|value| *value *= share);
        }
    }
}

/// Each unit above sends its kernel to the patch that won its window. Units at 0, many in a
/// clipped layer, send nothing.
struct Scatter<'a> {
    convolution: &'a PackedConvolution,
    above: &'a [f32],
    winners: &'a [u8],
    out: &'a mut [f32],
}

impl VectorWork for Scatter<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let PackedConvolution {
            geometry,
            rows,
            starts,
            runs,
            run_length,
            ..
        } = self.convolution;
        let channels = geometry.output[0];
        let depth = runs.len() * run_length;
        let windows = starts.chunks_exact(self.convolution.window());
        let units = self.above.chunks_exact(channels);
        let winners = self.winners.chunks_exact(channels);
        for ((starts, units), winners) in windows.zip(units).zip(winners) {
            for (channel, (&unit, &winner)) in units.iter().zip(winners).enumerate() {
                if unit == 0.0 {
                    continue;
                }
                let start = starts[usize::from(winner)];
                let kernel = &rows[channel * depth..][..depth];
                for (kernel, run) in kernel.chunks_exact(*run_length).zip(runs) {
                    let out = &mut self.out[start + run..][..*run_length];
                    add_scaled(simd, unit, kernel, out);
                }
            }
        }
    }
}

/// Adds patches to all positions of their windows.
struct Spread<'a> {
    convolution: &'a PackedConvolution,
    patches: &'a [f32],
    positions: &'a [usize],
    share: f32,
    out: &'a mut [f32],
}

impl VectorWork for Spread<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let PackedConvolution {
            runs, run_length, ..
        } = self.convolution;
        let patches = self.patches.chunks_exact(runs.len() * run_length);
        let windows = self.positions.chunks_exact(self.convolution.window());
        for (patch, starts) in patches.zip(windows) {
            for start in starts {
                for (patch, run) in patch.chunks_exact(*run_length).zip(runs) {
                    let out = &mut self.out[start + run..][..*run_length];
                    add_scaled(simd, self.share, patch, out);
                }
            }
        }
    }
}
