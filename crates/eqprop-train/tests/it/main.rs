//! Estimates, learner, data loading, configurations and whole runs of `eqprop-train`, on the
//! CPU in `f32`; the mathematics underneath is tested in `eqprop-core` on every device.
#![cfg(feature = "flex")]

mod batch;
mod block;
mod checkpoint;
mod config;
mod custom;
mod differentiable;
mod estimator;
mod estimators;
mod particles;
mod reference;
mod setup;
mod stochastic;
mod supervised;
mod training;
mod update;
