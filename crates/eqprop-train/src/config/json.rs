//! Configurations as JSON: what is left out has its default, what is unknown is refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::TrainingConfig;
use crate::data::DatasetKind;
use crate::error::TrainingError;
use crate::suggestion::did_serde_mean;

/// The fields that have no default.
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

impl TrainingConfig {
    /// Reads a configuration. A field that is not there has its default: the text may be older than
    /// the field.
    ///
    /// # Errors
    /// If the text is no JSON object, has a key that is unknown or a value that does not fit, or has
    /// not all of the fields without a default.
    pub fn from_json(text: &str) -> Result<Self, TrainingError> {
        let source = |source| TrainingError::NotAConfiguration { source };
        let fields: Fields = serde_json::from_str(text).map_err(source)?;
        Self::from_fields(fields.0)
    }

    /// [`from_json`](Self::from_json) for a field of a larger file:
    /// `#[serde(deserialize_with = "TrainingConfig::read")]`.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        Self::from_fields(fields.0).map_err(|error| D::Error::custom(in_full(&error)))
    }

    fn from_fields(given: Map<String, Value>) -> Result<Self, TrainingError> {
        let defaults = Self::new(DatasetKind::Digits, vec![], 1.0, 1, 1, vec![], 1, 1);
        if let Some(&key) = REQUIRED.iter().find(|&&key| !given.contains_key(key)) {
            return Err(TrainingError::MissingKey { key });
        }
        given
            .into_iter()
            .try_fold(defaults, |config, (key, value)| {
                config.with_field(&key, value, None)
            })
    }

    /// A copy with one field replaced; `text` is how the value was given, if not as JSON.
    pub(super) fn with_field(
        &self,
        key: &str,
        value: Value,
        text: Option<&str>,
    ) -> Result<Self, TrainingError> {
        let mut fields = self.fields();
        if !fields.contains_key(key) {
            return Err(TrainingError::UnknownKey {
                key: key.to_string(),
                known: fields.keys().cloned().collect(),
            });
        }
        let text = text.map_or_else(|| value.to_string(), String::from);
        fields.insert(key.to_string(), value);
        serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
            let key = key.to_string();
            if has_infinite_number(&text) {
                return TrainingError::NotFinite { key, value: text };
            }
            let message = error.to_string();
            let source = serde_json::Error::custom(message.clone() + &did_serde_mean(&message));
            TrainingError::UnfitValue {
                example: example(&key),
                value: text,
                key,
                source,
            }
        })
    }

    /// The fields that differ from `other`, by name.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (mine, theirs) = (self.fields(), other.fields());
        let differs = |key: &&String| mine.get(*key) != theirs.get(*key);
        mine.keys().filter(differs).cloned().collect()
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => unreachable!("a configuration is a JSON object with text keys"),
        }
    }
}

/// A value of the field `key`.
fn example(key: &str) -> String {
    let written = match key {
        "hidden" => r#"[128, {"channels": 32, "kernel": 5, "pooling": {"max": 2}}]"#,
        "skips" => r#"[{"from": 0, "to": 2, "kind": {"convolution": {"kernel": 1, "stride": 2}}}]"#,
        "hidden_activation" | "output_activation" => {
            r#"hard_sigmoid or {"clipped_relu": {"max": 6}}"#
        }
        "initializer" => r#"glorot or {"fan_in": {"gain": 0.7}}"#,
        "learning_rates" => "[0.1, 0.05]",
        "gains" => "[0.6, 0.8]",
        "n_train" => "1000 or null",
        "tolerance" => "1e-3 or null",
        "gradient_clip" => "1.0 or null",
        _ => {
            let config = crate::preset::Preset::Digits.config();
            let value = config.fields().remove(key).unwrap_or_default();
            let text = value.as_str().map(String::from);
            return text.unwrap_or_else(|| value.to_string());
        }
    };
    written.to_string()
}

/// An error with all that it comes from.
fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    let messages: Vec<_> = sources.map(ToString::to_string).collect();
    messages.join(": ")
}

/// Whether `value` holds a number that JSON cannot write, such as `NaN`, `inf` or `1e999`.
fn has_infinite_number(value: &str) -> bool {
    let mut words = value.split(['[', ']', '{', '}', ':', ',', ' ']);
    words.any(|word| word.parse::<f64>().is_ok_and(|number| !number.is_finite()))
}

/// The keys and values of an object, each key once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            fields.insert(key, value);
        }
        Ok(fields)
    }
}
