//! The progress of a measurement: a bar in a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::time::{Duration, Instant};

use eqprop_bench::timing::TimingProgress;
use indicatif::{ProgressBar, ProgressStyle};

use super::setting::Setting;
use crate::output::say;

/// Without a terminal, a line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows how far the measurement of a setting is, on standard error. It draws between the timed
/// steps, by the thread that takes them.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    setting: String,
    last_line: Cell<Instant>,
}

impl Display {
    /// Announces the measurement of `setting`.
    pub fn new(setting: &Setting, n_methods: usize) -> Self {
        let template = "{bar:30} {percent:>3} %  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template that parses");
        // The first step tells how many there are.
        let bar = ProgressBar::new(1).with_style(style);
        bar.set_message(setting.to_string());
        if bar.is_hidden() {
            say(format_args!("timing {setting}, {n_methods} methods"));
        }
        Self {
            bar,
            setting: setting.to_string(),
            last_line: Cell::new(Instant::now()),
        }
    }

    /// Shows how far it is.
    pub fn update(&self, progress: &TimingProgress) {
        self.bar.set_length(progress.n_total as u64);
        self.bar.set_position(progress.n_done as u64);
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            let TimingProgress { n_done, n_total } = progress;
            say(format_args!(
                "{}: {n_done} of {n_total} training steps",
                self.setting
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
