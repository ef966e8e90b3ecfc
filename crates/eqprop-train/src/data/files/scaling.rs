//! What is done to the numbers of files before they are inputs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::option_error::FilesOptionError;

const MAX_BYTE: f32 = 255.0;

/// From which largest value on whole numbers are taken for the bytes of pixels.
const BRIGHT: f32 = 128.0;

/// How the numbers `x` in the files become inputs. Without a choice of one's own:
///
/// | in the files | scaling |
/// | --- | --- |
/// | PNG or JPEG | `none`: pixels are in [0, 1] |
/// | arrays of pictures in bytes, or in whole numbers up to 255 | `bytes` |
/// | other arrays of pictures | `none` in [0, 1], else `range` |
/// | tables of whole numbers up to 255, some above 127, as many as a square has, or as `image_size` says | `bytes` |
/// | other tables | `standard` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scaling {
    /// As they are.
    None,
    /// `x / 255`.
    Bytes,
    /// `(x − low) / (high − low)`, from the least and the largest number of the training part.
    Range {
        /// The least number.
        low: f32,
        /// The largest number.
        high: f32,
    },
    /// `(x − mean) / deviation` of each column, of the training part; 0 where all are the same.
    Standard {
        /// Mean of each column.
        mean: Vec<f32>,
        /// Deviation of each column.
        deviation: Vec<f32>,
    },
}

/// What inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Pixels in [0, 1].
    Pixels,
    /// Pixels in bytes.
    Bytes,
    /// An array of pictures.
    Array,
    /// The columns of a table.
    Table,
}

/// A choice of [`Scaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingKind {
    /// [`Scaling::None`].
    None,
    /// [`Scaling::Bytes`].
    Bytes,
    /// [`Scaling::Range`].
    Range,
    /// [`Scaling::Standard`].
    Standard,
}

impl ScalingKind {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::None, Self::Bytes, Self::Range, Self::Standard];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bytes => "bytes",
            Self::Range => "range",
            Self::Standard => "standard",
        }
    }

    /// What is done without a choice: see [`Scaling`].
    pub(super) fn usual(numbers: Numbers, inputs: &[f32], is_square: bool) -> Self {
        let are_bytes = || {
            let is_byte = |&x: &f32| x.fract() == 0.0 && (0.0..=MAX_BYTE).contains(&x);
            inputs.iter().all(is_byte) && inputs.iter().any(|&x| x >= BRIGHT)
        };
        match numbers {
            Numbers::Pixels => Self::None,
            Numbers::Bytes => Self::Bytes,
            Numbers::Array if inputs.iter().all(|x| (0.0..=1.0).contains(x)) => Self::None,
            Numbers::Array if are_bytes() => Self::Bytes,
            Numbers::Array => Self::Range,
            Numbers::Table if is_square && are_bytes() => Self::Bytes,
            Numbers::Table => Self::Standard,
        }
    }
}

impl fmt::Display for ScalingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ScalingKind {
    type Err = FilesOptionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| FilesOptionError::unknown("scaling", name, Self::ALL.map(Self::name)))
    }
}

impl Scaling {
    /// The scaling of a kind, with what it takes from the training part: examples of `n_inputs`.
    pub(super) fn of(kind: ScalingKind, train: &[f32], n_inputs: usize) -> Self {
        match kind {
            ScalingKind::None => Self::None,
            ScalingKind::Bytes => Self::Bytes,
            ScalingKind::Range => Self::Range {
                low: train.iter().copied().fold(f32::INFINITY, f32::min),
                high: train.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            },
            ScalingKind::Standard => {
                let (mean, deviation) = column_statistics(train, n_inputs);
                Self::Standard { mean, deviation }
            }
        }
    }

    /// Which it is.
    pub fn kind(&self) -> ScalingKind {
        match self {
            Self::None => ScalingKind::None,
            Self::Bytes => ScalingKind::Bytes,
            Self::Range { .. } => ScalingKind::Range,
            Self::Standard { .. } => ScalingKind::Standard,
        }
    }

    /// Scales examples of `n_inputs`.
    pub(super) fn apply(&self, inputs: &mut [f32], n_inputs: usize) {
        match self {
            Self::None => {}
            Self::Bytes => inputs.iter_mut().for_each(|x| *x /= MAX_BYTE),
            Self::Range { low, high } => {
                let width = f64::from(*high) - f64::from(*low);
                let scale = |x: f32| match width > 0.0 {
                    true => ((f64::from(x) - f64::from(*low)) / width) as f32,
                    false => 0.0,
                };
                inputs.iter_mut().for_each(|x| *x = scale(*x));
            }
            Self::Standard { mean, deviation } => {
                // In double precision: the difference of two large numbers may be none in single.
                let scale = |x: f32, mean: f32, deviation: f32| match deviation > 0.0 {
                    true => ((f64::from(x) - f64::from(mean)) / f64::from(deviation)) as f32,
                    false => 0.0,
                };
                for example in inputs.chunks_exact_mut(n_inputs) {
                    for ((x, &mean), &deviation) in example.iter_mut().zip(mean).zip(deviation) {
                        *x = scale(*x, mean, deviation);
                    }
                }
            }
        }
    }

    /// Whether it can be that of examples of `n_inputs`.
    pub(super) fn is_sound(&self, n_inputs: usize) -> bool {
        let are_finite = |numbers: &[f32]| numbers.iter().all(|number| number.is_finite());
        match self {
            Self::None | Self::Bytes => true,
            Self::Range { low, high } => are_finite(&[*low, *high]),
            Self::Standard { mean, deviation } => [mean, deviation]
                .iter()
                .all(|numbers| numbers.len() == n_inputs && are_finite(numbers)),
        }
    }
}

/// Mean and deviation of each column, summed in `f64`.
fn column_statistics(inputs: &[f32], n_columns: usize) -> (Vec<f32>, Vec<f32>) {
    let n = (inputs.len() / n_columns).max(1) as f64;
    let mut mean = vec![0.0; n_columns];
    for example in inputs.chunks_exact(n_columns) {
        for (mean, &x) in mean.iter_mut().zip(example) {
            *mean += f64::from(x) / n;
        }
    }
    let mut variance = vec![0.0; n_columns];
    let mut is_constant = vec![true; n_columns];
    for example in inputs.chunks_exact(n_columns) {
        for (column, &x) in example.iter().enumerate() {
            variance[column] += (f64::from(x) - mean[column]).powi(2) / n;
            is_constant[column] &= x == inputs[column];
        }
    }
    // What is constant has a rounding error for a deviation.
    let deviation = variance.iter().zip(is_constant);
    let deviation = deviation.map(|(variance, is_constant)| match is_constant {
        true => 0.0,
        false => variance.sqrt() as f32,
    });
    let deviation = deviation.collect();
    (
        mean.into_iter().map(|mean| mean as f32).collect(),
        deviation,
    )
}
