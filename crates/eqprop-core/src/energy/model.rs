//! What a graph of layers and connections becomes, chosen at run time.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::resistive::Circuit;
use super::{
    AnyField, FeedbackInitializer, FeedbackUpdate, HopfieldEnergyConfig, LayerUpdate,
    PredictiveCodingConfig, UntiedHopfieldConfig,
};
use crate::activation::Activation;
use crate::connection::WeightSource;
use crate::error::ConfigError;

/// Which of the built-in energies and fields the layers and connections of a graph make.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Model {
    /// See [`HopfieldEnergy`](super::HopfieldEnergy).
    Hopfield,
    /// See [`UntiedHopfield`](super::UntiedHopfield).
    Untied {
        /// How the two directions of a connection learn.
        #[serde(default)]
        update: FeedbackUpdate,
        /// What the feedback parameters begin with.
        #[serde(default)]
        feedback: FeedbackInitializer,
    },
    /// See [`PredictiveCoding`](super::PredictiveCoding).
    PredictiveCoding {
        /// How the layers move.
        #[serde(default)]
        layer_update: LayerUpdate,
    },
    /// See [`ResistiveNetwork`](super::ResistiveNetwork).
    Resistive {
        /// Voltage of an input value of 1, greater than 0.
        #[serde(default = "one")]
        input_gain: f64,
    },
}

fn one() -> f64 {
    1.0
}

impl Model {
    /// The field that `graph` makes.
    pub fn field(self, graph: HopfieldEnergyConfig) -> Box<dyn FieldConfig> {
        match self {
            Self::Hopfield => Box::new(graph),
            Self::Untied { update, feedback } => {
                let config = UntiedHopfieldConfig::new(graph);
                Box::new(config.with_update(update).with_feedback(feedback))
            }
            Self::PredictiveCoding { layer_update } => {
                let config = PredictiveCodingConfig::new(graph);
                Box::new(config.with_layer_update(layer_update))
            }
            Self::Resistive { input_gain } => Box::new(Circuit { graph, input_gain }),
        }
    }
}

/// What is said of a field before it is made.
pub trait FieldConfig {
    /// Checks that the graph is one that makes such a field.
    ///
    /// # Errors
    /// Names the first part that cannot work.
    fn validate(&self) -> Result<(), ConfigError>;

    /// The field with new weights from `source` and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> AnyField;

    /// The activation by which the output layer relaxes.
    fn output(&self) -> Activation;

    /// Whether free phases start at their equilibrium.
    fn starts_at_equilibrium(&self) -> bool {
        false
    }

    /// Whether the parameters decide how much of a nudge the output bears.
    fn limits_of_beta_are_learned(&self) -> bool {
        false
    }

    /// Whether what drives a layer along a connection cannot be had without what leads back, so that
    /// there is no feedforward network of the same parameters.
    fn conducts_both_ways(&self) -> bool {
        false
    }
}
