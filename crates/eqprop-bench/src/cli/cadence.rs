//! The interval between checkpoints within an epoch.

use std::str::FromStr;
use std::time::{Duration, Instant};

use eqprop_train::training::{Progress, Training};

/// An interval in time or in updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// A duration.
    Time(Duration),
    /// A number of updates.
    Updates(usize),
}

/// Decides when the next checkpoint within an epoch is due.
#[derive(Debug)]
pub struct Clock {
    every: Cadence,
    since: Instant,
    /// Updates of the current epoch that the last checkpoint includes.
    n_saved: usize,
}

impl Cadence {
    /// Returns a clock that starts at the checkpoint of `training` as it stands.
    pub fn clock(self, training: &Training) -> Clock {
        let unfinished = training.unfinished();
        Clock {
            every: self,
            since: Instant::now(),
            n_saved: unfinished.map_or(0, |epoch| epoch.n_updates),
        }
    }
}

impl Clock {
    /// Whether a checkpoint is due. During an evaluation no update is added, and a checkpoint would only make
    /// the evaluation start again.
    pub fn is_due(&self, progress: &Progress) -> bool {
        let n_new = progress.n_updates.saturating_sub(self.n_saved);
        let is_due = match self.every {
            Cadence::Time(time) => self.since.elapsed() >= time,
            Cadence::Updates(updates) => n_new >= updates,
        };
        is_due && n_new > 0
    }
}

impl FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let wrong = || {
            "expected a time or a number of updates, both at least 1, such as 10min, 90s, 2h or 500"
                .to_string()
        };
        let number: Option<u32> = number.parse().ok();
        let number = number.filter(|&number| number > 0).ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "" | "updates" => return Ok(Self::Updates(number as usize)),
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        Ok(Self::Time(Duration::from_secs(u64::from(number) * seconds)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Cadence;

    #[test]
    fn times_and_updates_are_told_apart() {
        let seconds = |seconds| Ok(Cadence::Time(Duration::from_secs(seconds)));
        assert_eq!("10min".parse(), seconds(600));
        assert_eq!("2 h".parse(), seconds(7200));
        assert_eq!("90s".parse(), seconds(90));
        assert_eq!("500".parse(), Ok(Cadence::Updates(500)));
        for wrong in [
            "",
            "0",
            "0min",
            "min",
            "-5",
            "1.5h",
            "5 days",
            "99999999999",
        ] {
            assert!(wrong.parse::<Cadence>().is_err(), "{wrong}");
        }
    }
}
