//! The progress of a training: a bar in a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::time::{Duration, Instant};

use eqprop_train::training::{EpochRecord, Progress, Training};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{held_out_errors, percent, say};

/// Without a terminal, a line within a long epoch at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows how far a training is, on standard error.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    epochs: usize,
    n_examples: usize,
    epoch: Cell<usize>,
    last_line: Cell<Instant>,
}

impl Display {
    /// A display for `training` as it stands.
    pub fn new(training: &Training) -> Self {
        let (epochs, n_examples) = (training.config().epochs, training.n_examples());
        let done = training.records().len();
        let bar = ProgressBar::new((epochs * n_examples) as u64)
            .with_style(style())
            .with_position((done * n_examples) as u64);
        // Speed and time left are those of this process, not of what was done before.
        bar.reset_eta();
        let display = Self {
            bar,
            epochs,
            n_examples,
            epoch: Cell::new(done + 1),
            last_line: Cell::new(Instant::now()),
        };
        display.bar.set_message("");
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

    /// Shows how far the epoch is.
    pub fn update(&self, progress: &Progress) {
        let done = (self.epoch.get() - 1) * self.n_examples + progress.n_done;
        self.bar.set_position(done as u64);
        let error = percent(progress.train_error);
        self.bar.set_message(format!(
            "epoch {}/{}, training error {error}",
            self.epoch.get(),
            self.epochs
        ));
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            let (done, total) = (progress.n_done, progress.n_total);
            say(format_args!(
                "epoch {} at {done}/{total}: training error {error}",
                self.epoch.get()
            ));
        }
    }

    /// Shows what an epoch measured.
    pub fn epoch(&self, record: &EpochRecord) {
        self.epoch.set(record.epoch + 1);
        self.last_line.set(Instant::now());
        self.bar
            .set_position((record.epoch * self.n_examples) as u64);
        let errors = held_out_errors(record);
        self.bar.set_message(format!(
            "epoch {}/{} done, {errors}",
            record.epoch, self.epochs
        ));
        self.say(&format!(
            "epoch {:>3}/{}: {errors}, training error {}, residual {:.1e}, {:.1} s, \
             {:.0} samples/s",
            record.epoch,
            self.epochs,
            percent(record.train_error),
            record.residual,
            record.seconds,
            self.n_examples as f64 / record.seconds
        ));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {percent:>3} %  {per_sec}  {msg}  {eta} left";
    let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
    style.with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} samples/s", state.per_sec());
        },
    )
}
