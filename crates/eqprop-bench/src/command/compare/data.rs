//! The examples of each arm.

use std::path::Path;

use anyhow::Result;
use eqprop_bench::comparison::Arm;
use eqprop_train::config::DataConfig;
use eqprop_train::data::Dataset;

use crate::cli::load_data;

/// The data set as the arms need it: padded and normalized in one way or several.
pub struct ArmData(Vec<(DataConfig, Dataset)>);

impl ArmData {
    /// Loads it for all of `arms`, as far as it has not been `read`.
    ///
    /// # Errors
    /// If it is not there, cannot be read or does not fit an arm.
    pub fn load(arms: &[Arm], read: Option<&Dataset>, data_dir: Option<&Path>) -> Result<Self> {
        let mut all = Self(Vec::new());
        for arm in arms {
            let prepared = prepared(arm);
            if all.0.iter().all(|(known, _)| *known != prepared) {
                let is_read = |read: &&Dataset| read.kind == arm.config.data.dataset;
                let read = read.filter(is_read).cloned();
                let dataset = load_data(&arm.config, read, data_dir)?;
                all.0.push((prepared, dataset));
            }
        }
        Ok(all)
    }

    /// That of an arm.
    pub fn of(&self, arm: &Arm) -> &Dataset {
        let prepared = prepared(arm);
        let found = self.0.iter().find(|(known, _)| *known == prepared);
        let (_, dataset) = found.expect("it was loaded for every arm");
        dataset
    }

    /// The one of them by which the data are known.
    pub fn fingerprint(&self) -> String {
        self.0.first().map_or(String::new(), |(_, dataset)| {
            dataset.fingerprint().to_string()
        })
    }
}

/// What decides how the data are prepared: not what a training takes of them.
fn prepared(arm: &Arm) -> DataConfig {
    let mut data = arm.config.data.clone();
    data.n_train = None;
    data.n_validation = 0;
    data.augmentation = Default::default();
    data.class_weights = None;
    data
}
