//! Pairing of input and label arrays of each part, by their names and shapes.

use std::path::Path;

use super::super::DataError;
use super::description::DataFormat;
use super::entry::{Entry, entries, name_of};
use super::error::FilesError;
use super::part::{Part, Role, key};

/// Arrays of a part.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub inputs: Vec<Entry>,
    pub labels: Vec<Entry>,
}

/// Returns the matching arrays of each part.
pub(super) fn parts(
    path: &Path,
    format: DataFormat,
    notes: &mut Vec<String>,
) -> Result<Vec<(Part, Found)>, DataError> {
    let is_single = !path.is_dir();
    let is_one_each = matches!(format, DataFormat::Npy | DataFormat::Idx);
    // The counterparts of a file with one array are searched for in its folder.
    let folder = match path.parent() {
        Some(parent) if is_single && is_one_each => match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        },
        _ => path,
    };
    let mut all = entries(folder, format)?;
    if is_one_each {
        let mut groups: Vec<(String, Vec<Entry>)> = Vec::new();
        for entry in all.clone() {
            let key = key(&entry.name);
            match groups.iter_mut().find(|(found, _)| *found == key) {
                Some((_, group)) => group.push(entry),
                None => groups.push((key, vec![entry])),
            }
        }
        if is_single {
            let own = key(&name_of(path));
            all = groups
                .into_iter()
                .find(|(key, _)| *key == own)
                .map_or(all, |(_, group)| group);
            // A single array has a column of classes.
            let has_labels = all.iter().any(|entry| role(entry) == Role::Labels);
            if !has_labels {
                all.retain(|entry| entry.name == name_of(path));
            }
        } else {
            let has = |group: &[Entry], wanted| group.iter().any(|entry| role(entry) == wanted);
            let is_whole = |group: &[Entry]| has(group, Role::Inputs) && has(group, Role::Labels);
            let n_whole = groups.iter().filter(|(_, group)| is_whole(group)).count();
            if n_whole > 1 {
                return Err(ambiguous(path, &all));
            }
            if let Some((_, group)) = groups.into_iter().find(|(_, group)| is_whole(group)) {
                if group.len() < all.len() {
                    notes.push(format!(
                        "{} other arrays are left out",
                        all.len() - group.len()
                    ));
                }
                all = group;
            }
        }
    }
    let mut parts: Vec<(Part, Found)> = Vec::new();
    for entry in all {
        let part = Part::of(&entry.name).unwrap_or(Part::Train);
        let index = parts.iter().position(|(found, _)| *found == part);
        let index = index.unwrap_or_else(|| {
            parts.push((part, Found::default()));
            parts.len() - 1
        });
        let (_, found) = &mut parts[index];
        match role(&entry) {
            Role::Inputs => found.inputs.push(entry),
            Role::Labels => found.labels.push(entry),
        }
    }
    for (_, found) in &mut parts {
        // An array named for its role takes precedence.
        for (entries, wanted) in [
            (&mut found.inputs, Role::Inputs),
            (&mut found.labels, Role::Labels),
        ] {
            let is_named = |entry: &Entry| Role::of(&entry.name) == Some(wanted);
            if entries.len() > 1 && entries.iter().filter(|entry| is_named(entry)).count() == 1 {
                notes.push(format!("{} other arrays are left out", entries.len() - 1));
                entries.retain(is_named);
            }
        }
    }
    Ok(parts)
}

/// Returns the role of an array: by its name, else arrays with one number for each example are labels.
pub(super) fn role(entry: &Entry) -> Role {
    let is_label = entry.header.element.is_text() || entry.header.example().iter().all(|&n| n == 1);
    let by_shape = if is_label { Role::Labels } else { Role::Inputs };
    Role::of(&entry.name).unwrap_or(by_shape)
}

/// Returns the error of several arrays that could be meant.
pub(super) fn ambiguous(path: &Path, entries: &[Entry]) -> DataError {
    let names = entries.iter().map(|entry| entry.name.clone());
    FilesError::Ambiguous {
        path: path.into(),
        names: names.collect(),
    }
    .into()
}
