//! The forward direction: convolution and pooling.

use super::{BLOCK, PackedConvolution, Pool, Scratch};
use crate::kernel::epilogue::Epilogue;
use crate::kernel::left::Left;
use crate::kernel::product::multiply;
use crate::kernel::simd::vectorized;

/// `P(K ∗ s)` of some examples for their current `s`, kept until `s` changes.
#[derive(Debug, Default)]
pub struct Pooled {
    /// The result, `[examples, pixels, channels]`.
    pub values: Vec<f32>,
    /// The position within its window that each value comes from.
    pub(super) winners: Vec<u8>,
    /// Whether this belongs to the current `s`.
    pub is_current: bool,
}

impl PackedConvolution {
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
                zeros,
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
                multiply(left, &self.forward, Epilogue::SET, block, channels, zeros);
                let windows = block.chunks_exact(window * channels);
                let values = values.chunks_exact_mut(channels);
                let winners = winners.chunks_exact_mut(channels);
                for ((window, values), winners) in windows.zip(values).zip(winners) {
                    take_window(self.geometry.pool, window, values, winners);
                }
            }
        }
    }
}

/// Pools one window, `[positions, channels]`.
fn take_window(pool: Pool, window: &[f32], values: &mut [f32], winners: &mut [u8]) {
    let channels = values.len();
    let mut positions = window.chunks_exact(channels);
    values.copy_from_slice(positions.next().expect("a window has a position"));
    if pool.is_max {
        vectorized(
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
        );
    } else if pool.size > 1 {
        for row in positions {
            for (value, other) in values.iter_mut().zip(row) {
                *value += other;
            }
        }
        let share = 1.0 / (pool.size * pool.size) as f32;
        values.iter_mut().for_each(|value| *value *= share);
    }
}
