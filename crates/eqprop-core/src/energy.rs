//! The model: an energy over states, given an input, or a vector field without an energy.

mod any;
mod bias;
mod custom;
mod field;
mod field_config;
mod graph;
mod held;
mod hopfield;
mod oscillators;
mod partly_clamped;
mod predictive_coding;
mod resistive;
mod shortcuts;
mod slopes;
mod total;
mod twin;
mod untied;

pub use any::*;
pub use custom::*;
pub use field::*;
pub use held::*;
pub use hopfield::*;
pub use oscillators::*;
pub use partly_clamped::*;
pub use predictive_coding::*;
pub use resistive::*;
pub use total::*;
pub use twin::*;
pub use untied::*;

pub use crate::layer::LayerConfig;
