//! Random shifts and reflections of training images.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// First stream of a seed used for augmentation; those below are for permutations.
const FIRST_STREAM: u64 = 1 << 63;

/// Random numbers reserved for each example, in 32-bit words; about five are used.
const WORDS_PER_EXAMPLE: u128 = 16;

/// Random changes of training images that preserve their class; none by default.
///
/// With `flip`, an image is mirrored left to right with probability ½. Then it is padded by `shift`
/// pixels on each side, and cropped back at a random place:
///
/// ```text
/// x'[c, i, j] = x[c, clip(i + a, 0, height − 1), clip(j + b, 0, width − 1)],
///     a and b uniform in {−shift, …, shift}
/// ```
///
/// The border is filled with copies of the edge pixels, in every channel. So the result is the same
/// whether images are normalized before or after; and where the edge is black, as in MNIST, the fill
/// is the normalized value of zero.
///
/// # Reference
/// The programs of Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>, and Scellier et
/// al. (2023), <https://arxiv.org/abs/2312.15103>, augment in this way. Both shift CIFAR-10 by 4 and
/// flip it; the latter shifts padded MNIST and Fashion-MNIST by 2, and flips Fashion-MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Largest shift in each direction, in pixels.
    pub shift: usize,
    /// Whether half of the images are mirrored left to right.
    pub flip: bool,
}

impl Augmentation {
    /// Returns whether every image is left unchanged.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Returns the images of the examples `indices`, given in this order, as augmented in epoch `epoch`.
    pub(super) fn apply<'a>(
        self,
        images: impl Iterator<Item = &'a [f32]>,
        shape: [usize; 3],
        seed: u64,
        epoch: u64,
        indices: &[usize],
    ) -> Vec<f32> {
        let n_inputs = shape.iter().product::<usize>();
        let mut changed = Vec::with_capacity(indices.len() * n_inputs);
        for (image, &index) in images.zip(indices) {
            let change = self.draw(seed, epoch, index);
            change.apply(image, shape, &mut changed);
        }
        changed
    }

    /// Draws the change of one example in one epoch, a function of the arguments alone.
    pub(super) fn draw(self, seed: u64, epoch: u64, example: usize) -> Change {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(FIRST_STREAM | epoch);
        rng.set_word_pos(example as u128 * WORDS_PER_EXAMPLE);
        let shift = i64::try_from(self.shift).unwrap_or(i64::MAX);
        Change {
            rows: rng.random_range(-shift..=shift),
            columns: rng.random_range(-shift..=shift),
            flip: self.flip && rng.random(),
        }
    }
}

/// The random change of one example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// `a`: number of rows by which the image moves up.
    rows: i64,
    /// `b`: number of columns by which the image moves left.
    columns: i64,
    /// Whether the image is mirrored first.
    flip: bool,
}

impl Change {
    /// Appends the changed `image`, `[channels, height, width]`, to `changed`.
    pub(super) fn apply(self, image: &[f32], shape: [usize; 3], changed: &mut Vec<f32>) {
        let [_, height, width] = shape;
        let columns = shifted(width, self.columns);
        let columns: Vec<usize> = if self.flip {
            columns.map(|column| width - 1 - column).collect()
        } else {
            columns.collect()
        };
        for channel in image.chunks_exact(height * width) {
            for row in shifted(height, self.rows) {
                let row = &channel[row * width..][..width];
                changed.extend(columns.iter().map(|&column| row[column]));
            }
        }
    }
}

/// Source indices of a row or column of `n` pixels shifted by `offset`.
fn shifted(n: usize, offset: i64) -> impl Iterator<Item = usize> {
    let last = n as i64 - 1;
    (0..=last).map(move |i| i.saturating_add(offset).clamp(0, last) as usize)
}

#[cfg(test)]
mod tests;
