//! x
pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod error;
pub mod estimator;
pub mod file;
pub mod learner;
pub mod metric;
pub mod network;
pub mod particles;
pub mod preset;
pub mod training;
pub mod update;
