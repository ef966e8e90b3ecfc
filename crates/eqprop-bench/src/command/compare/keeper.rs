//! What a comparison leaves on disk, as it arises.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use eqprop_bench::comparison::{Checkpoints, Comparison, Run};

use super::differences;
use super::page;
use super::results::Results;
use crate::report_folder::ReportFolder;

/// All there is of a comparison but the trainings in progress, whose checkpoints are beside it.
pub const STATE: &str = "results.json";
const TABLE: &str = "results.csv";
const DIFFERENCES: &str = "differences.csv";
/// The page to read.
pub const PAGE: &str = "report.html";
/// What a comparison writes into its folder.
pub const FILES: [&str; 4] = [STATE, TABLE, DIFFERENCES, PAGE];
/// Results in the making are written at most this often, but for runs that end.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Keeps the results of a comparison while it is trained.
#[derive(Debug)]
pub struct Keeper<'a> {
    folder: &'a ReportFolder,
    checkpoints: &'a Checkpoints,
    results: Results,
    last_write: Instant,
    is_failing: bool,
}

impl<'a> Keeper<'a> {
    /// Keeps `results`, as they become more, in `folder`.
    pub fn new(folder: &'a ReportFolder, checkpoints: &'a Checkpoints, results: Results) -> Self {
        Self {
            folder,
            checkpoints,
            results,
            last_write: Instant::now(),
            is_failing: false,
        }
    }

    /// Writes what there is at the end of an epoch of `run`, if it was the last one or it is time to.
    /// Where that fails, it is tried again the next time; the first of such failures is returned.
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

    /// Writes all there is in the end, of `comparison`; where that fails, into a new folder.
    /// Returns the results, where they are if they are anywhere, and what could not be written.
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

/// The name of the folder of a comparison of these presets.
pub fn name(presets: &str) -> String {
    format!("compare-{}", presets.replace(", ", "-"))
}

/// Writes all there is into a new folder.
fn rescue(results: &Results) -> Result<PathBuf> {
    let folder = ReportFolder::make(&name(&results.stored.preset))?;
    let written = write(&folder, results);
    if written.is_err() {
        // It was made a moment ago and is of no use to anybody.
        let _ = fs::remove_dir_all(folder.path());
    }
    written.map(|()| folder.path().to_path_buf())
}

/// Where the trainings in progress are.
pub fn checkpoints(folder: &ReportFolder) -> PathBuf {
    folder.path().join("checkpoints")
}

/// Writes what is needed to go on.
///
/// # Errors
/// If it cannot be written; what was there is then as it was.
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
