//! An optimizer for networks whose gradient costs no more than Burn's update of their weights.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use eqprop_core::descent::Descent;

/// Burn's `Sgd`, with a dampening of 0, as one pass over the parameters; see [`Descent`].
///
/// Parameters come out the same, and so do its records: a run that was begun with one goes on with
/// the other.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use eqprop_core::descent::Descent;
/// use eqprop_train::optimizer::FusedSgd;
///
/// let descent = Descent { momentum: 0.9, ..Descent::default() };
/// let optimizer = ModuleOptimizer::from(FusedSgd::new(descent));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FusedSgd {
    descent: Descent,
}

impl FusedSgd {
    /// An optimizer that takes these steps.
    pub fn new(descent: Descent) -> Self {
        Self { descent }
    }
}

/// What [`FusedSgd`] keeps of a parameter.
#[derive(Debug, Clone)]
pub struct FusedSgdState<const D: usize> {
    /// `v`, if there is momentum.
    pub velocity: Option<Tensor<D>>,
}

/// Where Burn's `Sgd` has it.
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
