//! Initial states of free phases.

mod particles;
mod previous;
mod record;

use std::fmt;

use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
pub use particles::Particles;
pub use previous::PreviousState;

/// Initial state of the free phases of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialState {
    /// Rest, see [`Activation::rest`](eqprop_core::activation::Activation::rest); or the equilibrium if it is
    /// known in closed form.
    Rest,
    /// The example's persistent particle, see [`Particles`].
    Particles,
    /// The feedforward pass, see [`VectorField::feedforward`](eqprop_core::energy::VectorField::feedforward);
    /// also for predictions.
    Feedforward,
    /// The free state of the previous batch, see [`PreviousState`].
    Previous,
}

impl fmt::Display for InitialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Stored free states from which later free phases start. Clones share them.
#[derive(Debug, Clone)]
pub(crate) enum KeptStates {
    Particles(Particles),
    Previous(PreviousState),
}

impl KeptStates {
    /// Creates the storage for `start` in a training on `n_examples` examples.
    pub fn new(start: InitialState, layers: &[LayerConfig], n_examples: usize) -> Option<Self> {
        match start {
            InitialState::Rest | InitialState::Feedforward => None,
            InitialState::Particles => Some(Self::Particles(Particles::new(layers, n_examples))),
            InitialState::Previous => Some(Self::Previous(PreviousState::default())),
        }
    }

    /// Returns the stored start of the free phase of `batch`, if there is one.
    ///
    /// # Panics
    /// If these are particles, and the batch has no indices.
    pub fn start(&self, batch: &Batch) -> Option<State> {
        let device = batch.input.device().without_autodiff();
        match self {
            Self::Particles(particles) => Some(particles.gather(indices(batch), &device)),
            Self::Previous(previous) => previous.state(batch.input.dims()[0], &device),
        }
    }

    /// Stores the free state of `batch`.
    ///
    /// # Panics
    /// As for [`start`](Self::start).
    pub fn keep(&self, batch: &Batch, free: &State) {
        match self {
            Self::Particles(particles) => particles.store(indices(batch), free),
            Self::Previous(previous) => previous.keep(free),
        }
    }

    /// Returns an independent copy with the same values.
    pub fn copied(&self) -> Self {
        match self {
            Self::Particles(particles) => Self::Particles(particles.copied()),
            Self::Previous(previous) => Self::Previous(previous.copied()),
        }
    }

    /// Returns the states for a new epoch: particles are kept, the previous batch is forgotten.
    pub fn of_new_epoch(&self) -> Self {
        match self {
            Self::Particles(_) => self.clone(),
            Self::Previous(_) => Self::Previous(PreviousState::default()),
        }
    }
}

fn indices(batch: &Batch) -> &[usize] {
    batch.indices.as_deref().expect(
        "persistent particles belong to examples, but this batch has no indices: set \
         Batch::indices, or train without particles",
    )
}
