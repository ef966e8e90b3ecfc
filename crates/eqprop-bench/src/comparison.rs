//! Trains one network by several methods.

mod summary;

use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::error::TrainingError;
use eqprop_train::panic;
use eqprop_train::training::{EpochRecord, Progress, Training};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::method::{AnyEstimator, Method, MethodError};
pub use summary::{MeanSpread, Summary};

/// The same network trained by several methods, with several seeds.
///
/// For each seed all methods start from the same weights, see the same examples in the same order
/// and use the same optimizer and learning rates; nothing differs but the gradient. They take
/// turns epoch by epoch, so that their times are of the same minutes of the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The network, its phases and its training; the seed is replaced by each of `seeds`.
    pub config: TrainingConfig,
    /// The methods.
    pub methods: Vec<Method>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// One entry per seed and method, in this order, as far as they were started.
    pub runs: Vec<Run>,
}

/// One training of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The method.
    pub method: Method,
    /// The seed.
    pub seed: u64,
    /// What the finished epochs measured.
    pub epochs: Vec<EpochRecord>,
    /// Why it ended early, if it did by itself.
    pub failure: Option<String>,
}

/// Why there is no comparison.
#[derive(Debug, Error)]
pub enum ComparisonError {
    /// Nothing to compare.
    #[error("at least one {what} is needed, but there is none")]
    Nothing {
        /// What is missing.
        what: &'static str,
    },
    /// Named twice.
    #[error("method `{method}` is named twice")]
    Twice {
        /// The method.
        method: Method,
    },
    /// A method cannot run on this network.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The configuration cannot work.
    #[error(transparent)]
    Training(#[from] TrainingError),
}

/// Where a comparison stands.
#[derive(Debug)]
pub enum Event<'a> {
    /// Within an epoch.
    Batch {
        /// The run.
        run: &'a Run,
        /// Its place in the epoch.
        progress: Progress,
    },
    /// At the end of an epoch, or of a run that failed in it.
    Epoch {
        /// The run.
        run: &'a Run,
        /// All there is so far.
        comparison: &'a Comparison,
    },
}

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
        if methods.is_empty() {
            return Err(ComparisonError::Nothing { what: "method" });
        }
        if n_seeds == 0 {
            return Err(ComparisonError::Nothing { what: "seed" });
        }
        for (index, &method) in methods.iter().enumerate() {
            if methods[..index].contains(&method) {
                return Err(ComparisonError::Twice { method });
            }
            method.estimator(&config)?;
        }
        Ok(Self {
            seeds: (config.seed..).take(n_seeds).collect(),
            config,
            methods,
            runs: Vec::new(),
        })
    }

    /// Trains. `observe` is called a few times per second; when it breaks, what has been trained
    /// so far is kept.
    ///
    /// A run whose cost becomes infinite or that runs out of the device's memory fails alone; the
    /// others go on.
    ///
    /// # Errors
    /// If the data does not fit the configuration.
    pub fn train(
        &mut self,
        dataset: &Dataset,
        device: &Device,
        mut observe: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ComparisonError> {
        for seed in self.seeds.clone() {
            let config = self.config.clone().with_seed(seed);
            let first = self.runs.len();
            let mut trainings = Vec::new();
            for &method in &self.methods {
                let estimator = method.estimator(&config)?;
                trainings.push(Training::with_estimator(
                    config.clone(),
                    estimator,
                    dataset,
                    device,
                )?);
                self.runs.push(Run {
                    method,
                    seed,
                    epochs: Vec::new(),
                    failure: None,
                });
            }
            for epoch in 0..config.epochs {
                // Another one begins each epoch, so that none always runs after the same.
                for turn in 0..trainings.len() {
                    let index = (turn + epoch) % trainings.len();
                    let run = &mut self.runs[first + index];
                    if run.failure.is_some() {
                        continue;
                    }
                    let done = run_epoch(&mut trainings[index], run, &mut observe);
                    let comparison = &*self;
                    let run = &comparison.runs[first + index];
                    if done.is_break() || observe(Event::Epoch { run, comparison }).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What is not there, in words: trainings that failed, were interrupted or not begun.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for &seed in &self.seeds {
            for &method in &self.methods {
                let mut runs = self.runs.iter();
                let run = runs.find(|run| run.seed == seed && run.method == method);
                let why = match run {
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

/// One more epoch of a run; breaks if `observe` does.
fn run_epoch(
    training: &mut Training<AnyEstimator>,
    run: &mut Run,
    observe: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // A device that runs out of memory panics.
    let outcome = panic::catch(|| {
        training.run_epoch(|progress| {
            observe(Event::Batch {
                run: &*run,
                progress,
            })
        })
    });
    match outcome {
        Ok(Ok(Some(record))) => run.epochs.push(record),
        Ok(Ok(None)) => return ControlFlow::Break(()),
        Ok(Err(error)) => run.failure = Some(error.to_string()),
        Err(message) => run.failure = Some(message),
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
