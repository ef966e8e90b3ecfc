//! The rule of one step.

use core::fmt::{self, Debug};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::adaptive_flow::FIRST_STEP;
use super::{AdaptiveFlow, Anderson};
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::ConfigError;
use crate::state::State;

/// The rule by which a state moves toward a minimum of the total energy.
///
/// What a rule remembers from step to step begins afresh with every relaxation, see
/// [`begin`](Self::begin).
pub trait Dynamics: Clone + Debug + Send {
    /// Moves `state` by one step.
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State);

    /// The built-in scheme that this is, if it is one.
    fn scheme(&self) -> Option<Scheme> {
        None
    }

    /// What takes the steps of a relaxation that begins: a clone, or what remembers its steps.
    fn begin(&self) -> impl Dynamics {
        self.clone()
    }

    /// What the change of one step is divided by to give a residual.
    fn step_size(&self) -> f64 {
        1.0
    }

    /// For each example, how far the last step, from `before` to `after`, says that `before` was
    /// from an equilibrium: the largest change of any unit, divided by the step size. `[batch]`
    fn residual<E: VectorField, C: Cost>(
        &self,
        _total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        after.max_distance(before) / self.step_size()
    }
}

/// The built-in dynamics.
///
/// | scheme | one step | when |
/// | --- | --- | --- |
/// | `Asynchronous` | each group of layers in turn goes to its minimum, given the others | the default: never raises the energy |
/// | `Anderson` | the same from where the last steps point to; also some `3m + 10` passes over the state | fewest steps: deep networks, small tolerances, slow examples in large batches |
/// | `FixedPoint` | all layers at once: `s ← σ(drive)` | to compare with Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>, "prototypical" |
/// | `GradientFlow` | all layers at once: `s ← clip(s − ε ∂F/∂s)` | to compare with Scellier & Bengio (2017), eq. 43, or to follow `ds/dt = −∂F/∂s` |
/// | `AdaptiveFlow` | the same with an ε for each example, from the error of its steps | the flow without a choice of ε: never raises the energy, fewer steps where ε = 0.5 is too short or too long |
///
/// All reach the same equilibria. The synchronous fixed point may oscillate between two states where
/// the others converge, and so may the asynchronous update of a layer that
/// [feeds itself](crate::connection::Dense). In a relaxation of so few steps that it does not
/// converge, as most nudged phases are, `Anderson` differs little from `Asynchronous`: its first two
/// steps are the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// Exact block coordinate descent over [`VectorField::groups`]: even and odd layers in a chain.
    Asynchronous,
    /// Synchronous fixed-point iteration.
    FixedPoint,
    /// Projected gradient flow in Euler steps.
    GradientFlow {
        /// Euler step ε, in (0, 1]; 0.5 where a text does not say.
        #[serde(default = "half")]
        step_size: f64,
    },
    /// [`Anderson`] acceleration of `Asynchronous`.
    Anderson {
        /// Differences remembered, 1 to 8; 5 where a text does not say.
        #[serde(default = "five")]
        history: usize,
        /// Mixing μ, in (0, 1]; 1 where a text does not say.
        #[serde(default = "one")]
        mixing: f64,
    },
    /// [`AdaptiveFlow`]: gradient flow with a step size for each example.
    AdaptiveFlow {
        /// Relative error of a step, in (0, 1); 0.8 where a text does not say.
        #[serde(default = "four_fifths")]
        error: f64,
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
    /// All dynamics, with the options that they have where a text does not say.
    pub fn all() -> [Self; 5] {
        [
            Self::Asynchronous,
            Self::FixedPoint,
            Self::GradientFlow { step_size: half() },
            Self::Anderson {
                history: five(),
                mixing: one(),
            },
            Self::AdaptiveFlow {
                error: four_fifths(),
            },
        ]
    }

    /// The same rule for all layers at once, without memory: steps that can be looked at one by one.
    pub fn synchronous(self) -> Self {
        match self {
            Self::GradientFlow { .. } | Self::FixedPoint => self,
            Self::Asynchronous | Self::Anderson { .. } => Self::FixedPoint,
            Self::AdaptiveFlow { .. } => Self::GradientFlow {
                step_size: FIRST_STEP,
            },
        }
    }

    /// Checks the options.
    ///
    /// # Errors
    /// If one is out of its range.
    pub fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::GradientFlow { step_size } if !(step_size > 0.0 && step_size <= 1.0) => {
                Err(ConfigError::OutOfRange {
                    field: "step_size",
                    expected: "greater than 0 and at most 1",
                    found: step_size,
                })
            }
            Self::GradientFlow { step_size } => {
                ConfigError::single_precision("step_size", step_size)
            }
            Self::Anderson { history, mixing } => Anderson::validate(history, mixing),
            Self::AdaptiveFlow { error } => AdaptiveFlow::validate(error),
            Self::Asynchronous | Self::FixedPoint => Ok(()),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asynchronous => f.write_str("asynchronous"),
            Self::FixedPoint => f.write_str("synchronous fixed point"),
            Self::GradientFlow { step_size } => write!(f, "gradient flow, ε = {step_size}"),
            Self::Anderson { history, .. } => write!(f, "Anderson, m = {history}"),
            Self::AdaptiveFlow { error } => write!(f, "adaptive flow, error {error}"),
        }
    }
}

/// Outside a relaxation there is nothing to remember: a step of `Anderson` is then that of
/// `Asynchronous`, and a step of `AdaptiveFlow` one of `GradientFlow` with the first step size.
impl Dynamics for Scheme {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let all = 0..state.layers().len();
        match *self {
            Self::Asynchronous | Self::Anderson { .. } => {
                for group in total.energy().groups() {
                    // The layers of a group do not interact: one after the other is at once.
                    update(total, state, group.iter().copied(), |layer, state| {
                        total.minimize(layer, state)
                    });
                }
            }
            Self::FixedPoint => update(total, state, all, |layer, state| {
                total.minimize(layer, state)
            }),
            Self::GradientFlow { step_size } => update(total, state, all, |layer, state| {
                total.descend(layer, state, step_size)
            }),
            Self::AdaptiveFlow { .. } => {
                let step_size = FIRST_STEP;
                Self::GradientFlow { step_size }.step(total, state);
            }
        }
    }

    fn begin(&self) -> impl Dynamics {
        match *self {
            Self::Anderson { history, mixing } => {
                Running::Anderson(Anderson::new(Self::Asynchronous, history, mixing))
            }
            Self::AdaptiveFlow { error } => Running::AdaptiveFlow(AdaptiveFlow::new(error)),
            plain => Running::Plain(plain),
        }
    }

    fn scheme(&self) -> Option<Scheme> {
        Some(*self)
    }

    fn step_size(&self) -> f64 {
        match *self {
            Self::GradientFlow { step_size } => step_size,
            Self::AdaptiveFlow { .. } => FIRST_STEP,
            Self::Asynchronous | Self::FixedPoint | Self::Anderson { .. } => 1.0,
        }
    }

    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        match *self {
            Self::Anderson { history, mixing } => {
                let anderson = Anderson::new(Self::Asynchronous, history, mixing);
                anderson.residual(total, before, after)
            }
            Self::AdaptiveFlow { error } => AdaptiveFlow::new(error).residual(total, before, after),
            plain => after.max_distance(before) / plain.step_size(),
        }
    }
}

/// A scheme in a relaxation, with what it remembers.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
enum Running {
    Plain(Scheme),
    Anderson(Anderson),
    AdaptiveFlow(AdaptiveFlow),
}

impl Dynamics for Running {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        match self {
            Self::Plain(scheme) => scheme.step(total, state),
            Self::Anderson(anderson) => anderson.step(total, state),
            Self::AdaptiveFlow(flow) => flow.step(total, state),
        }
    }

    fn step_size(&self) -> f64 {
        match self {
            Self::Plain(scheme) => scheme.step_size(),
            Self::Anderson(anderson) => anderson.step_size(),
            Self::AdaptiveFlow(flow) => flow.step_size(),
        }
    }

    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        before: &State,
        after: &State,
    ) -> Tensor<1> {
        match self {
            Self::Plain(scheme) => scheme.residual(total, before, after),
            Self::Anderson(anderson) => anderson.residual(total, before, after),
            Self::AdaptiveFlow(flow) => flow.residual(total, before, after),
        }
    }
}

/// Moves `layers` by `rule`, each with the others where they were, but for those that
/// [stay](TotalEnergy::stays).
fn update<E: VectorField, C: Cost>(
    total: &TotalEnergy<'_, E, C>,
    state: &mut State,
    layers: impl Iterator<Item = usize>,
    rule: impl Fn(usize, &State) -> Tensor<2>,
) {
    let before = state.clone();
    for layer in layers.filter(|&layer| !total.stays(layer, &before)) {
        state.set(layer, rule(layer, &before));
    }
}
