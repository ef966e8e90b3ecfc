//! The settings to time.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataFiles, Examples};
use eqprop_train::preset::Preset;
use serde::{Deserialize, Serialize};

use crate::cli::{BenchArguments, Override, at_least_one};

/// A network to time, with one batch size and one number of steps.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The preset of its configuration.
    pub preset: Preset,
    /// The configuration of the preset for its data.
    pub base: TrainingConfig,
    /// The configuration after all changes.
    pub config: TrainingConfig,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (preset, phases) = (self.preset.name(), &self.config.phases);
        let (batch_size, free, nudged) = (
            self.config.batch_size,
            phases.free_steps,
            phases.nudged_steps,
        );
        write!(f, "{preset}, batch {batch_size}, {free} + {nudged} steps")
    }
}

/// The inputs on which a network was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// Examples from its data set.
    Examples,
    /// Random numbers.
    Random,
}

impl Inputs {
    pub fn of(examples: Option<&Examples>) -> Self {
        match examples {
            Some(_) => Self::Examples,
            None => Self::Random,
        }
    }
}

/// Returns examples to time a setting on, or `None` if its data are not available or hold fewer examples than
/// a batch. Data in a folder named by the user must be there.
pub fn examples(setting: &Setting, data_dir: Option<&Path>) -> Result<Option<Examples>> {
    match setting.config.load_data(data_dir) {
        Ok(dataset) if dataset.train.len() < setting.config.batch_size => Ok(None),
        Ok(dataset) => {
            let first = dataset.train.take(setting.config.batch_size);
            Ok(Some(first.in_memory()?))
        }
        Err(error) if data_dir.is_some() || setting.config.data.dataset.files().is_some() => {
            Err(error.into())
        }
        Err(_) => Ok(None),
    }
}

/// Returns every combination of preset, batch size and number of steps.
pub fn settings(arguments: &BenchArguments) -> Result<Vec<Setting>> {
    at_least_one("--rounds", &[arguments.rounds])?;
    at_least_one("--batch", &arguments.batch)?;
    at_least_one("--steps", &arguments.steps)?;
    let (source, _) = arguments
        .files
        .look(arguments.dataset.as_ref(), DataFiles::look)?;
    let mut settings = Vec::new();
    for preset in distinct(&arguments.preset) {
        let base = match &source {
            None => preset.config(),
            Some(source) => preset.config_for(source),
        };
        // With a tolerance the number of steps would depend on the input; --set turns it on again.
        let mut config = base.clone();
        config.phases.tolerance = None;
        let config = Override::apply(&arguments.overrides, config)?;
        for batch_size in or_default(&arguments.batch, config.batch_size) {
            for free_steps in or_default(&arguments.steps, config.phases.free_steps) {
                let mut config = config.clone();
                (config.batch_size, config.phases.free_steps) = (batch_size, free_steps);
                let valid = config.validate();
                valid.with_context(|| format!("preset {}", preset.name()))?;
                let base = base.clone();
                settings.push(Setting {
                    preset,
                    base,
                    config,
                });
            }
        }
    }
    Ok(settings)
}

/// Returns the values without repetitions, in their order.
pub fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(value) {
            distinct.push(*value);
        }
    }
    distinct
}

fn or_default(values: &[usize], default: usize) -> Vec<usize> {
    if values.is_empty() {
        vec![default]
    } else {
        distinct(values)
    }
}

/// Refuses a batch whose inputs and states alone exceed the memory of the machine: a failed allocation ends a
/// program without an explanation.
pub fn check_memory(setting: &Setting, memory: u64) -> Result<()> {
    let config = &setting.config;
    let units: usize = config
        .energy()
        .layers
        .iter()
        .map(|layer| layer.n_units())
        .sum();
    let per_example = (config.energy().input.n_units() + units) * size_of::<f32>();
    let bytes = config.batch_size as f64 * per_example as f64;
    if bytes > memory as f64 {
        bail!(
            "{setting}: a batch takes {:.1} GB, but the machine has {:.1} GB of memory; lower \
             --batch",
            bytes / 1e9,
            memory as f64 / 1e9
        );
    }
    Ok(())
}
