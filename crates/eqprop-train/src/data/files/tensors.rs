//! Arrays of inputs and labels, distinguished by their names and shapes.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::super::DataError;
use super::super::change::Change;
use super::super::inputs::Inputs;
use super::super::stream::{InputStream, Residence};
use super::array::{ArrayHeader, Element};
use super::description::{DataFiles, DataFormat, MOST_INPUTS};
use super::entry::{Entry, entries};
use super::error::FilesError;
use super::labels::{class_name, is_whole};
use super::pairing::{Found, ambiguous, parts, role};
use super::part::{Part, Role};
use super::raw::{RawData, RawPart, joined};
use super::scaling::Numbers;
use super::target_error::TargetError;
use super::targets::TargetReader;

/// Largest number of targets of an example.
const MOST_TARGETS: usize = 1 << 16;

/// Reads all examples.
pub(super) fn read(
    description: &DataFiles,
    path: &Path,
    format: DataFormat,
    residence: Residence,
) -> Result<RawData, DataError> {
    let mut notes = Vec::new();
    let parts = parts(path, format, &mut notes)?;
    let names_of = |found: &[(Part, Found)]| {
        let entries = found
            .iter()
            .flat_map(|(_, found)| found.inputs.iter().chain(&found.labels));
        entries.map(|entry| entry.name.clone()).collect::<Vec<_>>()
    };
    // One array with a column of classes, or columns of quantities.
    let is_table = parts.iter().all(|(_, found)| {
        found.labels.is_empty()
            && found.inputs.len() == 1
            && found.inputs[0].header.shape.len() == 2
    });
    let mut reader = TargetReader::new(description);
    let mut targets: Option<Vec<String>> = None;
    let mut shape = None;
    let mut numbers = Numbers::Table;
    let mut examples = Vec::new();
    for (part, found) in &parts {
        let missing = |missing| FilesError::NoArray {
            path: path.into(),
            missing,
            part: part.name(),
            names: names_of(&parts),
        };
        let entry = match &found.inputs[..] {
            [] => return Err(missing("inputs").into()),
            [entry] => entry,
            _ => return Err(ambiguous(path, &found.inputs)),
        };
        let (raw, part_shape, own) = if is_table {
            rows_with_targets(description, path, entry, &mut reader, residence)?
        } else {
            let labels = match &found.labels[..] {
                [] => return Err(missing("labels").into()),
                [labels] => labels,
                _ => return Err(ambiguous(path, &found.labels)),
            };
            let (n_inputs, n_labels) = (entry.header.n_examples(), labels.header.n_examples());
            if n_inputs != n_labels {
                let (inputs, labels) = (entry.name.clone(), labels.name.clone());
                return Err(FilesError::Counts {
                    path: path.into(),
                    inputs,
                    n_inputs,
                    labels,
                    n_labels,
                }
                .into());
            }
            if labels.header.shape.len() > 2 {
                let axes = labels.header.shape.len();
                let reason = format!("`{}` has {axes} axes: labels have one", labels.name);
                return Err(FilesError::array(path, format.name(), reason).into());
            }
            let n_targets = labels.header.n_targets();
            if !(1..=MOST_TARGETS).contains(&n_targets) {
                let reason = format!(
                    "`{}` has {n_targets} numbers for an example, expected 1 to {MOST_TARGETS}",
                    labels.name
                );
                return Err(FilesError::array(path, format.name(), reason).into());
            }
            let noun = reader.noun();
            let own = match n_targets {
                1 => vec![noun.to_string()],
                n => (1..=n).map(|number| format!("{noun} {number}")).collect(),
            };
            let mut examples = RawPart::default();
            let bytes = labels.load()?;
            labels
                .header
                .targets(&bytes, path, &mut reader, &mut examples)?;
            let (inputs, shape) = inputs_of(path, entry, residence)?;
            (RawPart { inputs, ..examples }, shape, own)
        };
        let expected = targets.get_or_insert_with(|| own.clone());
        if *expected != own {
            let (expected, found) = (expected.len(), own.len());
            let reason = format!("its parts have {expected} and {found} targets of each example");
            return Err(FilesError::array(path, format.name(), reason).into());
        }
        let expected = *shape.get_or_insert(part_shape);
        if part_shape != expected {
            return Err(FilesError::OtherShape {
                path: path.into(),
                expected,
                found: part_shape,
            }
            .into());
        }
        if !is_table {
            numbers = kind(&entry.header);
        }
        examples.push((*part, raw));
    }
    let targets = targets.unwrap_or_default();
    let parts = examples.iter_mut().map(|(_, part)| part);
    let names = reader.decide(targets.len(), parts, &mut notes)?;
    let (train, test, n_validation) = joined(path, examples, &mut notes)?;
    Ok(RawData {
        shape: shape.unwrap_or([1, 1, 0]),
        quantities: if names.is_some() { Vec::new() } else { targets },
        names: names.unwrap_or_default(),
        numbers,
        columns: Vec::new(),
        train,
        test,
        n_validation,
        notes,
    })
}

/// Reads the inputs of a single file, and returns them with their shape.
pub(super) fn inputs(
    description: &DataFiles,
    path: &Path,
    format: DataFormat,
) -> Result<(Vec<f32>, [usize; 3]), DataError> {
    let entries = entries(path, format)?;
    let is_inputs = |entry: &&Entry| role(entry) == Role::Inputs;
    let found: Vec<_> = entries.iter().filter(is_inputs).cloned().collect();
    // Of several parts, the test part is used.
    let is_test = |entry: &&Entry| Part::of(&entry.name) == Some(Part::Test);
    let test: Vec<_> = found.iter().filter(is_test).cloned().collect();
    let entry = match (&found[..], &test[..]) {
        ([entry], _) | (_, [entry]) => entry,
        ([], _) => return Err(FilesError::NoInputs { path: path.into() }.into()),
        _ => return Err(ambiguous(path, &found)),
    };
    let found = description.found();
    let n_inputs = found.shape.iter().product::<usize>();
    if entry.header.shape.len() == 2 && entry.header.shape[1] == n_inputs + found.n_targets() {
        let mut reader = TargetReader::new(description);
        let (raw, ..) =
            rows_with_targets(description, path, entry, &mut reader, Residence::Memory)?;
        return Ok((raw.inputs.into_parts().0, found.shape));
    }
    let (inputs, shape) = inputs_of(path, entry, Residence::Memory)?;
    let (inputs, _) = inputs.into_parts();
    let is_same = shape.iter().product::<usize>() == n_inputs;
    let is_row = shape[..2] == [1, 1];
    Ok((
        inputs,
        if is_same && is_row {
            found.shape
        } else {
            shape
        },
    ))
}

/// Returns the kind of inputs in this array.
fn kind(header: &ArrayHeader) -> Numbers {
    match header.shape.len() {
        0..=2 => Numbers::Table,
        _ if header.element == Element::U8 => Numbers::Bytes,
        _ => Numbers::Array,
    }
}

/// Returns the inputs of an array with channels before rows and columns, and the shape of an example.
fn inputs_of(
    path: &Path,
    entry: &Entry,
    residence: Residence,
) -> Result<(Inputs, [usize; 3]), DataError> {
    let header = &entry.header;
    let array = |reason: String| FilesError::array(path, "an array of inputs", reason);
    if header.element.is_text() {
        return Err(array(format!("`{}` holds text", entry.name)).into());
    }
    // A last axis of few channels is the usual layout of images.
    let is_last = |channels: usize, others: [usize; 2]| {
        (1..=4).contains(&channels) && others.iter().all(|&other| other > channels)
    };
    let (shape, are_channels_last) = match *header.example() {
        [] => ([1, 1, 1], false),
        [n] => ([1, 1, n], false),
        [height, width] => ([1, height, width], false),
        [height, width, channels] if is_last(channels, [height, width]) => {
            ([channels, height, width], true)
        }
        [channels, height, width] => ([channels, height, width], false),
        _ => {
            let axes = header.shape.len();
            let reason = format!("`{}` has {axes} axes, expected 2 to 4", entry.name);
            return Err(array(reason).into());
        }
    };
    if super::description::inputs_of(shape).is_none() {
        let reason = format!(
            "an example of `{}` has the shape {shape:?}, expected 1 to {MOST_INPUTS} numbers",
            entry.name
        );
        return Err(array(reason).into());
    }
    if header.n_examples() == 0 {
        return Err(FilesError::NoExamples { path: path.into() }.into());
    }
    let n_inputs = shape.iter().product::<usize>();
    let mut inputs = match residence {
        Residence::Memory => Inputs::from(header.numbers(&entry.load()?)),
        Residence::Files => InputStream::from(entry.records()?).into(),
    };
    let mut n_seen = 0;
    // Whole numbers are finite.
    let n_looked_at = match header.element {
        Element::F32 | Element::F64 => header.n_examples(),
        _ => 0,
    };
    let looked_at = inputs.view(n_looked_at, n_inputs);
    looked_at.try_visit(|inputs| {
        if let Some(place) = inputs.iter().position(|x| !x.is_finite()) {
            return Err(FilesError::NotFinite {
                path: path.into(),
                example: n_seen + place / n_inputs + 1,
                number: inputs[place],
            }
            .into());
        }
        n_seen += inputs.len() / n_inputs;
        Ok(ControlFlow::Continue(()))
    })?;
    if are_channels_last {
        let [channels, height, width] = shape;
        let of_channel = |channel| (0..height * width).map(move |pixel| pixel * channels + channel);
        let places = Arc::new((0..channels).flat_map(of_channel).collect());
        inputs = inputs.changed(Change::Arrange { places, n_inputs });
    }
    Ok((inputs, shape))
}

/// Splits the rows of an array into inputs and a column of classes or columns of quantities: those selected
/// by number, else the last. Also returns the names of the columns.
fn rows_with_targets(
    description: &DataFiles,
    path: &Path,
    entry: &Entry,
    reader: &mut TargetReader,
    residence: Residence,
) -> Result<(RawPart, [usize; 3], Vec<String>), DataError> {
    let (rows, [.., n_columns]) = inputs_of(path, entry, residence)?;
    if n_columns < 2 {
        let reason = "it has one column: inputs and classes are needed";
        return Err(FilesError::array(path, "a table", reason).into());
    }
    let targets = match &description.target {
        None => vec![n_columns - 1],
        Some(names) => columns(path, names, n_columns)?,
    };
    let names = targets
        .iter()
        .map(|target| format!("column {}", target + 1));
    let names: Vec<String> = names.collect();
    if targets.len() > 1 {
        reader.take_columns(|| {
            FilesError::Targets(TargetError::SeveralTargets {
                path: path.into(),
                columns: names.clone(),
            })
        })?;
    }
    let mut examples = RawPart::default();
    let mut n_seen = 0;
    let look = |rows: &[f32]| {
        for row in rows.chunks_exact(n_columns) {
            n_seen += 1;
            for &target in &targets {
                let label = f64::from(row[target]);
                let name = class_name(&label.to_string());
                let class = is_whole(label).then_some(&*name);
                let class = class.ok_or_else(|| {
                    FilesError::Targets(TargetError::FractionalLabel {
                        path: path.into(),
                        example: n_seen,
                        label,
                    })
                });
                let place = || [format!("example {n_seen}"), label.to_string()];
                reader.add(path, class, Some(label), place, &mut examples)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    rows.view(entry.header.n_examples(), n_columns)
        .try_visit(look)?;
    let n_inputs = n_columns - targets.len();
    if n_inputs == 0 {
        let reason = "it has no column beside the targets: inputs are needed";
        return Err(FilesError::array(path, "a table", reason).into());
    }
    let kept = (0..n_columns).filter(|column| !targets.contains(column));
    let inputs = rows.changed(Change::Arrange {
        places: Arc::new(kept.collect()),
        n_inputs: n_columns,
    });
    Ok((RawPart { inputs, ..examples }, [1, 1, n_inputs], names))
}

/// Parses column numbers, from 1.
fn columns(path: &Path, names: &str, n_columns: usize) -> Result<Vec<usize>, FilesError> {
    let mut columns = Vec::new();
    for name in names.split(',').map(str::trim) {
        let number = name.parse().ok();
        let number = number.filter(|number| (1..=n_columns).contains(number));
        let number: usize = number.ok_or_else(|| FilesError::NoColumn {
            path: path.into(),
            name: name.into(),
            columns: vec![format!("1 to {n_columns}, by number")],
        })?;
        if columns.contains(&(number - 1)) {
            let reason = format!("column {number} is named twice among the targets");
            return Err(FilesError::array(path, "a table", reason));
        }
        columns.push(number - 1);
    }
    Ok(columns)
}
