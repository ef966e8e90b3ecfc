//! Trains one network by several methods.

mod checkpoints;
mod error;
mod run;
mod stored;
mod summary;
mod turns;

use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_train::config::{Schedule, TrainingConfig};
use eqprop_train::data::Dataset;
use eqprop_train::training::{EpochRecord, Training};

use crate::method::Method;
pub use checkpoints::Checkpoints;
pub use error::ComparisonError;
use run::seeds;
pub use run::{Comparison, Event, Run};
pub use stored::StoredComparison;
pub use summary::{MeanSpread, Summary};
use turns::Turns;

impl Comparison {
    /// A comparison with seeds `config.seed`, `config.seed + 1`, …, before anything is trained.
    ///
    /// # Errors
    /// If there is no method or no seed, a method is named twice, or one cannot run on this
    /// network.
    pub fn new(
        config: TrainingConfig,
        methods: Vec<Method>,
        n_seeds: usize,
    ) -> Result<Self, ComparisonError> {
        config.validate()?;
        let comparison = Self {
            seeds: seeds(config.seed, n_seeds)?,
            config,
            methods,
            runs: Vec::new(),
        };
        comparison.check_methods()?;
        Ok(comparison)
    }

    fn check_methods(&self) -> Result<(), ComparisonError> {
        if self.methods.is_empty() {
            return Err(ComparisonError::Nothing { what: "method" });
        }
        for (index, &method) in self.methods.iter().enumerate() {
            if self.methods[..index].contains(&method) {
                return Err(ComparisonError::Twice { method });
            }
            method.estimator(&self.config)?;
        }
        Ok(())
    }

    /// Checks whether the first training can be made: not after the folders for all of them.
    ///
    /// # Errors
    /// If the data does not fit the configuration.
    pub fn try_out(&self, dataset: &Dataset, device: &Device) -> Result<(), ComparisonError> {
        let estimator = self.methods[0].estimator(&self.config)?;
        Training::with_estimator(self.config.clone(), estimator, dataset, device)?;
        Ok(())
    }

    /// The same comparison with `epochs` instead of its own, with `n_seeds` seeds instead of its own,
    /// and with those of `methods` that it does not have yet behind its own. What was trained counts.
    ///
    /// # Errors
    /// If something would become less, the schedule of the learning rates depends on the number of
    /// epochs, or a method cannot run on this network.
    pub fn extended(
        mut self,
        epochs: Option<usize>,
        n_seeds: Option<usize>,
        methods: &[Method],
    ) -> Result<Self, ComparisonError> {
        let fewer = |what, there, asked| Err(ComparisonError::Fewer { what, there, asked });
        let there = self.config.epochs;
        if let Some(asked) = epochs.filter(|&asked| asked != there) {
            if asked < there {
                return fewer("epochs", there, asked);
            }
            if self.config.optimizer.schedule == Schedule::Cosine {
                return Err(ComparisonError::Schedule { asked });
            }
            self.config.epochs = asked;
            self.config.validate()?;
        }
        if let Some(asked) = n_seeds {
            let there = self.seeds.len();
            if asked < there {
                return fewer("seeds", there, asked);
            }
            self.seeds = seeds(self.config.seed, asked)?;
        }
        for &method in methods {
            if !self.methods.contains(&method) {
                self.methods.push(method);
            }
        }
        self.check_methods()?;
        Ok(self)
    }

    /// Trains what is missing. `observe` is called a few times per second; when it breaks, what has
    /// been trained so far is kept.
    ///
    /// A run whose cost becomes infinite or that runs out of the device's memory fails alone; the
    /// others go on. With `checkpoints` each training goes on from its last one, and is saved every
    /// few seconds and when `observe` breaks. A training has the same results whether or not it was
    /// interrupted, and whatever others it is compared with.
    ///
    /// # Errors
    /// If the data does not fit the configuration, or a checkpoint cannot be read.
    pub fn train(
        &mut self,
        dataset: &Dataset,
        device: &Device,
        checkpoints: Option<&Checkpoints>,
        mut observe: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ComparisonError> {
        for seed in self.seeds.clone() {
            let mut turns = Turns::begin(self, seed, dataset, device, checkpoints)?;
            if turns.take(&mut observe).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The run of a method with a seed, if it was begun.
    pub fn run(&self, method: Method, seed: u64) -> Option<&Run> {
        let mut runs = self.runs.iter();
        runs.find(|run| run.method == method && run.seed == seed)
    }

    /// Whether nothing is left to train of a run: it has all its epochs, or failed.
    pub fn has_ended(&self, run: &Run) -> bool {
        run.failure.is_some() || run.epochs.len() >= self.config.epochs
    }

    /// The place of a run in `runs`, which keeps the order of seeds and methods; begins it if it is
    /// not there.
    fn place_of(&mut self, method: Method, seed: u64) -> usize {
        let found = |run: &Run| run.method == method && run.seed == seed;
        if let Some(place) = self.runs.iter().position(found) {
            return place;
        }
        self.runs.push(Run {
            method,
            seed,
            epochs: Vec::new(),
            failure: None,
        });
        let methods = &self.methods;
        let rank = |run: &Run| {
            let method = methods.iter().position(|method| *method == run.method);
            (run.seed, method)
        };
        self.runs.sort_by_key(rank);
        let place = self.runs.iter().position(found);
        place.expect("it was put there")
    }

    /// What is not there, in words: trainings that failed, were interrupted or not begun.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for &seed in &self.seeds {
            for &method in &self.methods {
                let why = match self.run(method, seed) {
                    None => "not begun".to_string(),
                    Some(Run {
                        failure: Some(failure),
                        ..
                    }) => failure.clone(),
                    Some(run) if run.epochs.len() < self.config.epochs => {
                        let (done, all) = (run.epochs.len(), self.config.epochs);
                        format!("stopped after {done} of {all} epochs")
                    }
                    Some(_) => continue,
                };
                missing.push(format!("{method}, seed {seed}: {why}"));
            }
        }
        missing
    }

    /// One line per method, in the order of `methods`.
    pub fn summaries(&self) -> Vec<Summary> {
        summary::summarize(self)
    }

    /// The lowest [held-out error](EpochRecord::held_out_error) that every finished run reached at some epoch.
    pub fn common_error(&self) -> Option<f64> {
        let runs = self.finished();
        runs.filter_map(|run| {
            let errors = run.epochs.iter().map(EpochRecord::held_out_error);
            errors.reduce(f64::min)
        })
        .reduce(f64::max)
    }

    /// The runs that have all their epochs.
    pub fn finished(&self) -> impl Iterator<Item = &Run> {
        let epochs = self.config.epochs;
        self.runs
            .iter()
            .filter(move |run| run.epochs.len() == epochs)
    }
}

#[cfg(test)]
mod tests;
