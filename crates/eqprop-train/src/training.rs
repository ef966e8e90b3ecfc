//! A training run, epoch by epoch.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainStep};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use serde::{Deserialize, Serialize};

use crate::batch::{BatchLoader, Order};
use crate::checkpoint::{Checkpoint, CheckpointState};
use crate::config::{OrderKind, TrainingConfig};
use crate::data::Dataset;
use crate::error::{CheckpointError, TrainingError};
use crate::estimator::{EquilibriumPropagation, GradientEstimator};
use crate::learner::{EquilibriumLearner, EquilibriumOutput};
use crate::panic;
use crate::particles::Particles;
use crate::update::UpdateMonitor;

/// Batch size of evaluations.
const EVALUATION_BATCH: usize = 500;
/// A residual above this counts as not converged where the configuration has no tolerance.
const LOOSE_TOLERANCE: f64 = 1e-2;
/// Updates between two measurements of `‖ΔW‖/‖W‖`.
const UPDATES_PER_MEASUREMENT: u64 = 50;
/// What a batch showed is read back when this much time has passed: not per batch, because
/// reading waits for the device.
const READ_EVERY: Duration = Duration::from_millis(200);
/// At most so many batches wait to be read back.
const READ_AT_MOST: usize = 256;

/// A learner of any built-in network with either cost.
pub type AnyLearner<G> = EquilibriumLearner<AnyField, AnyCost, G>;

/// A training run as a [`TrainingConfig`] describes it.
pub struct Training<G: Clone + core::fmt::Debug + Send = EquilibriumPropagation> {
    config: TrainingConfig,
    learner: AnyLearner<G>,
    optimizer: ModuleOptimizer,
    scheduler: ModuleLrScheduler,
    updates: UpdateMonitor,
    train: BatchLoader,
    judge: BatchLoader,
    records: Vec<EpochRecord>,
}

/// What an epoch measured. Errors are shares of the examples, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Training error: each example is judged by its free phase, before its update.
    pub train_error: f64,
    /// Mean cost on the training examples, measured likewise.
    pub train_cost: f64,
    /// Error on the test examples (the validation examples, if some are held out) at the end
    /// of the epoch.
    pub test_error: f64,
    /// Mean cost on these examples.
    pub test_cost: f64,
    /// Mean energy at the end of the free phases of the training, if there is an energy.
    pub energy: Option<f64>,
    /// Mean residual at the end of the free phases of the training.
    pub residual: f64,
    /// Share of the training examples whose residual was above the tolerance (0.01 if there is
    /// none).
    pub unconverged: f64,
    /// Mean number of steps of the free phases of the training.
    pub free_steps: f64,
    /// Seconds of training, without the evaluation.
    pub seconds: f64,
    /// Of these, seconds in the gradient estimator.
    pub seconds_estimating: f64,
    /// Of these, seconds in the optimizer.
    pub seconds_optimizing: f64,
    /// `‖ΔW‖/‖W‖` of each parameter, mean of the updates of the epoch that were measured: the
    /// first and every 50th after it.
    pub update_ratios: Vec<(String, f64)>,
}

/// Where an epoch stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Training examples done in this epoch.
    pub n_done: usize,
    /// Training examples of an epoch.
    pub n_total: usize,
    /// Training error so far.
    pub train_error: f64,
}

/// The error and mean cost on a set of examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Share of the examples that are classified wrongly, in [0, 1].
    pub error: f64,
    /// Mean cost.
    pub cost: f64,
    /// Mean residual at the end of the free phase.
    pub residual: f64,
    /// Number of examples.
    pub n_examples: usize,
}

impl EpochRecord {
    /// Whether everything measured is finite: JSON has no other numbers.
    fn is_finite(&self) -> bool {
        let ratios = self.update_ratios.iter().map(|(_, ratio)| *ratio);
        let means = [self.train_cost, self.test_cost, self.residual];
        ratios.chain(means).chain(self.energy).all(f64::is_finite)
    }
}

impl Training {
    /// A new run by equilibrium propagation, on `device`.
    ///
    /// # Errors
    /// As [`with_estimator`](Self::with_estimator).
    pub fn new(
        config: TrainingConfig,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        let estimator = config.estimator();
        Self::with_estimator(config, estimator, dataset, device)
    }
}

impl<G: GradientEstimator<AnyField, AnyCost>> Training<G> {
    /// A new run with another way to estimate the gradient.
    ///
    /// # Errors
    /// If the configuration cannot work, or not with this data set: if images have another size, a
    /// class that the network does not know or another number of classes, or if no example is left
    /// to train on or to judge by.
    pub fn with_estimator(
        config: TrainingConfig,
        estimator: G,
        dataset: &Dataset,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        config.validate()?;
        config.check_examples(&dataset.train)?;
        config.check_examples(&dataset.test)?;
        let train = dataset
            .train
            .clone()
            .take(config.n_train.unwrap_or(usize::MAX));
        let n_train = train.len();
        let (train, validation) = train.split_tail(config.n_validation);
        if train.is_empty() {
            return Err(TrainingError::NothingToTrainOn {
                n_train,
                n_validation: config.n_validation,
            });
        }
        let judge = if validation.is_empty() {
            &dataset.test
        } else {
            &validation
        };
        if judge.is_empty() {
            return Err(TrainingError::NothingToJudgeBy);
        }
        let order = match config.order {
            OrderKind::Shuffled => Order::Shuffled { seed: config.seed },
            OrderKind::Sequential => Order::Sequential,
        };
        let network = config.network(device);
        network.check_nudging(config.nudging())?;
        let updates = UpdateMonitor::new(UPDATES_PER_MEASUREMENT);
        let mut learner = EquilibriumLearner::new(network, estimator)
            .with_start(config.start, train.len())
            .with_update_monitor(updates.clone());
        if let Some(max_norm) = config.gradient_clip {
            learner = learner.with_max_gradient_norm(max_norm);
        }
        let train = BatchLoader::new(&train, config.batch_size, order, device)
            .with_augmentation(config.augmentation)
            .with_augmentation_seed(config.seed);
        Ok(Self {
            optimizer: config.optimizer(),
            scheduler: config.learning_rate(train.n_batches()),
            judge: BatchLoader::new(judge, EVALUATION_BATCH, Order::Sequential, device),
            // Burn's optimizers want parameters that know autodiff.
            learner: learner.train(),
            updates,
            train,
            records: Vec::new(),
            config,
        })
    }

    /// Goes on where `checkpoint` was written.
    ///
    /// # Errors
    /// If the checkpoint is of another network, or not one of a training.
    pub fn restore(mut self, checkpoint: Checkpoint) -> Result<Self, CheckpointError> {
        let mismatch = |name: &str| {
            let path = name.into();
            move |source| CheckpointError::Record { path, source }
        };
        let learner = self.learner.try_load_record(checkpoint.model);
        self.learner = learner.map_err(mismatch("model.bpk"))?;
        // Burn's optimizers and schedules have no other way to refuse a record.
        let unfit = |name: &str| {
            let path = name.into();
            move |reason| CheckpointError::Unfit { path, reason }
        };
        let (optimizer, scheduler) = (self.optimizer, self.scheduler);
        self.optimizer = panic::catch(|| optimizer.load_record(checkpoint.optimizer))
            .map_err(unfit("optimizer.bpk"))?;
        self.scheduler = panic::catch(|| scheduler.load_record(checkpoint.scheduler))
            .map_err(unfit("scheduler.bpk"))?;
        if let (Some(particles), Some(record)) = (self.learner.particles(), checkpoint.particles) {
            particles
                .load_record(record)
                .map_err(mismatch("particles.bpk"))?;
        }
        self.records = checkpoint.state.records;
        Ok(self)
    }

    /// The run as it stands after the last finished epoch.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            state: CheckpointState {
                config: self.config.clone(),
                records: self.records.clone(),
            },
            model: self.learner.clone().into_record(),
            optimizer: self.optimizer.to_record(),
            scheduler: self.scheduler.to_record(),
            particles: self.learner.particles().map(Particles::to_record),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The learner.
    pub fn learner(&self) -> &AnyLearner<G> {
        &self.learner
    }

    /// What the finished epochs measured.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// Number of training examples.
    pub fn n_examples(&self) -> usize {
        self.train.num_items()
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.records.len() >= self.config.epochs
    }

    /// Trains one epoch and evaluates it. `observe` is called a few times per second; when it
    /// breaks, the epoch is abandoned and `None` returned.
    ///
    /// An epoch that does not end leaves the run as it stood before: it can be run again, and a
    /// [`checkpoint`](Self::checkpoint) is that of the epoch before.
    ///
    /// # Errors
    /// If the cost becomes infinite or not a number.
    pub fn run_epoch(
        &mut self,
        mut observe: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochRecord>, TrainingError> {
        let done = self.records.len();
        let epoch = done + 1;
        let n_batches = self.train.n_batches();
        self.train.set_epoch(done as u64);
        self.learner.estimator().resume((done * n_batches) as u64);
        // Each epoch measures the same updates, whether or not the run was resumed before it.
        self.updates.restart();
        // Each epoch starts as one after a resume does.
        if let Some(warm) = self.learner.warm_start() {
            warm.forget();
        }

        let tolerance = self.config.tolerance.unwrap_or(LOOSE_TOLERANCE);
        let mut tally = Tally::new(tolerance);
        let (mut estimating, mut optimizing) = (Duration::ZERO, Duration::ZERO);
        // Until the epoch ends, all that it changes is a copy. The learner moves through the loop, so
        // that its optimizer may update in place.
        let mut learner = self.learner.clone();
        if let Some(particles) = self.learner.particles() {
            learner = learner.with_particles(particles.copied());
        }
        let mut optimizer = self.optimizer.clone();
        let mut scheduler = self.scheduler.clone();
        let start = Instant::now();
        for batch in self.train.iter() {
            let batch = batch.expect("examples in memory can always be read");
            let clock = Instant::now();
            let output = TrainStep::step(&learner, batch);
            estimating += clock.elapsed();

            let clock = Instant::now();
            let rate = scheduler.step();
            learner = learner.optimize(&mut optimizer, rate, output.grads);
            optimizing += clock.elapsed();

            if tally.add(output.item) {
                if !tally.sums.cost.is_finite() {
                    return Err(TrainingError::Diverged { epoch });
                }
                let progress = Progress {
                    n_done: tally.n_examples,
                    n_total: self.train.num_items(),
                    train_error: tally.mean(tally.sums.errors),
                };
                if observe(progress).is_break() {
                    return Ok(None);
                }
            }
        }
        tally.read();
        let seconds = start.elapsed().as_secs_f64();
        if !tally.sums.cost.is_finite() {
            return Err(TrainingError::Diverged { epoch });
        }
        let test = evaluate(&learner, &self.judge);
        let record = EpochRecord {
            epoch,
            train_error: tally.mean(tally.sums.errors),
            train_cost: tally.mean(tally.sums.cost),
            test_error: test.error,
            test_cost: test.cost,
            energy: tally.sums.energy.map(|sum| tally.mean(sum)),
            residual: tally.mean(tally.sums.residual),
            unconverged: tally.mean(tally.sums.unconverged),
            free_steps: tally.mean(tally.sums.steps),
            seconds,
            seconds_estimating: estimating.as_secs_f64(),
            seconds_optimizing: optimizing.as_secs_f64(),
            update_ratios: self.updates.take_mean(),
        };
        if !record.is_finite() {
            // The last update of the epoch went wrong: keep it out of the checkpoints.
            return Err(TrainingError::Diverged { epoch });
        }
        (self.learner, self.optimizer, self.scheduler) = (learner, optimizer, scheduler);
        self.records.push(record.clone());
        Ok(Some(record))
    }
}

/// Judges a learner by all examples of `loader`.
pub fn evaluate<G>(learner: &AnyLearner<G>, loader: &BatchLoader) -> Evaluation
where
    G: GradientEstimator<AnyField, AnyCost>,
{
    let model = learner.valid();
    let mut tally = Tally::new(LOOSE_TOLERANCE);
    for batch in loader.iter() {
        let batch = batch.expect("examples in memory can always be read");
        tally.add(InferenceStep::step(&model, batch));
    }
    tally.read();
    Evaluation {
        error: tally.mean(tally.sums.errors),
        cost: tally.mean(tally.sums.cost),
        residual: tally.mean(tally.sums.residual),
        n_examples: tally.n_examples,
    }
}

/// Sums over the examples seen so far; outputs wait on the device until some time has passed.
struct Tally {
    tolerance: f64,
    waiting: Vec<EquilibriumOutput>,
    last_read: Instant,
    n_examples: usize,
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    errors: f64,
    cost: f64,
    energy: Option<f64>,
    residual: f64,
    unconverged: f64,
    steps: f64,
}

impl Tally {
    fn new(tolerance: f64) -> Self {
        Self {
            tolerance,
            waiting: Vec::new(),
            last_read: Instant::now(),
            n_examples: 0,
            sums: Sums::default(),
        }
    }

    /// Adds what a batch showed; true if the sums were brought up to date.
    fn add(&mut self, output: EquilibriumOutput) -> bool {
        self.waiting.push(output);
        let due = self.waiting.len() >= READ_AT_MOST || self.last_read.elapsed() >= READ_EVERY;
        if due {
            self.read();
        }
        due
    }

    fn read(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.last_read = Instant::now();
        if waiting.is_empty() {
            return;
        }
        for output in &waiting {
            self.sums.steps += (output.n_steps * output.cost.dims()[0]) as f64;
        }
        let scores = join(&waiting, |output| &output.scores);
        let predicted = scores.argmax(1);
        let wanted = join(&waiting, |output| &output.target).argmax(1);
        let cost = join(&waiting, |output| &output.cost);
        let residual = join(&waiting, |output| &output.residual);
        // NaN compares as false, and a state that is not a number has not converged.
        let within = residual.clone().lower_equal_elem(self.tolerance).float();
        self.n_examples += cost.dims()[0];
        self.sums.errors += sum(predicted.not_equal(wanted).float());
        self.sums.unconverged += cost.dims()[0] as f64 - sum(within);
        add(&mut self.sums.cost, cost);
        let energy: Option<Vec<_>> = waiting.iter().map(|output| output.energy.clone()).collect();
        if let Some(energy) = energy {
            let sum = self.sums.energy.get_or_insert(0.0);
            add(sum, Tensor::cat(energy, 0));
        }
        add(&mut self.sums.residual, residual);
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.n_examples as f64
    }
}

fn join<const D: usize>(
    outputs: &[EquilibriumOutput],
    part: impl Fn(&EquilibriumOutput) -> &Tensor<D>,
) -> Tensor<D> {
    Tensor::cat(
        outputs.iter().map(|output| part(output).clone()).collect(),
        0,
    )
}

/// Adds the values one after the other, so that the sum does not depend on how many batches
/// are read back at once, which is a matter of time.
fn add(sum: &mut f64, values: Tensor<1>) {
    for value in values.into_data().iter::<f64>() {
        *sum += value;
    }
}

fn sum<const D: usize>(values: Tensor<D>) -> f64 {
    values.sum().into_scalar::<f64>()
}
