//! A first look: the time of a step, and the steps and β that fidelity recommends.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Result;
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_bench::fidelity::FidelityConfig;
use eqprop_bench::tuning::{Guess, steps_of};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::record;
use eqprop_train::training::Training;

use super::clock::Clock;
use super::progress::Display;
use super::stored::Budget;
use crate::device::NamedDevice;
use crate::interrupt::Interrupt;

/// Number of training examples in the first look: the gradient of an untrained network would be different.
const EXAMPLES: usize = 2000;
/// Number of updates before the clock counts.
const WARM_UP: usize = 3;
/// The largest share of the time for this training.
const SHARE: f64 = 0.04;
/// Number of examples on which fidelity is measured.
const BATCH: usize = 16;
/// The values of β that fidelity tries.
const BETAS: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
/// A rough estimate of its cost, in free phases of these examples.
const PHASES: f64 = 5000.0;
/// The largest share of the time for fidelity.
const FIDELITY_SHARE: f64 = 0.1;
/// The number of free-phase steps above which fidelity is left out, if the time is not limited.
const MOST_STEPS: usize = 200;

/// The result of the first look.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// Seconds per step and example, including all other work of a training.
    pub seconds_per_step: f64,
    /// The recommended steps and β.
    pub guess: Option<Guess>,
}

/// Trains briefly and examines the gradient; returns `None` if it was interrupted.
///
/// # Errors
/// If the configuration cannot be trained.
pub fn look(
    mut training: Training,
    dataset: &Dataset,
    device: &NamedDevice,
    budget: &Budget,
    clock: &Clock,
    display: &Display,
    interrupt: &Interrupt,
) -> Result<Option<Looked>> {
    display.announce("a first look");
    let (mut since, mut n_timed) = (None, 0);
    let mut seconds = 0.0;
    let most = budget.seconds().map(|seconds| SHARE * seconds);
    training.run_epoch(|progress| {
        let begin = *since.get_or_insert_with(|| (Instant::now(), progress.n_done));
        if progress.n_updates <= WARM_UP {
            since = None;
        } else {
            (seconds, n_timed) = (begin.0.elapsed().as_secs_f64(), progress.n_done - begin.1);
        }
        let is_late = most.is_some_and(|most| clock.seconds() > most);
        match interrupt.is_set() || is_late || progress.n_done >= EXAMPLES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if interrupt.is_set() {
        return Ok(None);
    }
    let config = training.config();
    let steps = steps_of(config).max(1);
    let seconds_per_step = match n_timed {
        // For an epoch of only a few updates.
        0 => clock.seconds() / (training.n_examples().min(EXAMPLES) * steps) as f64,
        n => seconds / (n * steps) as f64,
    };
    let examined = PHASES * (BATCH * config.phases.free_steps) as f64 * seconds_per_step;
    let is_affordable = match budget.seconds() {
        Some(seconds) => examined <= FIDELITY_SHARE * seconds,
        None => config.phases.free_steps <= MOST_STEPS,
    };
    let guess = match is_affordable {
        true => recommended(&training, dataset, device, display),
        false => None,
    };
    Ok(Some(Looked {
        seconds_per_step,
        guess,
    }))
}

/// Returns the recommendation of fidelity, if there is an exact gradient to compare with and anything
/// suffices.
fn recommended(
    training: &Training,
    dataset: &Dataset,
    device: &NamedDevice,
    display: &Display,
) -> Option<Guess> {
    let config = training.config();
    let network = network(config, training.checkpoint().model, device)?;
    let examples = dataset.train.clone().take(BATCH);
    let loader = BatchLoader::new(&examples, BATCH, Order::Sequential, &device.device);
    let batches: Vec<Batch> = loader.iter().filter_map(Result::ok).collect();
    let examination = FidelityConfig::new()
        .with_betas(BETAS.to_vec())
        .with_stepwise_steps(1);
    let estimator = config.estimator();
    let found = examination.examine(&network, &estimator, &batches, |progress| {
        display.announce(progress.what);
    });
    // The search goes on without it: some networks have no such gradient.
    let found = found.ok()?.recommendation.enough?;
    Some(Guess {
        free_steps: found.free_steps,
        nudged_steps: found.nudged_steps,
        beta: found.beta,
    })
}

/// Builds the network with the parameters of `model`.
fn network(
    config: &TrainingConfig,
    model: ModuleRecord,
    device: &NamedDevice,
) -> Option<EquilibriumNetwork<AnyField, AnyCost>> {
    let network = config.network(&device.device);
    let learner = EquilibriumLearner::new(network, config.estimator());
    Some(record::load(learner, model).ok()?.valid().network)
}
