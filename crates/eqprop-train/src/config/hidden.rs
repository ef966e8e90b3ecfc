//! The layers and further connections of a training configuration.

use std::fmt;

use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::shape::LayerShape;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A hidden layer and the connection from the layer below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum HiddenLayer {
    /// So many units, each connected with every unit below.
    Dense(usize),
    /// Feature maps, and the convolution that leads to them.
    Convolution {
        /// Number of maps.
        channels: usize,
        /// The convolution.
        #[serde(flatten)]
        convolution: ConvolutionConfig,
    },
}

/// A connection beside those from each layer to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipConnection {
    /// The layer below, counted from the input as 0.
    pub from: usize,
    /// The layer above; the same layer for a connection of its units with each other.
    pub to: usize,
    /// The kind of connection.
    pub kind: ConnectionKind,
}

impl From<usize> for HiddenLayer {
    fn from(n_units: usize) -> Self {
        Self::Dense(n_units)
    }
}

impl HiddenLayer {
    /// So many feature maps.
    pub fn maps(channels: usize, convolution: ConvolutionConfig) -> Self {
        Self::Convolution {
            channels,
            convolution,
        }
    }

    /// Its shape above a layer of this shape, if it fits.
    pub(super) fn above(self, below: LayerShape) -> Option<LayerShape> {
        match self {
            Self::Dense(n_units) => Some(LayerShape::Flat(n_units)),
            Self::Convolution {
                channels,
                convolution,
            } => {
                let [_, height, width] = below.maps()?;
                let [rows, columns] = convolution.output([height, width])?;
                Some(LayerShape::Maps([channels, rows, columns]))
            }
        }
    }

    /// The connection from the layer below.
    pub(super) fn connection(self) -> ConnectionKind {
        match self {
            Self::Dense(_) => ConnectionKind::Dense,
            Self::Convolution { convolution, .. } => ConnectionKind::Convolution(convolution),
        }
    }
}

// By hand, because serde's own for an untagged enum says of every mistake only that nothing fits, and
// its own for flattened fields takes unknown ones.
impl<'de> Deserialize<'de> for HiddenLayer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HiddenLayerVisitor)
    }
}

struct HiddenLayerVisitor;

impl<'de> Visitor<'de> for HiddenLayerVisitor {
    type Value = HiddenLayer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of units, or feature maps with \"channels\" and \"kernel\"")
    }

    fn visit_u64<E: Error>(self, n_units: u64) -> Result<HiddenLayer, E> {
        let unfit = |_| E::invalid_value(Unexpected::Unsigned(n_units), &self);
        usize::try_from(n_units)
            .map(HiddenLayer::Dense)
            .map_err(unfit)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HiddenLayer, A::Error> {
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        let convolution = ConvolutionConfig {
            kernel: fields.kernel,
            stride: fields.stride,
            padding: fields.padding,
            pooling: fields.pooling,
        };
        Ok(HiddenLayer::maps(fields.channels, convolution))
    }
}

/// The fields of feature maps and of their convolution, side by side.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    channels: usize,
    kernel: usize,
    #[serde(default = "one")]
    stride: usize,
    #[serde(default)]
    padding: usize,
    #[serde(default)]
    pooling: Pooling,
}

fn one() -> usize {
    1
}
