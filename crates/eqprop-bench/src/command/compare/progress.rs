//! The progress of a comparison: a bar in a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::time::{Duration, Instant};

use eqprop_bench::comparison::{Comparison, Event, Run};
use eqprop_train::data::Dataset;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{held_out_errors, percent, say};

/// Epochs that take longer than this get a line each.
const LONG_EPOCH: f64 = 2.0;
/// Without a terminal, a line within a long epoch at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows how far a comparison is, on standard error.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    epochs: usize,
    done: Cell<u64>,
    n_examples: u64,
    last_line: Cell<Instant>,
}

impl Display {
    /// A display for all trainings of `comparison`.
    pub fn new(comparison: &Comparison, dataset: &Dataset) -> Self {
        let config = &comparison.config;
        let n_train = dataset
            .train
            .len()
            .min(config.n_train.unwrap_or(usize::MAX));
        let n_examples = n_train.saturating_sub(config.n_validation) as u64;
        let n_runs = comparison.methods.len() * comparison.seeds.len();
        let bar = ProgressBar::new((n_runs * config.epochs) as u64 * n_examples);
        let template = "{bar:30} {percent:>3} %  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
        Self {
            bar: bar.with_style(style),
            epochs: config.epochs,
            done: Cell::new(0),
            n_examples,
            last_line: Cell::new(Instant::now()),
        }
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
        match event {
            Event::Batch { run, progress } => {
                self.bar
                    .set_position(self.done.get() + progress.n_done as u64);
                self.announce(run);
                if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
                    self.last_line.set(Instant::now());
                    let (epoch, error) = (run.epochs.len() + 1, percent(progress.train_error));
                    let (done, total) = (progress.n_done, progress.n_total);
                    let Run { method, seed, .. } = run;
                    say(format_args!(
                        "seed {seed}, {method}, epoch {epoch} at {done}/{total}: training error \
                         {error}"
                    ));
                }
            }
            Event::Epoch { run, .. } => self.end_of_epoch(run),
        }
    }

    fn announce(&self, run: &Run) {
        let Run { method, seed, .. } = run;
        let epoch = (run.epochs.len() + 1).min(self.epochs);
        self.bar.set_message(format!(
            "seed {seed}, {method}, epoch {epoch}/{}",
            self.epochs
        ));
    }

    fn end_of_epoch(&self, run: &Run) {
        let Run { method, seed, .. } = run;
        // A run that failed has its remaining epochs behind it too.
        let n_done = match run.failure {
            None => 1,
            Some(_) => self.epochs - run.epochs.len(),
        };
        self.done
            .set(self.done.get() + n_done as u64 * self.n_examples);
        self.bar.set_position(self.done.get());
        self.announce(run);
        if let Some(failure) = &run.failure {
            self.say(&format!("seed {seed}, {method:<11} failed: {failure}"));
            return;
        }
        let Some(last) = run.epochs.last() else {
            return;
        };
        let done = run.epochs.len();
        if done == self.epochs || last.seconds >= LONG_EPOCH {
            self.last_line.set(Instant::now());
            let seconds: f64 = run.epochs.iter().map(|record| record.seconds).sum();
            self.say(&format!(
                "seed {seed}, {method:<11} epoch {done:>3}/{}: {}, training error {:>7}, \
                 {seconds:.1} s",
                self.epochs,
                held_out_errors(last),
                percent(last.train_error),
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
