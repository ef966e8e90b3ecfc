//! An epoch in progress.

use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::ModuleOptimizer;
use burn::train::TrainStep;
use eqprop_core::captured::buffer;
use eqprop_core::gradients::Gradients;

use super::tally::{Summary, Tally};
use crate::batch::Batch;
use crate::initial_state::KeptStates;
use crate::learner::{AnyLearner, EquilibriumOutput, Recorded};
use crate::measurement::{ByPart, EpochRecord, Evaluation, UnfinishedEpoch, r_squared};

/// All state that an epoch changes. The training keeps its own until the epoch has ended.
#[derive(Clone)]
pub(super) struct OpenEpoch {
    pub learner: AnyLearner,
    pub optimizer: ModuleOptimizer,
    pub scheduler: ModuleLrScheduler,
    pub done: UnfinishedEpoch,
}

impl OpenEpoch {
    /// Returns a copy that shares no state that an epoch changes.
    pub fn copied(&self) -> Self {
        let mut copy = self.clone();
        copy.learner = copy.learner.with_kept(KeptStates::copied);
        copy
    }

    /// Makes one update, by plain gradient descent or by the optimizer as it is. The learner is moved through
    /// it, so that it can be updated in place; or a recorded update is repeated.
    pub fn update(
        mut self,
        batch: Batch,
        is_plain: bool,
        recorded: &mut Recorded<Summary>,
        tally: &mut Tally,
    ) -> Self {
        let clock = Instant::now();
        let has_classes = tally.has_classes();
        let keep = move |output: EquilibriumOutput| {
            Summary::of(std::slice::from_ref(&output), has_classes)
        };
        let (learner, optimizer) = (&mut self.learner, &self.optimizer);
        let repeated = match is_plain {
            true => recorded.update(learner, optimizer, &mut self.scheduler, &batch, keep),
            false => None,
        };
        if let Some(mut summary) = repeated {
            // The next update overwrites the buffer.
            summary.numbers = buffer(&summary.numbers).expect("it was computed by this device");
            tally.add_summary(summary);
            self.done.seconds_estimating += clock.elapsed().as_secs_f64();
            self.done.n_updates += 1;
            return self;
        }
        recorded.leave(&mut self.learner);
        let (output, products) = match is_plain {
            true => self.learner.step_apart(batch),
            false => (TrainStep::step(&self.learner, batch), Gradients::new()),
        };
        self.done.seconds_estimating += clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let (optimizer, rate) = (&mut self.optimizer, self.scheduler.step());
        self.learner = self
            .learner
            .optimize_apart(optimizer, rate, output.grads, products);
        self.done.seconds_optimizing += clock.elapsed().as_secs_f64();

        tally.add(output.item);
        self.done.n_updates += 1;
        self
    }

    /// Returns the measurements of the epoch, with the evaluations at its end.
    pub fn record(
        &self,
        epoch: usize,
        update_ratios: Vec<(String, f64)>,
        validation: Option<Evaluation>,
        test: Option<Evaluation>,
    ) -> EpochRecord {
        let UnfinishedEpoch {
            sums, fits, labels, ..
        } = &self.done;
        let by_part = |train, held_out: fn(&Evaluation) -> Option<f64>| ByPart {
            train,
            validation: validation.as_ref().and_then(held_out),
            test: test.as_ref().and_then(held_out),
        };
        let r_squared = (!fits.is_empty())
            .then(|| by_part(r_squared(fits, sums.n_examples), Evaluation::r_squared));
        let exact_matches = labels.as_ref().map(|labels| {
            let train = labels.exact_matches(sums.n_examples);
            by_part(Some(train), Evaluation::exact_matches)
        });
        EpochRecord {
            epoch,
            train_error: sums.mean(sums.errors),
            train_cost: sums.mean(sums.cost),
            validation_error: validation.as_ref().map(|found| found.error),
            validation_cost: validation.as_ref().map(|found| found.cost),
            test_error: test.as_ref().map(|found| found.error),
            test_cost: test.as_ref().map(|found| found.cost),
            energy: sums.energy.map(|sum| sums.mean(sum)),
            residual: sums.mean(sums.residual),
            unconverged: sums.mean(sums.unconverged),
            free_steps: sums.mean(sums.steps),
            seconds: self.done.seconds,
            seconds_estimating: self.done.seconds_estimating,
            seconds_optimizing: self.done.seconds_optimizing,
            update_ratios,
            r_squared,
            exact_matches,
        }
    }
}
