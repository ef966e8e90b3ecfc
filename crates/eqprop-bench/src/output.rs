//! What a command has to say: text for people, JSON for programs.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Result, bail};
use eqprop_train::data::DataSource;
use eqprop_train::training::EpochRecord;
use serde::{Serialize, Serializer};
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
            json: serde_json::to_value(json).expect("reports have text keys, and paths as text"),
            failure: None,
        }
    }

    /// Part of a result: it is printed, and then the program fails and says why there is not more.
    pub fn with_failure(mut self, failure: Option<String>) -> Self {
        self.failure = failure;
        self
    }

    /// Prints one of the forms on standard output.
    ///
    /// # Errors
    /// As [`written`].
    pub fn print(&self, json: bool) -> Result<()> {
        let mut out = io::stdout();
        written(if json {
            writeln!(out, "{}", self.json)
        } else if self.text.is_empty() {
            Ok(())
        } else {
            writeln!(out, "{}", self.text.trim_end())
        })
    }
}

/// What became of a result that was sent to standard output. A reader that has seen enough and closed
/// it, such as `head`, is no error.
///
/// # Errors
/// If it could not be written: then it is lost.
pub fn written(outcome: io::Result<()>) -> Result<()> {
    // What has no end of line is still waiting.
    match outcome.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => bail!("cannot write the result to standard output: {error}"),
    }
}

/// Says a line on standard error. Where it cannot be written nobody wants it, and work goes on.
pub fn say(line: impl Display) {
    // In one piece, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A path as text, for a report: what is not UTF-8 in it is replaced.
pub fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The same for a field: `#[serde(serialize_with = "path")]`. Serde's own refuses what is not UTF-8.
///
/// # Errors
/// Those of the serializer.
pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Checks what a network computed.
///
/// # Errors
/// If some number is infinite or none.
pub fn check_finite(what: &str, numbers: impl IntoIterator<Item = f64>) -> Result<()> {
    match numbers.into_iter().find(|number| !number.is_finite()) {
        None => Ok(()),
        Some(number) => bail!(
            "the {what} is {number}: this network's states leave what its numbers can hold, and tell \
             nothing; its weights are too large, or do not belong to its configuration"
        ),
    }
}

/// An example of a class: `a 7`, or `a cat`.
pub fn a_class(source: &DataSource, class: usize) -> String {
    match source.class_name(class) {
        Some(name) => format!("a {name}"),
        None => format!("a {class}"),
    }
}

/// A class by its number and, where it has one, its name: `class 3 (cat)`.
pub fn class_text(source: &DataSource, class: usize) -> String {
    match source.class_name(class) {
        Some(name) if name != class.to_string() => format!("class {class} ({name})"),
        _ => format!("class {class}"),
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
