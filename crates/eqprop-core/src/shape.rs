//! The arrangement of the units of a layer.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// The arrangement of a layer's units.
///
/// A state stores every layer as `[batch, n_units]`, with feature maps in the order channel, row,
/// column. In a configuration a shape is a number, such as `500`, or a list, such as `[32, 12, 12]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a shape is a number of units, or channels, height and width in a list"
)]
pub enum LayerShape {
    /// A number of units without a spatial arrangement.
    Flat(usize),
    /// Feature maps: channels, height, width. The units of a channel share a bias.
    Maps([usize; 3]),
}

impl LayerShape {
    /// The largest number of units of a layer: the number of weights between two layers can still be
    /// counted.
    pub const MOST_UNITS: usize = u32::MAX as usize;

    /// Checks the number of units of the layer that `field` names.
    ///
    /// # Errors
    /// If there are none, or more than [`MOST_UNITS`](Self::MOST_UNITS).
    pub fn validate(self, field: &'static str) -> Result<(), ConfigError> {
        let n_units = match self {
            Self::Flat(n) => Some(n),
            // 0 if any is 0, whatever the others are.
            Self::Maps(sizes) if sizes.contains(&0) => Some(0),
            Self::Maps(sizes) => sizes.into_iter().try_fold(1, usize::checked_mul),
        };
        let n_units = n_units.filter(|&n| n <= Self::MOST_UNITS);
        let n_units = n_units.ok_or_else(|| ConfigError::TooManyUnits {
            shape: self.to_string(),
            most: Self::MOST_UNITS,
        })?;
        ConfigError::at_least_one(field, n_units)
    }

    /// Returns the number of units.
    pub fn n_units(self) -> usize {
        match self {
            Self::Flat(n) => n,
            Self::Maps(sizes) => sizes.into_iter().product(),
        }
    }

    /// Returns the number of biases: one per unit, or one per channel.
    pub fn n_biases(self) -> usize {
        match self {
            Self::Flat(n) => n,
            Self::Maps([channels, _, _]) => channels,
        }
    }

    /// Returns channels, height and width, if there are any.
    pub fn maps(self) -> Option<[usize; 3]> {
        match self {
            Self::Flat(_) => None,
            Self::Maps(sizes) => Some(sizes),
        }
    }
}

impl From<usize> for LayerShape {
    fn from(n_units: usize) -> Self {
        Self::Flat(n_units)
    }
}

impl From<[usize; 3]> for LayerShape {
    fn from(sizes: [usize; 3]) -> Self {
        Self::Maps(sizes)
    }
}

impl fmt::Display for LayerShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat(n) => write!(f, "{n}"),
            Self::Maps([channels, height, width]) => write!(f, "{channels}×{height}×{width}"),
        }
    }
}
