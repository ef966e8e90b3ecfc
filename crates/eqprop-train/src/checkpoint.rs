//! Checkpoints that survive a kill at any moment.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;
use crate::error::CheckpointError;
use crate::file::{TEMPORARY_PREFIX, remove_temporary, sync_folder};
use crate::training::EpochRecord;

/// The form of a checkpoint; raised when it changes.
const VERSION: u32 = 1;
const PREFIX: &str = "checkpoint-";
const MANIFEST: &str = "manifest.json";
const STATE: &str = "state.json";
const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const SCHEDULER: &str = "scheduler.bpk";
const PARTICLES: &str = "particles.bpk";

/// All that a training needs to go on as if it had never stopped.
///
/// On disk it is a folder `checkpoint-EPOCH`, written under another name, synced and renamed: a
/// folder of that name is always complete, and at every moment after the first save there is one.
/// Other files and folders are left alone, also such as `checkpoint-best`. A manifest holds the size and CRC-32 of each file,
/// so that damage is noticed before anything is loaded.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where the training stands.
    pub state: CheckpointState,
    /// Parameters.
    pub model: ModuleRecord,
    /// Optimizer state.
    pub optimizer: OptimizerRecord,
    /// State of the learning-rate schedule.
    pub scheduler: LrSchedulerRecord,
    /// Persistent particles, if the training keeps them.
    pub particles: Option<ModuleRecord>,
}

/// The part of a checkpoint that is text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckpointState {
    /// The configuration of the run, with its seed.
    pub config: TrainingConfig,
    /// What each finished epoch measured; their number is the epoch reached.
    pub records: Vec<EpochRecord>,
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

impl Checkpoint {
    /// A training by `config` before its first epoch, from the parameters of a learner in `model`.
    ///
    /// # Panics
    /// If [`TrainingConfig::validate`] fails.
    pub fn before_training(config: TrainingConfig, model: ModuleRecord) -> Self {
        Self {
            model,
            optimizer: config.optimizer().to_record(),
            // A schedule that has not begun is the same for any number of batches.
            scheduler: config.learning_rate(1).to_record(),
            particles: None,
            state: CheckpointState {
                config,
                records: Vec::new(),
            },
        }
    }

    /// Writes the checkpoint into the run folder `run`, then removes all others.
    ///
    /// # Errors
    /// If the folder cannot be written to; the older checkpoints are then still there.
    pub fn save(self, run: &Path) -> Result<(), CheckpointError> {
        let epoch = self.state.records.len();
        let write = |path: &Path| {
            let path = path.to_path_buf();
            move |source| CheckpointError::Write { path, source }
        };
        remove_temporary(run);
        let folder = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(run)
            .map_err(write(run))?;

        let mut manifest = Manifest {
            version: VERSION,
            files: Vec::new(),
        };
        for (name, bytes) in self.into_files(folder.path())? {
            manifest.files.push(ManifestEntry {
                name: name.to_string(),
                bytes: bytes.len() as u64,
                crc32: crc32fast::hash(&bytes),
            });
            write_synced(&folder.path().join(name), &bytes)?;
        }
        write_synced(&folder.path().join(MANIFEST), &to_json(&manifest))?;
        sync_folder(folder.path()).map_err(write(folder.path()))?;

        let target = run.join(format!("{PREFIX}{epoch:06}"));
        if target.exists() {
            // A run that was resumed from an earlier epoch by hand arrives here again. What it wrote
            // there counts as a checkpoint until the new one is in its place: as the same number, but
            // with one zero more.
            let aside = run.join(format!("{PREFIX}0{epoch:06}"));
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(write(&aside))?;
            }
            fs::rename(&target, &aside).map_err(write(&target))?;
        }
        fs::rename(folder.keep(), &target).map_err(write(&target))?;
        sync_folder(run).map_err(write(run))?;
        for old in list(run)?.into_iter().filter(|path| *path != target) {
            fs::remove_dir_all(&old).map_err(write(&old))?;
        }
        Ok(())
    }

    /// Loads the latest checkpoint of the run folder `run`, or `None` if there is none yet.
    ///
    /// # Errors
    /// If a file cannot be read or is not what was written.
    pub fn load_latest(run: &Path) -> Result<Option<Self>, CheckpointError> {
        match list(run)?.last() {
            Some(folder) => Self::load(folder).map(Some),
            None => Ok(None),
        }
    }

    fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(MANIFEST);
        let manifest: Manifest = from_json(&path, &read(&path)?)?;
        if manifest.version != VERSION {
            return Err(CheckpointError::Version {
                path,
                expected: VERSION,
                found: manifest.version,
            });
        }
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
        let particles = manifest.files.iter().any(|entry| entry.name == PARTICLES);
        Ok(Self {
            state: from_json(&state, &read(&state)?)?,
            model: record(&folder.join(MODEL), ModuleRecord::from_bytes)?,
            optimizer: record(&folder.join(OPTIMIZER), OptimizerRecord::from_bytes)?,
            scheduler: record(&folder.join(SCHEDULER), LrSchedulerRecord::from_bytes)?,
            particles: particles
                .then(|| record(&folder.join(PARTICLES), ModuleRecord::from_bytes))
                .transpose()?,
        })
    }

    fn into_files(self, folder: &Path) -> Result<Vec<(&'static str, Bytes)>, CheckpointError> {
        let pack = |name: &'static str, bytes: Result<Bytes, RecordError>| match bytes {
            Ok(bytes) => Ok((name, bytes)),
            Err(source) => Err(CheckpointError::Record {
                path: folder.join(name),
                source,
            }),
        };
        let mut files = vec![
            (STATE, Bytes::from_bytes_vec(to_json(&self.state))),
            pack(MODEL, self.model.into_bytes())?,
            pack(OPTIMIZER, self.optimizer.into_bytes())?,
            pack(SCHEDULER, self.scheduler.into_bytes())?,
        ];
        if let Some(particles) = self.particles {
            files.push(pack(PARTICLES, particles.into_bytes())?);
        }
        Ok(files)
    }
}

/// The checkpoint folders of a run, oldest first. Of two of one epoch, the one with the longer name
/// was set aside for the other.
fn list(run: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let read = |source| CheckpointError::Read {
        path: run.to_path_buf(),
        source,
    };
    let mut folders = Vec::new();
    for entry in fs::read_dir(run).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().unwrap_or_default();
        if let Some(epoch) = epoch_of(name)
            && path.is_dir()
        {
            folders.push((epoch, Reverse(name.len()), path));
        }
    }
    folders.sort();
    Ok(folders.into_iter().map(|(.., path)| path).collect())
}

/// The epoch in the name of a checkpoint folder; `None` if it is another name.
fn epoch_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix(PREFIX)?;
    // `parse` takes a sign too.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn record<R>(
    path: &Path,
    parse: fn(Bytes) -> Result<R, RecordError>,
) -> Result<R, CheckpointError> {
    parse(Bytes::from_bytes_vec(read(path)?)).map_err(|source| CheckpointError::Record {
        path: path.to_path_buf(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    fs::read(path).map_err(|source| CheckpointError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let write = || {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| CheckpointError::Write {
        path: path.to_path_buf(),
        source,
    })
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain structs with text keys serialize")
}

fn from_json<T: for<'a> Deserialize<'a>>(path: &Path, text: &[u8]) -> Result<T, CheckpointError> {
    serde_json::from_slice(text).map_err(|source| CheckpointError::Format {
        path: path.to_path_buf(),
        source,
    })
}
