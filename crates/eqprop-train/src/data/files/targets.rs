//! Targets read from files before it is decided whether they are classes, quantities or multiple labels.

use std::path::Path;

use super::super::TargetKind;
use super::description::DataFiles;
use super::error::FilesError;
use super::labels::Names;
use super::raw::RawPart;
use super::target_error::TargetError;
use super::task::{Task, truth};

/// Ratio of numbers to texts from which the texts are taken for mistakes, and not for class names.
const NUMBERS_PER_MISTAKE: usize = 10;

/// Reader of the targets of all parts. It keeps them both as classes and as quantities as long as they can be
/// either; labels are quantities that are 0 or 1.
#[derive(Debug)]
pub(super) struct TargetReader {
    /// Task requested, or found earlier.
    task: Option<Task>,
    names: Names,
    /// Reason why they are not classes.
    no_classes: Option<FilesError>,
    /// Reason why they are not quantities.
    no_quantities: Option<FilesError>,
    /// Whether an example has several table columns, which together are not a class.
    are_columns: bool,
    n_seen: usize,
    n_texts: usize,
    has_fractions: bool,
    /// Whether there is a number other than 0 and 1.
    has_others: bool,
}

impl TargetReader {
    /// Creates a reader for the targets of `files`.
    pub fn new(files: &DataFiles) -> Self {
        let before = files.found.as_ref().map(|found| match found.target_kind() {
            None => Task::Classification,
            Some(TargetKind::Quantities(_)) => Task::Regression,
            Some(TargetKind::Labels(_)) => Task::Labels,
        });
        Self {
            task: before.or(files.task),
            names: Names::default(),
            no_classes: None,
            no_quantities: None,
            are_columns: false,
            n_seen: 0,
            n_texts: 0,
            has_fractions: false,
            has_others: false,
        }
    }

    /// Returns the default name of a target.
    pub fn noun(&self) -> &'static str {
        match self.task {
            Some(Task::Labels) => "label",
            _ => "target",
        }
    }

    /// Parses a target as a number, or as the presence of a label.
    pub fn number(&self, text: &str) -> Option<f64> {
        let said = (self.task == Some(Task::Labels)).then(|| truth(text));
        said.flatten().or_else(|| text.trim().parse().ok())
    }

    /// Treats several table columns as quantities or labels.
    ///
    /// # Errors
    /// If a class is requested.
    pub fn take_columns(
        &mut self,
        no_class: impl FnOnce() -> FilesError,
    ) -> Result<(), FilesError> {
        self.are_columns = true;
        self.add_class(|_| Err(no_class()), &mut RawPart::default())
    }

    /// Adds the target of an example to `part`: `class` returns its class number or the reason why it is no
    /// class, and `place` returns its position and text.
    ///
    /// # Errors
    /// If it is neither, or not of the requested kind.
    pub fn add(
        &mut self,
        path: &Path,
        class: Result<&str, FilesError>,
        number: Option<f64>,
        place: impl FnOnce() -> [String; 2],
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        let add = |names: &mut Names| class.and_then(|name| names.number(path, name));
        self.add_class(add, part)?;
        self.add_number(path, number, place, part)
    }

    /// Adds the class of an example.
    ///
    /// # Errors
    /// If it is not a class, and a class is requested.
    pub fn add_class(
        &mut self,
        class: impl FnOnce(&mut Names) -> Result<u32, FilesError>,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        let is_other = matches!(self.task, Some(Task::Regression | Task::Labels));
        if is_other || self.no_classes.is_some() {
            return Ok(());
        }
        match class(&mut self.names) {
            Ok(number) => part.labels.push(number),
            Err(error) if self.task == Some(Task::Classification) => return Err(error),
            Err(error) => self.no_classes = Some(error),
        }
        Ok(())
    }

    /// Adds a quantity or a label of an example; `place` as in [`add`](Self::add).
    ///
    /// # Errors
    /// If it is not a valid one, and must be.
    pub fn add_number(
        &mut self,
        path: &Path,
        number: Option<f64>,
        place: impl FnOnce() -> [String; 2],
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        let is_number = |number: &f64| match self.task {
            Some(Task::Labels) => *number == 0.0 || *number == 1.0,
            _ => (*number as f32).is_finite(),
        };
        let found = number.filter(is_number);
        let misfit = || misfit(self.task, path, place());
        self.n_seen += 1;
        self.n_texts += usize::from(number.is_none());
        if self.task != Some(Task::Classification) && self.no_quantities.is_none() {
            match found {
                Some(number) => {
                    self.has_fractions |= number.fract() != 0.0;
                    self.has_others |= number != 0.0 && number != 1.0;
                    part.quantities.push(number);
                }
                None if self.task.is_some() => return Err(misfit()),
                None => self.no_quantities = Some(misfit()),
            }
        }
        if self.no_classes.is_none() || self.no_quantities.is_none() {
            return Ok(());
        }
        let are_names = !self.are_columns && 2 * self.n_texts > self.n_seen;
        let error = match are_names {
            true => self.no_classes.take(),
            false => self.no_quantities.take(),
        };
        error.map_or(Ok(()), Err)
    }

    /// Returns the class names, or none if the targets are quantities or labels, `n_targets` of each example.
    /// Keeps only the chosen form in `parts`; examples without a class have label 0.
    ///
    /// # Errors
    /// If they look like neither.
    pub fn decide<'a>(
        mut self,
        n_targets: usize,
        parts: impl Iterator<Item = &'a mut RawPart>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Names>, FilesError> {
        let has_classes = match self.task {
            Some(task) => task == Task::Classification,
            None => !self.is_regression(n_targets)?,
        };
        if !has_classes && self.task.is_none() && self.are_columns && !self.has_others {
            notes.push(
                "the targets are 0 and 1 in all examples, and learned as quantities; the task `labels` learns which of \
                 them an example has"
                    .into(),
            );
        }
        if !has_classes && self.task.is_none() && !self.are_columns {
            notes.push(match n_targets {
                1 => "the target is a quantity, and learned by regression; the task `classification` takes \
                      each of its values for a class"
                    .into(),
                n => format!("the targets are {n} quantities, and learned by regression"),
            });
        }
        for part in parts {
            match has_classes {
                true => part.quantities = Vec::new(),
                false => part.labels = vec![0; part.quantities.len() / n_targets],
            }
        }
        Ok(has_classes.then_some(self.names))
    }

    fn is_regression(&mut self, n_targets: usize) -> Result<bool, FilesError> {
        if let Some(error) = self.no_classes.take() {
            // Rows of zeros and ones in an array that are not one-hot do not look like quantities either.
            return match n_targets > 1 && !self.are_columns && !self.has_others {
                true => Err(error),
                false => Ok(true),
            };
        }
        let is_like = self.has_fractions && 2 * self.names.all().len() > self.n_seen;
        match self.no_quantities.take() {
            None => Ok(is_like && n_targets == 1),
            Some(error) if is_like && NUMBERS_PER_MISTAKE * self.n_texts < self.n_seen => {
                Err(error)
            }
            Some(_) => Ok(false),
        }
    }
}

/// Returns the error of a target that is not a quantity, or not a label.
fn misfit(task: Option<Task>, path: &Path, [place, found]: [String; 2]) -> FilesError {
    let path = path.into();
    match task {
        Some(Task::Labels) => FilesError::Targets(TargetError::Label { path, place, found }),
        _ => FilesError::Targets(TargetError::Target { path, place, found }),
    }
}
