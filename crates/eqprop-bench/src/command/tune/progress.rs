//! The progress of a search.

use std::cell::Cell;

use eqprop_bench::tuning::{Job, Plan};

use super::clock::Clock;
use super::stored::{Budget, Stored};
use crate::output::Measure;
use crate::progress::Bar;

/// Resolution of the bar: parts of a second, or of a full training.
const PARTS: f64 = 1000.0;

/// Shows the progress of a search on standard error: by time, or by trials if the time is not limited.
#[derive(Debug)]
pub struct Display {
    bar: Bar,
    length: usize,
    is_timed: bool,
    /// Number of finished full trainings, if the time is not limited.
    done: Cell<f64>,
}

impl Display {
    /// Creates a display for a search with `budget`.
    pub fn new(budget: &Budget) -> Self {
        let length = match budget.seconds() {
            Some(seconds) => seconds,
            // A third of the trials go on, and a third of these.
            None => {
                let trials = budget.trials.unwrap_or(1) as f64;
                trials * (1.0 / 9.0 + 2.0 / 27.0 + 2.0 / 27.0) + 6.0 + 2.0 * budget.seeds as f64
            }
        };
        let length = (PARTS * length) as usize;
        Self {
            bar: Bar::new(length, "{msg}  {eta} left"),
            length,
            is_timed: budget.seconds().is_some(),
            done: Cell::new(0.0),
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.say(line);
    }

    /// Announces the current work.
    pub fn announce(&self, what: &str) {
        self.bar.announce(what);
    }

    /// Announces the start of a job.
    pub fn begin(&self, stored: &Stored, job: Job) {
        let plan = &stored.tuning.plan;
        let what = match job.rung == plan.last_rung() {
            true => "with other seeds".to_string(),
            false => format!("to {}", plan.length(job.rung)),
        };
        let best = stored.tuning.best().and_then(|best| best.last());
        let measure = Measure::of(&stored.tuning.start.data.dataset);
        let best = best.map_or(String::new(), |best| {
            format!(", best {}", measure.text(best.error()))
        });
        self.bar
            .announce(format_args!("trial {} {what}{best}", job.trial));
    }

    /// Shows that a part of a job is done.
    pub fn show(&self, stored: &Stored, job: Job, part: f64, clock: &Clock) {
        let now = self.done.get() + part * length(&stored.tuning.plan, job.rung);
        self.move_to(if self.is_timed { clock.seconds() } else { now });
    }

    /// Shows that a job is done.
    pub fn end(&self, stored: &Stored, job: Job, clock: &Clock) {
        let tuning = &stored.tuning;
        self.add(length(&tuning.plan, job.rung), clock);
        let trial = &tuning.trials[job.trial];
        if let Some(failure) = &trial.failure {
            self.bar
                .say_at_times(format_args!("trial {} failed: {failure}", job.trial));
            return;
        }
        let Some(measured) = trial.last() else {
            return;
        };
        let measure = Measure::of(&tuning.start.data.dataset);
        let line = format!(
            "trial {:>3}: {} {} after {}",
            job.trial,
            measure.name_on("validation"),
            measure.text(measured.error()),
            match measured.errors.len() {
                1 => tuning.plan.length(job.rung),
                n => format!("{} with {n} seeds", tuning.plan.length(job.rung - 1)),
            }
        );
        // Full trainings are few.
        match job.rung + 1 >= tuning.plan.last_rung() {
            true => self.bar.say(line),
            false => self.bar.say_at_times(line),
        }
    }

    /// Adds finished work, in full trainings.
    pub fn add(&self, trainings: f64, clock: &Clock) {
        self.done.set(self.done.get() + trainings);
        self.move_to(if self.is_timed {
            clock.seconds()
        } else {
            self.done.get()
        });
    }

    fn move_to(&self, place: f64) {
        let place = ((PARTS * place) as usize).min(self.length);
        self.bar.move_to(place);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// Returns the length of a job at this rung, in full trainings.
fn length(plan: &Plan, rung: usize) -> f64 {
    match plan.rungs.get(rung) {
        None => plan.more_seeds as f64,
        Some(part) => part - rung.checked_sub(1).map_or(0.0, |before| plan.rungs[before]),
    }
}
