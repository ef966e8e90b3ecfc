//! What is to be learned from files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::option_error::FilesOptionError;

/// What is to be learned. Without a choice of one's own, targets are classes, unless they are numbers that
/// cannot be:
///
/// | targets | task |
/// | --- | --- |
/// | texts, or up to 256 different whole numbers | `classification` |
/// | numbers with fractions in a table, up to 256 different ones and at most half as many as examples | `classification` |
/// | other numbers | `regression` |
/// | several columns | `regression` |
/// | an array with several numbers for each example | `classification` if one is 1 and the others are 0, else `regression` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Each example is of a class.
    Classification,
    /// Each example has a quantity, or several.
    Regression,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 2] = [Self::Classification, Self::Regression];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
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
