//! Learning tasks for the user's files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::option_error::FilesOptionError;

/// Lower-case words for the presence or absence of a label, in addition to numbers.
const TRUTHS: [(&str, f64); 4] = [("true", 1.0), ("false", 0.0), ("yes", 1.0), ("no", 0.0)];

/// Learning task. By default targets are classes, unless they are numbers that cannot be:
///
/// | targets | task |
/// | --- | --- |
/// | texts, or up to 256 distinct whole numbers | `classification` |
/// | fractional numbers in a table, at most 256 distinct, and at most half the examples | `classification` |
/// | other numbers | `regression` |
/// | several columns | `regression` |
/// | an array with several numbers for each example | `classification` if one-hot, else `regression` |
///
/// `labels` is never chosen by default: columns of 0 and 1 may be quantities, and rows of 0 and 1 damaged
/// classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Classification: each example has one class.
    Classification,
    /// Regression: each example has one or several quantities.
    Regression,
    /// Multi-label classification: each example has none, one or several labels.
    Labels,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 3] = [Self::Classification, Self::Regression, Self::Labels];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::Labels => "labels",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Task {
    type Err = FilesOptionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| FilesOptionError::unknown("task", name, Self::ALL.map(Self::name)))
    }
}

/// Parses a word for a label: 1 if it is present, 0 if it is absent.
pub(super) fn truth(text: &str) -> Option<f64> {
    let mut words = TRUTHS.iter();
    let found = words.find(|(word, _)| text.trim().eq_ignore_ascii_case(word));
    found.map(|(_, truth)| *truth)
}
