//! Trains trials.

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

/// Batch size of the evaluations.
const EVALUATION_BATCH: usize = 500;

/// Trains trials on one data set, which must have no test examples: a search does not look at them.
pub struct Trainer<'a> {
    dataset: &'a Dataset,
    device: &'a Device,
    /// Where trainings are kept that may go on: a folder for each.
    folder: PathBuf,
}

/// How a piece of work ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Trained {
    /// It was done.
    Done(Measured),
    /// The training failed, and why.
    Failed(String),
    /// It was interrupted.
    Interrupted,
}

impl<'a> Trainer<'a> {
    /// Trains on `dataset`, and keeps what is in progress in `folder`.
    pub fn new(dataset: &'a Dataset, device: &'a Device, folder: PathBuf) -> Self {
        Self {
            dataset,
            device,
            folder,
        }
    }

    /// Does a piece of work of `tuning`. `observe` is called after every update with the part of it that is done; when it
    /// breaks, the training is kept as it stands.
    ///
    /// # Errors
    /// If a training cannot be kept, or one that was kept cannot be read.
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

    /// Removes what was kept of a trial. Failing to does no harm.
    pub fn forget(&self, trial: usize) {
        let _ = fs::remove_dir_all(self.of_trial(trial));
        // Fails while there is something in it.
        let _ = fs::remove_dir(&self.folder);
    }

    fn of_trial(&self, trial: usize) -> PathBuf {
        self.folder.join(trial.to_string())
    }

    /// Trains up to `part` of the whole, from where `folder` has it, and judges what was learned. An inner error says why
    /// the training failed.
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
            // With what the data decided.
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
                // The end of an epoch comes by itself, with what else it does.
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

    /// What a training has learned so far, within an epoch too, by the examples that are held out. An inner error
    /// says why they cannot be read.
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

/// Keeps a training in `folder`.
fn keep(training: &Training, folder: &Path) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
        path: folder.to_path_buf(),
        source,
    })?;
    training.checkpoint().save(folder)
}
