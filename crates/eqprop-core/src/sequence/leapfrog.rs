//! The leapfrog integrator.

use burn::config::Config;
use burn::tensor::Tensor;

use super::motion::Motion;
use crate::error::ConfigError;

/// The leapfrog integrator, drift-kick-drift, and the number of its steps for which an input is held.
///
/// ```text
/// y½ = y + ½h z        z ← z − h ∂V/∂y(y½, u_t)        y ← y½ + ½h z
/// ```
///
/// With reversed momenta it retraces its trajectory, up to rounding, and it conserves an energy that is
/// within `O(h²)` of `H`. It is stable as long as `h ω < 2` for the highest frequency `ω` of the system; see
/// [`CoupledOscillators::frequency_bound`](super::CoupledOscillators::frequency_bound).
#[derive(Config, Debug, Copy, PartialEq)]
pub struct LeapfrogConfig {
    /// Step size `h`, in units of time; greater than 0.
    pub step_size: f64,
    /// Number of steps for which each input is held, at least 1.
    pub steps_per_input: usize,
}

impl LeapfrogConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::positive_number("step_size", self.step_size)?;
        ConfigError::at_least_one("steps_per_input", self.steps_per_input)
    }

    /// One step, with `force = −∂V/∂y`.
    pub(super) fn step(
        &self,
        motion: Motion,
        force: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Motion {
        let Motion { position, momentum } = motion;
        let halfway = position + momentum.clone() * (0.5 * self.step_size);
        let momentum = momentum + force(halfway.clone()) * self.step_size;
        Motion {
            position: halfway + momentum.clone() * (0.5 * self.step_size),
            momentum,
        }
    }
}
