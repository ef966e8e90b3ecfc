//! The progress of an examination: a bar in a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::time::Instant;

use eqprop_bench::fidelity;
use eqprop_train::training::{self, EpochRecord};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{held_out_errors, percent, say};

/// Shows how far an examination is, on standard error.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    /// What was announced last.
    said: Cell<&'static str>,
    start: Instant,
}

impl Display {
    /// A display before anything happened.
    pub fn new() -> Self {
        let template = "{bar:30} {percent:>3} %  {msg}";
        let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
        Self {
            bar: ProgressBar::new(1).with_style(style),
            said: Cell::new(""),
            start: Instant::now(),
        }
    }

    /// Shows how far an epoch of the training is.
    pub fn training(&self, progress: &training::Progress) {
        self.bar.set_length(progress.n_total as u64);
        self.bar.set_position(progress.n_done as u64);
        let error = percent(progress.train_error);
        self.bar.set_message(format!("training, error {error}"));
    }

    /// Shows what an epoch measured.
    pub fn epoch(&self, record: &EpochRecord, epochs: usize) {
        self.say(&format!(
            "epoch {:>3}/{epochs}: {}, {:.1} s",
            record.epoch,
            held_out_errors(record),
            record.seconds
        ));
    }

    /// Shows how far the examination is.
    pub fn examining(&self, progress: &fidelity::FidelityProgress) {
        self.bar.set_length(progress.total as u64);
        self.bar.set_position(progress.done as u64);
        self.bar.set_message(progress.what);
        if self.bar.is_hidden() && self.said.replace(progress.what) != progress.what {
            let (done, total) = (progress.done, progress.total);
            let seconds = self.start.elapsed().as_secs_f64();
            say(format_args!(
                "measuring {} ({done}/{total}), {seconds:.1} s",
                progress.what
            ));
        }
    }

    fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            say(line);
        } else {
            self.bar.println(line);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
