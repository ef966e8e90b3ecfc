//! A training while it is timed.

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use eqprop_core::gradients::Gradients;
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::learner::{EquilibriumLearner, EquilibriumOutput, Recorded};
use eqprop_train::training::AnyLearner;

use super::cost::{Phases, StepCost, Timed};
use super::phase_clock::PhaseSeconds;
use super::spread::Spread;
use crate::method::{Method, MethodError};

/// A training in progress, and its times so far.
pub(super) struct Subject {
    method: Method,
    /// Moved through every update, so that the optimizer can update in place.
    learner: Option<AnyLearner>,
    recorded: Recorded<Tensor<1>>,
    optimizer: ModuleOptimizer,
    scheduler: ModuleLrScheduler,
    /// Whether the optimizer is plain descent, so that steps are taken as a training takes them.
    is_plain: bool,
    pub batch: Batch,
    pub step_seconds: Vec<f64>,
    pub phase_seconds: Vec<PhaseSeconds>,
    pub optimizer_seconds: Vec<f64>,
    pub peak_memory: Option<usize>,
}

impl Subject {
    /// Prepares a training for `n_steps` steps.
    pub fn new(
        &Timed {
            config,
            method,
            options,
            ..
        }: &Timed<'_>,
        batch: Batch,
        n_steps: usize,
        device: &Device,
    ) -> Result<Self, MethodError> {
        let estimator = method.estimator_with(config, options)?;
        let network = config.network(device);
        let scheduler = config.learning_rate(&network, n_steps);
        let learner = EquilibriumLearner::new(network, estimator)
            .with_start(config.phases.start, config.batch_size);
        Ok(Self {
            method,
            learner: Some(learner.train()),
            recorded: Recorded::NotYet,
            optimizer: config.optimizer(),
            scheduler,
            is_plain: config.optimizer.is_plain(),
            batch,
            step_seconds: Vec::new(),
            phase_seconds: Vec::new(),
            optimizer_seconds: Vec::new(),
            peak_memory: None,
        })
    }

    /// Runs a whole training step, as a training does: a recorded one where the device records steps.
    pub fn step(&mut self, batch: &Batch) {
        if self.is_plain && self.repeats(batch) {
            return;
        }
        let estimated = self.estimate(batch);
        self.update(estimated);
    }

    /// Tries a recorded step; returns whether there was one.
    fn repeats(&mut self, batch: &Batch) -> bool {
        let learner = self.learner.as_mut().expect("every update puts it back");
        // The value that a training reads back later.
        let keep = |output: EquilibriumOutput| output.cost;
        let (optimizer, scheduler) = (&self.optimizer, &mut self.scheduler);
        let kept = self
            .recorded
            .update(learner, optimizer, scheduler, batch, keep);
        kept.is_some()
    }

    /// Runs the first half of a step: estimates the gradients, with those kept apart that the update forms.
    pub fn estimate(&self, batch: &Batch) -> (GradientsParams, Gradients) {
        let learner = self.learner.as_ref().expect("every update puts it back");
        if self.is_plain {
            let (output, products) = learner.step_apart(batch.clone());
            return (output.grads, products);
        }
        let output = TrainStep::step(learner, batch.clone());
        (output.grads, Gradients::new())
    }

    /// Runs the second half of a step: updates the parameters.
    pub fn update(&mut self, (gradients, products): (GradientsParams, Gradients)) {
        let rate = self.scheduler.step();
        let learner = self.learner.take().expect("every update puts it back");
        let optimizer = &mut self.optimizer;
        self.learner = Some(learner.optimize_apart(optimizer, rate, gradients, products));
    }

    /// Returns the measured cost.
    pub fn cost(self, config: &TrainingConfig) -> StepCost {
        let step = Spread::of(&self.step_seconds);
        let phase = |part: fn(&PhaseSeconds) -> f64| {
            let seconds: Vec<f64> = self.phase_seconds.iter().map(part).collect();
            Spread::of(&seconds)
        };
        StepCost {
            method: self.method,
            batch_size: config.batch_size,
            free_steps: config.phases.free_steps,
            phases: Phases {
                free_phase: phase(|seconds| seconds.free_phase),
                second_phase: phase(|seconds| seconds.second_phase),
                gradient: phase(|seconds| seconds.gradient),
                optimizer: Spread::of(&self.optimizer_seconds),
            },
            samples_per_second: config.batch_size as f64 / step.median,
            step,
            peak_memory: self.peak_memory,
        }
    }
}
