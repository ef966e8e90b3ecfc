//! What several commands ask for.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::DatasetKind;
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;

/// Which network, trained how.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Named configuration; `eqprop presets` lists them [default: digits, or paper-1h for a
    /// data set of 28x28 images, or dchn for cifar-10].
    #[arg(long, value_name = "P")]
    pub preset: Option<Preset>,
    /// Data set: digits, mnist, fashion-mnist or cifar-10 [default: the preset's]. Where a preset is
    /// convolutional, smaller images are padded to the size that it is made for.
    #[arg(long, value_name = "D")]
    pub dataset: Option<DatasetKind>,
    /// Change one field of the configuration; `eqprop presets NAME` shows them all.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
}

impl ModelArguments {
    /// The configuration, and a name for it.
    ///
    /// # Errors
    /// If a field to change is unknown, or its value of another type.
    pub fn configure(&self) -> Result<(String, TrainingConfig), TrainingError> {
        self.configure_as(self.preset, &self.overrides)
    }

    /// The same with another preset, and other fields changed.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn configure_as(
        &self,
        preset: Option<Preset>,
        overrides: &[Override],
    ) -> Result<(String, TrainingConfig), TrainingError> {
        let preset = preset.unwrap_or(match self.dataset {
            None | Some(DatasetKind::Digits) => Preset::Digits,
            Some(DatasetKind::Mnist | DatasetKind::FashionMnist) => Preset::Paper1h,
            Some(DatasetKind::Cifar10) => Preset::Dchn,
        });
        let own = preset.config();
        let (name, config) = match self.dataset {
            Some(dataset) if dataset != own.data.dataset => {
                let name = format!("{}-{dataset}", preset.name());
                (name, preset.config_for(dataset))
            }
            _ => (preset.name().to_string(), own),
        };
        Ok((name, Override::apply(overrides, config)?))
    }

    /// `config` with the fields of `--set` changed.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn change(&self, config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        Override::apply(&self.overrides, config)
    }
}

/// `KEY=VALUE`.
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

/// Where the data is.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// Folder with the IDX files of MNIST or Fashion-MNIST, or the binary version of CIFAR-10,
    /// plain or gzipped, in itself or in a folder named after the data set, such as fashion-mnist or
    /// FashionMNIST/raw, which comes first [default: the environment variable EQPROP_DATA, else
    /// downloaded once].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// What to compute on.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// Device, such as flex, wgpu or cuda:1; `eqprop devices` lists them [default: flex, or
    /// the first that this build has].
    #[arg(long, value_name = "DEV")]
    pub device: Option<String>,
}

impl Override {
    /// `config` with all of them.
    ///
    /// # Errors
    /// As [`TrainingConfig::with_override`].
    pub fn apply(all: &[Self], config: TrainingConfig) -> Result<TrainingConfig, TrainingError> {
        let changes = all.iter();
        config.with_overrides(changes.map(|change| (&*change.key, &*change.value)))
    }
}

/// Refuses an option with a 0 among its values.
///
/// # Errors
/// Then.
pub fn at_least_one(option: &str, values: &[usize]) -> Result<()> {
    if values.contains(&0) {
        bail!("{option} must be at least 1, but is 0");
    }
    Ok(())
}
