//! Run folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::file::{is_temporary, write_atomically};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::training::AnyLearner;
use eqprop_train::weights::check_finite;
use serde::{Deserialize, Serialize};

use crate::device::{self, NamedDevice};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.bpk";

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// What `config.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Version of the program.
    pub version: String,
    /// Device that the run was started on.
    pub device: String,
    /// Everything else that determines the result.
    pub training: TrainingConfig,
}

/// A trained network of a run.
#[derive(Debug)]
pub struct TrainedRun {
    /// How it was trained.
    pub config: TrainingConfig,
    /// The network.
    pub learner: AnyLearner<EquilibriumPropagation>,
    /// Where it lies.
    pub device: NamedDevice,
}

impl RunFolder {
    /// Makes a new run folder at `path`, or the first free `runs/NAME`, `runs/NAME-2`, ….
    ///
    /// # Errors
    /// If there is something at `path` already, or it cannot be made.
    pub fn create(path: Option<&Path>, name: &str) -> Result<Self> {
        let path = match path {
            Some(path) => path.to_path_buf(),
            None => {
                let names = (1..).map(|n| match n {
                    1 => name.to_string(),
                    n => format!("{name}-{n}"),
                });
                let mut paths = names.map(|name| Path::new("runs").join(name));
                paths
                    .find(|path| !path.exists())
                    .expect("the numbers do not end")
            }
        };
        let is_used = match fs::read_dir(&path) {
            // A process killed before it wrote the configuration leaves a temporary file behind.
            Ok(entries) => entries
                .flatten()
                .any(|entry| !is_temporary(&entry.file_name())),
            Err(_) => path.exists(),
        };
        if is_used {
            bail!(
                "`{}` is there already and nothing in it is overwritten: name another folder with \
                 --run, or go on with the run in it with --resume",
                path.display()
            );
        }
        fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the run folder `{}`", path.display()))?;
        Ok(Self { path })
    }

    /// The run folder at `path`.
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
        })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder, atomically.
    ///
    /// # Errors
    /// If it cannot be written; an older file of that name is then as it was.
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
    /// If it cannot be read, or cannot work.
    pub fn config(&self) -> Result<RunConfig> {
        let path = self.path.join(CONFIG);
        let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let config: RunConfig = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is not a run configuration", path.display()))?;
        let known = serde_json::to_value(&config.training)?;
        let found: serde_json::Value = serde_json::from_slice(&text)?;
        let mut keys = found["training"].as_object().into_iter().flatten();
        if let Some((key, _)) = keys.find(|(key, _)| known.get(key).is_none()) {
            bail!("`{}` has an unknown key `{key}`", path.display());
        }
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

    /// The network that the run has trained so far.
    ///
    /// # Errors
    /// If there is none yet, or it does not fit the configuration.
    pub fn trained(&self, device: Option<&str>) -> Result<TrainedRun> {
        let config = self.config()?.training;
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
        let learner = record.and_then(|record| learner.try_load_record(record));
        let learner = learner.with_context(|| {
            format!(
                "`{}` is damaged or does not fit the configuration",
                path.display()
            )
        })?;
        check_finite(&learner, &path)?;
        Ok(TrainedRun {
            config,
            learner: learner.valid(),
            device,
        })
    }
}
