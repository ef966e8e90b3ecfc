//! A field chosen at run time.

use burn::module::Module;
use burn::tensor::Tensor;

use super::hopfield::ClampedHopfield;
use super::resistive::ClampedResistive;
use super::{HopfieldEnergy, LayerConfig, ResistiveNetwork, VectorField};
use crate::{gradients::Gradients, state::State};

/// One of the built-in energies and fields, chosen at run time.
#[derive(Module, Debug)]
pub enum AnyField {
    /// See [`HopfieldEnergy`].
    Hopfield(HopfieldEnergy),
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
    /// See [`ResistiveNetwork`].
    Resistive(ClampedResistive),
}

/// Calls the same method of whichever field it is.
macro_rules! dispatch {
    ($self:expr, $field:ident => $call:expr) => {
        match $self {
            AnyField::Hopfield($field) => $call,
            AnyField::Resistive($field) => $call,
        }
    };
    ($self:expr, $clamped:expr, ($field:ident, $inner:ident) => $call:expr) => {
        match ($self, $clamped) {
            (AnyField::Hopfield($field), AnyClamped::Hopfield($inner)) => $call,
            (AnyField::Resistive($field), AnyClamped::Resistive($inner)) => $call,
            _ => unreachable!("an input is clamped by the field that relaxes"),
        }
    };
}

impl AnyField {
    /// The name of the variant: the first part of the path of its parameters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hopfield(_) => "Hopfield",
            Self::Resistive(_) => "Resistive",
        }
    }
}

impl From<HopfieldEnergy> for AnyField {
    fn from(energy: HopfieldEnergy) -> Self {
        Self::Hopfield(energy)
    }
}

impl From<ResistiveNetwork> for AnyField {
    fn from(network: ResistiveNetwork) -> Self {
        Self::Resistive(network)
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
            Self::Resistive(field) => AnyClamped::Resistive(field.clamp(input)),
        }
    }

    fn repeat(&self, clamped: &AnyClamped, n: usize) -> AnyClamped {
        match (self, clamped) {
            (Self::Hopfield(field), AnyClamped::Hopfield(clamped)) => {
                AnyClamped::Hopfield(field.repeat(clamped, n))
            }
            (Self::Resistive(field), AnyClamped::Resistive(clamped)) => {
                AnyClamped::Resistive(field.repeat(clamped, n))
            }
            _ => unreachable!("an input is repeated by the field that clamped it"),
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

    fn energy_of(&self, clamped: &AnyClamped, state: &State) -> Option<Tensor<1>> {
        dispatch!(self, clamped, (field, inner) => field.energy_of(inner, state))
    }

    fn rest(&self, input: &Tensor<2>) -> State {
        dispatch!(self, field => field.rest(input))
    }

    fn start(&self, input: &Tensor<2>, clamped: &AnyClamped) -> State {
        dispatch!(self, clamped, (field, inner) => field.start(input, inner))
    }
    fn project(self) -> Self {
        dispatch!(self, field => field.project().into())
    }
}
