//! The baselines and the list of methods, on the CPU: gradients in `f64` and `f32` against
//! independent numbers, finite differences and Burn's own layers, and whole runs.
#![cfg(feature = "flex")]

mod asymmetric;
mod attention;
mod autodiff;
mod completion;
mod custom;
mod exact;
mod feedforward;
mod finite_differences;
mod homeostasis;
mod intermediate;
mod method;
mod oscillators;
mod partly_clamped;
mod predictive_coding;
mod recurrent_backprop;
mod reference;
mod resistive;
mod sequence;
mod setup;
mod through_time;
mod training;
mod untied;
