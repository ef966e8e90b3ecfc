//! Compares equilibrium propagation with the exact gradients that it estimates and with the methods that it
//! replaces.
//!
//! The program `eqprop` is built on this crate.
//!
//! | module | contents |
//! | --- | --- |
//! | [`baseline`] | backpropagation through time, recurrent backpropagation, the exact gradient, the feedforward twin |
//! | [`method`] | all gradient methods, by name |
//! | [`comparison`] | trains networks that differ in the method or in settings, with the same seeds |
//! | [`statistics`] | tests whether a difference is more than chance |
//! | [`fidelity`] | how close an estimate is to the exact gradient, and which β and steps it needs |
//! | [`tuning`] | searches for the settings with which a configuration learns best |
//! | [`timing`], [`memory`] | the cost of a training step |
//! | [`relaxations`] | how many steps and how much time each dynamics needs to come near an equilibrium |
//!
//! Its feature flags are those of [`eqprop_train`]: the backends of Burn, `flex` by default.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads"
)]

pub mod baseline;
pub mod comparison;
pub mod fidelity;
pub mod memory;
pub mod method;
mod moments;
pub mod relaxations;
pub mod statistics;
pub mod timing;
pub mod tuning;

#[doc(hidden)]
pub use eqprop_train::data::picture;
