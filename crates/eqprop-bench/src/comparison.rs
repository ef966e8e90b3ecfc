//! Trains networks that differ in the method or in settings, with the same seeds, and judges which is better.

mod arm;
mod checkpoints;
mod correctness;
mod difference;
mod error;
mod plan;
mod run;
mod stored;
mod summary;
mod turns;

use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::training::{EpochRecord, Training};

use crate::method::Method;
pub use arm::Arm;
pub use checkpoints::Checkpoints;
pub use correctness::Correctness;
pub use difference::{Difference, FEWEST_SEEDS, Verdict};
pub use error::ComparisonError;
pub use plan::{Addition, NamedConfig, Plan, Variation};
use run::seeds;
pub use run::{Comparison, Event, Run};
pub use stored::{ArmCost, StoredComparison};
pub use summary::{MeanSpread, Summary, median};
use turns::Turns;

/// The most trainings that are in memory at once, each with its examples.
const AT_ONCE: usize = 16;

impl Comparison {
    /// Creates a comparison of methods with the seeds `config.seed`, `config.seed + 1`, …; nothing is trained
    /// yet.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn new(
        config: TrainingConfig,
        methods: Vec<Method>,
        n_seeds: usize,
    ) -> Result<Self, ComparisonError> {
        Self::of(Plan::new(config, methods), n_seeds)
    }

    /// Creates the comparison described by `plan`, with the seeds `plan.config.seed`, `plan.config.seed + 1`,
    /// …; nothing is trained yet.
    ///
    /// # Errors
    /// If there is no seed, and as [`Plan::arms`].
    pub fn of(plan: Plan, n_seeds: usize) -> Result<Self, ComparisonError> {
        plan.config.validate()?;
        Ok(Self {
            arms: plan.arms()?,
            seeds: seeds(plan.config.seed, n_seeds)?,
            plan,
            runs: Vec::new(),
        })
    }

    /// Returns the arms that are compared: all combinations of the plan.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// Returns the arm with this name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Checks that the first training of each arm can be set up, before folders are made for all of them.
    /// `data` returns the examples of an arm.
    ///
    /// # Errors
    /// If the data does not fit the configuration.
    pub fn try_out<'d>(
        &self,
        data: impl Fn(&Arm) -> &'d Dataset,
        device: &Device,
    ) -> Result<(), ComparisonError> {
        // Arms with the same configuration differ only in their method.
        let mut tried: Vec<&TrainingConfig> = Vec::new();
        for arm in &self.arms {
            if tried.contains(&&arm.config) {
                continue;
            }
            let estimator = arm.estimator(arm.config.seed)?;
            Training::with_estimator(arm.config.clone(), estimator, data(arm), device)?;
            tried.push(&arm.config);
        }
        Ok(())
    }

    /// Returns the same comparison with `epochs` and `n_seeds` in place of its own, and with whatever `more`
    /// contains that it does not have yet. Finished trainings are kept.
    ///
    /// # Errors
    /// If something would be reduced, the schedule of the learning rates depends on the number of epochs,
    /// `more` varies a setting that the comparison does not vary, or an arm cannot work.
    pub fn extended(
        mut self,
        epochs: Option<usize>,
        n_seeds: Option<usize>,
        more: &Addition,
    ) -> Result<Self, ComparisonError> {
        self.plan = self.plan.extended(epochs, more)?;
        if let Some(asked) = n_seeds {
            let there = self.seeds.len();
            if asked < there {
                let what = "seeds";
                return Err(ComparisonError::Fewer { what, there, asked });
            }
            self.seeds = seeds(self.plan.config.seed, asked)?;
        }
        let before = std::mem::replace(&mut self.arms, self.plan.arms()?);
        let arms = &self.arms;
        for run in &mut self.runs {
            run.arm = arm::renamed(&run.arm, &before, arms);
        }
        for place in 0..self.runs.len() {
            if !self.has_ended(&self.runs[place]) {
                self.runs[place].correct = None;
            }
        }
        self.sort_runs();
        Ok(self)
    }

    /// Trains whatever is missing; `data` returns the examples of an arm. `observe` is called a few times per
    /// second; when it breaks, the training done so far is kept.
    ///
    /// A run whose cost becomes infinite, or that runs out of device memory, fails alone; the others go on.
    /// With `checkpoints` each training resumes from its last checkpoint, and is saved every few seconds and
    /// when `observe` breaks. The results of a training depend neither on interruptions nor on the other
    /// trainings of the comparison.
    ///
    /// # Errors
    /// If the data does not fit the configuration, or a checkpoint cannot be read.
    pub fn train<'d>(
        &mut self,
        data: impl Fn(&Arm) -> &'d Dataset,
        device: &Device,
        checkpoints: Option<&Checkpoints>,
        mut observe: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ComparisonError> {
        for seed in self.seeds.clone() {
            for arms in self.arms.clone().chunks(AT_ONCE) {
                let mut turns = Turns::begin(self, arms, seed, &data, device, checkpoints)?;
                if turns.take(&mut observe).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the run of an arm with a seed, if it was started.
    pub fn run(&self, arm: &str, seed: u64) -> Option<&Run> {
        let mut runs = self.runs.iter();
        runs.find(|run| run.arm == arm && run.seed == seed)
    }

    /// Whether nothing of a run is left to train: it has all its epochs, or it failed.
    pub fn has_ended(&self, run: &Run) -> bool {
        run.failure.is_some() || self.is_finished(run)
    }

    /// Whether a run has all its epochs.
    pub fn is_finished(&self, run: &Run) -> bool {
        run.epochs.len() >= self.epochs_of(&run.arm)
    }

    /// Returns the number of epochs for which an arm is trained.
    pub fn epochs_of(&self, arm: &str) -> usize {
        self.arm(arm).map_or(0, |arm| arm.config.epochs)
    }

    /// Returns the name of the folder that holds a training in progress.
    fn folder_of(&self, arm: &str, seed: u64) -> Option<String> {
        self.arm(arm).map(|arm| arm.folder(seed))
    }

    /// Returns the index of a run in `runs`, which keeps the order of seeds and arms; inserts the run if it
    /// is not there.
    fn place_of(&mut self, arm: &Arm, seed: u64) -> usize {
        let found = |run: &Run| run.arm == arm.name && run.seed == seed;
        if let Some(place) = self.runs.iter().position(found) {
            return place;
        }
        self.runs.push(Run {
            arm: arm.name.clone(),
            method: arm.method,
            seed,
            epochs: Vec::new(),
            failure: None,
            correct: None,
        });
        self.sort_runs();
        let place = self.runs.iter().position(found);
        place.expect("it was put there")
    }

    fn sort_runs(&mut self) {
        let arms = &self.arms;
        let rank = |run: &Run| {
            let arm = arms.iter().position(|arm| arm.name == run.arm);
            (run.seed, arm)
        };
        self.runs.sort_by_key(rank);
    }

    /// Returns the number of trainings that have not ended.
    pub fn n_left(&self) -> usize {
        let n_ended = self.runs.iter().filter(|run| self.has_ended(run)).count();
        (self.arms.len() * self.seeds.len()).saturating_sub(n_ended)
    }

    /// Describes what is missing: trainings that failed, were interrupted or were not started.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for &seed in &self.seeds {
            for arm in &self.arms {
                let all = arm.config.epochs;
                let why = match self.run(&arm.name, seed) {
                    None => "not begun".to_string(),
                    Some(Run {
                        failure: Some(failure),
                        ..
                    }) => failure.clone(),
                    Some(run) if run.epochs.len() < all => {
                        let done = run.epochs.len();
                        format!("stopped after {done} of {all} epochs")
                    }
                    Some(_) => continue,
                };
                missing.push(format!("{}, seed {seed}: {why}", arm.name));
            }
        }
        missing
    }

    /// Returns the difference in error for each pair of arms, in the order of the arms.
    pub fn differences(&self) -> Vec<Difference> {
        difference::differences(self)
    }

    /// Returns one summary per arm, in the order of the arms.
    pub fn summaries(&self) -> Vec<Summary> {
        summary::summarize(self)
    }

    /// Returns the lowest [held-out error](EpochRecord::held_out_error) that every finished run reached at
    /// some epoch.
    pub fn common_error(&self) -> Option<f64> {
        let runs = self.finished();
        runs.filter_map(|run| {
            let errors = run.epochs.iter().map(EpochRecord::held_out_error);
            errors.reduce(f64::min)
        })
        .reduce(f64::max)
    }

    /// Iterates over the runs that have all their epochs.
    pub fn finished(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| self.is_finished(run))
    }

    /// Iterates over the finished runs of one arm.
    pub fn finished_of<'a>(&'a self, arm: &'a str) -> impl Iterator<Item = &'a Run> {
        self.finished().filter(move |run| run.arm == arm)
    }
}

#[cfg(test)]
mod tests;
