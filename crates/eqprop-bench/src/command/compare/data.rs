//! The data set of each arm.

use std::path::Path;

use anyhow::Result;
use eqprop_bench::comparison::Arm;
use eqprop_train::config::DataConfig;
use eqprop_train::data::Dataset;

use crate::cli::load_data;

/// The data set as the arms need it, padded and normalized in one or several ways.
pub struct ArmData(Vec<(DataConfig, Dataset)>);

impl ArmData {
    /// Loads the data for all `arms`, except those already `read`.
    ///
    /// # Errors
    /// If the data are missing, cannot be read or do not fit an arm.
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

    /// Returns the data of an arm.
    pub fn of(&self, arm: &Arm) -> &Dataset {
        let prepared = prepared(arm);
        let found = self.0.iter().find(|(known, _)| *known == prepared);
        let (_, dataset) = found.expect("it was loaded for every arm");
        dataset
    }

    /// Returns the fingerprint that identifies the data: that of the first version.
    pub fn fingerprint(&self) -> String {
        self.0.first().map_or(String::new(), |(_, dataset)| {
            dataset.fingerprint().to_string()
        })
    }
}

/// Returns the settings that decide how the data are prepared, without those that select training examples.
fn prepared(arm: &Arm) -> DataConfig {
    let mut data = arm.config.data.clone();
    data.n_train = None;
    data.n_validation = 0;
    data.augmentation = Default::default();
    data.class_weights = None;
    data
}
