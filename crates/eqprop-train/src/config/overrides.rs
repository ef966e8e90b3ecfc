//! Changing single fields of a configuration by name.

use serde_json::Value;

use super::TrainingConfig;
use crate::error::TrainingError;

impl TrainingConfig {
    /// A copy with the field `key` set to `value`, written as JSON or as a bare word:
    /// `beta` to `0.5`, `hidden` to `[500, 500]`, `nudging` to `centered`.
    ///
    /// # Errors
    /// If there is no such field, or the value does not fit it.
    pub fn with_override(&self, key: &str, value: &str) -> Result<Self, TrainingError> {
        let mut fields = self.fields();
        if !fields.contains_key(key) {
            return Err(TrainingError::UnknownKey {
                key: key.to_string(),
                known: fields.keys().cloned().collect(),
            });
        }
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        fields.insert(key.to_string(), parsed);
        serde_json::from_value(Value::Object(fields)).map_err(|source| {
            let (key, value) = (key.to_string(), value.to_string());
            if has_infinite_number(&value) {
                TrainingError::NotFinite { key, value }
            } else {
                TrainingError::UnfitValue { key, value, source }
            }
        })
    }

    /// The fields that differ from `other`, by name.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (mine, theirs) = (self.fields(), other.fields());
        let differs = |key: &&String| mine.get(*key) != theirs.get(*key);
        mine.keys().filter(differs).cloned().collect()
    }

    fn fields(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => unreachable!("a configuration is a JSON object with text keys"),
        }
    }
}

/// Whether `value` holds a number that JSON cannot write, such as `NaN`, `inf` or `1e999`.
fn has_infinite_number(value: &str) -> bool {
    let mut words = value.split(['[', ']', ',', ' ']);
    words.any(|word| word.parse::<f64>().is_ok_and(|number| !number.is_finite()))
}
