//! Trains the arms of one seed in turns.

use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::Device;
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::data::Dataset;
use eqprop_train::error::TrainingError;
use eqprop_train::panic;
use eqprop_train::training::{EpochRecord, Training};

use super::arm::Arm;
use super::checkpoints::Checkpoints;
use super::correctness::Correctness;
use super::error::ComparisonError;
use super::run::{Comparison, Event};

/// The trainings of one seed.
pub(super) struct Turns<'a> {
    comparison: &'a mut Comparison,
    /// One entry per arm, `None` once its training has ended.
    trainings: Vec<Option<InProgress>>,
    checkpoints: Option<&'a Checkpoints>,
}

/// A training that has not ended.
struct InProgress {
    training: Training,
    /// The name of its checkpoint's folder.
    folder: String,
    /// The index of its run in the comparison.
    place: usize,
    /// Whether it has progressed since it was last saved.
    is_unsaved: bool,
}

impl<'a> Turns<'a> {
    /// Starts the trainings of `arms` with `seed` that have not ended, from their checkpoints if they have
    /// any.
    pub fn begin<'d>(
        comparison: &'a mut Comparison,
        arms: &[Arm],
        seed: u64,
        data: impl Fn(&Arm) -> &'d Dataset,
        device: &Device,
        checkpoints: Option<&'a Checkpoints>,
    ) -> Result<Self, ComparisonError> {
        // All runs are inserted before any is referred to by its index.
        for arm in arms {
            comparison.place_of(arm, seed);
        }
        let mut trainings = Vec::new();
        for arm in arms {
            let place = comparison.place_of(arm, seed);
            if comparison.has_ended(&comparison.runs[place]) {
                trainings.push(None);
                continue;
            }
            let folder = arm.folder(seed);
            // A device that runs out of memory panics.
            let begun = panic::catch(|| {
                let checkpoint = match checkpoints {
                    Some(checkpoints) => checkpoints.load(&folder)?,
                    None => None,
                };
                begin(arm, seed, checkpoint, data(arm), device)
            });
            let run = &mut comparison.runs[place];
            let training = match begun {
                Ok(training) => training?,
                Err(message) => {
                    run.failure = Some(message);
                    trainings.push(None);
                    continue;
                }
            };
            // A run may be ahead of its checkpoint: those epochs are repeated, with the same results.
            let done = training.records();
            if run.epochs.len() < done.len() {
                run.epochs = done.to_vec();
            }
            trainings.push(Some(InProgress {
                training,
                folder,
                place,
                is_unsaved: false,
            }));
        }
        Ok(Self {
            comparison,
            trainings,
            checkpoints,
        })
    }

    /// Trains all arms to their end, or until `observe` breaks.
    pub fn take(
        &mut self,
        observe: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let arms = self.comparison.arms().iter();
        let most = arms.map(|arm| arm.config.epochs).max().unwrap_or(0);
        for epoch in 0..most {
            if self.trainings.iter().all(Option::is_none) {
                break;
            }
            // A different arm starts each epoch, so that none always runs after the same one.
            for turn in 0..self.trainings.len() {
                let index = (turn + epoch) % self.trainings.len();
                // Some may be ahead: each resumes from its own checkpoint.
                let is_behind = |current: &InProgress| current.training.records().len() <= epoch;
                if !self.trainings[index].as_ref().is_some_and(is_behind) {
                    continue;
                }
                if self.run_epoch(index, observe).is_break() {
                    self.save(observe);
                    return ControlFlow::Break(());
                }
                if self.checkpoints.is_some_and(Checkpoints::is_due) {
                    self.save(observe);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Trains one more epoch; breaks if `observe` does. The epoch pauses when it is time to save.
    fn run_epoch(
        &mut self,
        index: usize,
        observe: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let outcome = loop {
            let Some(current) = &mut self.trainings[index] else {
                return ControlFlow::Continue(());
            };
            current.is_unsaved = true;
            let run = &self.comparison.runs[current.place];
            let epoch = current.training.records().len() + 1;
            let checkpoints = self.checkpoints;
            let mut flow = ControlFlow::Continue(());
            // A device that runs out of memory panics.
            let outcome = panic::catch(|| {
                current.training.run_epoch(|progress| {
                    flow = observe(Event::Batch {
                        run,
                        epoch,
                        progress,
                    });
                    if checkpoints.is_some_and(Checkpoints::is_due) {
                        return ControlFlow::Break(());
                    }
                    flow
                })
            });
            if !matches!(outcome, Ok(Ok(None))) {
                break outcome;
            }
            flow?;
            self.save(observe);
        };
        self.end_epoch(index, outcome, observe)
    }

    /// Records how an epoch ended.
    fn end_epoch(
        &mut self,
        index: usize,
        outcome: Result<Result<Option<EpochRecord>, TrainingError>, String>,
        observe: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(current) = &self.trainings[index] else {
            return ControlFlow::Continue(());
        };
        let place = current.place;
        let n_epochs = current.training.config().epochs;
        let run = &mut self.comparison.runs[place];
        let mut epoch = current.training.records().len();
        match outcome {
            Ok(Ok(Some(record))) => match run.epochs.get_mut(epoch - 1) {
                Some(repeated) => *repeated = record,
                None => run.epochs.push(record),
            },
            Ok(Ok(None)) => unreachable!("only a pause ends an epoch so"),
            Ok(Err(error)) => run.failure = Some(error.to_string()),
            Err(message) => run.failure = Some(message),
        }
        if run.epochs.len() >= n_epochs {
            run.correct = Correctness::of(current.training.held_out_correct());
        }
        epoch += usize::from(run.failure.is_some());
        let comparison = &*self.comparison;
        let run = &comparison.runs[place];
        if comparison.has_ended(run) {
            self.trainings[index] = None;
        }
        observe(Event::Epoch {
            run,
            epoch,
            comparison,
        })
    }

    /// Saves every training that has progressed since its last save. One that cannot be saved goes on.
    fn save(&mut self, observe: &mut impl FnMut(Event<'_>) -> ControlFlow<()>) {
        let Some(checkpoints) = self.checkpoints else {
            return;
        };
        let start = Instant::now();
        for current in self.trainings.iter_mut().flatten() {
            if !current.is_unsaved {
                continue;
            }
            let checkpoint = current.training.checkpoint();
            match checkpoints.save(&current.folder, checkpoint) {
                Ok(()) => current.is_unsaved = false,
                // An observer that wants to stop says so at the next event.
                Err(error) => drop(observe(Event::Unsaved { error: &error })),
            }
        }
        checkpoints.pause(start);
    }
}

/// Starts the training of an arm with a seed, from its checkpoint if it has one.
fn begin(
    arm: &Arm,
    seed: u64,
    checkpoint: Option<Checkpoint>,
    dataset: &Dataset,
    device: &Device,
) -> Result<Training, ComparisonError> {
    let config = arm.config.clone().with_seed(seed);
    let training = Training::with_estimator(config.clone(), arm.estimator(seed)?, dataset, device)?;
    let Some(checkpoint) = checkpoint else {
        return Ok(training);
    };
    checkpoint
        .check_continues(training.config())
        .map_err(|source| ComparisonError::Changed {
            arm: arm.name.clone(),
            folder: arm.folder(seed),
            seed,
            source,
        })?;
    Ok(training.restore(checkpoint)?)
}
