//! What a graph of layers and connections becomes, chosen at run time.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::any::AnyField;
use super::field_config::FieldConfig;
use super::hopfield::HopfieldEnergyConfig;
use super::predictive_coding::{LayerUpdate, PredictiveCodingConfig};
use super::resistive::Circuit;
use super::untied::{FeedbackInitializer, FeedbackUpdate, UntiedHopfieldConfig};
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

/// Calls the same method of whichever configuration it is, of the graph as that field.
macro_rules! dispatch {
    ($self:expr, $config:ident => $call:expr) => {{
        let graph = $self.graph.clone();
        match $self.model {
            Model::Hopfield => {
                let $config = graph;
                $call
            }
            Model::Untied { update, feedback } => {
                let $config = UntiedHopfieldConfig::new(graph)
                    .with_update(update)
                    .with_feedback(feedback);
                $call
            }
            Model::PredictiveCoding { layer_update } => {
                let $config = PredictiveCodingConfig::new(graph).with_layer_update(layer_update);
                $call
            }
            Model::Resistive { input_gain } => {
                let $config = Circuit { graph, input_gain };
                $call
            }
        }
    }};
}

/// A graph of layers and connections, and what it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// What it becomes.
    pub model: Model,
    /// The layers and connections.
    pub graph: HopfieldEnergyConfig,
}

impl ModelConfig {
    /// Checks that the graph is one that makes such a field.
    ///
    /// # Errors
    /// Names the first part that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        dispatch!(self, config => FieldConfig::validate(&config))
    }

    /// The field with new weights from `source` and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> AnyField {
        dispatch!(self, config => FieldConfig::init_from(&config, source, device).into())
    }

    /// The activation by which the output layer relaxes.
    pub fn output(&self) -> Activation {
        dispatch!(self, config => config.output())
    }

    /// Whether free phases start at their equilibrium.
    pub fn starts_at_equilibrium(&self) -> bool {
        dispatch!(self, config => config.starts_at_equilibrium())
    }

    /// Whether the parameters decide how much of a nudge the output bears.
    pub fn limits_of_beta_are_learned(&self) -> bool {
        dispatch!(self, config => config.limits_of_beta_are_learned())
    }

    /// Whether what drives a layer along a connection cannot be had without what leads back, so that
    /// there is no feedforward network of the same parameters.
    pub fn conducts_both_ways(&self) -> bool {
        dispatch!(self, config => config.conducts_both_ways())
    }
}
