//! The progress of a measurement.

use eqprop_bench::timing::TimingProgress;

use super::setting::Setting;
use crate::output::say;
use crate::progress::Bar;

/// Shows the progress of a setting on standard error, between the timed steps.
#[derive(Debug)]
pub struct Display {
    bar: Bar,
    setting: String,
}

impl Display {
    /// Announces the measurement of `setting`.
    pub fn new(setting: &Setting, n_methods: usize) -> Self {
        // The first step tells the total number.
        let bar = Bar::new(1, "{msg}  {eta} left");
        bar.announce(setting);
        if bar.is_hidden() {
            say(format_args!("timing {setting}, {n_methods} methods"));
        }
        Self {
            bar,
            setting: setting.to_string(),
        }
    }

    /// Shows the progress.
    pub fn update(&self, progress: &TimingProgress) {
        let TimingProgress { n_done, n_total } = *progress;
        self.bar.move_within(n_done, n_total);
        self.bar.say_at_times(format_args!(
            "{}: {n_done} of {n_total} training steps",
            self.setting
        ));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
