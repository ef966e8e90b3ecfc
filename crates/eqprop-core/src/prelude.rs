//! The names that most programs need.

pub use crate::activation::Activation;
pub use crate::connection::InitializerConfig;
pub use crate::cost::{Cost, CrossEntropy, CrossEntropyConfig, SquaredError};
pub use crate::energy::*;
pub use crate::nudging::{Circle, Nudging};
pub use crate::relaxation::{Relaxation, Scheme};
pub use crate::state::State;
