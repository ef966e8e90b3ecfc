//! Names of classes as they are met in files.

use std::collections::HashMap;
use std::path::Path;

use super::description::MOST_CLASSES;
use super::error::FilesError;

/// How many classes are shown where there are too many.
const SHOWN: usize = 3;

/// The names of classes, each with a number in the order in which they were met.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// The number of a class.
    pub fn number(&mut self, path: &Path, name: &str) -> Result<u32, FilesError> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(number);
        }
        let number = self.names.len() as u32;
        if self.names.len() == MOST_CLASSES {
            return Err(FilesError::TooManyClasses {
                path: path.into(),
                most: MOST_CLASSES,
                examples: self.names.iter().rev().take(SHOWN).cloned().collect(),
            });
        }
        self.names.push(name.to_string());
        self.numbers.insert(name.to_string(), number);
        Ok(number)
    }

    /// All names, by their number.
    pub fn all(&self) -> &[String] {
        &self.names
    }

    /// All names in the order of their labels: by value if all are numbers, else by letters.
    pub fn in_order(&self) -> Vec<String> {
        let mut names = self.names.clone();
        let values: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
        match values {
            Some(values) if values.iter().all(|value| value.is_finite()) => {
                let mut both: Vec<_> = values.into_iter().zip(names).collect();
                both.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
                both.into_iter().map(|(_, name)| name).collect()
            }
            _ => {
                names.sort();
                names
            }
        }
    }
}

/// A label as the name of a class: whole numbers are the same however they are written.
pub(super) fn class_name(label: &str) -> String {
    let label = label.trim();
    match label.parse::<f64>() {
        Ok(number) if is_whole(number) => format!("{number:.0}"),
        _ => label.to_string(),
    }
}

/// Whether this is a whole number that can be written without an exponent.
pub(super) fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 1e15
}
