//! The progress of a training.

use std::cell::Cell;

use eqprop_train::training::{EpochRecord, Progress, Training};

use crate::output::{Measure, held_out_errors, training_error};
use crate::progress::Bar;

/// Shows the progress of a training on standard error.
#[derive(Debug)]
pub struct Display {
    bar: Bar,
    epochs: usize,
    n_examples: usize,
    measure: Measure,
    epoch: Cell<usize>,
}

impl Display {
    /// Creates a display for `training` as it stands.
    pub fn new(training: &Training) -> Self {
        let (epochs, n_examples) = (training.config().epochs, training.n_examples());
        let done = training.records().len();
        let template = "{samples_per_sec}  {msg}  {eta} left";
        let display = Self {
            bar: Bar::new(epochs * n_examples, template),
            epochs,
            n_examples,
            measure: Measure::of(&training.config().data.dataset),
            epoch: Cell::new(done + 1),
        };
        display.move_to(done, 0);
        display.bar.begin_here();
        display
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.say(line);
    }

    /// Shows the progress of the epoch.
    pub fn update(&self, progress: &Progress) {
        let (epoch, epochs) = (self.epoch.get(), self.epochs);
        let (done, total) = (progress.n_done, progress.n_total);
        let (name, error) = (self.measure.name(), self.measure.text(progress.train_error));
        self.move_to(epoch - 1, done);
        let message = format_args!("epoch {epoch}/{epochs}, training {name} {error}");
        self.bar.announce(message);
        let line = format_args!("epoch {epoch} at {done}/{total}: training {name} {error}");
        self.bar.say_at_times(line);
    }

    /// Shows the measurements of an epoch.
    pub fn epoch(&self, record: &EpochRecord) {
        self.epoch.set(record.epoch + 1);
        self.move_to(record.epoch, 0);
        let (epoch, epochs, errors) = (record.epoch, self.epochs, held_out_errors(record));
        let message = format_args!("epoch {epoch}/{epochs} done, {errors}");
        self.bar.announce(message);
        self.bar.say(format_args!(
            "epoch {epoch:>3}/{epochs}: {errors}, {}, residual {:.1e}, {:.1} s, {:.0} samples/s",
            training_error(record),
            record.residual,
            record.seconds,
            self.n_examples as f64 / record.seconds
        ));
    }

    /// Moves the bar to this number of epochs and examples.
    fn move_to(&self, epochs: usize, examples: usize) {
        self.bar.move_to(epochs * self.n_examples + examples);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
