//! x
pub mod activation;
pub mod connection;
pub mod cost;
pub mod energy;
pub mod error;
pub mod gradients;
pub mod nudging;
pub mod relaxation;
pub mod state;
