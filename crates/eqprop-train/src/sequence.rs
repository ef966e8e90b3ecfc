//! Sequence models, trained by their Hamiltonian echo.
//!
//! A [`SequenceLearner`] combines a [`SequenceNetwork`] (systems that drive each other, and the cost of the
//! last one's positions) with a gradient estimator, and is a Burn model. A [`HamiltonianBlock`] is one system
//! as a layer of any Burn model. A network reads rows of numbers, such as images, as sequences: 8×8 pixels
//! are 8 inputs of 8 values, one row after the other.

mod block;
mod estimator;
mod learner;
mod network;

pub use block::HamiltonianBlock;
pub use estimator::{SequenceEstimate, SequenceEstimator};
pub use learner::{SequenceLearner, SequencePrediction};
pub use network::{SequenceCourse, SequenceNetwork, Supervision};
