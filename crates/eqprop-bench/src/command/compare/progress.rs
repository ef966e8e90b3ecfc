//! The progress of a comparison: a bar in a terminal, plain lines elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use eqprop_bench::comparison::{Comparison, Event, Run};
use indicatif::{ProgressBar, ProgressStyle};

use super::data::ArmData;
use super::estimate::n_examples;
use crate::output::{Measure, held_out_errors, say};

/// Epochs longer than this, in seconds, get a line each.
const LONG_EPOCH: f64 = 2.0;
/// The bar is moved at most this often: an update may take only microseconds.
const SHOW_EVERY: Duration = Duration::from_millis(50);
/// Without a terminal, a line within a long epoch is printed at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows the progress of a comparison on standard error.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    arms: HashMap<String, Length>,
    /// The width of the longest name, in columns.
    width: usize,
    measure: Measure,
    /// The number of finished epochs of each run.
    done: RefCell<HashMap<(u64, String), usize>>,
    last_shown: Cell<Instant>,
    last_line: Cell<Instant>,
}

/// The amount of training of an arm.
#[derive(Debug, Clone, Copy)]
struct Length {
    epochs: usize,
    /// Number of examples per epoch.
    n_examples: usize,
}

impl Display {
    /// Creates a display for all trainings of `comparison`.
    pub fn new(comparison: &Comparison, data: &ArmData) -> Self {
        let arms = comparison.arms().iter().map(|arm| {
            let [n_examples, _] = n_examples(&arm.config, data.of(arm));
            let epochs = arm.config.epochs;
            (arm.name.clone(), Length { epochs, n_examples })
        });
        let arms: HashMap<String, Length> = arms.collect();
        let n_of_seed = arms
            .values()
            .map(|arm| arm.epochs.saturating_mul(arm.n_examples));
        let n_total = n_of_seed
            .fold(0, usize::saturating_add)
            .saturating_mul(comparison.seeds.len());
        let ended = comparison
            .runs
            .iter()
            .filter(|run| comparison.has_ended(run));
        let done = ended.map(|run| ((run.seed, run.arm.clone()), comparison.epochs_of(&run.arm)));
        let template = "{bar:30} {percent:>3} %  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
        let widths = arms.keys().map(|name| name.chars().count());
        let display = Self {
            bar: ProgressBar::new(n_total as u64).with_style(style),
            width: widths.fold(11, usize::max),
            measure: Measure::of(&comparison.plan.config.data.dataset),
            arms,
            done: RefCell::new(done.collect()),
            last_shown: Cell::new(Instant::now()),
            last_line: Cell::new(Instant::now()),
        };
        display.move_to(0);
        // Work done earlier says nothing about how long the rest takes.
        display.bar.reset_eta();
        display
    }

    fn epochs(&self, run: &Run) -> usize {
        self.arms.get(&run.arm).map_or(0, |arm| arm.epochs)
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            say(line);
        } else {
            self.bar.println(line);
        }
    }

    /// Shows an event.
    pub fn show(&self, event: &Event<'_>) {
        match *event {
            Event::Batch {
                run,
                epoch,
                progress,
            } => {
                if self.last_shown.get().elapsed() < SHOW_EVERY {
                    return;
                }
                self.last_shown.set(Instant::now());
                self.set_done(run, epoch - 1);
                self.move_to(progress.n_done);
                self.announce(run, epoch);
                if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
                    self.last_line.set(Instant::now());
                    let error = self.measure.text(progress.train_error);
                    let name = self.measure.name();
                    let (done, total) = (progress.n_done, progress.n_total);
                    let Run { arm, seed, .. } = run;
                    self.say(&format!(
                        "seed {seed}, {arm}, epoch {epoch} at {done}/{total}: training {name} \
                         {error}"
                    ));
                }
            }
            Event::Epoch { run, epoch, .. } => self.end_of_epoch(run, epoch),
            Event::Unsaved { .. } => {}
        }
    }

    fn set_done(&self, run: &Run, epochs: usize) {
        self.done
            .borrow_mut()
            .insert((run.seed, run.arm.clone()), epochs);
    }

    /// Moves the bar past everything that is done and `n_examples` more.
    fn move_to(&self, n_examples: usize) {
        let done = self.done.borrow();
        let behind = done.iter().map(|((_, arm), &epochs)| {
            let length = self.arms.get(arm).map_or(0, |arm| arm.n_examples);
            epochs.saturating_mul(length)
        });
        let position = behind.fold(n_examples, usize::saturating_add);
        self.bar.set_position(position as u64);
    }

    fn announce(&self, run: &Run, epoch: usize) {
        let Run { arm, seed, .. } = run;
        let epochs = self.epochs(run);
        self.bar
            .set_message(format!("seed {seed}, {arm}, epoch {epoch}/{epochs}"));
    }

    fn end_of_epoch(&self, run: &Run, epoch: usize) {
        let Run { arm, seed, .. } = run;
        let (epochs, width) = (self.epochs(run), self.width);
        // The remaining epochs of a failed run count as done.
        self.set_done(run, if run.failure.is_some() { epochs } else { epoch });
        self.move_to(0);
        self.announce(run, (epoch + 1).min(epochs));
        if let Some(failure) = &run.failure {
            self.say(&format!("seed {seed}, {arm:<width$} failed: {failure}"));
            return;
        }
        let Some(record) = run.epochs.get(epoch - 1) else {
            return;
        };
        if epoch == epochs || record.seconds >= LONG_EPOCH {
            self.last_line.set(Instant::now());
            let records = run.epochs[..epoch].iter();
            let seconds: f64 = records.map(|record| record.seconds).sum();
            self.say(&format!(
                "seed {seed}, {arm:<width$} epoch {epoch:>3}/{epochs}: {}, training {} {:>7}, \
                 {seconds:.1} s",
                held_out_errors(record),
                self.measure.name(),
                self.measure.text(record.train_error),
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
