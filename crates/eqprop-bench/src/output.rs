//! The output of a command: text for people, JSON for programs.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Result, bail};
use burn::tensor::Tensor;
use eqprop_bench::comparison::Difference;
use eqprop_train::data::{DataSource, Examples, TargetKind};
use eqprop_train::training::{ByPart, EpochRecord};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The result of a command.
#[derive(Debug)]
pub struct Report {
    text: String,
    json: Value,
    /// The reason why the result is incomplete: the program then fails after printing it.
    pub failure: Option<String>,
}

impl Report {
    /// Creates a result in both forms.
    pub fn new(text: String, json: &impl Serialize) -> Self {
        Self {
            text,
            json: serde_json::to_value(json).expect("reports have text keys, and paths as text"),
            failure: None,
        }
    }

    /// Marks a result as partial: it is printed, and then the program fails and gives the reason.
    pub fn with_failure(mut self, failure: Option<String>) -> Self {
        self.failure = failure;
        self
    }

    /// Prints one of the two forms on standard output.
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

/// Checks the outcome of writing a result to standard output. It is not an error if the reader, such as
/// `head`, has closed it early.
///
/// # Errors
/// If the result could not be written, and is lost.
pub fn written(outcome: io::Result<()>) -> Result<()> {
    // Text without an end of line is still buffered.
    match outcome.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => bail!("cannot write the result to standard output: {error}"),
    }
}

/// Prints a line on standard error. If that fails nobody is reading, and work goes on.
pub fn say(line: impl Display) {
    // In one write, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Converts a path to text for a report; bytes that are not UTF-8 are replaced.
pub fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Does the same for a field: `#[serde(serialize_with = "path")]`. Serde's own function refuses paths that
/// are not UTF-8.
///
/// # Errors
/// The errors of the serializer.
pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Checks that numbers computed by a network are finite.
///
/// # Errors
/// If a number is infinite or NaN.
pub fn check_finite(what: &str, numbers: impl IntoIterator<Item = f64>) -> Result<()> {
    match numbers.into_iter().find(|number| !number.is_finite()) {
        None => Ok(()),
        Some(number) => bail!(
            "the {what} is {number}: this network's states leave what its numbers can hold, and tell \
             nothing; its weights are too large, or do not belong to its configuration"
        ),
    }
}

/// Names an example of a class: `a 7`, or `cats`, as the class is named.
pub fn a_class(source: &DataSource, class: usize) -> String {
    match source.class_name(class) {
        Some(name) if name != class.to_string() => name.to_string(),
        _ => format!("a {class}"),
    }
}

/// Describes an example by its class, its quantities or its labels.
pub fn an_example(source: &DataSource, examples: &Examples, i: usize) -> String {
    match examples.labels.get(i) {
        Some(&label) => a_class(source, label.into()),
        None if source.labels().is_some() => label_text(source, &examples.label_set(i)),
        None => named_quantities(source, &examples.quantities(i)),
    }
}

/// Lists labels, given by their numbers, by name: `beach, sunset`.
pub fn label_text(source: &DataSource, found: &[usize]) -> String {
    match found.is_empty() {
        true => "no label".to_string(),
        false => label_names(source, found).join(", "),
    }
}

/// Returns the names of labels given by their numbers.
pub fn label_names<'a>(source: &'a DataSource, found: &[usize]) -> Vec<&'a str> {
    let names = source.labels().unwrap_or_default();
    let found = found.iter().filter_map(|&label| names.get(label));
    found.map(String::as_str).collect()
}

/// Describes a class by its number and, if it has one, its name: `class 3 (cat)`.
pub fn class_text(source: &DataSource, class: usize) -> String {
    match source.class_name(class) {
        Some(name) if name != class.to_string() => format!("class {class} ({name})"),
        _ => format!("class {class}"),
    }
}

/// Formats a share as a percentage with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Formats a number with four significant digits.
pub fn quantity(value: f64) -> String {
    const DIGITS: i32 = 4;
    let size = value.abs().log10().floor();
    match size {
        -4.0..6.0 => {
            let decimals = (DIGITS - 1 - size as i32).max(0) as usize;
            format!("{value:.decimals$}")
        }
        _ if value == 0.0 => "0".to_string(),
        _ => format!("{value:.3e}"),
    }
}

/// The meaning of an error: the share of examples that are misclassified, the share of labels that are wrong,
/// or the mean distance from a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A share of the examples.
    Share,
    /// A share of the labels, of which an example may have several.
    Labels,
    /// A distance in the unit of the quantity.
    Distance,
}

impl Measure {
    /// Returns the measure for the targets of some data.
    pub fn of(source: &DataSource) -> Self {
        match source.target_kind() {
            None => Self::Share,
            Some(TargetKind::Labels(_)) => Self::Labels,
            Some(TargetKind::Quantities(_)) => Self::Distance,
        }
    }

    /// Returns the measure for the record of an epoch.
    pub fn of_record(record: &EpochRecord) -> Self {
        match (record.r_squared, record.exact_matches) {
            (Some(_), _) => Self::Distance,
            (None, Some(_)) => Self::Labels,
            (None, None) => Self::Share,
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "error",
            Self::Labels => "label error",
            Self::Distance => "mean error",
        }
    }

    /// Returns its name on a part of the data, such as the test.
    pub fn name_on(self, part: &str) -> String {
        match self {
            Self::Share | Self::Labels => format!("{part} {}", self.name()),
            Self::Distance => format!("mean {part} error"),
        }
    }

    /// Formats an error.
    pub fn text(self, error: f64) -> String {
        match self {
            Self::Share | Self::Labels => percent(error),
            Self::Distance => quantity(error),
        }
    }

    /// Formats a difference of two errors, with its sign and without its unit.
    pub fn difference(self, error: f64) -> String {
        let text = match self {
            Self::Share | Self::Labels => format!("{:+.2}", 100.0 * error),
            Self::Distance if error > 0.0 => format!("+{}", quantity(error)),
            Self::Distance => quantity(error),
        };
        text.replace('-', "−")
    }

    /// Returns the factor and the unit for the error axis of a picture.
    pub fn axis(self) -> (f64, &'static str) {
        match self {
            Self::Share | Self::Labels => (100.0, " (%)"),
            Self::Distance => (1.0, ""),
        }
    }

    /// Returns a verdict in words.
    pub fn verdict(self, found: &Difference) -> String {
        const FEWER: &str = "makes fewer errors than";
        let words = found.words();
        match self {
            Self::Share => words,
            Self::Labels => words.replace(FEWER, "has fewer wrong labels than"),
            Self::Distance => words
                .replace(FEWER, "has a smaller mean error than")
                .replace("on every example", "with every seed"),
        }
    }

    /// Formats the measurement that accompanies the error, with its name.
    fn beside(self, found: f64) -> String {
        match self {
            Self::Distance => format!("R² {found:.4}"),
            Self::Share | Self::Labels => format!("exact matches {}", percent(found)),
        }
    }
}

/// Returns the measurements that accompany the errors of an epoch.
fn beside(record: &EpochRecord) -> ByPart {
    let found = record.r_squared.or(record.exact_matches);
    found.unwrap_or_default()
}

/// Lists the errors after an epoch by name: `validation error 2.50 %, test error 2.22 %`.
pub fn held_out_errors(record: &EpochRecord) -> String {
    let beside = beside(record);
    let named = [
        ("validation", record.validation_error, beside.validation),
        ("test", record.test_error, beside.test),
    ];
    let named = named.into_iter();
    let measure = Measure::of_record(record);
    let errors = named.filter_map(|(name, error, beside)| {
        Some(format!("{name} {}", error_text(measure, error?, beside)))
    });
    errors.collect::<Vec<_>>().join(", ")
}

/// Formats the error on the training examples: `training error 1.20 %`.
pub fn training_error(record: &EpochRecord) -> String {
    let measure = Measure::of_record(record);
    let error = error_text(measure, record.train_error, beside(record).train);
    format!("training {error}")
}

/// Formats an error as `error 2.50 %`, `label error 2.50 % (exact matches 91.20 %)`, or
/// `mean error 0.1203 (R² 0.9312)`.
pub fn error_text(measure: Measure, error: f64, beside: Option<f64>) -> String {
    let text = format!("{} {}", measure.name(), measure.text(error));
    match beside {
        None => text,
        Some(beside) => format!("{text} ({})", measure.beside(beside)),
    }
}

/// Returns the labels that an output `[n, labels]` predicts for each example, by number; empty if there are
/// no labels.
pub fn predicted_labels(source: &DataSource, output: &Tensor<2>) -> Vec<Vec<usize>> {
    let Some(names) = source.labels() else {
        return Vec::new();
    };
    let numbers: Vec<f64> = output.clone().into_data().iter::<f64>().collect();
    let found = |row: &[f64]| {
        let row = row.iter().enumerate();
        let found = row.filter(|(_, number)| TargetKind::has_label(**number));
        found.map(|(label, _)| label).collect()
    };
    numbers.chunks_exact(names.len()).map(found).collect()
}

/// Returns the quantities that an output `[n, quantities]` predicts for each example, in their own units;
/// empty for classes.
pub fn predicted_quantities(source: &DataSource, output: &Tensor<2>) -> Vec<Vec<f64>> {
    let Some(quantities) = source.quantities() else {
        return Vec::new();
    };
    let numbers: Vec<f64> = output.clone().into_data().iter::<f64>().collect();
    let rows = numbers.chunks_exact(quantities.len());
    let in_units = |row: &[f64]| {
        let row = row.iter().enumerate();
        row.map(|(quantity, &number)| quantities.value(quantity, number))
            .collect()
    };
    rows.map(in_units).collect()
}

/// Lists quantities by name, in their own units: `length 3.142, width 0.5772`.
pub fn named_quantities(source: &DataSource, values: &[f64]) -> String {
    let names = source
        .quantities()
        .into_iter()
        .flat_map(|found| &found.names);
    let texts = names
        .zip(values)
        .map(|(name, &value)| format!("{name} {}", quantity(value)));
    texts.collect::<Vec<_>>().join(", ")
}
