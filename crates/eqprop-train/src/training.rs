//! A training run, epoch by epoch.

mod epoch;
mod tally;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use burn::train::InferenceStep;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, VectorField};

use crate::batch::{BatchLoader, Order};
use crate::checkpoint::{
    Checkpoint, CheckpointState, MODEL, OPTIMIZER, PARTICLES, SCHEDULER, WARM,
};
use crate::config::{OrderKind, TrainingConfig};
use crate::data::{DataError, Dataset, Examples};
use crate::error::{CheckpointError, TrainingError};
use crate::estimator::{GradientEstimator, NonIdealEquilibriumPropagation};
use crate::hardware::Hardware;
use crate::initial_state::{KeptStates, Particles, PreviousState};
pub use crate::learner::{AnyEstimator, AnyLearner};
use crate::learner::{EquilibriumLearner, EquilibriumOutput, Recorded};
pub use crate::measurement::{
    ByPart, Classified, EpochRecord, Evaluation, Fit, FitSums, LabelCounts, LabelSums, Progress,
    Sums, UnfinishedEpoch,
};
use crate::panic;
use crate::record;
use crate::update::UpdateMonitor;
use crate::weights;
use epoch::OpenEpoch;
use tally::{Summary, Tally};

/// Batch size of evaluations.
const EVALUATION_BATCH: usize = 500;
/// Residual above which an example counts as not converged if the configuration has no tolerance.
const LOOSE_TOLERANCE: f64 = 1e-2;
/// Number of updates between two measurements of `‖ΔW‖/‖W‖`.
const UPDATES_PER_MEASUREMENT: u64 = 50;

/// Evaluations on the validation and the test examples, and whether each example of the first of them is
/// classified correctly.
type Judged = ([Option<Evaluation>; 2], Vec<bool>);

/// A training run according to a [`TrainingConfig`].
pub struct Training {
    config: TrainingConfig,
    learner: AnyLearner,
    optimizer: ModuleOptimizer,
    scheduler: ModuleLrScheduler,
    updates: UpdateMonitor,
    train: BatchLoader,
    validation: Option<BatchLoader>,
    test: Option<BatchLoader>,
    records: Vec<EpochRecord>,
    paused: Option<OpenEpoch>,
    /// Updates as one recorded graph, on a device that supports it.
    recorded: Recorded<Summary>,
    correct: Vec<bool>,
}

impl Training {
    /// Starts a new run by equilibrium propagation, on `device`.
    ///
    /// # Errors
    /// As for [`with_estimator`](Self::with_estimator).
    pub fn new(
        config: TrainingConfig,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        let estimator = config.estimator();
        match config.hardware.state_defects() {
            None => Self::with_estimator(config, estimator, dataset, device),
            Some(defects) => {
                let estimator =
                    NonIdealEquilibriumPropagation::new(estimator, defects, config.seed);
                Self::with_estimator(config, estimator, dataset, device)
            }
        }
    }

    /// Starts a new run with another gradient estimator.
    ///
    /// # Errors
    /// If the configuration is invalid, or does not match this data set: if images have another size, a
    /// class that the network does not have or another number of classes, or if no examples are left
    /// to train or evaluate on.
    pub fn with_estimator(
        config: TrainingConfig,
        estimator: impl GradientEstimator<AnyField, AnyCost> + 'static,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        config.validate()?;
        config.check_examples(&dataset.train)?;
        config.check_examples(&dataset.test)?;
        let at_most = config.data.n_train.unwrap_or(usize::MAX);
        let train = dataset.train.clone().take(at_most);
        let n_train = train.len();
        let (train, validation) = train.split_tail(config.data.n_validation);
        if train.is_empty() {
            return Err(TrainingError::NothingToTrainOn {
                n_train,
                n_validation: config.data.n_validation,
            });
        }
        if validation.is_empty() && dataset.test.is_empty() {
            return Err(TrainingError::NothingToJudgeBy);
        }
        let judge = |examples: &Examples| {
            let order = Order::Sequential;
            let loader = || BatchLoader::new(examples, EVALUATION_BATCH, order, device);
            (!examples.is_empty()).then(loader)
        };
        let order = match config.order {
            OrderKind::Shuffled => Order::Shuffled { seed: config.seed },
            OrderKind::Sequential => Order::Sequential,
        };
        let config = config.with_known_class_weights(&train);
        let network = config.network(device);
        network.check_nudging(config.phases.nudging)?;
        let updates = UpdateMonitor::new(UPDATES_PER_MEASUREMENT);
        let mut learner = EquilibriumLearner::new(network, Arc::new(estimator) as AnyEstimator)
            .with_start(config.phases.start, train.len())
            .with_update_monitor(updates.clone());
        let hardware = Hardware::new(config.hardware, config.seed, &learner);
        learner = learner.with_hardware(hardware);
        if let Some(max_norm) = config.optimizer.gradient_clip {
            learner = learner.with_max_gradient_norm(max_norm);
        }
        let train = BatchLoader::new(&train, config.batch_size, order, device)
            .with_augmentation(config.data.augmentation)
            .with_augmentation_seed(config.seed);
        // Burn's optimizers require parameters on autodiff.
        let learner = learner.train();
        Ok(Self {
            optimizer: config.optimizer(),
            scheduler: config.learning_rate(&learner.network, train.n_batches()),
            validation: judge(&validation),
            test: judge(&dataset.test),
            learner,
            updates,
            train,
            records: Vec::new(),
            paused: None,
            recorded: Recorded::NotYet,
            correct: Vec::new(),
            config,
        })
    }

    /// Resumes from `checkpoint`.
    ///
    /// # Errors
    /// If the checkpoint is of another network, or not of a training.
    pub fn restore(mut self, checkpoint: Checkpoint) -> Result<Self, CheckpointError> {
        let learner = record::load(self.learner, checkpoint.model);
        self.learner = learner.map_err(CheckpointError::record(MODEL))?;
        weights::check_finite(&self.learner, Path::new(MODEL)).map_err(Box::new)?;
        // The parameters have the ids of the record now.
        let n_batches = self.train.n_batches();
        let scheduler = self.config.learning_rate(&self.learner.network, n_batches);
        // Burn's optimizers and schedules have no other way to refuse a record.
        let optimizer = panic::catch(|| self.optimizer.load_record(checkpoint.optimizer));
        self.optimizer = optimizer.map_err(CheckpointError::unfit(OPTIMIZER))?;
        let scheduler = panic::catch(|| scheduler.load_record(checkpoint.scheduler));
        self.scheduler = scheduler.map_err(CheckpointError::unfit(SCHEDULER))?;
        if let (Some(particles), Some(record)) = (self.learner.particles(), checkpoint.particles) {
            let loaded = particles.load_record(record);
            loaded.map_err(CheckpointError::record(PARTICLES))?;
        }
        self.records = checkpoint.state.records;
        self.paused = None;
        if let Some(done) = checkpoint.state.unfinished {
            let mut open = self.open();
            open.done = done;
            if let (Some(previous), Some(record)) = (open.learner.previous_state(), checkpoint.warm)
            {
                // Indices of the previous batch.
                let first = open.done.n_updates.saturating_sub(1);
                let first = first.saturating_mul(self.config.batch_size);
                let n_examples = self.train.num_items().saturating_sub(first);
                let n_examples = n_examples.min(self.config.batch_size);
                let layers = self.learner.network.energy.layers();
                let device = self.learner.devices().swap_remove(0).without_autodiff();
                let loaded = previous.load_record(record, layers, n_examples, &device);
                loaded.map_err(CheckpointError::record(WARM))?;
            }
            self.paused = Some(open);
        }
        Ok(self)
    }

    /// Returns a checkpoint of the current state: after the last finished epoch, or within the paused one.
    pub fn checkpoint(&self) -> Checkpoint {
        let open = self.open();
        let learner = open.learner;
        Checkpoint {
            state: CheckpointState {
                config: self.config.clone(),
                records: self.records.clone(),
                unfinished: self.paused.as_ref().map(|paused| paused.done.clone()),
            },
            optimizer: open.optimizer.to_record(),
            scheduler: open.scheduler.to_record(),
            particles: learner.particles().map(Particles::to_record),
            warm: learner.previous_state().and_then(PreviousState::to_record),
            model: learner.into_record(),
        }
    }

    /// Returns the configuration.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// Returns the learner.
    pub fn learner(&self) -> &AnyLearner {
        &self.learner
    }

    /// Returns the measurements of the finished epochs.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// Returns the paused epoch, if there is one.
    pub fn unfinished(&self) -> Option<&UnfinishedEpoch> {
        self.paused.as_ref().map(|paused| &paused.done)
    }

    /// Returns whether each held-out example (of the validation set, else of the test set) was classified
    /// correctly at the end of the last epoch. Empty if no epoch has ended since the training was created or
    /// restored, and for quantities. For multiple labels it has an entry for each label of each example, one
    /// example after the other.
    pub fn held_out_correct(&self) -> &[bool] {
        &self.correct
    }

    /// Returns the number of training examples.
    pub fn n_examples(&self) -> usize {
        self.train.num_items()
    }

    /// Returns whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.records.len() >= self.config.epochs
    }

    /// Trains one epoch and evaluates it, or resumes the paused epoch. `observe` is called after every
    /// update, and between the batches of the evaluation; if it breaks, the epoch is paused and `None`
    /// returned.
    ///
    /// The next call resumes a paused epoch, and so does a training restored from a
    /// [`checkpoint`](Self::checkpoint) made in the pause: the result is that of an epoch without a pause.
    ///
    /// # Errors
    /// If the cost becomes infinite or not a number, or inputs cannot be read from their files; the training
    /// is then in the state in which this was called.
    pub fn run_epoch(
        &mut self,
        mut observe: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochRecord>, TrainingError> {
        let done = self.records.len();
        let epoch = done + 1;
        let mut open = self.open().copied();
        let first = open.done.n_updates;
        let n_before = (done as u64).saturating_mul(self.train.n_batches() as u64);
        self.learner.estimator().resume(n_before + first as u64);
        if let Some(hardware) = self.learner.hardware() {
            hardware.resume(n_before + first as u64);
        }
        // Each epoch measures the same updates, whether or not the run was resumed before it.
        self.updates.go_on(&open.done.update_ratios, &open.learner);

        let tolerance = self.config.phases.tolerance.unwrap_or(LOOSE_TOLERANCE);
        let mut tally =
            Tally::new(tolerance, open.done.sums).of_targets(self.train.target_kind(), &open.done);
        let (n_total, batch_size) = (self.train.num_items(), self.config.batch_size);
        let progress = |n_updates: usize, sums: &Sums| Progress {
            n_updates,
            n_done: n_updates.saturating_mul(batch_size).min(n_total),
            n_total,
            train_error: sums.mean(sums.errors),
        };
        let is_plain = self.config.optimizer.is_plain();
        let mut recorded = std::mem::replace(&mut self.recorded, Recorded::Never);
        let mut flow = ControlFlow::Continue(());
        let start = Instant::now();
        for batch in self.train.batches(done as u64, first) {
            open = open.update(batch?, is_plain, &mut recorded, &mut tally);
            if !tally.sums.is_finite() {
                return Err(self.diverged());
            }
            flow = observe(progress(open.done.n_updates, &tally.sums));
            if flow.is_break() {
                break;
            }
        }
        recorded.leave(&mut open.learner);
        self.recorded = recorded;
        tally.read();
        open.done.seconds += start.elapsed().as_secs_f64();
        tally.leave_in(&mut open.done);
        if !tally.sums.is_finite() {
            return Err(self.diverged());
        }
        if flow.is_break() {
            return self.pause(open);
        }
        let look = || observe(progress(open.done.n_updates, &tally.sums));
        let ControlFlow::Continue((found, correct)) = self.judge(&open.learner, look)? else {
            return self.pause(open);
        };
        let [validation, test] = found;
        let record = open.record(epoch, self.updates.take_mean(), validation, test);
        if !record.is_finite() {
            // The last update of the epoch diverged: keep it out of the checkpoints.
            return Err(self.diverged());
        }
        (self.learner, self.optimizer, self.scheduler) =
            (open.learner, open.optimizer, open.scheduler);
        self.paused = None;
        self.correct = correct;
        self.records.push(record.clone());
        Ok(Some(record))
    }

    /// Evaluates `learner` on the validation and the test examples, if there are any, and returns for each
    /// example of the first of them whether it is classified correctly.
    fn judge(
        &self,
        learner: &AnyLearner,
        mut observe: impl FnMut() -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Judged>, DataError> {
        let mut found = [None, None];
        let mut first = None;
        for (found, loader) in found.iter_mut().zip([&self.validation, &self.test]) {
            if let Some(loader) = loader {
                let judged = judge(learner, loader, &mut observe, |_| {})?;
                let ControlFlow::Continue((evaluation, correct)) = judged else {
                    return Ok(ControlFlow::Break(()));
                };
                *found = Some(evaluation);
                first.get_or_insert(correct);
            }
        }
        Ok(ControlFlow::Continue((found, first.unwrap_or_default())))
    }

    /// The error of an epoch whose cost is not finite.
    fn diverged(&self) -> TrainingError {
        TrainingError::Diverged {
            epoch: self.records.len() + 1,
            learning_rates: self.config.optimizer.learning_rates.clone(),
            beta: self.config.phases.nudging.beta(),
        }
    }

    /// Stores `open` until the next call.
    fn pause(&mut self, mut open: OpenEpoch) -> Result<Option<EpochRecord>, TrainingError> {
        open.done.update_ratios = self.updates.so_far();
        if !open.done.is_finite() {
            return Err(self.diverged());
        }
        self.paused = Some(open);
        Ok(None)
    }

    /// Returns the paused epoch, or else a new one.
    fn open(&self) -> OpenEpoch {
        let new = || OpenEpoch {
            learner: self.learner.clone().with_kept(KeptStates::of_new_epoch),
            optimizer: self.optimizer.clone(),
            scheduler: self.scheduler.clone(),
            done: UnfinishedEpoch::default(),
        };
        self.paused.clone().unwrap_or_else(new)
    }
}

/// Evaluates a learner on all examples of `loader`.
///
/// # Errors
/// If inputs cannot be read from their files.
pub fn evaluate<G>(learner: &AnyLearner<G>, loader: &BatchLoader) -> Result<Evaluation, DataError>
where
    G: GradientEstimator<AnyField, AnyCost> + Clone,
{
    let go_on = || ControlFlow::<()>::Continue(());
    let ControlFlow::Continue(found) = evaluate_observed(learner, loader, go_on)? else {
        unreachable!("nothing breaks it")
    };
    Ok(found)
}

/// Like [`evaluate`], but calls `observe`, which may break, between the batches.
///
/// # Errors
/// As for [`evaluate`].
pub fn evaluate_observed<G>(
    learner: &AnyLearner<G>,
    loader: &BatchLoader,
    observe: impl FnMut() -> ControlFlow<()>,
) -> Result<ControlFlow<(), Evaluation>, DataError>
where
    G: GradientEstimator<AnyField, AnyCost> + Clone,
{
    let judged = judge(learner, loader, observe, |_| {})?;
    Ok(judged.map_continue(|(evaluation, _)| evaluation))
}

/// Like [`evaluate_observed`], and tells the class that each example is taken for; of other targets nothing.
///
/// # Errors
/// As for [`evaluate`].
pub fn evaluate_classes<G>(
    learner: &AnyLearner<G>,
    loader: &BatchLoader,
    observe: impl FnMut() -> ControlFlow<()>,
) -> Result<ControlFlow<(), (Evaluation, Vec<Classified>)>, DataError>
where
    G: GradientEstimator<AnyField, AnyCost> + Clone,
{
    let has_classes = loader.target_kind().is_none();
    let mut pairs = Vec::new();
    let judged = judge(learner, loader, observe, |output| {
        if has_classes {
            let classes = [&output.target, &output.scores].map(|rows| rows.clone().argmax(1));
            pairs.push(Tensor::cat(classes.to_vec(), 1));
        }
    })?;
    Ok(judged.map_continue(|(evaluation, _)| {
        let mut classified = Vec::with_capacity(evaluation.n_examples);
        for pairs in pairs {
            let pairs = pairs.into_data();
            let mut classes = pairs.iter::<i64>().map(|class| class as usize);
            while let (Some(class), Some(found)) = (classes.next(), classes.next()) {
                classified.push(Classified { class, found });
            }
        }
        (evaluation, classified)
    }))
}

/// Evaluates a learner, as a whole and on each example.
fn judge<G>(
    learner: &AnyLearner<G>,
    loader: &BatchLoader,
    mut observe: impl FnMut() -> ControlFlow<()>,
    mut look: impl FnMut(&EquilibriumOutput),
) -> Result<ControlFlow<(), (Evaluation, Vec<bool>)>, DataError>
where
    G: GradientEstimator<AnyField, AnyCost> + Clone,
{
    let model = learner.valid();
    let mut tally = Tally::new(LOOSE_TOLERANCE, Sums::default())
        .keeping_examples()
        .of_targets(loader.target_kind(), &UnfinishedEpoch::default());
    for batch in loader.batches(0, 0) {
        if observe().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let output = InferenceStep::step(&model, batch?);
        look(&output);
        tally.add(output);
    }
    Ok(ControlFlow::Continue(tally.evaluation()))
}
