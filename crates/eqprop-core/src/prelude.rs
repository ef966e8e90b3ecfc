//! The names that most programs need.

pub use crate::activation::Activation;
pub use crate::connection::InitializerConfig;
pub use crate::cost::{Cost, CrossEntropy, CrossEntropyConfig, SquaredError};
pub use crate::energy::{
    AnyField, CustomEnergy, Energy, EnergyFunction, HopfieldEnergy, HopfieldEnergyConfig,
    LayerConfig, PredictiveCoding, PredictiveCodingConfig, ResistiveNetwork,
    ResistiveNetworkConfig, TotalEnergy, UntiedHopfield, UntiedHopfieldConfig, VectorField,
};
pub use crate::nudging::{Circle, Nudging};
pub use crate::relaxation::{Relaxation, Scheme};
pub use crate::state::State;
