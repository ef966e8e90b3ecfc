//! One arm of a comparison.

use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::training::AnyEstimator;
use serde::Serialize;

use super::error::ComparisonError;
use crate::method::{Method, MethodOptions};

/// One of the compared ways to train: a configuration, a method, and the values that distinguish it from the
/// other arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// The name, made of everything that distinguishes this arm from the others: `eqprop`, `beta=0.1` or
    /// `dhn-1h eqprop beta=0.1`.
    pub name: String,
    /// The name of its configuration, if there are several configurations.
    pub preset: Option<String>,
    /// The method.
    pub method: Method,
    /// The varied settings, as pairs of key and value.
    pub values: Vec<(String, String)>,
    /// The options of methods.
    #[serde(skip)]
    pub options: MethodOptions,
    /// The full configuration; its seed is replaced by each seed of the comparison.
    #[serde(skip)]
    pub config: TrainingConfig,
    /// The name made of all its parts, whether or not they distinguish it: it stays the same when arms are
    /// added.
    #[serde(skip)]
    pub(super) identity: String,
}

impl Arm {
    /// Returns the estimator of this arm, with the random numbers of `seed`.
    ///
    /// # Errors
    /// If the method cannot run on its network.
    pub fn estimator(&self, seed: u64) -> Result<AnyEstimator, ComparisonError> {
        let config = self.config.clone().with_seed(seed);
        Ok(self.method.estimator_with(&config, &self.options)?)
    }

    /// Whether this arm is trained exactly as `other`, whatever their names.
    pub fn is_same(&self, other: &Self) -> bool {
        let used = |arm: &Self| (arm.method, arm.options, arm.config.clone());
        used(self) == used(other)
    }

    /// Creates an arm from the base configuration and `values`. A value that belongs to another method, or to
    /// a choice that is not made here, is left out, and `unused` is told why.
    pub(super) fn new(
        preset: Option<&str>,
        (base, options): (&TrainingConfig, &MethodOptions),
        method: Method,
        values: &[(&str, &str)],
        mut unused: impl FnMut(&str, ComparisonError),
    ) -> Result<Self, ComparisonError> {
        let mut options = *options;
        let mut settings = Vec::new();
        let mut kept = values.to_vec();
        for &(key, value) in values {
            match MethodOptions::method_of(key) {
                None => settings.push((key, value)),
                Some(section) if section == method.name() => options = options.with(key, value)?,
                Some(section) => {
                    // A mistake in the option is an error in any case.
                    options.with(key, value)?;
                    let error = ComparisonError::OtherMethod {
                        key: key.to_string(),
                        method: section.to_string(),
                    };
                    unused(key, error);
                    kept.retain(|(kept, _)| MethodOptions::method_of(kept) != Some(section));
                }
            }
        }
        let config = loop {
            match base.clone().with_overrides(settings.iter().copied()) {
                Ok(config) => break config,
                Err(error) => {
                    let TrainingError::UnusedOption { key, .. } = &error else {
                        return Err(error.into());
                    };
                    let key = key.clone();
                    settings.retain(|(setting, _)| *setting != key);
                    kept.retain(|(setting, _)| *setting != key);
                    unused(&key, error.into());
                }
            }
        };
        let values = kept.into_iter();
        Ok(Self {
            name: String::new(),
            identity: String::new(),
            preset: preset.map(str::to_string),
            method,
            values: values
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            options,
            config,
        })
    }

    /// Names the arm; preset and method are part of the name only if they `differ` among the arms.
    pub(super) fn named(mut self, differ: [bool; 2]) -> Self {
        self.name = self.title(differ);
        self.identity = self.title([true, true]);
        self
    }

    fn title(&self, [with_preset, with_method]: [bool; 2]) -> String {
        let preset = self.preset.clone().filter(|_| with_preset);
        let method = Some(self.method.to_string()).filter(|_| with_method);
        let values = self
            .values
            .iter()
            .map(|(key, value)| format!("{key}={}", compact(value)));
        let parts: Vec<String> = preset.into_iter().chain(method).chain(values).collect();
        match parts.is_empty() {
            true => self.method.to_string(),
            false => parts.join(" "),
        }
    }

    /// Returns the folder name of the training with this seed.
    pub(super) fn folder(&self, seed: u64) -> String {
        const MOST: usize = 80;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=.+".contains(c);
        let name = &self.identity;
        if name.len() <= MOST && name.chars().all(is_plain) {
            return format!("{seed}-{name}");
        }
        let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
        let plain: String = plain.take(MOST).collect();
        // Two identities may look alike once characters are replaced; this is the FNV-1a hash of the whole.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        format!("{seed}-{plain}~{hash:016x}")
    }
}

/// Returns the new name of an arm once others have been added.
pub(super) fn renamed(name: &str, before: &[Arm], after: &[Arm]) -> String {
    let identity = before
        .iter()
        .find(|arm| arm.name == name)
        .map(|arm| &arm.identity);
    let now = after.iter().find(|arm| Some(&arm.identity) == identity);
    now.map_or(name, |arm| &arm.name).to_string()
}

/// Returns a value without the spaces between its parts.
fn compact(value: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(value).ok();
    match json.filter(|json| json.is_array() || json.is_object()) {
        Some(_) => {
            let mut is_text = false;
            let parts = value.chars().filter(|&c| {
                is_text ^= c == '"';
                is_text || !c.is_whitespace()
            });
            parts.collect()
        }
        None => value.to_string(),
    }
}
