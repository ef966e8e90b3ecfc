//! Estimates, learner, data loading, configurations and whole runs of `eqprop-train`, on the
//! CPU in `f32`; the mathematics underneath is tested in `eqprop-core` on every device.
#![cfg(feature = "flex")]

mod attention;
mod batch;
mod block;
mod checkpoint;
mod class_weights;
mod config;
mod custom;
mod devices;
mod differentiable;
mod estimator;
mod estimators;
mod gradient_norm;
mod hardware;
mod intermediate;
mod labels;
mod lateral;
mod optimizer;
mod oscillators;
mod particles;
mod predictive_coding;
mod reference;
mod regression;
mod renderer;
mod resistive;
mod resnet;
mod sequence;
mod starts;
mod stochastic;
mod stream;
mod supervised;
mod training;
mod untied;
mod update;
mod weights;
