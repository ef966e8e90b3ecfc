//! Scaling of the numbers in files to inputs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::option_error::FilesOptionError;

pub(super) const MAX_BYTE: f32 = 255.0;

/// Scaling from the numbers `x` in the files to inputs. By default:
///
/// | in the files | scaling |
/// | --- | --- |
/// | PNG or JPEG | `none`: pixels are in [0, 1] |
/// | image arrays of bytes, or of whole numbers up to 255 | `bytes` |
/// | other image arrays | `none` if in [0, 1], else `range` |
/// | tables of whole numbers up to 255, some above 127, of a square or of `image_size` | `bytes` |
/// | other tables | `standard` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scaling {
    /// No scaling.
    None,
    /// Byte scaling, `x / 255`.
    Bytes,
    /// Min-max scaling, `(x − low) / (high − low)`, by the extremes of the training part.
    Range {
        /// Smallest number.
        low: f32,
        /// Largest number.
        high: f32,
    },
    /// Standardization, `(x − mean) / deviation`, of each column by the training part; 0 for a constant
    /// column.
    Standard {
        /// Mean of each column.
        mean: Vec<f32>,
        /// Standard deviation of each column.
        deviation: Vec<f32>,
    },
}

/// Kind of input numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Pixels in [0, 1].
    Pixels,
    /// Pixels in bytes.
    Bytes,
    /// An array of images.
    Array,
    /// The columns of a table.
    Table,
}

/// Kind of [`Scaling`].
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
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::None, Self::Bytes, Self::Range, Self::Standard];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bytes => "bytes",
            Self::Range => "range",
            Self::Standard => "standard",
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
    /// Returns its kind.
    pub fn kind(&self) -> ScalingKind {
        match self {
            Self::None => ScalingKind::None,
            Self::Bytes => ScalingKind::Bytes,
            Self::Range { .. } => ScalingKind::Range,
            Self::Standard { .. } => ScalingKind::Standard,
        }
    }

    /// Scales examples of `n_inputs` inputs each.
    pub(crate) fn apply(&self, inputs: &mut [f32], n_inputs: usize) {
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
                // In double precision: in single precision the difference of two large numbers may vanish.
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

    /// Returns whether it is valid for examples of `n_inputs` inputs.
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
