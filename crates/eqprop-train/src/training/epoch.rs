//! An epoch in the making.

use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::ModuleOptimizer;
use burn::train::TrainStep;
use eqprop_core::captured::buffer;
use eqprop_core::gradients::Gradients;

use super::tally::{Summary, Tally};
use crate::batch::Batch;
use crate::initial_state::KeptStates;
use crate::learner::{AnyLearner, CapturedUpdates};
use crate::measurement::{ByPart, EpochRecord, Evaluation, UnfinishedEpoch, r_squared};

/// All that an epoch changes. The training keeps its own until the epoch has ended.
#[derive(Clone)]
pub(super) struct OpenEpoch {
    pub learner: AnyLearner,
    pub optimizer: ModuleOptimizer,
    pub scheduler: ModuleLrScheduler,
    pub done: UnfinishedEpoch,
}

impl OpenEpoch {
    /// A copy that shares nothing that an epoch changes.
    pub fn copied(&self) -> Self {
        let mut copy = self.clone();
        copy.learner = copy.learner.with_kept(KeptStates::copied);
        copy
    }

    /// One update, of plain descent or by the optimizer as it is. The learner moves through it, so that it may be
    /// updated in place; or it is one of those that were recorded.
    pub fn update(
        mut self,
        batch: Batch,
        is_plain: bool,
        captured: &mut Option<CapturedUpdates<Summary>>,
        tally: &mut Tally,
    ) -> Self {
        let clock = Instant::now();
        if is_plain && self.repeats(&batch, captured, tally) {
            self.done.seconds_estimating += clock.elapsed().as_secs_f64();
            self.done.n_updates += 1;
            return self;
        }
        self.settle(captured);
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

        tally.add(&output.item);
        self.done.n_updates += 1;
        self
    }

    /// Whether the update was one that is recorded, or could be.
    fn repeats(
        &mut self,
        batch: &Batch,
        captured: &mut Option<CapturedUpdates<Summary>>,
        tally: &mut Tally,
    ) -> bool {
        if !self.learner.can_be_captured() {
            return false;
        }
        let mut scheduler = self.scheduler.clone();
        let rate = scheduler.step();
        if !captured
            .as_ref()
            .is_some_and(|steps| steps.fits(batch, &rate))
        {
            // One of a kind, such as a last batch that is smaller, is not worth to be recorded.
            if captured.is_some() {
                return false;
            }
            let judge = tally.clone();
            *captured = self
                .learner
                .capture(&self.optimizer, &rate, batch, move |output| {
                    judge.summary(&output)
                });
        }
        let Some(steps) = captured else {
            return false;
        };
        let mut summary = steps.update(&self.learner, batch);
        summary.numbers = buffer(&summary.numbers).expect("it was computed by this device");
        tally.add_summary(summary);
        self.scheduler = scheduler;
        true
    }

    /// Takes the parameters as recorded updates have left them.
    pub fn settle(&mut self, captured: &mut Option<CapturedUpdates<Summary>>) {
        if let Some(steps) = captured {
            steps.leave(&mut self.learner);
        }
    }

    /// What the epoch measured, with what was found at its end.
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
