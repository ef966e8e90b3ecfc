//! What a directory holds, for messages.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Names that are listed.
const MAX_LISTED: usize = 12;

/// Names that are counted.
const MAX_COUNTED: usize = 10_000;

/// Letters of a name that are shown.
const MAX_LETTERS: usize = 60;

/// What a directory holds: the first of its entries by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The directory.
    pub path: PathBuf,
    /// At most twelve names; those of directories end in `/`.
    pub entries: Vec<String>,
    /// How many more there are, as far as they were counted.
    pub n_more: usize,
    /// Why the directory could not be listed.
    pub problem: Option<String>,
}

impl Contents {
    /// Looks into a directory.
    pub(super) fn of(path: &Path) -> Self {
        let mut problem = None;
        let mut entries = Vec::new();
        match fs::read_dir(path) {
            Ok(found) => {
                let found = found.flatten().take(MAX_COUNTED);
                entries.extend(found.map(|entry| name(&entry)));
            }
            Err(error) => problem = Some(error.to_string()),
        }
        entries.sort();
        let n_more = entries.len().saturating_sub(MAX_LISTED);
        entries.truncate(MAX_LISTED);
        Self {
            path: path.into(),
            entries,
            n_more,
            problem,
        }
    }
}

fn name(entry: &fs::DirEntry) -> String {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let shown = name.chars().map(|c| if c.is_control() { '?' } else { c });
    let mut shown: String = shown.take(MAX_LETTERS).collect();
    if name.chars().nth(MAX_LETTERS).is_some() {
        shown.push('…');
    }
    if entry.path().is_dir() {
        shown.push('/');
    }
    shown
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.path.display())?;
        match &self.problem {
            Some(problem) => return write!(f, "cannot be listed: {problem}"),
            None if self.entries.is_empty() => return f.write_str("is empty"),
            None => write!(f, "holds {}", self.entries.join(", "))?,
        }
        match self.n_more {
            0 => Ok(()),
            n => write!(f, " and {n} more"),
        }
    }
}
