//! Class names in the order in which they occur in files.

use std::collections::HashMap;
use std::path::Path;

use super::description::MOST_CLASSES;
use super::error::FilesError;
use super::target_error::TargetError;

/// Number of class names shown if there are too many.
const SHOWN: usize = 3;

/// Class names, numbered in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// Returns the number of a class, and adds the class if it is new.
    pub fn number(&mut self, path: &Path, name: &str) -> Result<u32, FilesError> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(number);
        }
        let number = self.names.len() as u32;
        if self.names.len() == MOST_CLASSES {
            return Err(FilesError::Targets(TargetError::TooManyClasses {
                path: path.into(),
                most: MOST_CLASSES,
                examples: self.names.iter().rev().take(SHOWN).cloned().collect(),
            }));
        }
        self.names.push(name.to_string());
        self.numbers.insert(name.to_string(), number);
        Ok(number)
    }

    /// Returns all names, by number.
    pub fn all(&self) -> &[String] {
        &self.names
    }

    /// Returns all names in the order of their labels: by value if all are numbers, else alphabetically.
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

/// Returns a label as a class name: equal whole numbers have the same name however they are written.
pub(super) fn class_name(label: &str) -> String {
    let label = label.trim();
    match label.parse::<f64>() {
        Ok(number) if is_whole(number) => format!("{number:.0}"),
        _ => label.to_string(),
    }
}

/// Returns whether this is a whole number that can be written without an exponent.
pub(super) fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 1e15
}
