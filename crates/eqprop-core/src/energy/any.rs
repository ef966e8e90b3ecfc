//! A field chosen at run time.

use burn::module::{Module, ParamGroup};
use burn::tensor::Tensor;

use super::hopfield::ClampedHopfield;
use super::predictive_coding::ClampedPredictiveCoding;
use super::resistive::ClampedResistive;
use super::{
    ClampedUntied, Graph, HopfieldEnergy, LayerConfig, Predictions, PredictiveCoding,
    ResistiveNetwork, UntiedHopfield, VectorField,
};
use crate::{gradients::Gradients, state::State};

/// One of the built-in energies and fields, chosen at run time.
///
/// # Panics
/// All that takes a clamped input, if another kind of field has clamped it.
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
}

/// The clamped input of an [`AnyField`].
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
pub enum AnyClamped {
    /// See [`HopfieldEnergy`].
    Hopfield(ClampedHopfield),
    /// See [`UntiedHopfield`].
    Untied(ClampedUntied),
    /// See [`PredictiveCoding`].
    PredictiveCoding(ClampedPredictiveCoding),
    /// See [`ResistiveNetwork`].
    Resistive(ClampedResistive),
}

const FOREIGN: &str = "the input was clamped by another kind of field";

/// Calls the same method of whichever field it is.
macro_rules! dispatch {
    ($self:expr, $field:ident => $call:expr) => {
        match $self {
            AnyField::Hopfield($field) => $call,
            AnyField::Untied($field) => $call,
            AnyField::PredictiveCoding($field) => $call,
            AnyField::Resistive($field) => $call,
        }
    };
    ($self:expr, $clamped:expr, ($field:ident, $inner:ident) => $call:expr) => {
        match ($self, $clamped) {
            (AnyField::Hopfield($field), AnyClamped::Hopfield($inner)) => $call,
            (AnyField::Untied($field), AnyClamped::Untied($inner)) => $call,
            (AnyField::PredictiveCoding($field), AnyClamped::PredictiveCoding($inner)) => $call,
            (AnyField::Resistive($field), AnyClamped::Resistive($inner)) => $call,
            _ => panic!("{FOREIGN}"),
        }
    };
}

impl From<HopfieldEnergy> for AnyField {
    fn from(energy: HopfieldEnergy) -> Self {
        Self::Hopfield(energy)
    }
}

impl From<UntiedHopfield> for AnyField {
    fn from(field: UntiedHopfield) -> Self {
        Self::Untied(field)
    }
}

impl From<PredictiveCoding> for AnyField {
    fn from(energy: PredictiveCoding) -> Self {
        Self::PredictiveCoding(energy)
    }
}

impl From<ResistiveNetwork> for AnyField {
    fn from(network: ResistiveNetwork) -> Self {
        Self::Resistive(network)
    }
}

impl AnyField {
    /// The parameters that drive free layer `layer`: its biases, and those of the connections that lead
    /// to it, in both directions.
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
        }
    }

    fn repeat(&self, clamped: &AnyClamped, n: usize) -> AnyClamped {
        match (self, clamped) {
            (Self::Hopfield(field), AnyClamped::Hopfield(clamped)) => {
                AnyClamped::Hopfield(field.repeat(clamped, n))
            }
            (Self::Untied(field), AnyClamped::Untied(clamped)) => {
                AnyClamped::Untied(field.repeat(clamped, n))
            }
            (Self::PredictiveCoding(field), AnyClamped::PredictiveCoding(clamped)) => {
                AnyClamped::PredictiveCoding(field.repeat(clamped, n))
            }
            (Self::Resistive(field), AnyClamped::Resistive(clamped)) => {
                AnyClamped::Resistive(field.repeat(clamped, n))
            }
            _ => panic!("{FOREIGN}"),
        }
    }

    fn drive(&self, layer: usize, clamped: &AnyClamped, state: &State) -> Tensor<2> {
        dispatch!(self, clamped, (field, inner) => field.drive(layer, inner, state))
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        dispatch!(self, field => field.curvature(layer))
    }

    fn contrast(&self, input: &Tensor<2>, first: &State, second: &State, scale: f64) -> Gradients {
        dispatch!(self, field => field.contrast(input, first, second, scale))
    }

    fn contrast_clamped(
        &self,
        input: &Tensor<2>,
        clamped: &AnyClamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        dispatch!(self, clamped, (field, inner) => {
            field.contrast_clamped(input, inner, first, second, scale)
        })
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

    fn graph<'a>(&self, clamped: &'a AnyClamped) -> Option<Graph<'a>> {
        dispatch!(self, clamped, (field, inner) => field.graph(inner))
    }

    fn predictions<'a>(&'a self, clamped: &'a AnyClamped) -> Option<Predictions<'a>> {
        dispatch!(self, clamped, (field, inner) => field.predictions(inner))
    }

    fn rest(&self, input: &Tensor<2>) -> State {
        dispatch!(self, field => field.rest(input))
    }

    fn start(&self, input: &Tensor<2>, clamped: &AnyClamped) -> State {
        dispatch!(self, clamped, (field, inner) => field.start(input, inner))
    }

    fn stays(&self, layer: usize, clamped: &AnyClamped, state: &State) -> bool {
        dispatch!(self, clamped, (field, inner) => field.stays(layer, inner, state))
    }

    fn project(self) -> Self {
        dispatch!(self, field => field.project().into())
    }

    fn feedforward(&self, input: &Tensor<2>, clamped: &AnyClamped) -> State {
        dispatch!(self, clamped, (field, inner) => field.feedforward(input, inner))
    }
}
