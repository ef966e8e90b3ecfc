//! The optimizer of a training configuration, and its learning rates.

use burn::module::ParamGroup;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::lr_scheduler::step::StepLrSchedulerConfig;

use super::{ModelKind, ScheduleKind, TrainingConfig};
use crate::optimizer::FusedSgdConfig;

impl TrainingConfig {
    /// Stochastic gradient descent as configured.
    pub fn optimizer(&self) -> ModuleOptimizer {
        FusedSgdConfig {
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        }
        .init()
    }

    /// One learning rate for each layer, its biases and the connections that lead to it, in epochs
    /// of `n_batches` updates.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, or `n_batches` is 0.
    pub fn learning_rate(&self, n_batches: usize) -> ModuleLrScheduler {
        let schedule = |rate| match self.schedule {
            ScheduleKind::Exponential => LrSchedulerConfig::from(
                StepLrSchedulerConfig::new(rate, n_batches).with_gamma(self.learning_rate_decay),
            ),
            ScheduleKind::Cosine => LrSchedulerConfig::from(CosineAnnealingLrSchedulerConfig::new(
                rate,
                n_batches * self.epochs,
            )),
        };
        let mut scheduler = ModuleLrSchedulerConfig::new(schedule(self.learning_rates[0]));
        let energy = self.energy();
        // Where the parameters are that belong to a layer, and to a connection.
        let (biases, connections): (&str, &[&str]) = match self.model {
            ModelKind::Hopfield => (
                "network.energy.Hopfield.biases",
                &["network.energy.Hopfield.connections"],
            ),
            ModelKind::Untied => (
                "network.energy.Untied.forward.biases",
                &[
                    "network.energy.Untied.forward.connections",
                    "network.energy.Untied.feedback",
                ],
            ),
            ModelKind::PredictiveCoding => (
                "network.energy.PredictiveCoding.biases",
                &["network.energy.PredictiveCoding.connections"],
            ),
            ModelKind::Resistive => (
                "network.energy.Resistive.biases",
                &["network.energy.Resistive.connections"],
            ),
        };
        for (index, &rate) in self.learning_rates.iter().enumerate() {
            let group = if index < energy.layers.len() {
                let into = energy.connections.iter().enumerate();
                let into = into.filter(|(_, connection)| connection.to == index + 1);
                let paths = into.flat_map(|(connection, _)| {
                    connections
                        .iter()
                        .map(move |path| format!("{path}.{connection}."))
                });
                paths.fold(
                    ParamGroup::from_path(format!("{biases}.{index}")),
                    |group, path| group.fuse(&ParamGroup::from_predicate(path)),
                )
            } else {
                ParamGroup::from_predicate("network.cost.")
            };
            scheduler = scheduler.with_group(group, schedule(rate));
        }
        scheduler.init().expect("an epoch has at least one batch")
    }
}
