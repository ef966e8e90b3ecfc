//! A search as it is kept, to go on with it.

use anyhow::{Context, Result, bail};
use eqprop_bench::comparison::{Comparison, Verdict};
use eqprop_bench::tuning::Tuning;
use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};

use crate::run::RunData;

/// The form of the state; raised when it changes.
pub const FORMAT: u32 = 1;

/// What a search may take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Minutes, of all processes together.
    pub minutes: Option<f64>,
    /// Trials.
    pub trials: Option<usize>,
    /// Seeds of the confirmation.
    pub seeds: usize,
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

    /// The confirmation, once it has ended: the test decides only once.
    pub fn confirmed(&self) -> Option<&Comparison> {
        let confirmation = self.confirmation.as_ref();
        confirmation.filter(|comparison| comparison.n_left() == 0)
    }

    /// Whether the confirmation found what the search began with the better one.
    pub fn is_start_better(&self) -> bool {
        let differences = self.confirmed().map(Comparison::differences);
        let mut differences = differences.unwrap_or_default().into_iter();
        differences.any(|difference| difference.verdict == Verdict::FirstIsBetter)
    }
}

impl Budget {
    /// Seconds, if they are limited.
    pub fn seconds(&self) -> Option<f64> {
        self.minutes.map(|minutes| 60.0 * minutes)
    }
}
