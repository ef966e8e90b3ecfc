//! The network of a training configuration.

use std::fmt;

use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling,
};
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig, PredictiveCodingConfig};
use eqprop_core::shape::LayerShape;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::TrainingConfig;
use crate::error::TrainingError;

/// The largest padding that is suggested for images that do not fit.
const MOST_SUGGESTED: usize = 16;

/// A hidden layer and the connection from the layer below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum HiddenLayer {
    /// So many units, each connected with every unit below.
    Dense(usize),
    /// Feature maps.
    Convolution(ConvolutionalLayer),
}

/// Feature maps, and the convolution that leads to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionalLayer {
    /// Number of maps.
    pub channels: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros on each side.
    #[serde(default)]
    pub padding: usize,
    /// What follows the convolution.
    #[serde(default)]
    pub pooling: Pooling,
}

fn one() -> usize {
    1
}

// By hand, because serde's own for an untagged enum says of every mistake only that nothing fits.
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

    fn visit_u64<E: serde::de::Error>(self, n_units: u64) -> Result<HiddenLayer, E> {
        let unfit = |_| E::invalid_value(Unexpected::Unsigned(n_units), &self);
        usize::try_from(n_units)
            .map(HiddenLayer::Dense)
            .map_err(unfit)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HiddenLayer, A::Error> {
        let layer = ConvolutionalLayer::deserialize(MapAccessDeserializer::new(map));
        layer.map(HiddenLayer::Convolution)
    }
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

impl ConvolutionalLayer {
    /// So many maps behind a square kernel of stride 1, without padding and pooling.
    pub fn new(channels: usize, kernel: usize) -> Self {
        Self {
            channels,
            kernel,
            stride: 1,
            padding: 0,
            pooling: Pooling::None,
        }
    }

    /// With steps of `stride`.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With so many zeros on each side.
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// With pooling.
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    fn convolution(self) -> ConvolutionConfig {
        ConvolutionConfig {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            pooling: self.pooling,
        }
    }

    /// Its maps above a layer of this shape, if it fits.
    fn above(self, below: LayerShape) -> Option<LayerShape> {
        let [_, height, width] = below.maps()?;
        let [rows, columns] = self.convolution().output([height, width])?;
        Some(LayerShape::Maps([self.channels, rows, columns]))
    }
}

impl TrainingConfig {
    /// The energy: hidden layers and an output, each connected with the one below, and the skips.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails.
    pub fn energy(&self) -> HopfieldEnergyConfig {
        let mut shape = self.input_shape();
        let input = shape;
        let mut layers = Vec::new();
        let mut kinds = Vec::new();
        for (index, layer) in self.hidden.iter().enumerate() {
            let (above, kind) = match *layer {
                HiddenLayer::Dense(n_units) => (LayerShape::Flat(n_units), ConnectionKind::Dense),
                HiddenLayer::Convolution(layer) => {
                    let above = layer.above(shape);
                    let above =
                        above.unwrap_or_else(|| panic!("hidden layer {index} does not fit"));
                    (above, ConnectionKind::Convolution(layer.convolution()))
                }
            };
            layers.push(LayerConfig::new(above, self.hidden_activation));
            kinds.push(kind);
            shape = above;
        }
        if self.cost == CostConfig::SquaredError {
            let n_classes = self.dataset.n_classes();
            layers.push(LayerConfig::new(n_classes, self.output_activation));
            kinds.push(ConnectionKind::Dense);
        }
        let chain = kinds.into_iter().enumerate();
        let chain = chain.map(|(from, kind)| (from, from + 1, kind));
        let skips = self
            .skips
            .iter()
            .map(|skip| (skip.from, skip.to, skip.kind));
        let connection = |(index, (from, to, kind)): (usize, _)| ConnectionConfig {
            from,
            to,
            kind,
            initializer: match self.gains.get(index) {
                Some(&gain) => InitializerConfig::FanIn { gain },
                None => self.initializer,
            },
        };
        let connections = chain.chain(skips).enumerate();
        let connections = connections.map(connection).collect();
        HopfieldEnergyConfig::new(input, layers, connections)
    }

    /// The same layers and connections as a predictive coding network.
    ///
    /// # Panics
    /// As [`energy`](Self::energy).
    pub(super) fn predictive_coding(&self) -> PredictiveCodingConfig {
        PredictiveCodingConfig::new(self.energy()).with_layer_update(self.layer_update)
    }

    /// The input: feature maps if a layer needs them.
    fn input_shape(&self) -> LayerShape {
        let [channels, height, width] = self.dataset.image_shape();
        let maps = [
            channels,
            height + 2 * self.padding,
            width + 2 * self.padding,
        ];
        match self.hidden.first() {
            Some(HiddenLayer::Convolution(_)) => LayerShape::Maps(maps),
            _ => LayerShape::Flat(maps.iter().product()),
        }
    }

    /// Checks that every convolutional layer fits onto the one below.
    pub(super) fn check_hidden(&self) -> Result<(), TrainingError> {
        let Err((layer, below)) = self.fit() else {
            return Ok(());
        };
        let fits = |&padding: &usize| self.clone().with_padding(padding).fit().is_ok();
        let paddings = (0..=MOST_SUGGESTED).filter(fits);
        let [_, height, width] = self.dataset.image_shape();
        Err(TrainingError::HiddenLayer {
            layer,
            below,
            image: [height, width],
            padding: self.padding,
            fitting: paddings.min_by_key(|padding| padding.abs_diff(self.padding)),
        })
    }

    /// Lays each layer onto the one below; fails with the number of the first that does not fit, from
    /// 1, and with the shape below it.
    fn fit(&self) -> Result<(), (usize, LayerShape)> {
        let mut below = self.input_shape();
        for (index, layer) in self.hidden.iter().enumerate() {
            below = match *layer {
                HiddenLayer::Dense(n_units) => LayerShape::Flat(n_units),
                HiddenLayer::Convolution(layer) => layer.above(below).ok_or((index + 1, below))?,
            };
        }
        Ok(())
    }

    /// The network in the usual notation, such as 784-500-10 or 1×28×28-32×12×12-10.
    ///
    /// # Panics
    /// As [`energy`](Self::energy).
    pub fn notation(&self) -> String {
        let energy = self.energy();
        let shapes = energy.layers.iter().map(|layer| layer.shape);
        let shapes = std::iter::once(energy.input).chain(shapes);
        let shapes: Vec<_> = shapes.map(|shape| shape.to_string()).collect();
        shapes.join("-")
    }
}
