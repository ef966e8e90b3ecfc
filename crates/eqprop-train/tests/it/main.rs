//! Estimates, learner, data loading, configurations and whole runs of `eqprop-train`, on the
//! CPU in `f32`; the mathematics underneath is tested in `eqprop-core` on every device.
#![cfg(feature = "flex")]

mod batch;
mod checkpoint;
mod config;
mod differentiable;
mod estimator;
mod estimators;
mod particles;
mod predictive_coding;
mod reference;
mod setup;
mod stochastic;
mod supervised;
mod training;
mod update;
