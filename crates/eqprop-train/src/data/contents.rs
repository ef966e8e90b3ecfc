//! Directory listings for error messages.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Largest number of names listed.
const MAX_LISTED: usize = 12;

/// Largest number of names counted.
const MAX_COUNTED: usize = 10_000;

/// Largest number of characters shown of a name.
const MAX_LETTERS: usize = 60;

/// Listing of a directory: its first entries by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The directory.
    pub path: PathBuf,
    /// At most twelve names; those of directories end in `/`.
    pub entries: Vec<String>,
    /// Number of further entries, as far as they were counted.
    pub n_more: usize,
    /// Reason why the directory could not be listed.
    pub problem: Option<String>,
}

impl Contents {
    /// Lists a directory.
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
