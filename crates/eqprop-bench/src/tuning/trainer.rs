//! Trains the trials of a search.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::error::CheckpointError;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::panic;
use eqprop_train::record;
use eqprop_train::training::{Evaluation, Progress, Training, evaluate};

use super::halving::Job;
use super::search::Tuning;
use super::trial::Measured;

/// Batch size of evaluations.
const EVALUATION_BATCH: usize = 500;

/// Trains trials on one data set, which must have no test examples: a search does not use them.
pub struct Trainer<'a> {
    dataset: &'a Dataset,
    device: &'a Device,
    /// Holds the trainings that may go on, in one folder each.
    folder: PathBuf,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Trained {
    /// The job is done.
    Done(Measured),
    /// The training failed, for this reason.
    Failed(String),
    /// The job was interrupted.
    Interrupted,
}

impl<'a> Trainer<'a> {
    /// Creates a trainer on `dataset` that keeps trainings in progress in `folder`.
    pub fn new(dataset: &'a Dataset, device: &'a Device, folder: PathBuf) -> Self {
        Self {
            dataset,
            device,
            folder,
        }
    }

    /// Runs a job of `tuning`. `observe` is called after every update with the fraction of the job that is
    /// done; when it breaks, the training is saved as it stands.
    ///
    /// # Errors
    /// If a training cannot be saved, or a saved one cannot be read.
    pub fn run(
        &self,
        tuning: &Tuning,
        job: Job,
        mut observe: impl FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Trained, CheckpointError> {
        let clock = Instant::now();
        let trial = &tuning.trials[job.trial];
        let config = tuning.config_of(trial);
        let (mut errors, mut costs) = (Vec::new(), Vec::new());
        let is_repetition = job.rung == tuning.plan.last_rung();
        let (part, seeds) = match is_repetition {
            false => (tuning.plan.rungs[job.rung], 0..=0),
            true => (1.0, 1..=tuning.plan.more_seeds),
        };
        if is_repetition && let Some(first) = trial.last() {
            errors.clone_from(&first.errors);
            costs.clone_from(&first.costs);
        }
        let n_seeds = seeds.clone().count() as f64;
        for (done, seed) in seeds.enumerate() {
            let config = config
                .clone()
                .with_seed(config.seed.wrapping_add(seed as u64));
            let folder = self.of_trial(job.trial).join(seed.to_string());
            let observe = |part: f64| observe((done as f64 + part) / n_seeds);
            // A device that runs out of memory panics.
            let outcome = panic::catch(|| self.train(config, &folder, part, observe));
            match outcome.unwrap_or_else(|message| Ok(Err(message)))? {
                Ok(ControlFlow::Continue(found)) => {
                    errors.push(found.error);
                    costs.push(found.cost);
                }
                Ok(ControlFlow::Break(())) => return Ok(Trained::Interrupted),
                Err(failure) => return Ok(Trained::Failed(failure)),
            }
        }
        if let Some(cost) = costs.iter().find(|cost| !cost.is_finite()) {
            return Ok(Trained::Failed(format!("the cost is {cost}")));
        }
        Ok(Trained::Done(Measured {
            rung: job.rung,
            errors,
            costs,
            seconds: clock.elapsed().as_secs_f64(),
        }))
    }

    /// Removes the saved trainings of a trial. A failure to remove them does no harm.
    pub fn forget(&self, trial: usize) {
        let _ = fs::remove_dir_all(self.of_trial(trial));
        // Fails while the folder is not empty.
        let _ = fs::remove_dir(&self.folder);
    }

    fn of_trial(&self, trial: usize) -> PathBuf {
        self.folder.join(trial.to_string())
    }

    /// Trains up to the fraction `part` of the full training, starting from what `folder` holds, and
    /// evaluates the result. An inner error says why the training failed.
    fn train(
        &self,
        config: TrainingConfig,
        folder: &Path,
        part: f64,
        mut observe: impl FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Result<ControlFlow<(), Evaluation>, String>, CheckpointError> {
        let training = Training::new(config.clone(), self.dataset, self.device);
        let mut training = match training {
            Ok(training) => training,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let kept = match folder.is_dir() {
            true => Checkpoint::load_latest(folder)?,
            false => None,
        };
        if let Some(kept) = kept {
            // With the settings that the data decided.
            kept.check_continues(training.config())?;
            training = training.restore(kept)?;
        }
        let n_batches = training.n_examples().div_ceil(config.batch_size);
        let n_all = n_batches * config.epochs;
        let target = ((part * n_all as f64).round() as usize).clamp(1, n_all);
        loop {
            let before = training.records().len() * n_batches;
            let in_epoch = training.unfinished().map_or(0, |epoch| epoch.n_updates);
            if training.is_finished() || before + in_epoch >= target {
                break;
            }
            let mut is_interrupted = false;
            let outcome = training.run_epoch(|progress: Progress| {
                let done = before + progress.n_updates;
                if observe(done as f64 / target as f64).is_break() {
                    is_interrupted = true;
                    return ControlFlow::Break(());
                }
                // The end of an epoch is reached by itself, with all that belongs to it.
                match done >= target && progress.n_done < progress.n_total {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            if let Err(error) = outcome {
                return Ok(Err(error.to_string()));
            }
            if is_interrupted {
                keep(&training, folder)?;
                return Ok(Ok(ControlFlow::Break(())));
            }
        }
        keep(&training, folder)?;
        let judged = self.judge(&training)?;
        Ok(judged.map(ControlFlow::Continue))
    }

    /// Evaluates a training on the held-out examples, within an epoch too. An inner error says why they
    /// cannot be read.
    fn judge(&self, training: &Training) -> Result<Result<Evaluation, String>, CheckpointError> {
        let config = training.config();
        let at_most = config.data.n_train.unwrap_or(usize::MAX);
        let examples = self.dataset.train.clone().take(at_most);
        let (_, held_out) = examples.split_tail(config.data.n_validation);
        let network = config.network(self.device);
        let learner = EquilibriumLearner::new(network, config.estimator());
        let learner = record::load(learner, training.checkpoint().model);
        let learner = learner.map_err(|source| CheckpointError::Record {
            path: "model".into(),
            source,
        })?;
        let loader = BatchLoader::new(&held_out, EVALUATION_BATCH, Order::Sequential, self.device);
        let judged = evaluate(&learner.valid(), &loader);
        Ok(judged.map_err(|error| error.to_string()))
    }
}

/// Saves a training in `folder`.
fn keep(training: &Training, folder: &Path) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
        path: folder.to_path_buf(),
        source,
    })?;
    training.checkpoint().save(folder)
}
