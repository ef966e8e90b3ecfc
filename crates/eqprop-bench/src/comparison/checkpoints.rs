//! Trainings in progress on disk.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::error::CheckpointError;

use super::run::{Comparison, Run};

/// Default for the least time between two saves.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Saving takes at most one part in this many of the time.
const LEAST_SHARE: u32 = 20;

/// Keeps the trainings in progress of a comparison on disk: a folder `SEED-ARM` for each.
///
/// Only trainings that run for more than ten seconds are saved before they end. Ended ones are part of the
/// [`Comparison`] itself and need no checkpoint.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    least_pause: Duration,
    last_save: Cell<Instant>,
    pause: Cell<Duration>,
}

impl Checkpoints {
    /// Keeps checkpoints in `folder`, which is created at the first save.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            least_pause: SAVE_EVERY,
            last_save: Cell::new(Instant::now()),
            pause: Cell::new(SAVE_EVERY),
        }
    }

    /// Sets the least time between two saves, ten seconds by default.
    pub fn every(mut self, pause: Duration) -> Self {
        self.least_pause = pause;
        self.pause.set(pause);
        self
    }

    /// Loads the checkpoint of the training whose folder is `name`; `None` if it has none.
    pub(super) fn load(&self, name: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        let folder = self.folder.join(name);
        // The folder may have been removed during a comparison, which then goes on without it.
        if folder.is_dir() {
            Checkpoint::load_latest(&folder)
        } else {
            Ok(None)
        }
    }

    /// Whether it is time to save.
    pub(super) fn is_due(&self) -> bool {
        self.last_save.get().elapsed() >= self.pause.get()
    }

    /// Saves one training.
    pub(super) fn save(&self, name: &str, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
        let folder = self.folder.join(name);
        // One level at a time: if the parent folder is gone, this program must not create it again.
        for path in [&self.folder, &folder] {
            make(path).map_err(|source| CheckpointError::Write {
                path: path.clone(),
                source,
            })?;
        }
        checkpoint.save(&folder)
    }

    /// Starts the pause until the next save; the last one began at `start`.
    pub(super) fn pause(&self, start: Instant) {
        self.last_save.set(Instant::now());
        let pause = start.elapsed().saturating_mul(LEAST_SHARE);
        self.pause.set(self.least_pause.max(pause));
    }

    /// Removes the checkpoints of all ended runs of `comparison`, which must have been stored before. A
    /// failure to remove them does no harm.
    pub fn remove_ended(&self, comparison: &Comparison) {
        let ended = |run: &&Run| comparison.has_ended(run);
        for run in comparison.runs.iter().filter(ended) {
            if let Some(name) = comparison.folder_of(&run.arm, run.seed) {
                let _ = fs::remove_dir_all(self.folder.join(name));
            }
        }
        // Fails while the folder is not empty.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Creates a folder inside an existing one, unless it already exists.
fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        outcome => outcome,
    }
}
