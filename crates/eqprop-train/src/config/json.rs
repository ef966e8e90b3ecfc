//! Configurations as JSON: missing settings have their defaults, unknown ones are refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::TrainingConfig;
use super::setting::{self, SECTIONS, Settings};
use crate::error::TrainingError;
use crate::suggestion::did_serde_mean;

impl TrainingConfig {
    /// Reads a configuration. A missing field takes its default, because the text may be older than the
    /// field.
    ///
    /// # Errors
    /// If the text is not a JSON object, has an unknown key or an invalid value, or lacks a field that has no
    /// default.
    pub fn from_json(text: &str) -> Result<Self, TrainingError> {
        let source = |source| TrainingError::NotAConfiguration { source };
        let fields: Fields = serde_json::from_str(text).map_err(source)?;
        Self::from_fields(fields.0)
    }

    /// Deserializes a field of a larger file as [`from_json`](Self::from_json) does, by
    /// `#[serde(deserialize_with = "TrainingConfig::read")]`.
    ///
    /// # Errors
    /// Those of [`from_json`](Self::from_json).
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        Self::from_fields(fields.0).map_err(|error| D::Error::custom(in_full(&error)))
    }

    fn from_fields(given: Map<String, Value>) -> Result<Self, TrainingError> {
        let mut settings = Settings::unset();
        settings.set_all(given.into_iter().collect())?;
        match settings.missing() {
            Some(key) => Err(TrainingError::MissingKey { key }),
            None => from_settings(settings, None),
        }
    }

    /// Returns a copy with the setting `key` changed to `value`, written as JSON or as a bare word: `beta` to
    /// `0.5`, `hidden` to `[500, 500]`, `nudging` to `centered`. The section may precede the name:
    /// `phases.beta`.
    ///
    /// # Errors
    /// If there is no such setting, it is an option of a choice that is not made, or the value does not fit.
    pub fn with_override(&self, key: &str, value: &str) -> Result<Self, TrainingError> {
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        let mut settings = Settings::of(self);
        settings.set(key, parsed)?;
        from_settings(settings, Some((key, value)))
    }

    /// Applies [`with_override`](Self::with_override) for each of `changes`, choices before their options.
    ///
    /// # Errors
    /// Those of [`with_override`](Self::with_override).
    pub fn with_overrides<'a>(
        self,
        changes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TrainingError> {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|(key, _)| setting::depth(key));
        let mut changes = changes.into_iter();
        changes.try_fold(self, |config, (key, value)| {
            config.with_override(key, value)
        })
    }

    /// Returns the names of the settings that differ from `other`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        Settings::of(self).differences(&Settings::of(other))
    }
}

/// Reads a configuration. Errors name the setting `given`, if only that was changed.
fn from_settings(
    settings: Settings,
    given: Option<(&str, &str)>,
) -> Result<TrainingConfig, TrainingError> {
    let read = serde_path_to_error::deserialize(settings.clone().into_json());
    read.map_err(|error| {
        let path = error.path().to_string();
        let name = setting::name_at(&path);
        let (key, value) = match given {
            Some((key, value)) => (key.to_string(), value.to_string()),
            None => {
                let value = settings.get(name).cloned().unwrap_or_default();
                (name.to_string(), value.to_string())
            }
        };
        if has_infinite_number(&value) {
            return TrainingError::NotFinite { key, value };
        }
        let message = error.to_string();
        let source = serde_json::Error::custom(message.clone() + &did_serde_mean(&message));
        TrainingError::UnfitValue {
            example: setting::example(setting::name_at(&key)),
            value,
            key,
            source,
        }
    })
}

/// Formats an error with its chain of sources.
fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    let messages: Vec<_> = sources.map(ToString::to_string).collect();
    messages.join(": ")
}

/// Returns whether `value` holds a number that JSON cannot represent, such as `NaN`, `inf` or `1e999`.
fn has_infinite_number(value: &str) -> bool {
    let mut words = value.split(['[', ']', '{', '}', ':', ',', ' ']);
    words.any(|word| word.parse::<f64>().is_ok_and(|number| !number.is_finite()))
}

/// Keys and values of an object with unique keys.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            let value = match SECTIONS.contains(&key.as_str()) {
                true => Value::Object(entries.next_value::<Fields>()?.0),
                false => entries.next_value()?,
            };
            fields.insert(key, value);
        }
        Ok(Fields(fields))
    }
}
