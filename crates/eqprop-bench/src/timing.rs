//! The cost of a training step: total time, time by phase, and memory.
//!
//! Methods are timed side by side and take turns in every round, so that other load on the machine affects
//! them all alike. Every time is that of finished work, because the clock includes waiting for the device.

mod cost;
mod growth;
mod phase_clock;
mod spread;
mod subject;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::memory::peak_of;
use crate::method::{Method, MethodError, MethodOptions};
pub use cost::{Phases, StepCost, Timed};
pub use growth::MemoryGrowth;
use phase_clock::{PhaseClock, sync};
pub use spread::Spread;
use subject::Subject;

/// Steps of each method before the first timed one: the first compiles kernels and fills caches and pools,
/// the second is already typical.
const WARM_UP_ROUNDS: usize = 2;
/// Steps of each method in a round: one to warm the caches, one timed as a whole, one timed by phase.
const STEPS_PER_ROUND: usize = 3;

/// Progress of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct TimingProgress {
    /// Number of training steps done, over all methods.
    pub n_done: usize,
    /// Number of training steps to do.
    pub n_total: usize,
}

/// Times a training step of each method.
///
/// A step is what a training does for each mini-batch: Burn's `TrainStep::step` of the learner, the learning
/// rate and `TrainStep::optimize`. All methods see the same batch, the first of `examples`; if there are none
/// or too few, inputs are uniform in `[0, 1]` and targets random, drawn from `config.seed`. Each method
/// trains its own network, from the same initial weights. A tolerance in `config` ends phases early, after a
/// number of steps that depends on the input: clear it to time all steps.
///
/// # Errors
/// If a method cannot run on the network of `config`; nothing is timed then.
///
/// # Panics
/// If `rounds` is 0, [`TrainingConfig::validate`] fails, or the device fails.
pub fn measure(
    config: &TrainingConfig,
    methods: &[Method],
    rounds: usize,
    examples: Option<&Examples>,
    device: &Device,
) -> Result<Vec<StepCost>, MethodError> {
    let costs = measure_observed(config, methods, rounds, examples, device, |_| {
        ControlFlow::Continue(())
    })?;
    Ok(costs.expect("the observer goes on to the end"))
}

/// Does the same as [`measure`], and calls `observe` after every training step, outside the clock. When
/// `observe` breaks, the measurement is abandoned and `None` returned.
///
/// # Errors
/// As [`measure`].
///
/// # Panics
/// As [`measure`].
pub fn measure_observed(
    config: &TrainingConfig,
    methods: &[Method],
    rounds: usize,
    examples: Option<&Examples>,
    device: &Device,
    observe: impl FnMut(TimingProgress) -> ControlFlow<()>,
) -> Result<Option<Vec<StepCost>>, MethodError> {
    let options = MethodOptions::default();
    let trainings = methods.iter().map(|&method| Timed {
        config,
        method,
        options: &options,
        examples,
    });
    measure_trainings(&trainings.collect::<Vec<_>>(), rounds, device, observe)
}

/// Does the same as [`measure_observed`], for trainings that may differ in more than their method.
///
/// # Errors
/// As [`measure`].
///
/// # Panics
/// As [`measure`].
pub fn measure_trainings(
    trainings: &[Timed<'_>],
    rounds: usize,
    device: &Device,
    observe: impl FnMut(TimingProgress) -> ControlFlow<()>,
) -> Result<Option<Vec<StepCost>>, MethodError> {
    assert!(rounds > 0, "rounds must be at least 1, but is 0");
    let n_steps = rounds
        .saturating_mul(STEPS_PER_ROUND)
        .saturating_add(WARM_UP_ROUNDS + 1);
    let subjects = trainings.iter().map(|timed| {
        let batch = batch(timed.config, timed.examples, device);
        Subject::new(timed, batch, n_steps, device)
    });
    let subjects = subjects.collect::<Result<Vec<_>, _>>()?;
    let mut bench = Bench {
        device,
        progress: TimingProgress {
            n_done: 0,
            n_total: n_steps.saturating_mul(subjects.len()),
        },
        subjects,
        observe,
    };
    Ok(bench.run(rounds).is_continue().then(|| {
        let subjects = bench.subjects.into_iter().zip(trainings);
        let costs = subjects.map(|(subject, timed)| subject.cost(timed.config));
        costs.collect()
    }))
}

/// Returns the first examples, or random ones if there are too few or they cannot be read.
fn batch(config: &TrainingConfig, examples: Option<&Examples>, device: &Device) -> Batch {
    let n = config.batch_size;
    let first = examples.filter(|examples| examples.len() >= n);
    let first = first.and_then(|examples| examples.clone().take(n).in_memory().ok());
    let Some(first) = first else {
        return random_batch(config, device);
    };
    let loader = BatchLoader::new(&first, n, Order::Sequential, device);
    let batch = loader.iter().next().expect("there are as many examples");
    batch.expect("examples in memory can always be read")
}

/// Draws inputs uniform in `[0, 1]` and random one-hot targets, or quantities uniform in `[−1, 1]`, on the
/// host, so that they are the same on every device.
fn random_batch(config: &TrainingConfig, device: &Device) -> Batch {
    let (n, n_outputs) = (config.batch_size, config.data.dataset.n_outputs());
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let n_inputs = config.energy().input.n_units();
    let uniform = Distribution::Uniform(0.0, 1.0);
    let input = TensorData::random::<f32, _, _>([n, n_inputs], uniform, &mut rng);
    let mut target = vec![0f32; n * n_outputs];
    for row in target.chunks_exact_mut(n_outputs) {
        match config.data.dataset.quantities() {
            None => row[rng.random_range(0..n_outputs)] = 1.0,
            Some(_) => row.fill_with(|| rng.random_range(-1.0..1.0)),
        }
    }
    Batch {
        input: Tensor::from_data(input, device),
        target: Tensor::from_data(TensorData::new(target, [n, n_outputs]), device),
        indices: Some((0..n).collect()),
    }
}

/// Returns the order in which `n` methods take their turns in a round: a different one starts each round.
fn turns(n: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..n).map(move |turn| (round + turn) % n)
}

/// Returns the seconds that `work` takes, with the device idle before and after.
pub(crate) fn seconds_of(device: &Device, work: impl FnOnce()) -> f64 {
    sync(device);
    let start = Instant::now();
    work();
    sync(device);
    start.elapsed().as_secs_f64()
}

/// Measures [`StepCost::peak_memory`].
fn peak_memory(device: &Device, step: impl FnOnce()) -> Option<usize> {
    let step = || {
        step();
        sync(device);
    };
    sync(device);
    if device.memory_pool_usage().is_none() {
        let ((), peak) = peak_of(step);
        return (peak > 0).then_some(peak);
    }
    // Pools keep every page they ever needed, so pages left empty by earlier steps are released first.
    device.memory_cleanup();
    sync(device);
    let in_use = device.memory_pool_usage()?.bytes_in_use;
    step();
    let reserved = device.memory_pool_usage()?.bytes_reserved;
    usize::try_from(reserved.saturating_sub(in_use)).ok()
}

/// The trainings to time, each on one batch.
struct Bench<'a, F> {
    subjects: Vec<Subject>,
    device: &'a Device,
    progress: TimingProgress,
    observe: F,
}

impl<F: FnMut(TimingProgress) -> ControlFlow<()>> Bench<'_, F> {
    fn run(&mut self, rounds: usize) -> ControlFlow<()> {
        let n = self.subjects.len();
        let clock = PhaseClock::new(self.device);
        for round in 0..WARM_UP_ROUNDS {
            for turn in turns(n, round) {
                self.step(turn, |subject, batch, device| {
                    let (gradients, _) = clock.time(|| subject.estimate(batch));
                    subject.update(gradients);
                    sync(device);
                })?;
            }
        }
        for round in 0..rounds {
            for turn in turns(n, round) {
                // Leaves the caches as this method's own step leaves them, not another's.
                self.step(turn, |subject, batch, _| subject.step(batch))?;
                self.step(turn, |subject, batch, device| {
                    let seconds = seconds_of(device, || subject.step(batch));
                    subject.step_seconds.push(seconds);
                })?;
                self.step(turn, |subject, batch, device| {
                    let (gradients, phases) = clock.time(|| subject.estimate(batch));
                    subject.phase_seconds.push(phases);
                    let seconds = seconds_of(device, || subject.update(gradients));
                    subject.optimizer_seconds.push(seconds);
                })?;
            }
        }
        for turn in turns(n, 0) {
            self.step(turn, |subject, batch, device| {
                subject.peak_memory = peak_memory(device, || subject.step(batch));
            })?;
        }
        ControlFlow::Continue(())
    }

    /// Runs one training step of a subject, inside `measure`.
    fn step(
        &mut self,
        subject: usize,
        measure: impl FnOnce(&mut Subject, &Batch, &Device),
    ) -> ControlFlow<()> {
        let subject = &mut self.subjects[subject];
        let batch = subject.batch.clone();
        measure(subject, &batch, self.device);
        self.progress.n_done += 1;
        (self.observe)(self.progress)
    }
}
