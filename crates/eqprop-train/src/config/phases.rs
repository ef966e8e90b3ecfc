//! The phases of a training configuration, and the estimator that they make.

use burn::config::Config;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};

use super::TrainingConfig;
use crate::estimator::EquilibriumPropagation;
use crate::initial_state::InitialState;

/// How the states of a gradient estimate are found.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct PhaseConfig {
    /// Nudging factors: {"one_sided": {"beta": 0.5}}, "random_sign", "centered", or "higher_order" with
    /// "n_pairs" too. See [`Nudging`].
    pub nudging: Nudging,
    /// Most steps of the free phase.
    pub free_steps: usize,
    /// Most steps of a nudged phase.
    pub nudged_steps: usize,
    /// Stop a phase early when its residual is at most this; null to take all steps.
    pub tolerance: Option<f64>,
    /// With a tolerance: look at the residual every so many steps.
    #[config(default = 5)]
    pub check_every: usize,
    /// The step: "asynchronous", "fixed_point", {"gradient_flow": {"step_size": 0.5}}, {"anderson":
    /// {"history": 5, "mixing": 1.0}}, {"adaptive_flow": {"error": 0.8}} or, with predictive coding,
    /// {"error_descent": {"step_size": 1.0}}. See [`Scheme`].
    #[config(default = "Scheme::default()")]
    pub dynamics: Scheme,
    /// Where free phases start: "rest" (with predictive coding at their equilibrium), or
    /// "feedforward", at one pass from the input to the output; in the training, but not with
    /// predictive coding, also "particles", where the example's last one ended, or "previous",
    /// where that of the batch before ended, with predictions from rest.
    #[config(default = "InitialState::Rest")]
    pub start: InitialState,
}

impl PhaseConfig {
    /// A free phase.
    pub fn free(&self) -> Relaxation<Scheme> {
        self.relaxation(self.free_steps)
    }

    /// A nudged phase.
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
    /// Equilibrium propagation as configured.
    pub fn estimator(&self) -> EquilibriumPropagation {
        let phases = &self.phases;
        EquilibriumPropagation::new(phases.nudging, phases.free(), phases.nudged())
            .with_seed(self.seed)
    }
}
