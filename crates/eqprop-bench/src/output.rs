//! What a command has to say: text for people, JSON for programs.

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

/// What an example is: of a class, or its quantities or labels.
pub fn an_example(source: &DataSource, examples: &Examples, i: usize) -> String {
    match examples.labels.get(i) {
        Some(&label) => a_class(source, label.into()),
        None if source.labels().is_some() => label_text(source, &examples.label_set(i)),
        None => named_quantities(source, &examples.quantities(i)),
    }
}

/// Labels by their names, given by their numbers: `beach, sunset`.
pub fn label_text(source: &DataSource, found: &[usize]) -> String {
    match found.is_empty() {
        true => "no label".to_string(),
        false => label_names(source, found).join(", "),
    }
}

/// The names of labels, given by their numbers.
pub fn label_names<'a>(source: &'a DataSource, found: &[usize]) -> Vec<&'a str> {
    let names = source.labels().unwrap_or_default();
    let found = found.iter().filter_map(|&label| names.get(label));
    found.map(String::as_str).collect()
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

/// A number with four digits that count.
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

/// What an error is: the share of the examples that are classified wrongly, or that of the labels that are wrong, or the
/// mean distance from a quantity.
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
    /// Of what is learned from some data.
    pub fn of(source: &DataSource) -> Self {
        match source.target_kind() {
            None => Self::Share,
            Some(TargetKind::Labels(_)) => Self::Labels,
            Some(TargetKind::Quantities(_)) => Self::Distance,
        }
    }

    /// Of what an epoch measured.
    pub fn of_record(record: &EpochRecord) -> Self {
        match (record.r_squared, record.exact_matches) {
            (Some(_), _) => Self::Distance,
            (None, Some(_)) => Self::Labels,
            (None, None) => Self::Share,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "error",
            Self::Labels => "label error",
            Self::Distance => "mean error",
        }
    }

    /// What it is called on some examples, such as those of the test.
    pub fn name_on(self, part: &str) -> String {
        match self {
            Self::Share | Self::Labels => format!("{part} {}", self.name()),
            Self::Distance => format!("mean {part} error"),
        }
    }

    /// An error as text.
    pub fn text(self, error: f64) -> String {
        match self {
            Self::Share | Self::Labels => percent(error),
            Self::Distance => quantity(error),
        }
    }

    /// A difference of two errors as text, with its sign, and without its unit.
    pub fn difference(self, error: f64) -> String {
        let text = match self {
            Self::Share | Self::Labels => format!("{:+.2}", 100.0 * error),
            Self::Distance if error > 0.0 => format!("+{}", quantity(error)),
            Self::Distance => quantity(error),
        };
        text.replace('-', "−")
    }

    /// What a picture's axis of errors shows: by how much they are multiplied, and in which unit they are then.
    pub fn axis(self) -> (f64, &'static str) {
        match self {
            Self::Share | Self::Labels => (100.0, " (%)"),
            Self::Distance => (1.0, ""),
        }
    }

    /// A verdict in words.
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

    /// What is told beside the error, with its name.
    fn beside(self, found: f64) -> String {
        match self {
            Self::Distance => format!("R² {found:.4}"),
            Self::Share | Self::Labels => format!("exact matches {}", percent(found)),
        }
    }
}

/// What an epoch measured beside its errors.
fn beside(record: &EpochRecord) -> ByPart {
    let found = record.r_squared.or(record.exact_matches);
    found.unwrap_or_default()
}

/// What an epoch ended at, each error by its name: `validation error 2.50 %, test error 2.22 %`.
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

/// The error of the training examples: `training error 1.20 %`.
pub fn training_error(record: &EpochRecord) -> String {
    let measure = Measure::of_record(record);
    let error = error_text(measure, record.train_error, beside(record).train);
    format!("training {error}")
}

/// `error 2.50 %`, `label error 2.50 % (exact matches 91.20 %)`, or `mean error 0.1203 (R² 0.9312)`.
pub fn error_text(measure: Measure, error: f64, beside: Option<f64>) -> String {
    let text = format!("{} {}", measure.name(), measure.text(error));
    match beside {
        None => text,
        Some(beside) => format!("{text} ({})", measure.beside(beside)),
    }
}

/// The labels that an output `[n, labels]` finds in each example, by their numbers; nothing where there are none.
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

/// What an output `[n, quantities]` says of each example, in the units of the quantities; nothing of classes.
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

/// Quantities by their names, in their own units: `length 3.142, width 0.5772`.
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
