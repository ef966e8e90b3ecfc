//! A search as it is stored, to be resumed later.

use anyhow::{Context, Result, bail};
use eqprop_bench::comparison::{Comparison, Verdict};
use eqprop_bench::tuning::Tuning;
use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};

use crate::run::RunData;

/// The format of the stored state; raised whenever it changes.
pub const FORMAT: u32 = 1;

/// The budget of a search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Minutes for all processes together.
    pub minutes: Option<f64>,
    /// Number of trials.
    pub trials: Option<usize>,
    /// Seeds of the confirmation.
    pub seeds: usize,
}

/// The content of `tune.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The format.
    pub format: u32,
    /// Version of the program that started the search.
    pub version: String,
    /// The command line that repeats the search.
    pub command: String,
    /// Name of the starting configuration.
    pub name: String,
    /// The device on which the search was started.
    pub device: String,
    /// The data.
    pub data: RunData,
    /// The budget.
    pub budget: Budget,
    /// Seconds taken so far.
    pub seconds: f64,
    /// Seconds per step and example, measured at the start.
    pub seconds_per_step: f64,
    /// The search.
    pub tuning: Tuning,
    /// The comparison of the result with the starting configuration, with seeds that the search has not seen.
    pub confirmation: Option<Comparison>,
}

impl Stored {
    /// Reads a stored search.
    ///
    /// # Errors
    /// If its format is newer, it is damaged, or it cannot work.
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

    /// Checks that the parts are consistent.
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

    /// Returns the resulting configuration, for trainings like those of the search; the starting
    /// configuration if the confirmation found that to be better.
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

    /// Returns the confirmation once it has ended: the test set decides only once.
    pub fn confirmed(&self) -> Option<&Comparison> {
        let confirmation = self.confirmation.as_ref();
        confirmation.filter(|comparison| comparison.n_left() == 0)
    }

    /// Whether the confirmation found the starting configuration to be better.
    pub fn is_start_better(&self) -> bool {
        let differences = self.confirmed().map(Comparison::differences);
        let mut differences = differences.unwrap_or_default().into_iter();
        differences.any(|difference| difference.verdict == Verdict::FirstIsBetter)
    }
}

impl Budget {
    /// Returns the seconds, if they are limited.
    pub fn seconds(&self) -> Option<f64> {
        self.minutes.map(|minutes| 60.0 * minutes)
    }
}
