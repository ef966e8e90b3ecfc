//! The backward direction, to the feature maps below.

use pulp::Simd;

use super::{BLOCK, PackedConvolution, Pooled, Scratch};
use crate::kernel::epilogue::Epilogue;
use crate::kernel::left::Left;
use crate::kernel::product::multiply;
use crate::kernel::simd::{VectorWork, WithVectors, add_scaled, dispatch};

impl PackedConvolution {
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
                zeros,
            } = &mut *scratch;
            let is_padded = self.geometry.padding > 0;
            let target = if is_padded {
                padded.clear();
                padded.resize(self.padded_len(), 0.0);
                &mut padded[..]
            } else {
                &mut *out
            };
            if self.geometry.pool.is_max {
                dispatch(WithVectors(Scatter {
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
                    let left = Left::matrix(above, pixels, channels);
                    multiply(left, &self.backward, Epilogue::SET, block, depth, zeros);
                    dispatch(WithVectors(Spread {
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
}

/// Adds the kernel of each unit above, times its state, to the patch that won its pooling window. Units at
/// 0, many in a clipped layer, are skipped.
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

/// Adds each patch, times `share`, at all positions of its pooling window.
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
