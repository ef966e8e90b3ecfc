//! The configuration of a field.

use burn::tensor::Device;

use crate::activation::Activation;
use crate::connection::WeightSource;
use crate::error::ConfigError;
use crate::layer::LayerConfig;

/// A graph of layers and connections as the configuration of a field; see
/// [`ModelConfig`](super::ModelConfig).
pub trait FieldConfig {
    /// The field.
    type Field;

    fn validate(&self) -> Result<(), ConfigError>;

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> Self::Field;

    fn layers(&self) -> &[LayerConfig];

    fn output(&self) -> Activation {
        let output = self.layers().last();
        output.expect("checked: there is a layer").activation
    }

    /// Those by which the layers relax.
    fn activations(&self) -> Vec<Activation> {
        let layers = self.layers().iter();
        layers.map(|layer| layer.activation).collect()
    }

    fn starts_at_equilibrium(&self) -> bool {
        false
    }

    fn limits_of_beta_are_learned(&self) -> bool {
        false
    }

    fn conducts_both_ways(&self) -> bool {
        false
    }
}
