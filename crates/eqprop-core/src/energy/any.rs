//! A field chosen at run time, and the configuration that builds one from a graph.

use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::field::VectorField;
use super::field_config::FieldConfig;
use super::hopfield::{HopfieldEnergy, HopfieldEnergyConfig};
use super::oscillators::{OscillatorNetwork, OscillatorNetworkConfig};
use super::predictive_coding::{
    LayerUpdate, Parametrization, PredictiveCoding, PredictiveCodingConfig,
};
use super::resistive::{Circuit, ResistiveNetwork};
use super::shortcuts::Shortcuts;
use super::twin::{NoTwin, Twin};
use super::untied::{FeedbackInitializer, FeedbackUpdate, UntiedHopfield, UntiedHopfieldConfig};
use crate::activation::Activation;
use crate::connection::WeightSource;
use crate::error::ConfigError;
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::state::State;

/// A built-in energy or field, chosen at run time.
///
/// # Panics
/// All methods that take a clamped input, if another kind of field has clamped it.
#[derive(Module, Debug)]
pub enum AnyField {
    /// See [`HopfieldEnergy`].
    Hopfield(HopfieldEnergy),
    /// See [`UntiedHopfield`].
    Untied(UntiedHopfield),
    /// See [`PredictiveCoding`].
    PredictiveCoding(PredictiveCoding),
    /// See [`ResistiveNetwork`].
    Resistive(ResistiveNetwork),
    /// See [`OscillatorNetwork`].
    Oscillators(OscillatorNetwork),
}

/// The clamped input of a field.
type Held<F> = <F as VectorField>::Clamped;

/// The clamped input of an [`AnyField`].
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
pub enum AnyClamped {
    /// See [`HopfieldEnergy`].
    Hopfield(Held<HopfieldEnergy>),
    /// See [`UntiedHopfield`].
    Untied(Held<UntiedHopfield>),
    /// See [`PredictiveCoding`].
    PredictiveCoding(Held<PredictiveCoding>),
    /// See [`ResistiveNetwork`].
    Resistive(Held<ResistiveNetwork>),
    /// See [`OscillatorNetwork`].
    Oscillators(Held<OscillatorNetwork>),
}

/// Calls the same method on whichever field it is.
macro_rules! dispatch {
    ($self:expr, $field:ident => $call:expr) => {
        match $self {
            AnyField::Hopfield($field) => $call,
            AnyField::Untied($field) => $call,
            AnyField::PredictiveCoding($field) => $call,
            AnyField::Resistive($field) => $call,
            AnyField::Oscillators($field) => $call,
        }
    };
    ($self:expr, $clamped:expr, ($field:ident, $inner:ident) => $call:expr) => {
        match ($self, $clamped) {
            (AnyField::Hopfield($field), AnyClamped::Hopfield($inner)) => $call,
            (AnyField::Untied($field), AnyClamped::Untied($inner)) => $call,
            (AnyField::PredictiveCoding($field), AnyClamped::PredictiveCoding($inner)) => $call,
            (AnyField::Resistive($field), AnyClamped::Resistive($inner)) => $call,
            (AnyField::Oscillators($field), AnyClamped::Oscillators($inner)) => $call,
            _ => foreign(),
        }
    };
}

fn foreign() -> ! {
    panic!("the input was clamped by another kind of field")
}

/// Converts a field into its variant.
macro_rules! from {
    ($($name:ident($field:ident)),+ $(,)?) => {$(
        impl From<$field> for AnyField {
            fn from(field: $field) -> Self {
                Self::$name(field)
            }
        }
    )+};
}

from! {
    Hopfield(HopfieldEnergy),
    Untied(UntiedHopfield),
    PredictiveCoding(PredictiveCoding),
    Resistive(ResistiveNetwork),
    Oscillators(OscillatorNetwork),
}

impl AnyField {
    /// Returns the parameters that belong to free layer `layer`: its own, such as biases, and those of
    /// the connections that lead into it, in both directions.
    pub fn parameters_into(&self, layer: usize) -> ParamGroup {
        dispatch!(self, field => field.parameters_into(layer))
    }
}

impl VectorField for AnyField {
    type Clamped = AnyClamped;

    fn layers(&self) -> &[LayerConfig] {
        dispatch!(self, field => field.layers())
    }

    fn groups(&self) -> &[Vec<usize>] {
        dispatch!(self, field => field.groups())
    }

    fn clamp(&self, input: &Tensor<2>) -> AnyClamped {
        match self {
            Self::Hopfield(field) => AnyClamped::Hopfield(field.clamp(input)),
            Self::Untied(field) => AnyClamped::Untied(field.clamp(input)),
            Self::PredictiveCoding(field) => AnyClamped::PredictiveCoding(field.clamp(input)),
            Self::Resistive(field) => AnyClamped::Resistive(field.clamp(input)),
            Self::Oscillators(field) => AnyClamped::Oscillators(field.clamp(input)),
        }
    }

    fn repeat(&self, clamped: &AnyClamped, n: usize) -> AnyClamped {
        use AnyClamped::{Hopfield, Oscillators, PredictiveCoding, Resistive, Untied};
        match (self, clamped) {
            (Self::Hopfield(field), Hopfield(inner)) => Hopfield(field.repeat(inner, n)),
            (Self::Untied(field), Untied(inner)) => Untied(field.repeat(inner, n)),
            (Self::PredictiveCoding(field), PredictiveCoding(inner)) => {
                PredictiveCoding(field.repeat(inner, n))
            }
            (Self::Resistive(field), Resistive(inner)) => Resistive(field.repeat(inner, n)),
            (Self::Oscillators(field), Oscillators(inner)) => Oscillators(field.repeat(inner, n)),
            _ => foreign(),
        }
    }

    fn drive(&self, layer: usize, clamped: &AnyClamped, state: &State) -> Tensor<2> {
        dispatch!(self, clamped, (field, inner) => field.drive(layer, inner, state))
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        dispatch!(self, field => field.curvature(layer))
    }

    fn contrast(
        &self,
        clamped: &AnyClamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        dispatch!(self, clamped, (field, inner) => field.contrast(inner, first, second, scale))
    }

    fn drive_contrast(
        &self,
        clamped: &AnyClamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        dispatch!(self, clamped, (field, inner) => {
            field.drive_contrast(inner, first, second, scale)
        })
    }

    fn adjoint(&self, clamped: &AnyClamped, state: &State) -> Option<AnyClamped> {
        use AnyClamped::{Hopfield, Oscillators, PredictiveCoding, Resistive, Untied};
        match (self, clamped) {
            (Self::Hopfield(field), Hopfield(inner)) => field.adjoint(inner, state).map(Hopfield),
            (Self::Untied(field), Untied(inner)) => field.adjoint(inner, state).map(Untied),
            (Self::PredictiveCoding(field), PredictiveCoding(inner)) => {
                field.adjoint(inner, state).map(PredictiveCoding)
            }
            (Self::Resistive(field), Resistive(inner)) => {
                field.adjoint(inner, state).map(Resistive)
            }
            (Self::Oscillators(field), Oscillators(inner)) => {
                field.adjoint(inner, state).map(Oscillators)
            }
            _ => foreign(),
        }
    }

    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        dispatch!(self, field => field.input_contrast(input, first, second, scale))
    }

    fn energy_of(&self, clamped: &AnyClamped, state: &State) -> Option<Tensor<1>> {
        dispatch!(self, clamped, (field, inner) => field.energy_of(inner, state))
    }

    fn shortcuts<'a>(&'a self, clamped: &'a AnyClamped) -> Box<dyn Shortcuts + 'a> {
        dispatch!(self, clamped, (field, inner) => field.shortcuts(inner))
    }

    fn project(self) -> Self {
        dispatch!(self, field => field.project().into())
    }

    fn twin(&self, input: &Tensor<2>) -> Result<Twin, NoTwin> {
        dispatch!(self, field => field.twin(input))
    }
}

/// The choice of a built-in energy or field for the layers and connections of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Model {
    /// See [`HopfieldEnergy`].
    Hopfield,
    /// See [`UntiedHopfield`].
    Untied {
        /// How the two directions of a connection learn.
        #[serde(default)]
        update: FeedbackUpdate,
        /// Initial values of the feedback parameters.
        #[serde(default)]
        feedback: FeedbackInitializer,
    },
    /// See [`PredictiveCoding`].
    PredictiveCoding {
        /// Update rule of the layers.
        #[serde(default)]
        layer_update: LayerUpdate,
        /// Scaling of the weights.
        #[serde(default)]
        parametrization: Parametrization,
    },
    /// See [`ResistiveNetwork`].
    Resistive {
        /// Voltage of an input value of 1, greater than 0.
        #[serde(default = "one")]
        input_gain: f64,
    },
    /// See [`OscillatorNetwork`].
    Oscillators {
        /// Initial strength `S` of the second harmonic.
        #[serde(default)]
        injection: f64,
        /// Whether the strength is learned.
        #[serde(default)]
        learns_injection: bool,
    },
}

fn one() -> f64 {
    1.0
}

/// Calls the same method on the configuration of the selected field.
macro_rules! configured {
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
            Model::PredictiveCoding {
                layer_update,
                parametrization,
            } => {
                let $config = PredictiveCodingConfig::new(graph)
                    .with_layer_update(layer_update)
                    .with_parametrization(parametrization);
                $call
            }
            Model::Resistive { input_gain } => {
                let $config = Circuit { graph, input_gain };
                $call
            }
            Model::Oscillators {
                injection,
                learns_injection,
            } => {
                let $config = OscillatorNetworkConfig::new(graph)
                    .with_injection(injection)
                    .with_learns_injection(learns_injection);
                $call
            }
        }
    }};
}

/// A graph of layers and connections, and the field that it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The field.
    pub model: Model,
    /// The layers and connections.
    pub graph: HopfieldEnergyConfig,
}

impl ModelConfig {
    /// Checks that the graph can become such a field.
    ///
    /// # Errors
    /// Names the first part that does not work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut layers = self.graph.layers.iter();
        let phase = layers.position(|layer| layer.activation == Activation::Phase);
        if let (Some(layer), false) = (phase, matches!(self.model, Model::Oscillators { .. })) {
            return Err(ConfigError::UnfitActivation {
                model: "this model",
                needed: "activations of single units",
                layer: layer + 1,
                activation: "the phases of oscillators".to_string(),
                remedy: "; use the model \"oscillators\"",
            });
        }
        configured!(self, config => FieldConfig::validate(&config))
    }

    /// Creates the field with new weights from `source` and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> AnyField {
        configured!(self, config => FieldConfig::init_from(&config, source, device).into())
    }

    /// Returns the activation with which the output layer relaxes.
    pub fn output(&self) -> Activation {
        configured!(self, config => config.output())
    }

    /// The activations by which the layers relax.
    pub fn activations(&self) -> Vec<Activation> {
        configured!(self, config => config.activations())
    }

    /// Returns whether free phases start at their equilibrium.
    pub fn starts_at_equilibrium(&self) -> bool {
        configured!(self, config => config.starts_at_equilibrium())
    }

    /// Returns whether the range of admissible β depends on the parameters.
    pub fn limits_of_beta_are_learned(&self) -> bool {
        configured!(self, config => config.limits_of_beta_are_learned())
    }

    /// Returns whether the drive along a connection cannot be separated from its feedback, so that
    /// there is no feedforward network with the same parameters.
    pub fn conducts_both_ways(&self) -> bool {
        configured!(self, config => config.conducts_both_ways())
    }
}
