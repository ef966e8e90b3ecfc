//! Where free phases start.

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

/// Where the free phases of a training start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialState {
    /// At rest, see [`Activation::rest`](eqprop_core::activation::Activation::rest); at the
    /// equilibrium where it is known in closed form.
    Rest,
    /// At the example's persistent particle, see [`Particles`].
    Particles,
    /// At the feedforward pass, see
    /// [`VectorField::feedforward`](eqprop_core::energy::VectorField::feedforward); predictions too.
    Feedforward,
    /// At the free state of the batch before, see [`PreviousState`].
    Previous,
}

impl fmt::Display for InitialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Free states that later free phases start from. Clones share them.
#[derive(Debug, Clone)]
pub(crate) enum KeptStates {
    Particles(Particles),
    Previous(PreviousState),
}

impl KeptStates {
    /// What `start` needs in a training on `n_examples` examples.
    pub fn new(start: InitialState, layers: &[LayerConfig], n_examples: usize) -> Option<Self> {
        match start {
            InitialState::Rest | InitialState::Feedforward => None,
            InitialState::Particles => Some(Self::Particles(Particles::new(layers, n_examples))),
            InitialState::Previous => Some(Self::Previous(PreviousState::default())),
        }
    }

    /// Where the free phase of `batch` starts, if it is known better than without these.
    ///
    /// # Panics
    /// If these are particles, and the batch does not say which examples it holds.
    pub fn start(&self, batch: &Batch) -> Option<State> {
        let device = batch.input.device().without_autodiff();
        match self {
            Self::Particles(particles) => Some(particles.gather(indices(batch), &device)),
            Self::Previous(previous) => previous.state(batch.input.dims()[0], &device),
        }
    }

    /// Keeps the free state of `batch`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn keep(&self, batch: &Batch, free: &State) {
        match self {
            Self::Particles(particles) => particles.store(indices(batch), free),
            Self::Previous(previous) => previous.keep(free),
        }
    }

    /// States of their own with the same values: what moves these leaves those.
    pub fn copied(&self) -> Self {
        match self {
            Self::Particles(particles) => Self::Particles(particles.copied()),
            Self::Previous(previous) => Self::Previous(previous.copied()),
        }
    }

    /// Those that a new epoch begins with: particles last, the batch before is forgotten.
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
