//! Layers and skip connections of a training configuration.

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
    /// A number of units, each connected to every unit below.
    Dense(usize),
    /// Feature maps, and the convolution that computes them.
    Convolution {
        /// Number of maps.
        channels: usize,
        /// The convolution.
        #[serde(flatten)]
        convolution: ConvolutionConfig,
    },
}

/// A connection in addition to those from each layer to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipConnection {
    /// Lower layer, counted from the input as 0.
    pub from: usize,
    /// Upper layer; the same layer for a connection among its own units.
    pub to: usize,
    /// Kind of connection.
    pub kind: ConnectionKind,
}

impl From<usize> for HiddenLayer {
    fn from(n_units: usize) -> Self {
        Self::Dense(n_units)
    }
}

impl HiddenLayer {
    /// Creates a layer of `channels` feature maps.
    pub fn maps(channels: usize, convolution: ConvolutionConfig) -> Self {
        Self::Convolution {
            channels,
            convolution,
        }
    }

    /// Returns the layer's shape above a layer of shape `below`, if it fits.
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

    /// Returns the connection from the layer below.
    pub(super) fn connection(self) -> ConnectionKind {
        match self {
            Self::Dense(_) => ConnectionKind::Dense,
            Self::Convolution { convolution, .. } => ConnectionKind::Convolution(convolution),
        }
    }
}

// Written by hand, because serde's untagged enums report every mistake only as "nothing fits", and its
// flattened fields accept unknown ones.
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

/// Fields of a layer of feature maps and of its convolution, side by side.
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
