//! Writes a search to disk.

use std::path::PathBuf;

use anyhow::{Context, Result};
use eqprop_bench::tuning::{Origin, steps_of};

use super::clock::Clock;
use super::picture;
use super::stored::Stored;
use crate::report_folder::ReportFolder;

/// The whole search except the trainings in progress, which lie beside it.
pub const STATE: &str = "tune.json";
/// The resulting configuration.
pub const TUNED: &str = "tuned.json";
const TRIALS: &str = "trials.csv";
/// A picture of the effect of each parameter.
pub const EFFECTS: &str = "effects.svg";
/// The files that a search writes into its folder.
pub const FILES: [&str; 4] = [STATE, TUNED, TRIALS, EFFECTS];

/// A search and its folder.
#[derive(Debug)]
pub struct Keeper {
    pub folder: ReportFolder,
    pub stored: Stored,
}

impl Keeper {
    /// Returns the folder of the trainings that may go on.
    pub fn trials(&self) -> PathBuf {
        self.folder.path().join("trials")
    }

    /// Returns the folder of the checkpoints of the confirmation.
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    /// Writes the state from which the search can be resumed.
    ///
    /// # Errors
    /// If it cannot be written; the previous state then remains.
    pub fn spend(&mut self, clock: &Clock) -> Result<()> {
        self.stored.seconds = clock.seconds();
        let text = serde_json::to_vec_pretty(&self.stored).context("a search is plain")?;
        self.folder.write(STATE, &text).map(drop)
    }

    /// Writes the result files.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_results(&self) -> Result<()> {
        let stored = &self.stored;
        self.folder.write(TRIALS, &trials(stored)?)?;
        if stored.tuning.best().is_none() {
            return Ok(());
        }
        let config = serde_json::to_string_pretty(&stored.tuned())? + "\n";
        self.folder.write(TUNED, config.as_bytes())?;
        let picture = picture::effects_of(&stored.tuning)?;
        self.folder.write(EFFECTS, picture.as_bytes())?;
        Ok(())
    }
}

/// Writes one line per trial.
fn trials(stored: &Stored) -> Result<Vec<u8>> {
    let tuning = &stored.tuning;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = tuning
        .space
        .parameters
        .iter()
        .map(|parameter| parameter.kind.name());
    let last = [
        "learning_rates",
        "steps",
        "epochs",
        "seeds",
        "validation_error",
        "validation_cost",
        "seconds",
        "failure",
    ];
    writer.write_record(["trial", "origin"].into_iter().chain(names).chain(last))?;
    for trial in &tuning.trials {
        let config = tuning.config_of(trial);
        let origin = match trial.origin {
            Origin::Start => "start".to_string(),
            Origin::Fidelity => "fidelity".to_string(),
            Origin::Random => "random".to_string(),
            Origin::Near(other) => format!("near {other}"),
            Origin::Cheaper(other) => format!("{other}, cheaper"),
        };
        let measured = trial.last();
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let epochs = measured.map(|measured| {
            let part = tuning.plan.rungs.get(measured.rung).unwrap_or(&1.0);
            part * tuning.plan.epochs as f64
        });
        let seconds = trial.measured.iter().fold(0.0, |sum, of| sum + of.seconds);
        let rates = config.optimizer.learning_rates.iter().map(f64::to_string);
        let values = trial.values.iter().map(f64::to_string);
        let cells = [trial.number.to_string(), origin].into_iter().chain(values);
        let cells = cells.chain([
            rates.collect::<Vec<_>>().join(" "),
            steps_of(&config).to_string(),
            number(epochs),
            measured
                .map_or(0, |measured| measured.errors.len())
                .to_string(),
            number(measured.map(|measured| measured.error())),
            number(measured.map(|measured| measured.cost())),
            seconds.to_string(),
            trial.failure.clone().unwrap_or_default(),
        ]);
        writer.write_record(cells)?;
    }
    writer
        .into_inner()
        .context("a table in memory can always be written")
}
