//! What a command has to say: text for people, JSON for programs.

use eqprop_train::training::EpochRecord;
use serde::Serialize;
use serde_json::Value;

/// The result of a command.
#[derive(Debug)]
pub struct Report {
    text: String,
    json: Value,
    /// Why there is not more: the program then fails after printing.
    pub failure: Option<String>,
}

impl Report {
    /// A result in both forms.
    pub fn new(text: String, json: &impl Serialize) -> Self {
        Self {
            text,
            json: serde_json::to_value(json).expect("reports have text keys"),
            failure: None,
        }
    }

    /// Part of a result: it is printed, and then the program fails and says why there is not more.
    pub fn with_failure(mut self, failure: Option<String>) -> Self {
        self.failure = failure;
        self
    }

    /// Prints one of the forms on standard output.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", self.json);
        } else if !self.text.is_empty() {
            println!("{}", self.text.trim_end());
        }
    }
}

/// A share as a percentage with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// What an epoch ended at, each error by its name: `validation error 2.50 %, test error 2.22 %`.
pub fn held_out_errors(record: &EpochRecord) -> String {
    let named = [
        ("validation", record.validation_error),
        ("test", record.test_error),
    ];
    let named = named.into_iter();
    let errors =
        named.filter_map(|(name, error)| Some(format!("{name} error {}", percent(error?))));
    errors.collect::<Vec<_>>().join(", ")
}
