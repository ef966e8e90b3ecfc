//! What is to be learned from files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::option_error::FilesOptionError;

/// What says that an example has a label, or that it has not, in small letters; numbers do too.
const TRUTHS: [(&str, f64); 4] = [("true", 1.0), ("false", 0.0), ("yes", 1.0), ("no", 0.0)];

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
///
/// `labels` is never found by itself: columns of 0 and 1 may be quantities, and rows of 0 and 1 damaged classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Each example is of a class.
    Classification,
    /// Each example has a quantity, or several.
    Regression,
    /// Each example has none, one or several of some labels.
    Labels,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 3] = [Self::Classification, Self::Regression, Self::Labels];

    /// Its name.
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

/// What a text says of a label, if it is a word for it: 1 if it is there, and 0 if it is not.
pub(super) fn truth(text: &str) -> Option<f64> {
    let mut words = TRUTHS.iter();
    let found = words.find(|(word, _)| text.trim().eq_ignore_ascii_case(word));
    found.map(|(_, truth)| *truth)
}
