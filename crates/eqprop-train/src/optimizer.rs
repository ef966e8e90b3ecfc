//! An optimizer for networks whose gradient costs no more than Burn's weight update.

use burn::config::Config;
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use eqprop_core::descent::Descent;

/// Configuration of [`FusedSgd`].
///
/// ```
/// use eqprop_train::prelude::*;
///
/// let optimizer = FusedSgdConfig::new().with_momentum(0.9).with_nesterov(true).init();
/// ```
#[derive(Config, Debug, Copy, PartialEq)]
pub struct FusedSgdConfig {
    /// Momentum, in [0, 1); at 0 no velocity is kept.
    #[config(default = 0.0)]
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    #[config(default = false)]
    pub nesterov: bool,
    /// Weight decay, at least 0.
    #[config(default = 0.0)]
    pub weight_decay: f64,
}

/// Burn's `Sgd` with a dampening of 0, in one pass over the parameters; see [`Descent`].
///
/// It computes the same parameters and has the same records: a run begun with one can continue with the
/// other.
#[derive(Debug, Clone, Copy)]
pub struct FusedSgd {
    descent: Descent,
}

impl FusedSgdConfig {
    /// Creates the bare optimizer, for [`ModuleOptimizer::with_group`].
    pub fn build(&self) -> FusedSgd {
        FusedSgd {
            descent: Descent {
                momentum: self.momentum,
                nesterov: self.nesterov,
                weight_decay: self.weight_decay,
            },
        }
    }

    /// Creates the optimizer of a whole module.
    pub fn init(&self) -> ModuleOptimizer {
        self.build().into()
    }
}

/// State of [`FusedSgd`] for a parameter.
#[derive(Debug, Clone)]
pub struct FusedSgdState<const D: usize> {
    /// Velocity `v`, if there is momentum.
    pub velocity: Option<Tensor<D>>,
}

/// Name of the velocity in the records of Burn's `Sgd`.
const VELOCITY: &str = "momentum.velocity";

impl<const D: usize> RecordState for FusedSgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(prefix, VELOCITY, velocity.to_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = src.take_tensor(prefix, VELOCITY);
        let velocity = velocity.map(|data| Tensor::from_data(data, device));
        Some(Self { velocity })
    }
}

impl Optimizer for FusedSgd {
    type State<const D: usize> = FusedSgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<FusedSgdState<D>>,
    ) -> (Tensor<D>, Option<FusedSgdState<D>>) {
        let velocity = state.and_then(|state| state.velocity);
        let step = self
            .descent
            .step(learning_rate, parameter, gradient, velocity);
        let (parameter, velocity) = step;
        (parameter, Some(FusedSgdState { velocity }))
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        let velocity = state.velocity.map(|velocity| velocity.to_device(device));
        FusedSgdState { velocity }
    }
}
