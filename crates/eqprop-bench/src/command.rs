//! The commands.

pub mod bench;
pub mod compare;
pub mod data;
pub mod devices;
pub mod evaluate;
pub mod export;
pub mod fidelity;
pub mod import;
pub mod predict;
pub mod presets;
pub mod relax;
pub mod train;
pub mod tune;
pub mod watch;
