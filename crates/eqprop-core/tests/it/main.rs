//! Equations, orders and invariants of `eqprop-core`, on every device that was compiled in.
//!
//! Flex in `f64` carries the finite differences and the orders in β, so the whole binary
//! needs the feature `flex`; the other backends come beside it, see `devices`.
#![cfg(feature = "flex")]

mod acceleration;
mod activation;
mod any_field;
mod attention;
mod coloring;
mod config;
mod continuation;
mod convolution;
mod cost;
mod custom;
mod devices;
mod finite_differences;
mod fused;
mod graphs;
mod intermediate;
mod lateral;
mod oscillators;
mod partly_clamped;
mod predictive_coding;
mod properties;
mod record;
mod reference;
mod relaxation;
mod resistive;
mod sequence;
mod state;
mod stopping;
mod theorem;
mod theory;
mod untied;
