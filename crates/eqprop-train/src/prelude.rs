//! The names that most programs need.

pub use eqprop_core::activation::Activation;
pub use eqprop_core::connection::InitializerConfig;
pub use eqprop_core::cost::{Cost, CrossEntropy, CrossEntropyConfig, SquaredError};
pub use eqprop_core::descent::Descent;
pub use eqprop_core::energy::{
    AnyField, CustomEnergy, Energy, EnergyFunction, HopfieldEnergy, HopfieldEnergyConfig,
    LayerConfig, Model, PredictiveCoding, PredictiveCodingConfig, ResistiveNetwork,
    ResistiveNetworkConfig, TotalEnergy, UntiedHopfield, UntiedHopfieldConfig, VectorField,
};
pub use eqprop_core::nudging::{Circle, Nudging};
pub use eqprop_core::relaxation::{Relaxation, Scheme};
pub use eqprop_core::state::State;

pub use crate::batch::{Augmentation, Batch, BatchLoader, Order};
pub use crate::block::EquilibriumBlock;
pub use crate::config::{
    DataConfig, NetworkConfig, OptimizerConfig, PhaseConfig, Schedule, TrainingConfig,
};
pub use crate::data::{Dataset, DatasetKind};
pub use crate::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, CoupledLearning, EquilibriumPropagation,
    GradientEstimator, HolomorphicEquilibriumPropagation, Sampling,
    StochasticEquilibriumPropagation,
};
pub use crate::learner::EquilibriumLearner;
pub use crate::metric::{EnergyMetric, ResidualMetric, StepsMetric, UnconvergedMetric};
pub use crate::network::EquilibriumNetwork;
pub use crate::optimizer::FusedSgd;
pub use crate::particles::Particles;
pub use crate::preset::Preset;
pub use crate::renderer::EpochLines;
pub use crate::training::Training;
