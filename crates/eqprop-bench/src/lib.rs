//! Compares equilibrium propagation with the gradients that it estimates and with the methods
//! that it replaces.
//!
//! The program `eqprop` is built on this crate.
//!
//! | module | what |
//! | --- | --- |
//! | [`baseline`] | backpropagation through time, recurrent backpropagation, the exact gradient, the feedforward twin |
//! | [`method`] | all ways to a gradient, by name |
//! | [`comparison`] | trains networks that differ in a method or in settings, with the same seeds |
//! | [`statistics`] | whether a difference is more than chance |
//! | [`fidelity`] | how close an estimate is to the exact gradient, and which β and steps it needs |
//! | [`timing`], [`memory`] | what a training step costs |
//! | [`picture`] | PNG images as inputs |
//! | [`relaxations`] | how soon each dynamics comes near an equilibrium |

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
#[doc(hidden)]
pub mod picture;
pub mod relaxations;
pub mod statistics;
pub mod timing;
