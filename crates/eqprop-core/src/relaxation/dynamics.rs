//! The rule of one step.

use core::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::ConfigError;
use crate::state::State;

/// The rule by which a state moves toward a minimum of the total energy.
///
/// A relaxation clones its dynamics when it starts, so what a rule remembers from step to
/// step begins afresh with every relaxation.
pub trait Dynamics: Clone + Debug + Send {
    /// Moves `state` by one step.
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State);

    /// What the change of one step is divided by to give a residual.
    fn step_size(&self) -> f64 {
        1.0
    }
}

/// The built-in dynamics.
///
/// | scheme | one step | when |
/// | --- | --- | --- |
/// | `Asynchronous` | each group of layers in turn goes to its minimum, given the others | the default: never raises the energy, fewest steps |
/// | `FixedPoint` | all layers at once: `s ← σ(drive)` | to compare with Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>, "prototypical" |
/// | `GradientFlow` | all layers at once: `s ← clip(s − ε ∂F/∂s)` | to compare with Scellier & Bengio (2017), eq. 43, or to follow `ds/dt = −∂F/∂s` |
///
/// The synchronous fixed point may oscillate between two states where the others converge. So may
/// the asynchronous update of a layer that [feeds itself](crate::connection::Dense).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// Exact block coordinate descent over [`VectorField::groups`]: even and odd layers in a chain.
    Asynchronous,
    /// Synchronous fixed-point iteration.
    FixedPoint,
    /// Projected gradient flow in Euler steps.
    GradientFlow {
        /// Euler step ε, in (0, 1].
        step_size: f64,
    },
}

impl Scheme {
    /// Checks the step size.
    ///
    /// # Errors
    /// If it is not in (0, 1].
    pub fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::GradientFlow { step_size } if !(step_size > 0.0 && step_size <= 1.0) => {
                Err(ConfigError::OutOfRange {
                    field: "step_size",
                    expected: "greater than 0 and at most 1",
                    found: step_size,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Dynamics for Scheme {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let n_layers = state.layers().len();
        match *self {
            Self::Asynchronous => {
                for group in total.energy().groups() {
                    // The layers of a group do not interact: one after the other is at once.
                    for &layer in group {
                        state.set(layer, total.minimize(layer, state));
                    }
                }
            }
            Self::FixedPoint => {
                let layers = (0..n_layers).map(|layer| total.minimize(layer, state));
                *state = State::new(layers.collect());
            }
            Self::GradientFlow { step_size } => {
                let layers = (0..n_layers).map(|layer| total.descend(layer, state, step_size));
                *state = State::new(layers.collect());
            }
        }
    }

    fn step_size(&self) -> f64 {
        match *self {
            Self::GradientFlow { step_size } => step_size,
            Self::Asynchronous | Self::FixedPoint => 1.0,
        }
    }
}
