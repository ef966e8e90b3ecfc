//! Compares the result of a search with its start, on the test examples.

use std::ops::ControlFlow;

use anyhow::Result;
use eqprop_bench::comparison::{Checkpoints, Comparison, Event, NamedConfig, Plan};
use eqprop_bench::method::Method;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;

use super::clock::Clock;
use super::keeper::Keeper;
use super::progress::Display;
use super::stored::Stored;
use crate::device::NamedDevice;

/// The names of the two arms.
pub const SIDES: [&str; 2] = ["start", "tuned"];

/// Trains both with seeds that the search has not seen, if there are two. Breaks if `stop` returns true.
///
/// # Errors
/// If a training cannot be set up or saved.
pub fn run(
    keeper: &mut Keeper,
    dataset: &Dataset,
    device: &NamedDevice,
    clock: &Clock,
    display: &Display,
    stop: impl Fn() -> bool,
) -> Result<ControlFlow<()>> {
    let comparison = match &keeper.stored.confirmation {
        Some(comparison) => comparison.clone(),
        None => match begin(&keeper.stored, dataset, clock)? {
            Some(comparison) => comparison,
            None => return Ok(ControlFlow::Continue(())),
        },
    };
    let mut comparison = comparison;
    keeper.stored.confirmation = Some(comparison.clone());
    keeper.spend(clock)?;
    if comparison.n_left() > 0 {
        display.say(&format!(
            "confirming with {} seeds that the search has not seen",
            comparison.seeds.len()
        ));
    }
    let checkpoints = Checkpoints::new(keeper.checkpoints());
    let mut unwritten = None;
    let flow = comparison.train(
        |_| dataset,
        &device.device,
        Some(&checkpoints),
        |event| {
            match event {
                Event::Batch { run, epoch, .. } => {
                    let (arm, seed) = (&run.arm, run.seed);
                    display.announce(&format!("seed {seed}, {arm}, epoch {epoch}"));
                    display.add(0.0, clock);
                }
                Event::Epoch {
                    run, comparison, ..
                } => {
                    let epochs = comparison.epochs_of(&run.arm).max(1);
                    display.add(1.0 / epochs as f64, clock);
                    if comparison.has_ended(run) {
                        keeper.stored.confirmation = Some(comparison.clone());
                        unwritten = keeper.spend(clock).err();
                    }
                }
                Event::Unsaved { .. } => {}
            }
            match stop() || unwritten.is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    )?;
    if let Some(error) = unwritten {
        return Err(error);
    }
    keeper.stored.confirmation = Some(comparison);
    keeper.spend(clock)?;
    if let Some(comparison) = &keeper.stored.confirmation {
        checkpoints.remove_ended(comparison);
    }
    Ok(flow)
}

/// Sets up a confirmation, if the search found something.
fn begin(stored: &Stored, dataset: &Dataset, clock: &Clock) -> Result<Option<Comparison>> {
    let tuning = &stored.tuning;
    let Some(best) = tuning.best().filter(|best| best.number > 0) else {
        return Ok(None);
    };
    let plan = &tuning.plan;
    let confirmed = |values: &[f64]| {
        let mut config = plan.searched(tuning.space.apply(&tuning.start, values));
        // The examples held out for the choice are now trained on, unless there are no others to judge by.
        if !dataset.test.is_empty() {
            config.data.n_validation = 0;
        }
        // Seeds after those of the search.
        config.seed = config.seed.wrapping_add(1 + plan.more_seeds as u64);
        config
    };
    let configs = [confirmed(&tuning.space.start()), confirmed(&best.values)];
    let mut comparison = Plan::new(configs[0].clone(), vec![Method::Eqprop]);
    let named = SIDES.into_iter().zip(configs);
    let named = named.map(|(name, config): (&str, TrainingConfig)| NamedConfig {
        name: name.to_string(),
        config,
    });
    comparison.presets = named.collect();
    Ok(Some(Comparison::of(comparison, clock.seeds(stored))?))
}
