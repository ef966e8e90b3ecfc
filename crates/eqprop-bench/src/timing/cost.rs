//! What a training step costs.

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use serde::{Deserialize, Serialize};

use super::spread::Spread;
use crate::method::{Method, MethodOptions};

/// A training whose step is timed.
#[derive(Debug, Clone, Copy)]
pub struct Timed<'a> {
    /// The network and its training.
    pub config: &'a TrainingConfig,
    /// How its gradient is found.
    pub method: Method,
    /// The options of the method.
    pub options: &'a MethodOptions,
    /// Where its batch is taken from, if there are enough.
    pub examples: Option<&'a Examples>,
}

/// What a training step of a method costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepCost {
    /// The method.
    pub method: Method,
    /// Examples per step.
    pub batch_size: usize,
    /// Steps of the free phase, as configured: a tolerance may end it sooner.
    pub free_steps: usize,
    /// Seconds of a step: gradient estimate and update, measured as one.
    pub step: Spread,
    /// Where the time goes, measured in steps of their own, which are never recorded ones: on a GPU each phase pays for its
    /// launches there, and together they take longer than [`step`](Self::step).
    pub phases: Phases,
    /// Examples per second at the median of [`step`](Self::step).
    pub samples_per_second: f64,
    /// The most bytes that one step holds at once beyond what was held before it.
    ///
    /// On a CPU these are allocations of the whole process, counted by
    /// [`CountingAllocator`](crate::memory::CountingAllocator); `None` if the program has not
    /// installed it. On a GPU it is what the device's pools reserved, less what was in use
    /// before, and so includes the unused ends of their pages; `None` if it reports no pools.
    pub peak_memory: Option<usize>,
}

/// Seconds of the parts of a training step; 0 for a phase that a method does not have. The parts
/// leave out what is computed beside them, such as energy, cost and scores for the metrics.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phases {
    /// Relaxation without a nudge. Backpropagation through time records its graph here.
    pub free_phase: Spread,
    /// Nudged relaxation, or the costate of recurrent backpropagation.
    pub second_phase: Spread,
    /// From states to gradients; for backpropagation the backward pass.
    pub gradient: Spread,
    /// The update of the parameters.
    pub optimizer: Spread,
}
