//! Arguments that several commands share.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result, bail};
use clap::Args;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataError, DataFiles, DataSource, Dataset, DatasetKind};
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use serde::Deserialize;
use serde_json::Value;

use super::files::FilesArguments;
use crate::output::say;

/// The network and how it is trained.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Named configuration; `eqprop presets` lists them [default: digits, or paper-1h for data of more
    /// than 256 inputs, or dchn for cifar-10 and cifar-100].
    #[arg(long, value_name = "P")]
    pub preset: Option<Preset>,
    /// Configuration file to start from instead: a tuned.json of `eqprop tune`, the config.json of a run, or
    /// the output of `eqprop presets NAME`.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Data set: a name (digits, mnist, fashion-mnist, kmnist, qmnist, cifar-10, cifar-100, or emnist-
    /// followed by balanced, byclass, bymerge, digits, letters or mnist), or the path of your own data, which
    /// `eqprop data PATH` shows [default: the preset's]. With a convolutional preset, smaller images are
    /// padded to the size that it is made for.
    #[arg(long, value_name = "D")]
    pub dataset: Option<DataSource>,
    #[command(flatten)]
    pub files: FilesArguments,
    /// Leave the inputs in their files and read each mini-batch when it is needed: for data that do not fit
    /// into memory. The results are the same. The files are read from end to end a few times before the first
    /// epoch and in random order from then on, so the disk should be fast; only a label per example stays in
    /// memory. Not for tables stored as text, nor for compressed files. Same as --set stream=true.
    #[arg(long)]
    pub stream: bool,
    /// Change one field of the configuration; `eqprop presets NAME` shows all fields.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
}

impl ModelArguments {
    /// Returns the name of the configuration and the configuration itself.
    ///
    /// # Errors
    /// If a field to change is unknown, a value has the wrong type, or the user's own files cannot be used.
    pub fn configure(&self) -> Result<(String, TrainingConfig)> {
        let (name, config, _) = self.configure_with_data()?;
        Ok((name, config))
    }

    /// Does the same as [`configure`](Self::configure), and also returns the data if they had to be read for
    /// it.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn configure_with_data(&self) -> Result<(String, TrainingConfig, Option<Dataset>)> {
        self.configure_as(self.preset, &self.overrides)
    }

    /// Does the same for another preset and other changed fields.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn configure_as(
        &self,
        preset: Option<Preset>,
        overrides: &[Override],
    ) -> Result<(String, TrainingConfig, Option<Dataset>)> {
        let stored = self.config.as_deref().map(read_configuration);
        let stored = stored.transpose()?;
        let is_streamed = self.is_streamed(stored.as_ref(), overrides);
        let look = |files: &DataFiles| look(files, is_streamed);
        let (source, read) = self.files.look(self.dataset.as_ref(), look)?;
        if let (Some(mut config), Some(path)) = (stored, &self.config) {
            if let Some(source) = source {
                config.data.dataset = source;
            }
            let name = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            return self.complete(name.unwrap_or_default(), config, overrides, read);
        }
        let preset = preset.unwrap_or(match &source {
            None => Preset::Digits,
            Some(source) => usual_preset(source),
        });
        let own = preset.config();
        let (name, config) = match source {
            Some(source) if source != own.data.dataset => {
                let name = format!("{}-{}", preset.name(), source.short_name());
                (name, preset.config_for(source))
            }
            _ => (preset.name().to_string(), own),
        };
        let (name, mut config, read) = self.complete(name, config, overrides, read)?;
        if last_of(overrides, "normalize").is_none() {
            normalize_bright(&mut config);
        }
        Ok((name, config, read))
    }

    /// Applies the changes to `config`, and reads its data if they are the user's own files.
    fn complete(
        &self,
        name: String,
        config: TrainingConfig,
        overrides: &[Override],
        read: Option<Dataset>,
    ) -> Result<(String, TrainingConfig, Option<Dataset>)> {
        let mut config = Override::apply(overrides, config)?;
        config.data.stream |= self.stream;
        // --set may have changed the data, or how they are read.
        let is_read = |dataset: &Dataset| dataset.kind == config.data.dataset;
        let read = match config.data.dataset.files() {
            Some(files) if !read.as_ref().is_some_and(is_read) => {
                Some(look(files, config.data.stream)?)
            }
            _ => read,
        };
        if let Some(dataset) = &read {
            config.data.dataset = dataset.kind.clone();
        }
        Ok((name, config, read))
    }

    /// Whether inputs are to stay in their files. This has to be known before there is a configuration.
    fn is_streamed(&self, stored: Option<&TrainingConfig>, overrides: &[Override]) -> bool {
        self.stream
            || match last_of(overrides, "stream") {
                Some(change) => change.value == "true",
                None => stored.is_some_and(|config| config.data.stream),
            }
    }

    /// Returns `config` with the fields of `--set` changed.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn change(&self, config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        Override::apply(&self.overrides, config)
    }
}

/// Returns the last change of a field of the data.
fn last_of<'a>(overrides: &'a [Override], field: &str) -> Option<&'a Override> {
    let mut changes = overrides.iter();
    changes.rfind(|change| change.key.strip_prefix("data.").unwrap_or(&change.key) == field)
}

/// Normalizes the user's own images if their mean is so far from 0 that they would drive most units to an end of
/// their range, and tells it.
fn normalize_bright(config: &mut TrainingConfig) {
    /// Above the mean of MNIST and its kin, and below that of photographs.
    const BRIGHT: f32 = 0.35;
    // Once, though a comparison asks for several configurations.
    static SAID: Once = Once::new();
    let mean = config.data.dataset.mean_pixel();
    let Some(mean) = mean.filter(|&mean| mean > BRIGHT && !config.data.normalize) else {
        return;
    };
    config.data.normalize = true;
    SAID.call_once(|| {
        say(format_args!(
            "the images are bright (mean {mean:.2}), so each channel is shifted and scaled to mean 0 and deviation 1; \
             --set normalize=false leaves them as they are"
        ));
    });
}

/// Reads the user's own files: into memory, or leaving the inputs in the files.
fn look(files: &DataFiles, is_streamed: bool) -> Result<Dataset, DataError> {
    match is_streamed {
        false => files.look(),
        true => files.look_streaming(),
    }
}

/// Reads a configuration from a file that holds it alone, or beside other things as in a run folder.
fn read_configuration(path: &Path) -> Result<TrainingConfig> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read `{}`", path.display()))?;
    let not_one = || format!("`{}` is not a configuration", path.display());
    let found: Value = serde_json::from_str(&text).with_context(not_one)?;
    let read = match found.get("training") {
        // From the text, so that no number passes through another form.
        Some(_) => serde_json::from_str(&text).map(|WithTraining { training }| training),
        None => return TrainingConfig::from_json(&text).with_context(not_one),
    };
    read.with_context(not_one)
}

/// The part of a run's `config.json` that holds the training configuration.
#[derive(Deserialize)]
struct WithTraining {
    #[serde(deserialize_with = "TrainingConfig::read")]
    training: TrainingConfig,
}

/// Returns the preset that is used where the user names none.
pub fn usual_preset(source: &DataSource) -> Preset {
    /// The most inputs for which the small network is used.
    const SMALL: usize = 256;
    match source {
        DataSource::BuiltIn(DatasetKind::Cifar10 | DatasetKind::Cifar100) => Preset::Dchn,
        source if source.n_inputs() <= SMALL => Preset::Digits,
        _ => Preset::Paper1h,
    }
}

/// Returns the data of a configuration: those already read for it, or else read from `data_dir` or from the
/// default folder.
///
/// # Errors
/// If they cannot be used, or their location is given twice.
pub fn load_data(
    config: &TrainingConfig,
    read: Option<Dataset>,
    data_dir: Option<&Path>,
) -> Result<Dataset> {
    match (read, data_dir) {
        (Some(_), Some(_)) => bail!(
            "--data-dir is for data sets with a name: data of your own are at the path that --dataset names"
        ),
        (Some(dataset), None) => Ok(config.prepare_data(dataset)?),
        (None, data_dir) => Ok(config.load_data(data_dir)?),
    }
}

/// A change of one field, written `KEY=VALUE`.
#[derive(Debug, Clone)]
pub struct Override {
    /// The field.
    pub key: String,
    /// Its new value.
    pub value: String,
}

impl std::str::FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.trim().to_string(),
                value: value.trim().to_string(),
            }),
            _ => Err("expected KEY=VALUE, such as beta=0.5".to_string()),
        }
    }
}

/// The folder of the data.
#[derive(Debug, Args)]
pub struct FolderArguments {
    /// Folder with the files of a named data set, such as the IDX files of MNIST or the binary version of
    /// CIFAR-10, plain or gzipped. They may also lie in a subfolder named after the data set, such as
    /// fashion-mnist or FashionMNIST/raw, which is tried first [default: the environment variable
    /// EQPROP_DATA, else downloaded once]. For a run on your own data: where they are now.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// The device to compute on.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// Device, such as flex, wgpu or cuda:1; `eqprop devices` lists them [default: flex, or
    /// the first that this build has].
    #[arg(long, value_name = "DEV")]
    pub device: Option<String>,
}

impl Override {
    /// Returns `config` with all the changes applied.
    ///
    /// # Errors
    /// As [`TrainingConfig::with_override`].
    pub fn apply(all: &[Self], config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        let changes = all.iter();
        config.with_overrides(changes.map(|change| (&*change.key, &*change.value)))
    }
}

/// Refuses an option if one of its values is 0.
///
/// # Errors
/// If a value is 0.
pub fn at_least_one(option: &str, values: &[usize]) -> Result<()> {
    if values.contains(&0) {
        bail!("{option} must be at least 1, but is 0");
    }
    Ok(())
}
