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
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        self.with_field(key, parsed, Some(value))
    }
}
