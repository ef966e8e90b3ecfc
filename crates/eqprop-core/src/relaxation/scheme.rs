//! The built-in dynamics, by name.

use core::fmt;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::adaptive_flow::{AdaptiveFlow, FIRST_STEP};
use super::anderson::{self, Anderson};
use super::asynchronous::Asynchronous;
use super::dynamics::Dynamics;
use super::error_descent::ErrorDescent;
use super::fixed_point::FixedPoint;
use super::gradient_flow::GradientFlow;
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::ConfigError;
use crate::fused::Update;
use crate::state::State;

/// Calls the same method on whichever dynamics it is.
macro_rules! dispatch {
    ($self:expr, $dynamics:ident => $call:expr) => {
        match $self {
            Running::Asynchronous($dynamics) => $call,
            Running::FixedPoint($dynamics) => $call,
            Running::GradientFlow($dynamics) => $call,
            Running::Anderson($dynamics) => $call,
            Running::AdaptiveFlow($dynamics) => $call,
            Running::ErrorDescent($dynamics) => $call,
        }
    };
}

/// The built-in dynamics.
///
/// | scheme | one step | when |
/// | --- | --- | --- |
/// | `Asynchronous` | each group of layers in turn moves to its minimum, given the others | the default: never raises the energy |
/// | `Anderson` | the same from an extrapolation of the last steps; about `3m + 10` more passes over the state | fewest steps: deep networks, small tolerances, slow examples in large batches |
/// | `FixedPoint` | all layers at once: `s ← σ(drive)` | to compare with Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>, "prototypical" |
/// | `GradientFlow` | all layers at once: `s ← clip(s − ε ∂F/∂s)` | to compare with Scellier & Bengio (2017), eq. 43, or to follow `ds/dt = −∂F/∂s` |
/// | `AdaptiveFlow` | the same with an ε for each example, from the error of its steps | the flow without a choice of ε: never raises the energy, fewer steps where ε = 0.5 is too short or too long |
/// | `ErrorDescent` | all prediction errors at once: one pass down the chain and one up | predictive coding with many layers; in other fields it is `GradientFlow` |
///
/// All reach the same equilibria, except for `ErrorDescent` with clipped layers. The synchronous fixed
/// point may oscillate between two states where the others converge, and so may the asynchronous update
/// of a layer with [connections within it](crate::connection::Dense). In a relaxation with too few
/// steps to converge, like most nudged phases, `Anderson` differs little from `Asynchronous`: its first
/// two steps are the same.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// Exact block coordinate descent over [`VectorField::groups`](crate::energy::VectorField::groups): even
    /// and odd layers in a chain.
    #[default]
    Asynchronous,
    /// Synchronous fixed-point iteration.
    FixedPoint,
    /// Projected gradient flow in Euler steps.
    GradientFlow {
        /// Euler step size ε, in (0, 1]; 0.5 by default.
        #[serde(default = "half")]
        step_size: f64,
    },
    /// [`Anderson`] acceleration of `Asynchronous`.
    Anderson {
        /// Number of differences remembered, 1 to 8; 5 by default.
        #[serde(default = "five")]
        history: usize,
        /// Mixing parameter μ, in (0, 1]; 1 by default.
        #[serde(default = "one")]
        mixing: f64,
    },
    /// [`AdaptiveFlow`]: gradient flow with a step size for each example.
    AdaptiveFlow {
        /// Relative error of a step, in (0, 1); 0.8 by default.
        #[serde(default = "four_fifths")]
        error: f64,
    },
    /// [`ErrorDescent`](super::ErrorDescent).
    ErrorDescent {
        /// Step size ε, in (0, 1]; 1 by default.
        #[serde(default = "one")]
        step_size: f64,
    },
}

fn half() -> f64 {
    0.5
}

fn five() -> usize {
    5
}

fn one() -> f64 {
    1.0
}

fn four_fifths() -> f64 {
    0.8
}

impl Scheme {
    /// Returns all dynamics that differ on every field, with their default options.
    pub fn all() -> [Self; 5] {
        let (step_size, history, mixing, error) = (half(), five(), one(), four_fifths());
        [
            Self::Asynchronous,
            Self::FixedPoint,
            Self::GradientFlow { step_size },
            Self::Anderson { history, mixing },
            Self::AdaptiveFlow { error },
        ]
    }

    /// Checks the options.
    ///
    /// # Errors
    /// If one is out of its range.
    pub fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::GradientFlow { step_size } => GradientFlow { step_size }.validate(),
            Self::Anderson { history, mixing } => anderson::validate(history, mixing),
            Self::AdaptiveFlow { error } => AdaptiveFlow::validate(error),
            Self::ErrorDescent { step_size } => ErrorDescent { step_size }.validate(),
            _ => Ok(()),
        }
    }

    /// The dynamics: a new one is a file beside the others, a variant above and in [`Running`], and a
    /// line here.
    fn running(self) -> Running {
        match self {
            Self::Asynchronous => Running::Asynchronous(Asynchronous),
            Self::FixedPoint => Running::FixedPoint(FixedPoint),
            Self::GradientFlow { step_size } => Running::GradientFlow(GradientFlow { step_size }),
            Self::Anderson { history, mixing } => {
                Running::Anderson(Anderson::new(Asynchronous, history, mixing))
            }
            Self::AdaptiveFlow { error } => Running::AdaptiveFlow(AdaptiveFlow::new(error)),
            Self::ErrorDescent { step_size } => Running::ErrorDescent(ErrorDescent { step_size }),
        }
    }

    /// The scheme without a memory of its steps.
    fn plain(self) -> Self {
        match self {
            Self::Anderson { .. } => Self::Asynchronous,
            Self::AdaptiveFlow { .. } => Self::GradientFlow {
                step_size: FIRST_STEP,
            },
            plain => plain,
        }
    }

    /// Returns the scheme that updates all layers at once and has no memory of its steps.
    pub fn synchronous(self) -> Self {
        match self.plain() {
            Self::Asynchronous => Self::FixedPoint,
            synchronous => synchronous,
        }
    }
}

/// Writes the name with the most important option, such as `gradient flow, ε = 0.5`.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dispatch!(self.running(), dynamics => dynamics.fmt(f))
    }
}

/// Outside a relaxation there is nothing to remember: a step of `Anderson` is then one of
/// `Asynchronous`, and a step of `AdaptiveFlow` one of `GradientFlow` with the first step size.
impl Dynamics for Scheme {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        self.plain().running().step(total, state);
    }

    fn begin(&self) -> impl Dynamics {
        self.running()
    }

    fn fused(&self) -> Option<Update> {
        self.running().fused()
    }

    fn step_size(&self) -> f64 {
        self.plain().running().step_size()
    }

    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        self.running().residual(total, before, after)
    }
}

/// A scheme in a relaxation, with its memory of the steps.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
enum Running {
    Asynchronous(Asynchronous),
    FixedPoint(FixedPoint),
    GradientFlow(GradientFlow),
    Anderson(Anderson<Asynchronous>),
    AdaptiveFlow(AdaptiveFlow),
    ErrorDescent(ErrorDescent),
}

impl Dynamics for Running {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        dispatch!(self, dynamics => dynamics.step(total, state));
    }

    fn fused(&self) -> Option<Update> {
        dispatch!(self, dynamics => dynamics.fused())
    }

    fn step_size(&self) -> f64 {
        dispatch!(self, dynamics => dynamics.step_size())
    }

    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        dispatch!(self, dynamics => dynamics.residual(total, before, after))
    }
}
