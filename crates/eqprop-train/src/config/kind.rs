//! The choices in a training configuration, by the names that they have in its text.

use serde::{Deserialize, Serialize};

/// Which energy the layers and connections of a configuration make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// [`HopfieldEnergy`](eqprop_core::energy::HopfieldEnergy).
    Hopfield,
    /// [`UntiedHopfield`](eqprop_core::energy::UntiedHopfield).
    Untied,
    /// [`PredictiveCoding`](eqprop_core::energy::PredictiveCoding).
    PredictiveCoding,
    /// [`ResistiveNetwork`](eqprop_core::energy::ResistiveNetwork).
    Resistive,
}

/// See [`Nudging`](eqprop_core::nudging::Nudging).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NudgingKind {
    /// [`Nudging::OneSided`](eqprop_core::nudging::Nudging::OneSided).
    OneSided,
    /// [`Nudging::RandomSign`](eqprop_core::nudging::Nudging::RandomSign).
    RandomSign,
    /// [`Nudging::Centered`](eqprop_core::nudging::Nudging::Centered).
    Centered,
    /// [`Nudging::HigherOrder`](eqprop_core::nudging::Nudging::HigherOrder).
    HigherOrder,
}

/// See [`Scheme`](eqprop_core::relaxation::Scheme).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynamicsKind {
    /// [`Scheme::Asynchronous`](eqprop_core::relaxation::Scheme::Asynchronous).
    Asynchronous,
    /// [`Scheme::FixedPoint`](eqprop_core::relaxation::Scheme::FixedPoint).
    FixedPoint,
    /// [`Scheme::GradientFlow`](eqprop_core::relaxation::Scheme::GradientFlow).
    GradientFlow,
    /// [`Scheme::Anderson`](eqprop_core::relaxation::Scheme::Anderson).
    Anderson,
    /// [`Scheme::AdaptiveFlow`](eqprop_core::relaxation::Scheme::AdaptiveFlow).
    AdaptiveFlow,
}

impl DynamicsKind {
    /// All dynamics.
    pub const ALL: [Self; 5] = [
        Self::Asynchronous,
        Self::FixedPoint,
        Self::GradientFlow,
        Self::Anderson,
        Self::AdaptiveFlow,
    ];
}

/// See [`crate::batch::Order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A new permutation for each epoch.
    Shuffled,
    /// As stored.
    Sequential,
}

/// Course of the learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// A constant factor after each epoch.
    Exponential,
    /// Half a cosine over the whole run.
    Cosine,
}
