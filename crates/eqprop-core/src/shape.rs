//! How the units of a layer are arranged.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The arrangement of a layer's units.
///
/// A state holds every layer as `[batch, n_units]`; feature maps in the order channel, row,
/// column. In a configuration a shape is a number, such as `500`, or a list, such as
/// `[32, 12, 12]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a shape is a number of units, or channels, height and width in a list"
)]
pub enum LayerShape {
    /// So many units.
    Flat(usize),
    /// Feature maps: channels, height, width. The units of a channel share a bias.
    Maps([usize; 3]),
}

impl LayerShape {
    /// The number of units.
    pub fn n_units(self) -> usize {
        match self {
            Self::Flat(n) => n,
            Self::Maps(sizes) => sizes.into_iter().product(),
        }
    }

    /// The number of biases: one per unit, or one per channel.
    pub fn n_biases(self) -> usize {
        match self {
            Self::Flat(n) => n,
            Self::Maps([channels, _, _]) => channels,
        }
    }

    /// Channels, height and width, if there are any.
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
