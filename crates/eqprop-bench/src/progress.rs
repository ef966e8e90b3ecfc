//! Shows progress: a bar in a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::fmt::Display;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::say;

/// Without a terminal, a line is printed at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A progress bar on standard error. The thread that moves it also draws it.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    last_line: Cell<Instant>,
}

impl Bar {
    /// Creates a bar of `length` that shows the fields of `template` after the progress.
    pub fn new(length: usize, template: &str) -> Self {
        let template = format!("{{bar:30}} {{percent:>3}} %  {template}");
        let style = ProgressStyle::with_template(&template).expect("a fixed template that parses");
        let style = style.with_key(
            "samples_per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} samples/s", state.per_sec());
            },
        );
        Self {
            bar: ProgressBar::new(length as u64).with_style(style),
            last_line: Cell::new(Instant::now()),
        }
    }

    /// Whether there is no bar, because there is no terminal.
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    /// Moves to `done`.
    pub fn move_to(&self, done: usize) {
        self.bar.set_position(done as u64);
    }

    /// Moves to `done` of `length`.
    pub fn move_within(&self, done: usize, length: usize) {
        self.bar.set_length(length as u64);
        self.move_to(done);
    }

    /// Excludes the progress so far, which another process made, from the speed and the time left.
    pub fn begin_here(&self) {
        self.bar.reset_eta();
    }

    /// Announces the current work.
    pub fn announce(&self, message: impl Display) {
        self.bar.set_message(message.to_string());
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: impl Display) {
        self.last_line.set(Instant::now());
        if self.bar.is_hidden() {
            say(line);
        } else {
            self.bar.println(line.to_string());
        }
    }

    /// Prints a line if there is no bar and a line is due.
    pub fn say_at_times(&self, line: impl Display) {
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.say(line);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
