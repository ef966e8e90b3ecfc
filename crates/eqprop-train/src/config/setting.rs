//! Settings of a configuration by name, as JSON.

use std::iter;

use eqprop_core::nudging::Nudging;
use serde_json::{Map, Value, json};

use super::TrainingConfig;
use super::data::DataConfig;
use super::network::NetworkConfig;
use super::optimizer::OptimizerConfig;
use super::phases::PhaseConfig;
use crate::data::DatasetKind;
use crate::error::TrainingError;

/// Sections of a configuration, whose fields are settings.
pub(super) const SECTIONS: [&str; 5] = ["data", "network", "phases", "optimizer", "hardware"];

/// Names of options that belong to a choice, and their paths: the section, the field of the choice, the
/// choice that has the option, and the option. A flat configuration, used up to form 2, has a value for
/// each of them, used or not.
const OPTIONS: [(&str, &str); 15] = [
    ("feedback_update", "network.model.untied.update"),
    ("feedback_initializer", "network.model.untied.feedback"),
    (
        "layer_update",
        "network.model.predictive_coding.layer_update",
    ),
    (
        "parametrization",
        "network.model.predictive_coding.parametrization",
    ),
    ("input_gain", "network.model.resistive.input_gain"),
    ("injection", "network.model.oscillators.injection"),
    (
        "learns_injection",
        "network.model.oscillators.learns_injection",
    ),
    ("beta", "phases.nudging.*.beta"),
    ("n_pairs", "phases.nudging.higher_order.n_pairs"),
    ("step_size", "phases.dynamics.gradient_flow.step_size"),
    ("history", "phases.dynamics.anderson.history"),
    ("mixing", "phases.dynamics.anderson.mixing"),
    ("step_error", "phases.dynamics.adaptive_flow.error"),
    ("descent_step", "phases.dynamics.error_descent.step_size"),
    (
        "learning_rate_decay",
        "optimizer.schedule.exponential.decay",
    ),
];

/// Settings that are omitted when they have this value, and their sections.
const UNWRITTEN: [(&str, &str, Value); 2] = [
    ("data", "class_weights", Value::Null),
    ("data", "stream", Value::Bool(false)),
];

/// Wildcard for any choice.
const ANY: &str = "*";

/// Settings without a default.
const REQUIRED: [&str; 8] = [
    "dataset",
    "hidden",
    "beta",
    "free_steps",
    "nudged_steps",
    "learning_rates",
    "batch_size",
    "epochs",
];

/// A configuration as JSON, with its settings by name: the fields outside and inside the sections, whose
/// names all differ, and the [`OPTIONS`].
///
/// A name may be preceded by its section, and followed by a path into its value: `free_steps` is
/// `phases.free_steps`, and `augmentation.shift` a part of `augmentation`.
#[derive(Debug, Clone)]
pub(super) struct Settings(Value);

impl Settings {
    /// Returns the settings of a configuration.
    pub fn of(config: &TrainingConfig) -> Self {
        let mut all = serde_json::to_value(config).expect("plain structs with text keys serialize");
        for (section, name, unwritten) in UNWRITTEN {
            if all[section].get(name).is_none() {
                all[section][name] = unwritten;
            }
        }
        Self(all)
    }

    /// Returns all defaults, with null for each setting that has none.
    pub fn unset() -> Self {
        let mut settings = Self::example();
        for name in REQUIRED {
            let set = settings.set(name, Value::Null);
            set.expect("the example has every required setting");
        }
        settings
    }

    /// Returns the settings of some small network.
    fn example() -> Self {
        Self::of(&TrainingConfig::new(
            DataConfig::new(DatasetKind::Digits),
            NetworkConfig::new(vec![128.into()]),
            PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
            OptimizerConfig::new(vec![0.1, 0.05]),
            8,
            40,
        ))
    }

    /// Returns the JSON value.
    pub fn into_json(self) -> Value {
        self.0
    }

    /// Returns the first setting without a default that is not set.
    pub fn missing(&self) -> Option<&'static str> {
        let is_null = |name: &&str| self.get(name).is_some_and(Value::is_null);
        REQUIRED.into_iter().find(is_null)
    }

    /// Returns the names of all settings.
    pub fn names(&self) -> Vec<String> {
        let sections = SECTIONS.into_iter().map(|section| &self.0[section]);
        let objects = iter::once(&self.0).chain(sections);
        let fields = objects.filter_map(Value::as_object).flat_map(Map::keys);
        let fields = fields
            .map(String::as_str)
            .chain(OPTIONS.map(|(name, _)| name));
        let mut names: Vec<_> = fields.map(String::from).collect();
        names.retain(|name| !SECTIONS.contains(&name.as_str()));
        names.sort();
        names
    }

    /// Returns a setting, or `None` for an option of a choice that is not made.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.at(&self.path(name).ok()?)
    }

    /// Changes a setting, a part of one, or several of a section. A choice given as one word keeps the
    /// options it has in common with the previous choice.
    ///
    /// # Errors
    /// If there is no such setting, or it is an option of a choice that is not made.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), TrainingError> {
        match value {
            Value::Object(fields) if SECTIONS.contains(&key) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(name, value)| (format!("{key}.{name}"), value));
                self.set_all(fields.collect())
            }
            value => {
                let path = self.path(key)?;
                let value = self.with_options(&path, value);
                let place = path
                    .iter()
                    .fold(&mut self.0, |place, part| &mut place[part]);
                *place = value;
                Ok(())
            }
        }
    }

    /// Changes several settings. Options of choices that are not made are ignored.
    ///
    /// # Errors
    /// If there is no setting of a name.
    pub fn set_all(&mut self, mut settings: Vec<(String, Value)>) -> Result<(), TrainingError> {
        settings.sort_by_key(|(key, _)| depth(key));
        for (key, value) in settings {
            match self.set(&key, value) {
                Ok(()) | Err(TrainingError::UnusedOption { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the names of the settings that differ from `other`; an option counts only where both choices
    /// have it.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| match (self.get(name), other.get(name)) {
            (Some(mine), Some(theirs)) => plain(name, mine) != plain(name, theirs),
            (mine, theirs) => option(name).is_none() && mine.is_some() != theirs.is_some(),
        });
        names
    }

    /// Returns the path of a setting, or of a part of one.
    fn path(&self, key: &str) -> Result<Vec<String>, TrainingError> {
        let unknown = || TrainingError::UnknownKey {
            key: key.to_string(),
            known: self.names(),
        };
        let in_full = OPTIONS.iter().find(|(_, path)| *path == key);
        let (section, name) = in_section(in_full.map_or(key, |(name, _)| name));
        let mut parts = name.split('.');
        let name = parts.next().unwrap_or_default();
        let has = |found: &&str| {
            section.is_none_or(|section| section == *found) && self.0[*found].get(name).is_some()
        };
        let mut path = if section.is_none() && self.0.get(name).is_some() {
            vec![name]
        } else if let Some(section) = SECTIONS.into_iter().find(has) {
            vec![section, name]
        } else if let Some([section, choice, needed, option]) = option(name) {
            let found = made(&self.0[section][choice]).ok_or_else(unknown)?;
            if needed != ANY && needed != found {
                return Err(TrainingError::UnusedOption {
                    key: key.to_string(),
                    choice,
                    needed,
                    found: found.to_string(),
                });
            }
            // The option may have been left at its default.
            let options = self.at(&[section, choice, found]);
            return match parts.next() {
                None if options.is_some_and(Value::is_object) => {
                    Ok([section, choice, found, option].map(String::from).to_vec())
                }
                _ => Err(unknown()),
            };
        } else {
            return Err(unknown());
        };
        path.extend(parts);
        match self.at(&path) {
            Some(_) => Ok(path.into_iter().map(String::from).collect()),
            None => Err(unknown()),
        }
    }

    fn at<T: AsRef<str>>(&self, path: &[T]) -> Option<&Value> {
        let mut parts = path.iter();
        parts.try_fold(&self.0, |value, part| value.get(part.as_ref()))
    }

    /// Returns a choice given as one word with its named options: those of the previous choice, or none, so
    /// that they take their defaults.
    fn with_options(&self, path: &[String], value: Value) -> Value {
        let (Value::String(word), [_, choice]) = (&value, path) else {
            return value;
        };
        let options = options_of(choice);
        let mut options = options
            .filter(|(_, [.., needed, _])| [ANY, word].contains(needed))
            .peekable();
        if options.peek().is_none() {
            return value;
        }
        let kept = options.filter_map(|(name, [.., option])| {
            let value = self.get(name)?;
            Some((option.to_string(), value.clone()))
        });
        json!({ word: kept.collect::<Map<_, _>>() })
    }
}

/// Returns the [`OPTIONS`] with their paths split.
fn options() -> impl Iterator<Item = (&'static str, [&'static str; 4])> {
    OPTIONS.into_iter().map(|(name, path)| {
        let mut parts = path.split('.');
        let parts = std::array::from_fn(|_| parts.next().unwrap_or_default());
        (name, parts)
    })
}

fn options_of(field: &str) -> impl Iterator<Item = (&'static str, [&'static str; 4])> {
    options().filter(move |(_, [_, choice, ..])| *choice == field)
}

fn option(name: &str) -> Option<[&'static str; 4]> {
    options()
        .find(|(found, _)| *found == name)
        .map(|(_, path)| path)
}

/// Returns the choice that a value makes: `word`, or `{word: {…}}`.
fn made(choice: &Value) -> Option<&str> {
    let entries = choice.as_object();
    let word = entries.and_then(|entries| entries.keys().next());
    word.map(String::as_str).or(choice.as_str())
}

/// Returns a choice without its named options.
fn plain(name: &str, choice: &Value) -> Value {
    let mut choice = choice.clone();
    let entries = choice
        .as_object_mut()
        .and_then(|entries| entries.values_mut().next());
    if let Some(Value::Object(options)) = entries {
        for (_, [.., option]) in options_of(name) {
            options.remove(option);
        }
    }
    choice
}

/// Depth of a key, by which a whole sorts before its parts.
pub(super) fn depth(key: &str) -> usize {
    let (_, name) = in_section(key);
    let is_part = !SECTIONS.contains(&name);
    name.matches('.').count() + usize::from(is_part) + usize::from(option(name).is_some())
}

/// Splits a key into its section, if there is one, and the name.
fn in_section(key: &str) -> (Option<&str>, &str) {
    match key.split_once('.') {
        Some((section, name)) if SECTIONS.contains(&section) => (Some(section), name),
        _ => (None, key),
    }
}

/// Returns the name of the setting that `path` leads to or into.
pub(super) fn name_at(path: &str) -> &str {
    let (_, name) = in_section(path);
    name.split(['.', '[']).next().unwrap_or_default()
}

/// Returns an example value of a setting, as it is written.
pub(super) fn example(name: &str) -> String {
    let written = match name {
        "hidden" => r#"[128, {"channels": 32, "kernel": 5, "pooling": {"max": 2}}]"#,
        "skips" => r#"[{"from": 0, "to": 2, "kind": {"convolution": {"kernel": 1, "stride": 2}}}]"#,
        "hidden_activation" | "output_activation" => {
            r#"hard_sigmoid or {"clipped_relu": {"max": 6}}"#
        }
        "initializer" => r#"glorot or {"fan_in": {"gain": 0.7}}"#,
        "gains" => "[0.6, 0.8]",
        "intermediate" => r#"{"layers": [1, 2], "weight": 0.1}"#,
        "n_train" => "1000 or null",
        "class_weights" => "balanced or [1.0, 2.5] or null",
        "tolerance" => "1e-3 or null",
        "gradient_clip" => "1.0 or null",
        "weight_bits" => "4 or null",
        "weight_range" => "2.0 or null",
        _ => {
            let mut settings = Settings::example();
            if let Some([_, choice, needed, _]) =
                option(name).filter(|[.., needed, _]| *needed != ANY)
            {
                let set = settings.set(choice, needed.into());
                set.expect("the choice of an option is a setting");
                // With its options at their defaults.
                let config = serde_json::from_value(settings.0);
                settings = Settings::of(&config.expect("each of them has one"));
            }
            let value = settings.get(name).cloned().unwrap_or_default();
            let is_choice = options_of(name).next().is_some();
            let word = made(&value).filter(|_| is_choice || value.is_string());
            return word.map_or_else(|| value.to_string(), String::from);
        }
    };
    written.to_string()
}
