//! The time of a search, and the work that fits into it.

use std::time::Instant;

use eqprop_bench::tuning::{FINALISTS, Plan, steps_of};
use eqprop_train::config::TrainingConfig;

use super::stored::{Budget, Stored};

/// The largest share of the time for the confirmation, which trains two networks per seed.
const CONFIRMATION: f64 = 0.4;
/// The same share as long as nothing better than the start was found.
const LATE_CONFIRMATION: f64 = 0.2;
/// The ratio of the time of a confirmation to that of its updates: data are loaded, and other work runs
/// beside it.
const SLACK: f64 = 1.15;
/// The fewest updates of a full training.
const LEAST_UPDATES: usize = 50;

/// The time that a search has taken.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    before: f64,
}

/// Shortens the full trainings of `plan` so that the whole confirmation fits: to fewer epochs, or to fewer
/// examples in one epoch.
pub fn shorten(
    budget: &Budget,
    plan: Plan,
    config: &TrainingConfig,
    [n_train, n_test]: [usize; 2],
    seconds_per_step: f64,
) -> Plan {
    let Some(seconds) = budget.seconds() else {
        return plan;
    };
    let training = CONFIRMATION * seconds / (2.0 * budget.seeds as f64 * SLACK);
    let per_example = seconds_per_step * steps_of(config) as f64;
    let epoch = epoch(config, [n_train, n_test], seconds_per_step);
    let epochs = (training / epoch) as usize;
    if epochs > 0 {
        return Plan::new(config, n_train, config.epochs.min(epochs));
    }
    let plan = Plan::new(config, n_train, 1);
    let fitting = (training / per_example) as usize;
    let least = LEAST_UPDATES * config.batch_size;
    let n_trained = fitting.max(least);
    match n_trained < n_train.saturating_sub(plan.n_validation) {
        true => plan.with_n_train(n_trained),
        false => plan,
    }
}

/// Returns the seconds of an epoch and of the test after it, which needs only free phases.
fn epoch(config: &TrainingConfig, [n_train, n_test]: [usize; 2], seconds_per_step: f64) -> f64 {
    let steps = n_train * steps_of(config) + n_test * config.phases.free_steps;
    (seconds_per_step * steps as f64).max(1e-6)
}

impl Clock {
    /// Creates the clock of a search that took `before` seconds in earlier processes.
    pub fn begin(before: f64) -> Self {
        Self {
            start: Instant::now(),
            before,
        }
    }

    /// Returns the seconds of the whole search.
    pub fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }

    /// Whether the remaining time is needed to repeat the best trials and for the confirmation.
    pub fn is_search_over(&self, stored: &Stored) -> bool {
        let Some(seconds) = stored.budget.seconds() else {
            return false;
        };
        let training = training_seconds(stored);
        let plan = &stored.tuning.plan;
        let closing = (FINALISTS * plan.more_seeds) as f64 * training;
        let confirmation = 2.0 * stored.budget.seeds as f64 * training * SLACK;
        let most = match stored.tuning.best() {
            Some(best) if best.number > 0 => CONFIRMATION,
            // As long as there is nothing to confirm: a late confirmation has fewer seeds.
            _ => LATE_CONFIRMATION,
        };
        self.seconds() + closing.min(0.2 * seconds) + confirmation.min(most * seconds) >= seconds
    }

    /// Returns the number of seeds for which there is time in the confirmation: all of them, or as many as
    /// carry a verdict.
    pub fn seeds(&self, stored: &Stored) -> usize {
        let (wanted, least) = (stored.budget.seeds, 3);
        let Some(seconds) = stored.budget.seconds() else {
            return wanted;
        };
        let pair = 2.0 * training_seconds(stored) * SLACK;
        let fitting = ((seconds - self.seconds()) / pair) as usize;
        fitting.clamp(least.min(wanted), wanted)
    }
}

/// Returns the seconds of a full training with the starting configuration.
fn training_seconds(stored: &Stored) -> f64 {
    let (plan, start) = (&stored.tuning.plan, &stored.tuning.start);
    // The full trainings so far give the best estimate.
    let whole = plan.last_rung() - 1;
    let first = stored.tuning.trials.first();
    let measured = first
        .filter(|first| first.at(whole).is_some())
        .map(|first| {
            let rungs = first
                .measured
                .iter()
                .filter(|measured| measured.rung <= whole);
            rungs.map(|measured| measured.seconds).sum::<f64>()
        });
    measured.unwrap_or_else(|| {
        let n_train = plan.n_train.unwrap_or(0);
        stored.seconds_per_step * (steps_of(start) * n_train * plan.epochs) as f64
    })
}
