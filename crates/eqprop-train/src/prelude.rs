//! The names most programs need, from Burn, `eqprop-core` and this crate.

#[doc(no_inline)]
pub use burn::data::dataloader::DataLoader;
#[doc(no_inline)]
pub use burn::module::Module;
#[doc(no_inline)]
pub use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
#[doc(no_inline)]
pub use burn::tensor::{Device, Tensor};
#[doc(no_inline)]
pub use burn::train::metric::{AccuracyMetric, LossMetric};
#[doc(no_inline)]
pub use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep};
#[doc(no_inline)]
pub use eqprop_core::prelude::*;

pub use crate::batch::{Augmentation, Batch, BatchLoader, Order};
pub use crate::block::EquilibriumBlock;
pub use crate::config::{
    DataConfig, HardwareConfig, NetworkConfig, OptimizerConfig, PhaseConfig, Schedule,
    TrainingConfig,
};
pub use crate::data::{DataFiles, DataSource, Dataset, DatasetKind};
pub use crate::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, CoupledLearning, EquilibriumPropagation,
    GradientEstimator, HolomorphicEquilibriumPropagation, Sampling,
    StochasticEquilibriumPropagation,
};
pub use crate::initial_state::InitialState;
pub use crate::learner::EquilibriumLearner;
pub use crate::metric::{EnergyMetric, ResidualMetric, StepsMetric, UnconvergedMetric};
pub use crate::network::EquilibriumNetwork;
pub use crate::optimizer::FusedSgdConfig;
pub use crate::preset::Preset;
pub use crate::renderer::EpochLines;
pub use crate::training::Training;
