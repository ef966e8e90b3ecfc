//! The layers of a network.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::ConfigError;
use crate::shape::LayerShape;

/// Shape and activation of a free layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConfig {
    /// Number and arrangement of the units.
    pub shape: LayerShape,
    /// The response of the layer to its drive.
    pub activation: Activation,
}

impl LayerConfig {
    /// Creates a layer of this shape and activation.
    pub fn new(shape: impl Into<LayerShape>, activation: Activation) -> Self {
        Self {
            shape: shape.into(),
            activation,
        }
    }

    /// Returns the number of units.
    pub fn n_units(&self) -> usize {
        self.shape.n_units()
    }

    /// Checks size and activation.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        self.shape.validate("layer size")?;
        self.activation.validate()
    }
}
