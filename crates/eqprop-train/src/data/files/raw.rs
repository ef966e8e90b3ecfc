//! Raw data from the readers: numbers and labels as they are in the files.

use std::path::{Path, PathBuf};

use super::super::DataError;
use super::super::inputs::Inputs;
use super::super::memory::{SHARE, memory};
use super::error::FilesError;
use super::labels::Names;
use super::part::Part;
use super::scaling::Numbers;

/// Examples of one part.
#[derive(Debug, Clone, Default)]
pub(super) struct RawPart {
    /// Inputs `[n, channels, height, width]`, not scaled.
    pub inputs: Inputs,
    /// Class numbers, as indices into the names; 0 for other targets.
    pub labels: Vec<u32>,
    /// Other targets `[n, quantities]`, not scaled; labels are 0 and 1.
    pub quantities: Vec<f64>,
    /// The file of each example, where each has one of its own.
    pub files: Vec<PathBuf>,
}

/// All examples of a set of files.
#[derive(Debug)]
pub(super) struct RawData {
    /// Channels, height and width of an example.
    pub shape: [usize; 3],
    /// Class names.
    pub names: Names,
    /// Names of the quantities or labels that replace classes.
    pub quantities: Vec<String>,
    /// Kind of input numbers.
    pub numbers: Numbers,
    /// Names of the columns, if there are any.
    pub columns: Vec<String>,
    /// Training part.
    pub train: RawPart,
    /// Test part, if there is one.
    pub test: Option<RawPart>,
    /// Number of examples at the end of the training part that form a separate validation part.
    pub n_validation: usize,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Joins parts by name: a validation part is the test part if there is no other, and otherwise the end of the
/// training part. Also returns the number of examples of that end.
pub(super) fn joined(
    path: &Path,
    mut parts: Vec<(Part, RawPart)>,
    notes: &mut Vec<String>,
) -> Result<(RawPart, Option<RawPart>, usize), DataError> {
    parts.sort_by_key(|(part, _)| *part);
    let has = |part| parts.iter().any(|(found, _)| *found == part);
    // A single part is split, whatever its name.
    let is_single = parts.len() == 1;
    let has_test = has(Part::Test) && !is_single;
    let has_train = has(Part::Train);
    let (mut train, mut test, mut n_validation) = (RawPart::default(), RawPart::default(), 0);
    for (part, examples) in parts {
        let n = examples.labels.len();
        if n == 0 {
            return Err(FilesError::NoExamples { path: path.into() }.into());
        }
        let is_train = match part {
            _ if is_single => true,
            Part::Train => true,
            Part::Validation if has_test => {
                if has_train {
                    n_validation = n;
                    notes.push(format!(
                        "the validation part is the end of the training part: n_validation={n} holds it out"
                    ));
                }
                true
            }
            Part::Validation => {
                notes.push("the validation part is the test part".into());
                false
            }
            Part::Test => false,
        };
        let target = if is_train { &mut train } else { &mut test };
        if target.labels.is_empty() {
            *target = examples;
        } else {
            let inputs = std::mem::take(&mut target.inputs).joined(examples.inputs);
            target.inputs = inputs.ok_or_else(|| DataError::NotStreamed {
                path: path.into(),
                reason: "its training and its validation part are laid out in different ways; write them alike",
            })?;
            target.labels.extend(examples.labels);
            target.quantities.extend(examples.quantities);
            target.files.extend(examples.files);
        }
    }
    let test = (!test.labels.is_empty()).then_some(test);
    Ok((train, test, n_validation))
}

/// Refuses numbers that do not fit into memory.
pub(super) fn check_memory(path: &Path, n_numbers: f64) -> Result<(), FilesError> {
    let (needed, there) = (n_numbers * size_of::<f32>() as f64, SHARE * memory());
    if needed <= there {
        Ok(())
    } else {
        Err(FilesError::Memory {
            path: path.into(),
            needed,
            there,
        })
    }
}
