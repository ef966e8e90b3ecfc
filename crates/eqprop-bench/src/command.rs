//! The commands.

pub mod devices;
pub mod evaluate;
pub mod predict;
pub mod presets;
pub mod relax;
pub mod train;
