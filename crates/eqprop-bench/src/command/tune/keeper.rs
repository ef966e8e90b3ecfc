//! What a search leaves on disk.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use eqprop_bench::comparison::{Comparison, Verdict};
use eqprop_bench::tuning::{Origin, Tuning, steps_of};
use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};

use super::budget::{Budget, Clock};
use super::picture;
use crate::report_folder::ReportFolder;
use crate::run::RunData;

/// All there is of a search but the trainings in progress, which are beside it.
pub const STATE: &str = "tune.json";
/// The configuration that was found.
pub const TUNED: &str = "tuned.json";
const TRIALS: &str = "trials.csv";
/// What each value does.
pub const EFFECTS: &str = "effects.svg";
/// What a search writes into its folder.
pub const FILES: [&str; 4] = [STATE, TUNED, TRIALS, EFFECTS];
/// The form of the state; raised when it changes.
pub const FORMAT: u32 = 1;

/// A search and its folder.
#[derive(Debug)]
pub struct Keeper {
    pub folder: ReportFolder,
    pub stored: Stored,
}

/// What `tune.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The form.
    pub format: u32,
    /// Version of the program that began the search.
    pub version: String,
    /// The command that repeats it.
    pub command: String,
    /// Name of the configuration that it began with.
    pub name: String,
    /// The device that it was started on.
    pub device: String,
    /// The data.
    pub data: RunData,
    /// What it may take.
    pub budget: Budget,
    /// Seconds that it took so far.
    pub seconds: f64,
    /// Seconds of a step of an example, as it began.
    pub seconds_per_step: f64,
    /// The search.
    pub tuning: Tuning,
    /// What was found against what it began with, with seeds that the search has not seen.
    pub confirmation: Option<Comparison>,
}

impl Stored {
    /// Reads what was stored.
    ///
    /// # Errors
    /// If it is of a newer form, damaged, or cannot work.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            version: String,
        }

        let head: Head = serde_json::from_slice(text).context("it is no search")?;
        if head.format > FORMAT {
            bail!(
                "it is of format {}, but this version reads format {FORMAT}: use the version of eqprop that \
                 wrote it ({}), or a newer one",
                head.format,
                head.version
            );
        }
        let mut stored: Self = serde_json::from_slice(text).context("it is no search")?;
        stored.tuning.start.validate()?;
        stored.check()?;
        if let Some(found) = stored.confirmation.take() {
            let mut comparison = Comparison::of(found.plan, found.seeds.len())?;
            comparison.runs = found.runs;
            stored.confirmation = Some(comparison);
        }
        Ok(stored)
    }

    /// Whether the parts fit together.
    fn check(&self) -> Result<()> {
        let Tuning {
            space,
            plan,
            trials,
            ..
        } = &self.tuning;
        let ascends = plan.rungs.is_sorted_by(|a, b| a < b) && plan.rungs.first() > Some(&0.0);
        let fits = trials.iter().enumerate().all(|(index, trial)| {
            let rungs = trial.measured.iter().map(|measured| measured.rung);
            trial.number == index
                && trial.values.len() == space.parameters.len()
                && rungs
                    .enumerate()
                    .all(|(place, rung)| place == rung && rung <= plan.rungs.len())
                && trial
                    .measured
                    .iter()
                    .all(|measured| !measured.errors.is_empty())
        });
        if !(ascends && plan.rungs.last() == Some(&1.0) && fits && plan.epochs > 0) {
            bail!("its trials do not fit its plan");
        }
        Ok(())
    }

    /// The configuration that was found, for trainings like those of the search; that which it began with, where that
    /// is better.
    pub fn tuned(&self) -> TrainingConfig {
        let tuning = &self.tuning;
        let start = || tuning.space.start();
        let values = match (tuning.best(), self.is_start_better()) {
            (Some(best), false) => best.values.clone(),
            _ => start(),
        };
        let config = tuning.space.apply(&tuning.start, &values);
        TrainingConfig {
            epochs: tuning.plan.epochs,
            ..config
        }
    }

    /// Whether the confirmation found what the search began with the better one.
    pub fn is_start_better(&self) -> bool {
        let differences = self.confirmation.as_ref().map(Comparison::differences);
        let mut differences = differences.unwrap_or_default().into_iter();
        differences.any(|difference| difference.verdict == Verdict::FirstIsBetter)
    }
}

impl Keeper {
    /// Where trainings are kept that may go on.
    pub fn trials(&self) -> PathBuf {
        self.folder.path().join("trials")
    }

    /// Where those of the confirmation are kept.
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    /// Writes what is needed to go on.
    ///
    /// # Errors
    /// If it cannot be written; what was there is then as it was.
    pub fn spend(&mut self, clock: &Clock) -> Result<()> {
        self.stored.seconds = clock.seconds();
        let text = serde_json::to_vec_pretty(&self.stored).context("a search is plain")?;
        self.folder.write(STATE, &text).map(drop)
    }

    /// Writes what there is to read.
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

/// One line per trial.
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
        let seconds: f64 = trial.measured.iter().map(|measured| measured.seconds).sum();
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
