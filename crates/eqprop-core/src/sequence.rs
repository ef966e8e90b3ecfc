//! Time-dependent inputs: systems that conserve energy, and the echo that gives their gradient.
//!
//! A [`HamiltonianSystem`] is driven by a sequence of inputs and never reaches an equilibrium. Its steps are
//! reversible: with its momenta reversed it retraces its trajectory. [`HamiltonianEcho`] retraces it twice,
//! nudged in opposite directions by the slope of the loss, and contrasts the two: this is the gradient of a
//! loss over the whole trajectory, from memory that does not grow with its length.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use eqprop_core::sequence::*;
//!
//! let device = Device::default();
//! let oscillators = CoupledOscillatorsConfig::new(2, 8, 8).init(&device);
//! let system = HamiltonianSystem::new(oscillators, LeapfrogConfig::new(0.3, 2));
//!
//! // 50 inputs of 2 values, for each of 4 examples; the loss is ½│y_T│².
//! let inputs = Tensor::random([4, 50, 2], Distribution::Default, &device);
//! let (start, end) = (system.rest(&inputs), system.run(&inputs, system.rest(&inputs)));
//! let slopes = LossSlopes::AtEnd(end.position.clone());
//! let course = Course { inputs: &inputs, start, end };
//! let echo = HamiltonianEcho::new(1e-3).retrace(&system, &course, &slopes);
//! assert_eq!(echo.gradients.len(), 4); // two weight matrices, biases, frequencies
//! ```

mod echo;
mod leapfrog;
mod motion;
mod oscillators;
mod pair;
mod potential;
mod system;

pub use echo::{Course, Echo, HamiltonianEcho, LossSlopes};
pub use leapfrog::LeapfrogConfig;
pub use motion::Motion;
pub use oscillators::{CoupledOscillators, CoupledOscillatorsConfig, PreparedOscillators};
pub use pair::Pair;
pub use potential::{Potential, Visit};
pub use system::HamiltonianSystem;
