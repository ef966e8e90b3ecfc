//! The cost of a training step.

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use serde::{Deserialize, Serialize};

use super::spread::Spread;
use crate::method::{Method, MethodOptions};

/// A training whose step is to be timed.
#[derive(Debug, Clone, Copy)]
pub struct Timed<'a> {
    /// The network and its training.
    pub config: &'a TrainingConfig,
    /// The method that estimates its gradient.
    pub method: Method,
    /// The options of the method.
    pub options: &'a MethodOptions,
    /// The examples from which its batch is taken, if there are enough.
    pub examples: Option<&'a Examples>,
}

/// The cost of a training step of one method.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepCost {
    /// The method.
    pub method: Method,
    /// Number of examples per step.
    pub batch_size: usize,
    /// Steps of the free phase, as configured; a tolerance may end it sooner.
    pub free_steps: usize,
    /// Seconds per step: gradient estimate and update, measured together.
    pub step: Spread,
    /// Time by phase, measured in separate steps, which are never recorded ones: on a GPU each phase then
    /// pays for its own launches, and together they take longer than [`step`](Self::step).
    pub phases: Phases,
    /// Examples per second at the median of [`step`](Self::step).
    pub samples_per_second: f64,
    /// The most bytes that one step holds at once, beyond what was held before it.
    ///
    /// On a CPU this counts the allocations of the whole process, by
    /// [`CountingAllocator`](crate::memory::CountingAllocator); `None` if the program has not installed it.
    /// On a GPU it is what the memory pools of the device reserved, less what was in use before, and so
    /// includes the unused ends of their pages; `None` if the device reports no pools.
    pub peak_memory: Option<usize>,
}

/// Seconds of the parts of a training step; 0 for a phase that a method does not have. Work outside these
/// parts, such as energy, cost and scores for the metrics, is not included.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phases {
    /// The free phase. Backpropagation through time records its graph here.
    pub free_phase: Spread,
    /// The nudged phase, or the costate of recurrent backpropagation.
    pub second_phase: Spread,
    /// From states to gradients; for backpropagation, the backward pass.
    pub gradient: Spread,
    /// The update of the parameters.
    pub optimizer: Spread,
}
