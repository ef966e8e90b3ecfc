//! `--hardware KEY=VALUE,…`.

use std::str::FromStr;

use anyhow::{Result, bail};
use eqprop_train::config::{HardwareConfig, TrainingConfig};
use eqprop_train::suggestion::did_you_mean;

use super::arguments::Override;
use super::vary::split;

/// Settings of a machine that act on an estimate of the gradient.
const MEASURED: [&str; 5] = [
    "state_bits",
    "state_noise",
    "state_range",
    "weight_bits",
    "weight_range",
];
/// Settings that act on updates alone, with an example value.
const OF_UPDATES: [(&str, &str); 4] = [
    ("mismatch", "0.1"),
    ("stuck", "0.05"),
    ("update_asymmetry", "0.1"),
    ("update_noise", "0.01"),
];
/// The section of a configuration that all of them are in.
const SECTION: &str = "hardware.";

/// Defects of a machine.
#[derive(Debug, Clone)]
pub struct MachineSettings(Vec<Override>);

impl FromStr for MachineSettings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = split(text).into_iter().map(|part| {
            let wrong =
                |_| "expected KEY=VALUE,…, such as state_noise=0.1,state_bits=4".to_string();
            let change: Override = part.parse().map_err(wrong)?;
            let key = change.key.strip_prefix(SECTION).unwrap_or(&change.key);
            Ok(Override {
                key: key.to_string(),
                value: change.value,
            })
        });
        read.collect::<Result<_, _>>().map(Self)
    }
}

impl MachineSettings {
    /// The machine, for a network of this configuration.
    ///
    /// # Errors
    /// If a setting is unknown, or no part of an estimate, or such a machine cannot be.
    pub fn hardware(&self, config: &TrainingConfig) -> Result<HardwareConfig> {
        let mut config = TrainingConfig {
            hardware: HardwareConfig::new(),
            ..config.clone()
        };
        for Override { key, value } in &self.0 {
            check(key)?;
            config = config.with_override(&format!("{SECTION}{key}"), value)?;
        }
        config.validate()?;
        Ok(config.hardware)
    }
}

/// Refuses what is not measured.
fn check(key: &str) -> Result<()> {
    if MEASURED.contains(&key) {
        return Ok(());
    }
    if let Some((_, value)) = OF_UPDATES.into_iter().find(|(name, _)| *name == key) {
        bail!(
            "--hardware cannot measure {key}, which changes updates and not the gradient: `eqprop compare --vary \
             hardware.{key}=0,{value}` shows what it does to a training"
        );
    }
    let guess = did_you_mean(
        key,
        MEASURED.into_iter().chain(OF_UPDATES.map(|(name, _)| name)),
    );
    bail!(
        "unknown key `{key}` in --hardware{guess}; the keys are: {}",
        MEASURED.join(", ")
    )
}
