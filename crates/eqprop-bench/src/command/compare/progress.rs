//! The progress of a comparison: a bar in a terminal, plain lines elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use eqprop_bench::comparison::{Comparison, Event, Run};
use eqprop_bench::method::Method;
use eqprop_train::data::Dataset;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{held_out_errors, percent, say};

/// Epochs that take longer than this get a line each.
const LONG_EPOCH: f64 = 2.0;
/// The bar is moved at most this often: an update may take microseconds.
const SHOW_EVERY: Duration = Duration::from_millis(50);
/// Without a terminal, a line within a long epoch at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows how far a comparison is, on standard error.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    epochs: usize,
    /// Epochs of each run that are behind it.
    done: RefCell<HashMap<(u64, Method), usize>>,
    n_examples: usize,
    last_shown: Cell<Instant>,
    last_line: Cell<Instant>,
}

impl Display {
    /// A display for all trainings of `comparison`.
    pub fn new(comparison: &Comparison, dataset: &Dataset) -> Self {
        let config = &comparison.config;
        let n_train = dataset
            .train
            .len()
            .min(config.data.n_train.unwrap_or(usize::MAX));
        let n_examples = n_train.saturating_sub(config.data.n_validation);
        let n_runs = comparison.methods.len() * comparison.seeds.len();
        let n_total = n_runs
            .saturating_mul(config.epochs)
            .saturating_mul(n_examples);
        let ended = comparison
            .runs
            .iter()
            .filter(|run| comparison.has_ended(run));
        let done = ended.map(|run| ((run.seed, run.method), config.epochs));
        let template = "{bar:30} {percent:>3} %  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
        let display = Self {
            bar: ProgressBar::new(n_total as u64).with_style(style),
            epochs: config.epochs,
            done: RefCell::new(done.collect()),
            n_examples,
            last_shown: Cell::new(Instant::now()),
            last_line: Cell::new(Instant::now()),
        };
        display.move_to(0);
        // What was done before says nothing about how long the rest takes.
        display.bar.reset_eta();
        display
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
                    let error = percent(progress.train_error);
                    let (done, total) = (progress.n_done, progress.n_total);
                    let Run { method, seed, .. } = run;
                    self.say(&format!(
                        "seed {seed}, {method}, epoch {epoch} at {done}/{total}: training error \
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
            .insert((run.seed, run.method), epochs);
    }

    /// Moves the bar behind all that is done and `n_examples` more.
    fn move_to(&self, n_examples: usize) {
        let epochs: usize = self.done.borrow().values().sum();
        let position = epochs
            .saturating_mul(self.n_examples)
            .saturating_add(n_examples);
        self.bar.set_position(position as u64);
    }

    fn announce(&self, run: &Run, epoch: usize) {
        let Run { method, seed, .. } = run;
        self.bar.set_message(format!(
            "seed {seed}, {method}, epoch {epoch}/{}",
            self.epochs
        ));
    }

    fn end_of_epoch(&self, run: &Run, epoch: usize) {
        let Run { method, seed, .. } = run;
        // A run that failed has its remaining epochs behind it too.
        self.set_done(
            run,
            if run.failure.is_some() {
                self.epochs
            } else {
                epoch
            },
        );
        self.move_to(0);
        self.announce(run, (epoch + 1).min(self.epochs));
        if let Some(failure) = &run.failure {
            self.say(&format!("seed {seed}, {method:<11} failed: {failure}"));
            return;
        }
        let Some(record) = run.epochs.get(epoch - 1) else {
            return;
        };
        if epoch == self.epochs || record.seconds >= LONG_EPOCH {
            self.last_line.set(Instant::now());
            let records = run.epochs[..epoch].iter();
            let seconds: f64 = records.map(|record| record.seconds).sum();
            self.say(&format!(
                "seed {seed}, {method:<11} epoch {epoch:>3}/{}: {}, training error {:>7}, \
                 {seconds:.1} s",
                self.epochs,
                held_out_errors(record),
                percent(record.train_error),
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
