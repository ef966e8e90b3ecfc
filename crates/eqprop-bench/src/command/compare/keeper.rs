//! Writes a comparison to disk while it runs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use eqprop_bench::comparison::{Checkpoints, Comparison, Run};

use super::differences;
use super::page;
use super::results::Results;
use crate::report_folder::ReportFolder;

/// The whole comparison except the trainings in progress, whose checkpoints lie beside it.
pub const STATE: &str = "results.json";
const TABLE: &str = "results.csv";
const DIFFERENCES: &str = "differences.csv";
/// The report page.
pub const PAGE: &str = "report.html";
/// The files that a comparison writes into its folder.
pub const FILES: [&str; 4] = [STATE, TABLE, DIFFERENCES, PAGE];
/// Intermediate results are written at most this often, except when a run ends.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Keeps the results of a comparison on disk while it is trained.
#[derive(Debug)]
pub struct Keeper<'a> {
    folder: &'a ReportFolder,
    checkpoints: &'a Checkpoints,
    results: Results,
    last_write: Instant,
    is_failing: bool,
}

impl<'a> Keeper<'a> {
    /// Keeps `results`, as they grow, in `folder`.
    pub fn new(folder: &'a ReportFolder, checkpoints: &'a Checkpoints, results: Results) -> Self {
        Self {
            folder,
            checkpoints,
            results,
            last_write: Instant::now(),
            is_failing: false,
        }
    }

    /// Writes the results at the end of an epoch of `run`, if it was the last epoch or a write is due. After
    /// a failure the next call tries again; the first of such failures is returned.
    pub fn keep(&mut self, run: &Run, comparison: &Comparison) -> Option<Error> {
        let is_due = self.last_write.elapsed() >= WRITE_EVERY;
        if !is_due && !comparison.has_ended(run) {
            return None;
        }
        self.results.stored.comparison.clone_from(comparison);
        let written = if is_due {
            self.last_write = Instant::now();
            write(self.folder, &self.results)
        } else {
            write_state(self.folder, &self.results)
        };
        match written {
            Ok(()) => {
                self.is_failing = false;
                self.checkpoints.remove_ended(comparison);
                None
            }
            Err(error) => (!std::mem::replace(&mut self.is_failing, true)).then_some(error),
        }
    }

    /// Writes the final results of `comparison`; if that fails, writes them into a new folder. Returns the
    /// results, the folder that holds them if any does, and the error if one occurred.
    pub fn finish(mut self, comparison: Comparison) -> (Results, Option<PathBuf>, Option<Error>) {
        self.results.stored.comparison = comparison;
        let Self {
            folder, results, ..
        } = self;
        match write(folder, &results) {
            Ok(()) => {
                self.checkpoints.remove_ended(results.comparison());
                (results, Some(folder.path().to_path_buf()), None)
            }
            Err(error) => {
                let rescued = rescue(&results).ok();
                (results, rescued, Some(error))
            }
        }
    }
}

/// Returns the folder name of a comparison of these presets.
pub fn name(presets: &str) -> String {
    format!("compare-{}", presets.replace(", ", "-"))
}

/// Writes all results into a new folder.
fn rescue(results: &Results) -> Result<PathBuf> {
    let folder = ReportFolder::make(&name(&results.stored.preset))?;
    let written = write(&folder, results);
    if written.is_err() {
        // The folder was just created and is of no use to anybody.
        let _ = fs::remove_dir_all(folder.path());
    }
    written.map(|()| folder.path().to_path_buf())
}

/// Returns the folder of the trainings in progress.
pub fn checkpoints(folder: &ReportFolder) -> PathBuf {
    folder.path().join("checkpoints")
}

/// Writes the state from which the comparison can be resumed.
///
/// # Errors
/// If it cannot be written; the previous state then remains.
pub fn write_state(folder: &ReportFolder, results: &Results) -> Result<()> {
    let text = serde_json::to_vec_pretty(&results.to_json()).context("results are plain")?;
    folder.write(STATE, &text).map(drop)
}

/// Writes all files of the report.
fn write(folder: &ReportFolder, results: &Results) -> Result<()> {
    write_state(folder, results)?;
    folder.write(TABLE, &results.csv()?)?;
    folder.write(DIFFERENCES, &differences::csv(results)?)?;
    folder.write(PAGE, page::render(results)?.as_bytes())?;
    Ok(())
}
