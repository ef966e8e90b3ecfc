//! Checkpoints that survive the process being killed at any moment.

mod error;

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn::lr_scheduler::LrSchedulerRecord;
use burn::module::Module;
use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::de::Error;
use serde::{Deserialize, Serialize};

use crate::config::{Schedule, TrainingConfig};
use crate::estimator::EquilibriumPropagation;
use crate::file::{TEMPORARY_PREFIX, remove_temporary_folders, sync_folder};
use crate::learner::AnyLearner;
use crate::measurement::{EpochRecord, UnfinishedEpoch};
pub use error::CheckpointError;

/// Format version of a checkpoint, raised when the format changes. Form 1 had no pauses within an epoch,
/// and recorded the validation error as the test error; the configurations of forms 1 and 2 were flat.
const VERSION: u32 = 3;
const PREFIX: &str = "checkpoint-";
const MANIFEST: &str = "manifest.json";
const STATE: &str = "state.json";
pub(crate) const MODEL: &str = "model.bpk";
pub(crate) const OPTIMIZER: &str = "optimizer.bpk";
pub(crate) const SCHEDULER: &str = "scheduler.bpk";
pub(crate) const PARTICLES: &str = "particles.bpk";
pub(crate) const WARM: &str = "warm.bpk";
/// Files that every checkpoint has.
const NEEDED: [&str; 4] = [STATE, MODEL, OPTIMIZER, SCHEDULER];

/// The complete state of a training, from which it resumes as if it had never stopped.
///
/// On disk it is a folder `checkpoint-EPOCH`, or `checkpoint-EPOCH-UPDATES` within an epoch. The folder
/// is written under a temporary name, synced and renamed: one of that name is always complete, and there
/// is one at every moment after the first save. Other files and folders, such as `checkpoint-best`, are
/// left alone. A manifest holds the size and CRC-32 of each file, so that damage is detected before
/// anything is loaded.
#[derive(Debug)]
pub struct Checkpoint {
    /// Progress of the training.
    pub state: CheckpointState,
    /// Parameters.
    pub model: ModuleRecord,
    /// Optimizer state.
    pub optimizer: OptimizerRecord,
    /// State of the learning-rate schedule.
    pub scheduler: LrSchedulerRecord,
    /// Persistent particles, if the training keeps them.
    pub particles: Option<ModuleRecord>,
    /// Free state of the previous batch, within an epoch of a training with a warm start.
    pub warm: Option<ModuleRecord>,
}

/// The part of a checkpoint stored as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Configuration of the run, including its seed.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub config: TrainingConfig,
    /// Measurements of each finished epoch; their number is the epoch reached.
    pub records: Vec<EpochRecord>,
    /// The epoch after them, if it has begun.
    #[serde(default)]
    pub unfinished: Option<UnfinishedEpoch>,
}

impl CheckpointState {
    /// Converts from the meaning of form 1.
    fn read_as_form_1(mut self) -> Self {
        if self.config.data.n_validation > 0 {
            for record in &mut self.records {
                record.validation_error = record.test_error.take();
                record.validation_cost = record.test_cost.take();
            }
        }
        self
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    files: Vec<ManifestEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ManifestEntry {
    name: String,
    bytes: u64,
    crc32: u32,
}

impl Manifest {
    /// Returns an error if the manifest lists other files than those of a checkpoint, or lacks one.
    fn check(&self) -> Result<(), serde_json::Error> {
        let listed: Vec<_> = self.files.iter().map(|entry| entry.name.as_str()).collect();
        if let Some(name) = NEEDED.iter().find(|name| !listed.contains(name)) {
            return Err(Error::custom(format!("it does not list {name}")));
        }
        let known = [&NEEDED[..], &[PARTICLES, WARM]].concat();
        match listed.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(Error::custom(format!("it lists `{name}`"))),
            None => Ok(()),
        }
    }
}

impl Checkpoint {
    /// Creates the checkpoint of a training by `config` before its first epoch, with the parameters of
    /// `learner`.
    ///
    /// # Panics
    /// If [`TrainingConfig::validate`] fails.
    pub fn before_training(
        config: TrainingConfig,
        learner: AnyLearner<EquilibriumPropagation>,
    ) -> Self {
        Self {
            optimizer: config.optimizer().to_record(),
            // A schedule that has not begun is the same for any number of batches.
            scheduler: config.learning_rate(&learner.network, 1).to_record(),
            model: learner.into_record(),
            particles: None,
            warm: None,
            state: CheckpointState {
                config,
                records: Vec::new(),
                unfinished: None,
            },
        }
    }

    /// Writes the checkpoint into the run folder `run`, then removes all others.
    ///
    /// # Errors
    /// If the folder cannot be written to; the older checkpoints are then still there.
    pub fn save(self, run: &Path) -> Result<(), CheckpointError> {
        let place = Place::of(&self.state);
        // Errors name the final path: the temporary name means nothing to a user.
        let target = run.join(place.name());
        remove_temporary_folders(run);
        let folder = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(run)
            .map_err(|error| error.kind().into())
            .map_err(CheckpointError::write(run))?;

        let mut manifest = Manifest {
            version: VERSION,
            files: Vec::new(),
        };
        for (name, bytes) in self.into_files(&target)? {
            manifest.files.push(ManifestEntry {
                name: name.to_string(),
                bytes: bytes.len() as u64,
                crc32: crc32fast::hash(&bytes),
            });
            write_synced(folder.path(), name, &bytes)
                .map_err(CheckpointError::write(target.join(name)))?;
        }
        write_synced(folder.path(), MANIFEST, &to_json(&manifest))
            .map_err(CheckpointError::write(target.join(MANIFEST)))?;
        sync_folder(folder.path()).map_err(CheckpointError::write(&target))?;

        if target.exists() {
            // A run resumed by hand from an earlier epoch reaches this point again. Its earlier checkpoint
            // counts until the new one is in place, under the same number with one zero more.
            let aside = run.join(place.name().replacen(PREFIX, &format!("{PREFIX}0"), 1));
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(CheckpointError::write(&aside))?;
            }
            fs::rename(&target, &aside).map_err(CheckpointError::write(&target))?;
        }
        fs::rename(folder.keep(), &target).map_err(CheckpointError::write(&target))?;
        sync_folder(run).map_err(CheckpointError::write(run))?;
        for old in list(run)?.into_iter().filter(|path| *path != target) {
            fs::remove_dir_all(&old).map_err(CheckpointError::write(&old))?;
        }
        Ok(())
    }

    /// Checks whether a training by `config` would continue exactly like the one that made this checkpoint:
    /// nothing may differ except the number of epochs, and that only where the learning rates do not depend
    /// on it.
    ///
    /// # Errors
    /// If they differ; the error says in what.
    pub fn check_continues(&self, config: &TrainingConfig) -> Result<(), CheckpointError> {
        let stored = &self.state.config;
        let mut fields = config.differences(stored);
        fields.retain(|field| field != "epochs");
        if !fields.is_empty() {
            return Err(CheckpointError::OtherConfig { fields });
        }
        let n_begun = self.state.records.len() + usize::from(self.state.unfinished.is_some());
        if config.epochs < n_begun {
            let epochs = config.epochs;
            return Err(CheckpointError::TooFewEpochs { epochs, n_begun });
        }
        let is_fixed = config.optimizer.schedule == Schedule::Cosine && n_begun > 0;
        if is_fixed && config.epochs != stored.epochs {
            return Err(CheckpointError::ScheduleIsFixed {
                epochs: stored.epochs,
                found: config.epochs,
            });
        }
        Ok(())
    }

    /// Loads the latest checkpoint of the run folder `run`, or returns `None` if there is none yet.
    ///
    /// # Errors
    /// If a file cannot be read, or differs from what was written.
    pub fn load_latest(run: &Path) -> Result<Option<Self>, CheckpointError> {
        let folders = list(run)?;
        folders.last().map(|folder| Self::load(folder)).transpose()
    }

    fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(MANIFEST);
        let manifest: Manifest = from_json(&path, &read(&path)?)?;
        if !(1..=VERSION).contains(&manifest.version) {
            return Err(CheckpointError::Version {
                path,
                expected: VERSION,
                found: manifest.version,
            });
        }
        manifest.check().map_err(CheckpointError::format(&path))?;
        for entry in &manifest.files {
            let path = folder.join(&entry.name);
            let bytes = read(&path)?;
            let (found_bytes, found_crc32) = (bytes.len() as u64, crc32fast::hash(&bytes));
            if (found_bytes, found_crc32) != (entry.bytes, entry.crc32) {
                return Err(CheckpointError::Damaged {
                    path,
                    expected_bytes: entry.bytes,
                    expected_crc32: entry.crc32,
                    found_bytes,
                    found_crc32,
                });
            }
        }
        let state = folder.join(STATE);
        let mut state: CheckpointState = from_json(&state, &read(&state)?)?;
        if manifest.version == 1 {
            state = state.read_as_form_1();
        }
        let optional = |name: &str| {
            let is_there = manifest.files.iter().any(|entry| entry.name == name);
            let load = || record(&folder.join(name), ModuleRecord::from_bytes);
            is_there.then(load).transpose()
        };
        Ok(Self {
            state,
            model: record(&folder.join(MODEL), ModuleRecord::from_bytes)?,
            optimizer: record(&folder.join(OPTIMIZER), OptimizerRecord::from_bytes)?,
            scheduler: record(&folder.join(SCHEDULER), LrSchedulerRecord::from_bytes)?,
            particles: optional(PARTICLES)?,
            warm: optional(WARM)?,
        })
    }

    fn into_files(self, folder: &Path) -> Result<Vec<(&'static str, Bytes)>, CheckpointError> {
        let mut records = vec![
            (MODEL, self.model.into_bytes()),
            (OPTIMIZER, self.optimizer.into_bytes()),
            (SCHEDULER, self.scheduler.into_bytes()),
        ];
        for (name, part) in [(PARTICLES, self.particles), (WARM, self.warm)] {
            records.extend(part.map(|part| (name, part.into_bytes())));
        }
        let mut files = vec![(STATE, Bytes::from_bytes_vec(to_json(&self.state)))];
        for (name, bytes) in records {
            let bytes = bytes.map_err(CheckpointError::record(folder.join(name)))?;
            files.push((name, bytes));
        }
        Ok(files)
    }
}

/// Progress of a training at a checkpoint, by which its checkpoints are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    epoch: u64,
    /// Number of updates done in the following epoch.
    n_updates: u64,
}

impl Place {
    fn of(state: &CheckpointState) -> Self {
        let unfinished = state.unfinished.as_ref();
        Self {
            epoch: state.records.len() as u64,
            n_updates: unfinished.map_or(0, |epoch| epoch.n_updates as u64),
        }
    }

    /// Returns the name of the checkpoint's folder.
    fn name(self) -> String {
        let Self { epoch, n_updates } = self;
        match n_updates {
            0 => format!("{PREFIX}{epoch:06}"),
            _ => format!("{PREFIX}{epoch:06}-{n_updates:06}"),
        }
    }

    /// Parses the name of a checkpoint folder; `None` for any other name.
    fn from_name(name: &OsStr) -> Option<Self> {
        let rest = name.to_str()?.strip_prefix(PREFIX)?;
        let (epoch, n_updates) = rest.split_once('-').unwrap_or((rest, "0"));
        // `parse` accepts a sign too.
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(epoch) && is_number(n_updates)).then_some(())?;
        Some(Self {
            epoch: epoch.parse().ok()?,
            n_updates: n_updates.parse().ok()?,
        })
    }
}

/// Lists the checkpoint folders of a run, oldest first. Of two with the same progress, the one with the
/// longer name was set aside for the other.
fn list(run: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let unreadable = || CheckpointError::read(run);
    let mut folders = Vec::new();
    for entry in fs::read_dir(run).map_err(unreadable())? {
        let path = entry.map_err(unreadable())?.path();
        let name = path.file_name().unwrap_or_default();
        if let Some(place) = Place::from_name(name)
            && path.is_dir()
        {
            folders.push((place, Reverse(name.len()), path));
        }
    }
    folders.sort();
    Ok(folders.into_iter().map(|(.., path)| path).collect())
}

fn record<R>(
    path: &Path,
    parse: fn(Bytes) -> Result<R, RecordError>,
) -> Result<R, CheckpointError> {
    parse(Bytes::from_bytes_vec(read(path)?)).map_err(CheckpointError::record(path))
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    fs::read(path).map_err(CheckpointError::read(path))
}

fn write_synced(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(folder.join(name))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain structs with text keys serialize")
}

fn from_json<T: for<'a> Deserialize<'a>>(path: &Path, text: &[u8]) -> Result<T, CheckpointError> {
    serde_json::from_slice(text).map_err(CheckpointError::format(path))
}
