//! The progress of an examination.

use std::cell::Cell;
use std::time::Instant;

use eqprop_bench::fidelity;
use eqprop_train::training::{self, EpochRecord};

use crate::output::{Measure, held_out_errors};
use crate::progress::Bar;

/// Shows the progress of an examination on standard error.
#[derive(Debug)]
pub struct Display {
    bar: Bar,
    measure: Measure,
    /// The last announcement.
    said: Cell<&'static str>,
    start: Instant,
}

impl Display {
    /// Creates a display before anything has happened.
    pub fn new(measure: Measure) -> Self {
        Self {
            measure,
            bar: Bar::new(1, "{msg}"),
            said: Cell::new(""),
            start: Instant::now(),
        }
    }

    /// Shows the progress of a training epoch.
    pub fn training(&self, progress: &training::Progress) {
        self.bar.move_within(progress.n_done, progress.n_total);
        let (name, error) = (self.measure.name(), self.measure.text(progress.train_error));
        self.bar.announce(format_args!("training, {name} {error}"));
    }

    /// Shows the measurements of an epoch.
    pub fn epoch(&self, record: &EpochRecord, epochs: usize) {
        self.bar.say(format_args!(
            "epoch {:>3}/{epochs}: {}, {:.1} s",
            record.epoch,
            held_out_errors(record),
            record.seconds
        ));
    }

    /// Shows the progress of the examination.
    pub fn examining(&self, progress: &fidelity::FidelityProgress) {
        let fidelity::FidelityProgress { what, done, total } = *progress;
        self.bar.move_within(done, total);
        self.bar.announce(what);
        if self.bar.is_hidden() && self.said.replace(what) != what {
            let seconds = self.start.elapsed().as_secs_f64();
            let place = format_args!("measuring {what} ({done}/{total}), {seconds:.1} s");
            self.bar.say(place);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
