//! Run folders.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, Reading};
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::file::{is_temporary, remove_temporary, write_atomically};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::lock::{FolderLock, is_lock};
use eqprop_train::record;
use eqprop_train::training::AnyLearner;
use eqprop_train::weights::check_finite;
use serde::{Deserialize, Serialize};

use crate::device::{self, NamedDevice};
use crate::output::say;
use crate::report_folder::new_folder;

const CONFIG: &str = "config.json";
const MODEL: &str = "model.bpk";

/// The format of a run folder; raised whenever it changes. Format 1 did not record the data of the run; the
/// configurations of formats 1 and 2 were flat.
const FORMAT: u32 = 3;

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held by a process that writes more than a picture.
    _lock: Option<FolderLock>,
}

/// The content of `config.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The format of the run folder.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// Device on which the run was started.
    pub device: String,
    /// The data of the run; unknown before its first training, and in format 1.
    #[serde(default)]
    pub data: Option<RunData>,
    /// Everything else that determines the result.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub training: TrainingConfig,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunData {
    /// The folder that was given, if its name is UTF-8.
    pub folder: Option<String>,
    /// The fingerprint of the data set that was read; see [`Dataset::fingerprint`].
    pub fingerprint: String,
}

/// The format of a configuration that does not state one.
fn first_format() -> u32 {
    1
}

/// A trained network of a run.
#[derive(Debug)]
pub struct TrainedRun {
    /// The configuration with which it was trained.
    pub config: TrainingConfig,
    /// The data on which it was trained, if known.
    pub data: Option<RunData>,
    /// The network.
    pub learner: AnyLearner<EquilibriumPropagation>,
    /// The device that holds it.
    pub device: NamedDevice,
}

impl RunConfig {
    /// Creates the configuration of a run of this version.
    pub fn new(device: &NamedDevice, data: Option<RunData>, training: TrainingConfig) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            device: device.name.clone(),
            data,
            training,
        }
    }
}

impl RunData {
    /// Describes a data set that was loaded from `folder`, or from the default folder.
    pub fn of(dataset: &Dataset, folder: Option<&Path>) -> Self {
        let folder = folder.map(|folder| std::path::absolute(folder).unwrap_or(folder.into()));
        Self {
            folder: folder.and_then(|folder| folder.to_str().map(String::from)),
            fingerprint: dataset.fingerprint(),
        }
    }

    /// Returns the folder in which to look for the data: the one given, else that of the run if it still
    /// exists.
    pub fn folder(data: Option<&Self>, named: Option<&Path>) -> Option<PathBuf> {
        let recorded = data
            .and_then(|data| data.folder.as_ref())
            .map(PathBuf::from);
        let recorded = recorded.filter(|folder| folder.exists());
        named.map(Path::to_path_buf).or(recorded)
    }
}

/// Loads the data of a run, from `folder` if one is given.
///
/// # Errors
/// As [`TrainingConfig::load_data`].
pub fn load_run_data(config: &TrainingConfig, folder: Option<&Path>) -> Result<Dataset> {
    read_run_data(config, folder).map(|reading| reading.dataset)
}

fn read_run_data(config: &TrainingConfig, folder: Option<&Path>) -> Result<Reading> {
    let files = config.data.dataset.files().filter(|_| folder.is_none());
    if let Some(files) = files.filter(|files| !Path::new(&files.path).exists()) {
        bail!(
            "there is no file or folder `{}`, where the data of the run were: name their new place by \
             --data-dir",
            files.path
        );
    }
    Ok(config.read_data(folder)?)
}

impl TrainedRun {
    /// Loads the data to evaluate the network on, from `folder` or from where it was trained on them. Prints
    /// a note if they are not the data it was trained on.
    ///
    /// # Errors
    /// As [`TrainingConfig::load_data`].
    pub fn load_data(&self, folder: Option<&Path>) -> Result<Dataset> {
        self.read_data(folder).map(|reading| reading.dataset)
    }

    /// Like [`load_data`](Self::load_data), with the places of the test examples in the files.
    ///
    /// # Errors
    /// As [`load_data`](Self::load_data).
    pub fn read_data(&self, folder: Option<&Path>) -> Result<Reading> {
        let folder = RunData::folder(self.data.as_ref(), folder);
        let reading = read_run_data(&self.config, folder.as_deref())?;
        let is_other = |data: &RunData| data.fingerprint != reading.dataset.fingerprint();
        if self.data.as_ref().is_some_and(is_other) {
            say("note: these are not the data that the network was trained on");
        }
        Ok(reading)
    }
}

impl RunFolder {
    /// Creates a new run folder at `path`, or the first free one of `runs/NAME`, `runs/NAME-2`, …, and locks
    /// it.
    ///
    /// # Errors
    /// If something exists at `path`, or the folder cannot be created.
    pub fn create(path: Option<&Path>, name: &str) -> Result<Self> {
        let cannot = |path: &Path| {
            let path = path.display();
            format!("cannot make the run folder `{path}`: name another place with --run")
        };
        let path = match path {
            Some(path) => {
                check_unused(path)?;
                fs::create_dir_all(path).with_context(|| cannot(path))?;
                path.to_path_buf()
            }
            None => {
                let made = new_folder(name);
                made.map_err(|(path, error)| Error::new(error).context(cannot(&path)))?
            }
        };
        let lock = FolderLock::acquire(&path)?;
        // Another process may have been faster.
        check_unused(&path)?;
        remove_temporary(&path);
        Ok(Self {
            path,
            _lock: Some(lock),
        })
    }

    /// Opens the run folder at `path` for reading.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG).is_file() {
            bail!(
                "`{}` is not a run folder: it has no {CONFIG}; `eqprop train --run DIR` makes one",
                path.display()
            );
        }
        Ok(Self {
            path: path.to_path_buf(),
            _lock: None,
        })
    }

    /// Opens the run folder at `path` and locks it, to resume its run.
    ///
    /// # Errors
    /// If there is none, or another process is writing into it.
    pub fn open_to_write(path: &Path) -> Result<Self> {
        let folder = Self::open(path)?;
        let lock = FolderLock::acquire(path)?;
        remove_temporary(path);
        Ok(Self {
            _lock: Some(lock),
            ..folder
        })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder atomically.
    ///
    /// # Errors
    /// If it cannot be written; an older file with that name then remains unchanged.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        write_atomically(&path, bytes).with_context(|| {
            format!(
                "cannot write `{}`: check its permissions and the space left",
                path.display()
            )
        })
    }

    /// Writes `config.json`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_config(&self, config: &RunConfig) -> Result<()> {
        self.write(CONFIG, &serde_json::to_vec_pretty(config)?)
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// If it cannot be read, or the configuration cannot work.
    pub fn config(&self) -> Result<RunConfig> {
        let path = self.path.join(CONFIG);
        let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let not_one = || format!("`{}` is not a run configuration", path.display());
        let found: serde_json::Value = serde_json::from_slice(&text).with_context(not_one)?;
        // First, because a newer format may be unreadable for other reasons.
        if let Some(format) = found["format"].as_u64()
            && format > FORMAT.into()
        {
            bail!(
                "`{}` is of a run folder of format {format}, but this version reads formats 1 to \
                 {FORMAT}: use the version of eqprop that wrote it ({}), or a newer one",
                path.display(),
                found["version"].as_str().unwrap_or("unknown")
            );
        }
        // From the text, so that no number passes through another form.
        let config: RunConfig = serde_json::from_slice(&text).with_context(not_one)?;
        let valid = config.training.validate();
        valid.with_context(|| format!("`{}` cannot work", path.display()))?;
        Ok(config)
    }

    /// Writes the model.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_model(&self, record: ModuleRecord) -> Result<()> {
        self.write(MODEL, &record.into_bytes()?)
    }

    /// The network that the run has trained so far, to be relaxed by ideal units: says so if others have trained it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn trained(&self, device: Option<&str>) -> Result<TrainedRun> {
        let run = self.load(device)?;
        if run.config.hardware.state_defects().is_some() {
            say(
                "note: states relax here as those of ideal units, without the noise and the rounding of the training",
            );
        }
        Ok(run)
    }

    /// Loads the network that the run has trained so far.
    ///
    /// # Errors
    /// If there is none yet, or it does not fit the configuration.
    pub fn load(&self, device: Option<&str>) -> Result<TrainedRun> {
        let RunConfig {
            training: config,
            data,
            ..
        } = self.config()?;
        let device = device::open(device)?;
        let path = self.path.join(MODEL);
        if !path.is_file() {
            bail!(
                "`{}` has no model yet: its first epoch is not finished; go on with `eqprop train \
                 --resume --run {0}`",
                self.path.display()
            );
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let network = config.network(&device.device);
        let learner = EquilibriumLearner::new(network, config.estimator());
        let record = ModuleRecord::from_bytes(burn::tensor::Bytes::from_bytes_vec(bytes));
        let learner = record.and_then(|record| record::load(learner, record));
        let learner = learner.with_context(|| {
            format!(
                "`{}` is damaged or does not fit the configuration",
                path.display()
            )
        })?;
        check_finite(&learner, &path)?;
        Ok(TrainedRun {
            config,
            data,
            learner: learner.valid(),
            device,
        })
    }
}

/// Refuses a folder that is not empty.
fn check_unused(path: &Path) -> Result<()> {
    // A process killed before it wrote the configuration leaves these behind.
    let is_trace = |name: &OsStr| is_temporary(name) || is_lock(name);
    let is_used = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| !is_trace(&entry.file_name())),
        Err(_) => path.exists(),
    };
    if !is_used {
        return Ok(());
    }
    if path.join(CONFIG).is_file() {
        // Reports it if another process is using the folder.
        FolderLock::acquire(path)?;
    }
    bail!(
        "`{}` is there already and nothing in it is overwritten: name another folder with --run, or \
         go on with the run in it with --resume",
        path.display()
    )
}
