//! Optimizer of a training configuration, and its learning rates.

use burn::config::Config;
use burn::module::ParamGroup;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::lr_scheduler::step::StepLrSchedulerConfig;
use eqprop_core::cost::{AnyCost, Cost};
use eqprop_core::energy::{AnyField, VectorField};
use serde::{Deserialize, Serialize};

use super::TrainingConfig;
use crate::network::EquilibriumNetwork;
use crate::optimizer::FusedSgdConfig;

/// Optimizer: how gradients change the parameters.
#[derive(Config, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// Learning rate of each layer, for its biases and the connections that lead to it, from the
    /// first hidden layer to the output; with the cross-entropy one more, for the readout. The readout of a
    /// hidden layer has that of the layer above it.
    pub learning_rates: Vec<f64>,
    /// Largest norm of the gradient over all parameters; a longer gradient is scaled down to it. Null for no
    /// clipping.
    pub gradient_clip: Option<f64>,
    /// Schedule of all learning rates: {"exponential": {"decay": 0.97}} or "cosine".
    #[config(default = "Schedule::Exponential { decay: 1.0 }")]
    pub schedule: Schedule,
    /// Momentum, in [0, 1).
    #[config(default = 0.0)]
    pub momentum: f64,
    /// Whether to use Nesterov momentum; requires a momentum greater than 0.
    #[config(default = false)]
    pub nesterov: bool,
    /// Weight decay: this times the parameter is added to its gradient.
    #[config(default = 0.0)]
    pub weight_decay: f64,
}

/// Learning rate schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Multiplication by a constant factor after each epoch.
    Exponential {
        /// Factor, in (0, 1].
        #[serde(default = "one")]
        decay: f64,
    },
    /// Cosine annealing from update to update, to 0 at the end of the run.
    Cosine,
}

fn one() -> f64 {
    1.0
}

impl Schedule {
    /// Returns the schedule of a learning rate over `n_epochs` epochs of `n_batches` updates.
    fn of(self, rate: f64, n_batches: usize, n_epochs: usize) -> LrSchedulerConfig {
        match self {
            Self::Exponential { decay } => {
                let epochs = StepLrSchedulerConfig::new(rate, n_batches);
                epochs.with_gamma(decay).into()
            }
            Self::Cosine => {
                CosineAnnealingLrSchedulerConfig::new(rate, n_batches * n_epochs).into()
            }
        }
    }
}

impl OptimizerConfig {
    /// Returns whether an update is `θ ← θ − η ĝ` and no more.
    pub fn is_plain(&self) -> bool {
        self.momentum == 0.0 && self.weight_decay == 0.0 && self.gradient_clip.is_none()
    }
}

impl TrainingConfig {
    /// Returns stochastic gradient descent as configured.
    pub fn optimizer(&self) -> ModuleOptimizer {
        FusedSgdConfig {
            momentum: self.optimizer.momentum,
            nesterov: self.optimizer.nesterov,
            weight_decay: self.optimizer.weight_decay,
        }
        .init()
    }

    /// Returns one learning rate for each layer of `network`, for its biases and the connections that lead to
    /// it, in epochs of `n_batches` updates. Parameters are identified by their ids, which loading a record
    /// changes.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, `n_batches` is 0, or `network` has other layers.
    pub fn learning_rate(
        &self,
        network: &EquilibriumNetwork<AnyField, AnyCost>,
        n_batches: usize,
    ) -> ModuleLrScheduler {
        let rates = &self.optimizer.learning_rates;
        let schedule = |rate| self.optimizer.schedule.of(rate, n_batches, self.epochs);
        let n_layers = network.energy.layers().len();
        let layers = (0..n_layers).map(|layer| network.energy.parameters_into(layer));
        let readout = || ParamGroup::ids_from_module(network.cost.clone());
        let groups = layers.chain(std::iter::once_with(readout)).zip(rates);
        // Of several groups that have a parameter the last one counts.
        let locals = network.cost.locals().into_iter().map(|local| {
            let rate = &rates[local.layer() + 1];
            (ParamGroup::ids_from_module(local.readout), rate)
        });
        let scheduler = ModuleLrSchedulerConfig::new(schedule(rates[0]));
        let scheduler = groups
            .chain(locals)
            .fold(scheduler, |scheduler, (group, &rate)| {
                scheduler.with_group(group, schedule(rate))
            });
        scheduler.init().expect("an epoch has at least one batch")
    }
}
