//! Targets as they are met in files, before it is known whether they are classes or quantities.

use std::path::Path;

use super::description::DataFiles;
use super::error::FilesError;
use super::labels::Names;
use super::raw::RawPart;
use super::task::Task;

/// Texts among so many numbers are taken for mistakes, and not for names of classes.
const NUMBERS_PER_MISTAKE: usize = 10;

/// The targets of all parts. They are kept as classes and as quantities, as long as they can be both.
#[derive(Debug)]
pub(super) struct TargetReader {
    /// The task that is asked for, or that was found before.
    task: Option<Task>,
    names: Names,
    /// Why they are no classes.
    no_classes: Option<FilesError>,
    /// Why they are no quantities.
    no_quantities: Option<FilesError>,
    /// Whether an example has several columns of a table, which are no class together.
    are_columns: bool,
    n_seen: usize,
    n_texts: usize,
    has_fractions: bool,
    /// Whether there is a number other than 0 and 1.
    has_others: bool,
}

impl TargetReader {
    /// For the targets of `files`.
    pub fn new(files: &DataFiles) -> Self {
        let before = files.found.as_ref().map(|found| match found.quantities {
            None => Task::Classification,
            Some(_) => Task::Regression,
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

    /// Takes several columns of a table for quantities.
    ///
    /// # Errors
    /// If a class is asked for.
    pub fn take_columns(
        &mut self,
        no_class: impl FnOnce() -> FilesError,
    ) -> Result<(), FilesError> {
        self.are_columns = true;
        self.add_class(|_| Err(no_class()), &mut RawPart::default())
    }

    /// Adds the target of an example to `part`: `class` is its name as a class, or why it is none, and `no_number` says
    /// what is wrong with one that is no quantity.
    ///
    /// # Errors
    /// If it is neither, or not what is asked for.
    pub fn add(
        &mut self,
        path: &Path,
        class: Result<&str, FilesError>,
        number: Option<f64>,
        no_number: impl FnOnce() -> FilesError,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        let add = |names: &mut Names| class.and_then(|name| names.number(path, name));
        self.add_class(add, part)?;
        self.add_number(number, no_number, part)
    }

    /// Adds the class of an example.
    ///
    /// # Errors
    /// If it is none, and a class is asked for.
    pub fn add_class(
        &mut self,
        class: impl FnOnce(&mut Names) -> Result<u32, FilesError>,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        if self.task == Some(Task::Regression) || self.no_classes.is_some() {
            return Ok(());
        }
        match class(&mut self.names) {
            Ok(number) => part.labels.push(number),
            Err(error) if self.task == Some(Task::Classification) => return Err(error),
            Err(error) => self.no_classes = Some(error),
        }
        Ok(())
    }

    /// Adds a quantity of an example.
    ///
    /// # Errors
    /// If it is none, and has to be one.
    pub fn add_number(
        &mut self,
        number: Option<f64>,
        no_number: impl FnOnce() -> FilesError,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        self.n_seen += 1;
        self.n_texts += usize::from(number.is_none());
        if self.task != Some(Task::Classification) && self.no_quantities.is_none() {
            match number.filter(|number| (*number as f32).is_finite()) {
                Some(number) => {
                    self.has_fractions |= number.fract() != 0.0;
                    self.has_others |= number != 0.0 && number != 1.0;
                    part.quantities.push(number);
                }
                None if self.task == Some(Task::Regression) => return Err(no_number()),
                None => self.no_quantities = Some(no_number()),
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

    /// The names of the classes, or none where the targets are quantities, `n_targets` of each example. Leaves in `parts`
    /// what belongs to it; examples with quantities have the label 0.
    ///
    /// # Errors
    /// If they look like neither.
    pub fn decide<'a>(
        mut self,
        n_targets: usize,
        parts: impl Iterator<Item = &'a mut RawPart>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Names>, FilesError> {
        let is_regression = match self.task {
            Some(task) => task == Task::Regression,
            None => self.is_regression(n_targets)?,
        };
        if is_regression && self.task.is_none() && !self.are_columns {
            notes.push(match n_targets {
                1 => "the target is a quantity, and learned by regression; the task `classification` takes \
                      each of its values for a class"
                    .into(),
                n => format!("the targets are {n} quantities, and learned by regression"),
            });
        }
        for part in parts {
            match is_regression {
                true => part.labels = vec![0; part.quantities.len() / n_targets],
                false => part.quantities = Vec::new(),
            }
        }
        Ok((!is_regression).then_some(self.names))
    }

    fn is_regression(&mut self, n_targets: usize) -> Result<bool, FilesError> {
        if let Some(error) = self.no_classes.take() {
            // Rows of an array that are 0 and 1 are no class each, but do not look like quantities either.
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
