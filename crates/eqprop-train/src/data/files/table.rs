//! Text tables with a line for each example.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::super::DataError;
use super::super::reader::DataFile;
use super::description::{DataFiles, DataFormat, MOST_INPUTS};
use super::error::FilesError;
use super::labels::class_name;
use super::part::Part;
use super::raw::{RawData, RawPart, check_memory, joined};
use super::recognize::files_of;
use super::scaling::Numbers;
use super::target_error::TargetError;
use super::targets::TargetReader;
use super::task::Task;

/// Default names of the class column.
const TARGETS: [&str; 4] = ["label", "class", "target", "y"];

/// Lower-case texts of a missing value.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// Number of lines between two checks of the memory.
const LINES: usize = 1000;

/// Reads all examples of one table, or of the tables of the parts.
pub(super) fn read(description: &DataFiles, path: &Path) -> Result<RawData, DataError> {
    let mut reader = TargetReader::new(description);
    let mut notes = Vec::new();
    let mut columns: Option<[Vec<String>; 2]> = None;
    let mut parts: Vec<(Part, RawPart)> = Vec::new();
    let mut n_first = 0;
    let files = files_of(path, DataFormat::Csv)?;
    let first = files[0].display().to_string();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let part = Part::of(&name).filter(|_| files.len() > 1);
        let part = part.unwrap_or(Part::Train);
        if parts.iter().any(|(found, _)| *found == part) {
            let names = files.iter().map(|file| file.display().to_string());
            return Err(FilesError::Ambiguous {
                path: path.into(),
                names: names.collect(),
            }
            .into());
        }
        let mut table = Table::open(file)?;
        let targets = table.targets(description)?;
        let kept = table.kept(&targets);
        let own = [&kept, &targets].map(|own| {
            let names = own.iter().map(|&column| table.column(column));
            names.collect::<Vec<String>>()
        });
        let expected = columns.get_or_insert_with(|| own.clone());
        if *expected != own {
            let reason = format!("its columns are not those of `{first}`");
            return Err(FilesError::table(file, reason).into());
        }
        if table.n_columns > kept.len() + targets.len() {
            notes.push("the column of numbers of the lines is left out".into());
        }
        if kept.is_empty() {
            let reason = match targets.len() {
                1 => "it has no column beside that of the class: inputs are needed",
                _ => "it has no column beside the targets: inputs are needed",
            };
            return Err(FilesError::table(file, reason).into());
        }
        let [_, said] = own;
        if said.len() > 1 {
            reader.take_columns(|| {
                FilesError::Targets(TargetError::SeveralTargets {
                    path: file.clone(),
                    columns: said.clone(),
                })
            })?;
        }
        let mut examples = RawPart::default();
        let inputs = table.cells(&kept, &targets, |target, cell, line| {
            let text = text_of(cell);
            let place = || {
                let place = format!("line {line}, column {}", said[target]);
                [place, shortened(&text)]
            };
            let (class, number) = (class_name(&text), reader.number(&text));
            reader.add(file, Ok(&class), number, place, &mut examples)
        })?;
        if parts.is_empty() {
            n_first = notes.len();
        }
        let inputs = inputs.into();
        parts.push((part, RawPart { inputs, ..examples }));
    }
    let [columns, targets] = columns.unwrap_or_default();
    let examples = parts.iter_mut().map(|(_, part)| part);
    let names = reader.decide(targets.len(), examples, &mut notes)?;
    let said = targets.join(", ");
    let are_labels = description.task == Some(Task::Labels);
    let what = match (&names, targets.len()) {
        (Some(_), _) => format!("the class is in column {said}"),
        (None, 1) if are_labels => format!("the label is in column {said}"),
        (None, _) if are_labels => format!("the labels are in the columns {said}"),
        (None, 1) => format!("the quantity to learn is in column {said}"),
        (None, _) => format!("the quantities to learn are in the columns {said}"),
    };
    notes.insert(n_first, what);
    let (train, test, n_validation) = joined(path, parts, &mut notes)?;
    Ok(RawData {
        shape: [1, 1, columns.len()],
        quantities: if names.is_some() { Vec::new() } else { targets },
        names: names.unwrap_or_default(),
        numbers: Numbers::Table,
        columns,
        train,
        test,
        n_validation,
        notes,
    })
}

/// Reads the inputs of a table, with or without target columns, and returns them with their shape.
pub(super) fn inputs(
    description: &DataFiles,
    path: &Path,
) -> Result<(Vec<f32>, [usize; 3]), DataError> {
    let found = description.found();
    let n_inputs = found.shape.iter().product::<usize>();
    let mut table = Table::open(path)?;
    let kept = if table.names.is_some() && !found.columns.is_empty() {
        let columns = found.columns.iter().map(|name| table.named(name));
        columns.collect::<Result<Vec<_>, _>>()?
    } else {
        let kept = table.kept(&[]);
        match kept.len() == n_inputs + found.n_targets() {
            true => {
                let targets = table.targets(description)?;
                table.kept(&targets)
            }
            false => kept,
        }
    };
    let shape = match kept.len() == n_inputs {
        true => found.shape,
        false => [1, 1, kept.len()],
    };
    Ok((table.cells(&kept, &[], |_, _, _| Ok(()))?, shape))
}

/// A table whose first lines have been read.
struct Table<'a> {
    path: &'a Path,
    reader: Reader<Box<dyn Read>>,
    /// Column names, if the first line has them.
    names: Option<Vec<String>>,
    n_columns: usize,
    /// Lines already read, without the names.
    first: Vec<ByteRecord>,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let mut text = BufReader::new(DataFile::open(path)?.into_reader());
        let start = text.fill_buf().map_err(|source| DataError::Read {
            path: path.into(),
            source,
        })?;
        let delimiter = delimiter(start);
        let text: Box<dyn Read> = Box::new(text);
        let mut table = Self {
            path,
            reader: ReaderBuilder::new()
                .has_headers(false)
                .delimiter(delimiter)
                .from_reader(text),
            names: None,
            n_columns: 0,
            first: Vec::new(),
        };
        for _ in 0..2 {
            let record = table.next()?;
            table.first.extend(record);
        }
        let Some(first) = table.first.first() else {
            return Err(FilesError::NoExamples { path: path.into() }.into());
        };
        table.n_columns = first.len();
        if table.n_columns > MOST_INPUTS {
            let reason = format!("it has more than {MOST_INPUTS} columns");
            return Err(FilesError::table(path, reason).into());
        }
        let has_names = has_names(first, table.first.get(1));
        if has_names {
            let names = table.first.remove(0);
            let names = names.iter().map(|name| text_of(name).trim().to_string());
            table.names = Some(names.collect());
        }
        Ok(table)
    }

    /// Reads the next line.
    fn next(&mut self) -> Result<Option<ByteRecord>, DataError> {
        let mut record = ByteRecord::new();
        match self.reader.read_byte_record(&mut record) {
            Ok(is_there) => Ok(is_there.then_some(record)),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn explain(&self, error: csv::Error) -> DataError {
        let path = self.path.to_path_buf();
        let message = error.to_string();
        match error.into_kind() {
            ErrorKind::Io(source) => DataError::Read { path, source },
            ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => {
                let line = pos.map_or(0, |pos| pos.line());
                let reason = format!("line {line} has {len} cells, expected {expected_len}");
                FilesError::table(&path, reason).into()
            }
            _ => FilesError::table(&path, message).into(),
        }
    }

    /// Returns the name of a column, or its number from 1.
    fn column(&self, index: usize) -> String {
        let name = self.names.as_ref().and_then(|names| names.get(index));
        name.cloned().unwrap_or_else(|| (index + 1).to_string())
    }

    /// Returns the column of a name, or of a number from 1 if no column has that name.
    fn named(&self, name: &str) -> Result<usize, FilesError> {
        let names = self.names.as_deref().unwrap_or_default();
        let by_number = || {
            let number = name.parse::<usize>().ok()?;
            (1..=self.n_columns).contains(&number).then(|| number - 1)
        };
        let found = names.iter().position(|found| found == name);
        let found = found.or_else(|| {
            let mut names = names.iter();
            names.position(|found| found.eq_ignore_ascii_case(name))
        });
        found
            .or_else(by_number)
            .ok_or_else(|| FilesError::NoColumn {
                path: self.path.into(),
                name: name.into(),
                columns: (0..self.n_columns)
                    .map(|index| self.column(index))
                    .collect(),
            })
    }

    /// Returns the target columns: those named, or that of the class.
    fn targets(&self, description: &DataFiles) -> Result<Vec<usize>, FilesError> {
        if let Some(name) = &description.target {
            return match self.named(name) {
                // A comma may be part of a name.
                Err(_) if name.contains(',') => self.all_named(name.split(',').map(str::trim)),
                found => found.map(|found| vec![found]),
            };
        }
        let names = self.names.as_deref().unwrap_or_default();
        let is_target = |target: &&str| {
            let mut names = names.iter();
            names.position(|name| name.eq_ignore_ascii_case(target))
        };
        let usual = TARGETS.iter().find_map(is_target);
        Ok(vec![usual.unwrap_or(self.n_columns - 1)])
    }

    /// Returns the columns of several names.
    fn all_named<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Vec<usize>, FilesError> {
        let mut found = Vec::new();
        for name in names {
            let column = self.named(name)?;
            if found.contains(&column) {
                let reason = format!("column {name} is named twice among the targets");
                return Err(FilesError::table(self.path, reason));
            }
            found.push(column);
        }
        Ok(found)
    }

    /// Returns the input columns: all but the targets and a column of line numbers.
    fn kept(&self, targets: &[usize]) -> Vec<usize> {
        let numbers_lines = |index: usize| {
            let name = self.names.as_ref().map(|names| names[index].to_lowercase());
            name.is_some_and(|name| match name.as_str() {
                "" | "unnamed: 0" => index == 0,
                name => name == "id",
            })
        };
        let columns = 0..self.n_columns;
        let is_kept = |index: &usize| !targets.contains(index) && !numbers_lines(*index);
        columns.filter(is_kept).collect()
    }

    /// Reads the numbers of the columns `kept` of all lines, and passes each target of a line to `take`: its
    /// index in `targets`, its cell and the line number.
    fn cells(
        &mut self,
        kept: &[usize],
        targets: &[usize],
        mut take: impl FnMut(usize, &[u8], u64) -> Result<(), FilesError>,
    ) -> Result<Vec<f32>, DataError> {
        let mut cells = Vec::new();
        let mut n_missing = 0;
        let mut first_missing = None;
        let mut pending = std::mem::take(&mut self.first).into_iter();
        let mut record = ByteRecord::new();
        for index in 0.. {
            match pending.next() {
                Some(first) => record = first,
                None => match self.reader.read_byte_record(&mut record) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return Err(self.explain(error)),
                },
            }
            let line = record.position().map_or(0, |position| position.line());
            let mut miss = |column: usize| {
                n_missing += 1;
                first_missing.get_or_insert((line, column));
            };
            for &column in kept {
                let cell = &record[column];
                match number(cell) {
                    Some(number) if (number as f32).is_finite() => cells.push(number as f32),
                    // `nan` is a missing number.
                    _ if is_missing(cell) => {
                        miss(column);
                        cells.push(0.0);
                    }
                    _ => {
                        return Err(FilesError::NotANumber {
                            path: self.path.into(),
                            line,
                            column: self.column(column),
                            cell: shortened(&text_of(cell)),
                        }
                        .into());
                    }
                }
            }
            for (target, &column) in targets.iter().enumerate() {
                match &record[column] {
                    cell if is_missing(cell) => miss(column),
                    cell => take(target, cell, line)?,
                }
            }
            if index % LINES == 0 {
                check_memory(self.path, cells.len() as f64)?;
            }
        }
        if let Some((line, column)) = first_missing {
            return Err(FilesError::Missing {
                path: self.path.into(),
                n: n_missing,
                line,
                column: self.column(column),
            }
            .into());
        }
        if cells.is_empty() {
            let path = self.path.into();
            return Err(FilesError::NoExamples { path }.into());
        }
        Ok(cells)
    }
}

/// Returns whether the first line holds column names, that is, text above numbers. If both lines are numbers,
/// as with numbered columns, one of them must be a usual name of the class.
fn has_names(first: &ByteRecord, second: Option<&ByteRecord>) -> bool {
    let is_name = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
    let Some(second) = second else {
        return first.iter().any(is_name) && first.iter().all(|cell| number(cell).is_none());
    };
    let above_numbers = || {
        let pairs = first.iter().zip(second);
        pairs
            .filter(|(_, below)| number(below).is_some())
            .map(|(above, _)| above)
    };
    let is_usual = |cell: &[u8]| {
        let mut targets = TARGETS.iter();
        targets.any(|target| cell.trim_ascii().eq_ignore_ascii_case(target.as_bytes()))
    };
    let are_numbered = above_numbers().any(|above| number(above).is_some());
    above_numbers().any(|above| is_name(above) && (!are_numbered || is_usual(above)))
}

/// Returns the delimiter of the first line: the most frequent of the usual ones.
fn delimiter(start: &[u8]) -> u8 {
    let line = start
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    let usual = [b'\t', b';', b','];
    usual
        .into_iter()
        .max_by_key(|&delimiter| count(delimiter))
        .unwrap_or(b',')
}

fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

fn is_missing(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    MISSING
        .iter()
        .any(|missing| cell.eq_ignore_ascii_case(missing.as_bytes()))
}

fn text_of(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}

/// Shortens a text.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    text.chars().take(MOST).collect()
}
