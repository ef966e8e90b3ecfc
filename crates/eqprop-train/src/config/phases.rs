//! Phases of a training configuration, and the estimator they configure.

use burn::config::Config;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};

use super::TrainingConfig;
use crate::estimator::EquilibriumPropagation;
use crate::initial_state::InitialState;

/// Free and nudged phases of a gradient estimate.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct PhaseConfig {
    /// Nudging factors: {"one_sided": {"beta": 0.5}}, "random_sign", "centered", or "higher_order" with
    /// "n_pairs" too. See [`Nudging`].
    pub nudging: Nudging,
    /// Largest number of steps of the free phase.
    pub free_steps: usize,
    /// Largest number of steps of a nudged phase.
    pub nudged_steps: usize,
    /// Residual at which a phase stops early; null to take all steps.
    pub tolerance: Option<f64>,
    /// Number of steps between two checks of the residual; used only with a tolerance.
    #[config(default = 5)]
    pub check_every: usize,
    /// Dynamics of a step: "asynchronous", "fixed_point", {"gradient_flow": {"step_size": 0.5}}, {"anderson":
    /// {"history": 5, "mixing": 1.0}}, {"adaptive_flow": {"error": 0.8}} or, with predictive coding,
    /// {"error_descent": {"step_size": 1.0}}. See [`Scheme`].
    #[config(default = "Scheme::default()")]
    pub dynamics: Scheme,
    /// Initial state of free phases: "rest" (with predictive coding, their equilibrium), or "feedforward",
    /// one pass from the input to the output. In training, but not with predictive coding, also
    /// "particles", the last free state of each example, or "previous", the free state of the previous
    /// batch; predictions then start from rest.
    #[config(default = "InitialState::Rest")]
    pub start: InitialState,
}

impl PhaseConfig {
    /// Returns the relaxation of a free phase.
    pub fn free(&self) -> Relaxation<Scheme> {
        self.relaxation(self.free_steps)
    }

    /// Returns the relaxation of a nudged phase.
    pub fn nudged(&self) -> Relaxation<Scheme> {
        self.relaxation(self.nudged_steps)
    }

    fn relaxation(&self, max_steps: usize) -> Relaxation<Scheme> {
        Relaxation {
            dynamics: self.dynamics,
            stopping: Stopping {
                max_steps,
                tolerance: self.tolerance,
                check_every: self.check_every,
            },
        }
    }
}

impl TrainingConfig {
    /// Returns equilibrium propagation as configured.
    pub fn estimator(&self) -> EquilibriumPropagation {
        let phases = &self.phases;
        EquilibriumPropagation::new(phases.nudging, phases.free(), phases.nudged())
            .with_seed(self.seed)
    }
}
