//! Assembly of a data set from the raw data of the readers.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::super::change::Change;
use super::super::inputs::{Inputs, View};
use super::super::{DataError, DataSource, Dataset, Examples, Quantities, TargetKind};
use super::description::{DataFiles, DataFormat, Findings};
use super::error::FilesError;
use super::raw::{RawData, RawPart};
use super::scaling::{Numbers, Scaling, ScalingKind};
use super::target_error::TargetError;
use super::task::Task;
use super::{fitting, split};

/// Least side of a square for which the rows of a table may be images.
const LEAST_SIDE: usize = 4;

/// Result of reading files.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Data set; its kind holds the files with their findings.
    pub dataset: Dataset,
    /// Notes on decisions made while reading.
    pub notes: Vec<String>,
    /// Row of each test example, from 0, in the order of the files: in their test part, or in all if test examples
    /// were drawn from them.
    pub test_rows: Vec<usize>,
    /// File of each test example, where each has one of its own; otherwise empty.
    pub test_files: Vec<PathBuf>,
}

impl From<Dataset> for Reading {
    /// Returns the reading of a data set with a name.
    fn from(dataset: Dataset) -> Self {
        Self {
            test_rows: (0..dataset.test.len()).collect(),
            test_files: Vec::new(),
            notes: Vec::new(),
            dataset,
        }
    }
}

/// Assembles the data set of `raw`: sorts the classes, splits and shuffles the examples, and scales them by
/// statistics of the training part.
pub(super) fn dataset(
    files: &DataFiles,
    path: &Path,
    format: DataFormat,
    mut raw: RawData,
) -> Result<Reading, DataError> {
    let mut notes = std::mem::take(&mut raw.notes);
    let known = files.found.as_ref();
    // Or labels, if an example may have several.
    let n_quantities = raw.quantities.len();
    check_quantities(path, files, n_quantities)?;
    let classes = known.map_or_else(|| raw.names.in_order(), |found| found.classes.clone());
    if let [class] = &classes[..] {
        return Err(FilesError::Targets(TargetError::OneClass {
            path: path.into(),
            class: class.clone(),
        })
        .into());
    }
    // Without classes, all examples form one group here.
    let n_groups = classes.len().max(1);
    let label = match n_quantities {
        0 => label_of_each(path, raw.names.all(), &classes)?,
        _ => vec![0],
    };
    let files_of = |part: &mut RawPart| std::mem::take(&mut part.files);
    let (mut test_files, mut test_rows): (_, Vec<usize>) = match &mut raw.test {
        Some(test) => (files_of(test), (0..test.labels.len()).collect()),
        None => (files_of(&mut raw.train), Vec::new()),
    };
    let labeled = |part: RawPart| {
        let labels = part.labels.iter().map(|&number| label[number as usize]);
        Rows {
            labels: labels.collect(),
            inputs: part.inputs,
            quantities: part.quantities,
        }
    };
    let n_inputs: usize = raw.shape.iter().product();
    let sizes = [n_inputs, n_quantities];
    let train = labeled(raw.train);
    if train.labels.is_empty() {
        return Err(FilesError::TooFew {
            path: path.into(),
            found: 0,
        }
        .into());
    }
    let (mut train, mut test) = match raw.test.map(labeled) {
        Some(test) => (train, test),
        None => {
            let labels = &train.labels;
            let chosen = split::choose_test(labels, n_groups, files.test_share, files.split_seed);
            test_rows = (0..labels.len()).filter(|&row| chosen[row]).collect();
            test_files = match &test_files[..] {
                [] => Vec::new(),
                files => test_rows.iter().map(|&row| files[row].clone()).collect(),
            };
            let n_test = test_rows.len();
            if n_test == 0 {
                return Err(FilesError::TooFew {
                    path: path.into(),
                    found: labels.len(),
                }
                .into());
            }
            let of_each = match n_quantities {
                0 => "the same share of each class, ",
                _ => "",
            };
            notes.push(format!(
                "there is no test part: {n_test} of {} examples are taken for it, {of_each}at random",
                labels.len()
            ));
            let [rest, test] = [false, true].map(|wanted| {
                let indices = (0..labels.len()).filter(|&i| chosen[i] == wanted);
                train.select(sizes, indices)
            });
            (rest, test)
        }
    };
    // A separate validation part stays at the end, and statistics of the training part, such as its scaling,
    // leave it out.
    let n_all = train.labels.len();
    let n_train = n_all - raw.n_validation;
    let order = match n_quantities {
        0 => split::order(&train.labels[..n_train], classes.len(), files.split_seed),
        n => split::order_by_quantities(&train.quantities[..n_train * n], n, files.split_seed),
    };
    if let Some(order) = order {
        notes.push(match n_quantities {
            0 => "training examples come class by class, and are shuffled".into(),
            _ => "neighbors among the training examples are alike, and are shuffled".into(),
        });
        train = train.select(sizes, order.into_iter().chain(n_train..n_all));
    }
    if known.is_none() {
        if n_quantities == 0 {
            check_classes(path, &classes, &train.labels[..n_train])?;
        }
        if are_alike(&train.inputs.view(n_train, n_inputs))? {
            return Err(FilesError::ConstantInputs { path: path.into() }.into());
        }
    }
    let (scaling, shape) = match known {
        Some(found) => {
            let shape = found.shape;
            let is_row = raw.shape[..2] == [1, 1];
            let n_expected = shape.iter().product::<usize>();
            if raw.shape != shape && !(is_row && n_inputs == n_expected) {
                return Err(FilesError::OtherShape {
                    path: path.into(),
                    expected: shape,
                    found: raw.shape,
                }
                .into());
            }
            (found.scaling.clone(), shape)
        }
        None => {
            let own = &train.inputs.view(n_train, n_inputs);
            let is_square = raw.numbers == Numbers::Table
                && (files.image_size.is_some() || side(n_inputs).is_some());
            let kind = match files.scaling {
                Some(kind) => kind,
                None => fitting::usual(raw.numbers, own, is_square)?,
            };
            let shape = shape(files, path, &raw.shape, raw.numbers, kind)?;
            (fitting::scaling(kind, own)?, shape)
        }
    };
    if let (Scaling::Standard { deviation, .. }, None) = (&scaling, known) {
        let n_constant = deviation
            .iter()
            .filter(|&&deviation| deviation == 0.0)
            .count();
        if n_constant > 0 {
            notes.push(format!(
                "{n_constant} of {n_inputs} columns are the same in all training examples, and 0 as inputs"
            ));
        }
    }
    for rows in [&mut train, &mut test] {
        let scaling = scaling.clone();
        let change = Change::Scale { scaling, n_inputs };
        rows.inputs = std::mem::take(&mut rows.inputs).changed(change);
    }
    let kind = match known {
        Some(found) => found.target_kind(),
        None if n_quantities == 0 => None,
        None => {
            let own = &train.quantities[..n_train * n_quantities];
            Some(match files.task {
                Some(Task::Labels) => labels_of(path, raw.quantities, own)?,
                _ => TargetKind::Quantities(quantities_of(path, raw.quantities, own)?),
            })
        }
    };
    let examples = |rows: Rows| {
        let targets = kind.as_ref();
        let targets = targets.map(|kind| kind.targets(&rows.quantities));
        let (inputs, stream) = rows.inputs.into_parts();
        Examples {
            inputs,
            stream,
            labels: match targets {
                None => rows.labels,
                Some(_) => Vec::new(),
            },
            shape,
            n_classes: classes.len(),
            targets,
        }
    };
    let (train, test) = (examples(train), examples(test));
    let found = match known {
        Some(found) => found.clone(),
        None => {
            let (mean, deviation) = train.statistics_of(n_train)?;
            let is_pixels = scaling.kind() == ScalingKind::Bytes;
            let labels = kind.as_ref().and_then(TargetKind::labels);
            Findings {
                format,
                shape,
                classes: classes.clone(),
                quantities: kind.as_ref().and_then(TargetKind::quantities).cloned(),
                labels: labels.unwrap_or_default().to_vec(),
                columns: if is_pixels { Vec::new() } else { raw.columns },
                scaling,
                mean,
                deviation,
                n_train: train.len(),
                n_test: test.len(),
            }
        }
    };
    let source = DataSource::from(DataFiles {
        found: Some(found),
        ..files.clone()
    });
    Ok(Reading {
        dataset: Dataset::of(source, train, test)?,
        notes,
        test_rows,
        test_files,
    })
}

/// Returns the label of each name.
fn label_of_each(path: &Path, names: &[String], classes: &[String]) -> Result<Vec<u8>, FilesError> {
    let label = |name: &String| {
        let found = classes.iter().position(|class| class == name);
        let found = found.and_then(|label| u8::try_from(label).ok());
        found.ok_or_else(|| {
            FilesError::Targets(TargetError::OtherClass {
                path: path.into(),
                class: name.clone(),
                n_classes: classes.len(),
                known: classes.to_vec(),
            })
        })
    };
    names.iter().map(label).collect()
}

/// Refuses a class without examples to learn from.
fn check_classes(path: &Path, classes: &[String], labels: &[u8]) -> Result<(), FilesError> {
    let mut is_there = vec![false; classes.len()];
    for &label in labels {
        is_there[usize::from(label)] = true;
    }
    match is_there.iter().position(|is_there| !is_there) {
        None => Ok(()),
        Some(class) => Err(FilesError::Targets(TargetError::UntrainedClass {
            path: path.into(),
            class: classes[class].clone(),
        })),
    }
}

/// Refuses a number of quantities or labels other than in the earlier findings.
fn check_quantities(path: &Path, files: &DataFiles, found: usize) -> Result<(), FilesError> {
    let kind = files.found.as_ref().and_then(Findings::target_kind);
    match kind.map(|kind| kind.len()) {
        Some(expected) if expected != found => {
            Err(FilesError::Targets(TargetError::OtherQuantities {
                path: path.into(),
                expected,
                found,
            }))
        }
        _ => Ok(()),
    }
}

/// Returns the quantities of the training part; refuses constant ones.
fn quantities_of(
    path: &Path,
    names: Vec<String>,
    values: &[f64],
) -> Result<Quantities, FilesError> {
    let quantities = Quantities::of(names, values);
    for (quantity, &deviation) in quantities.deviation.iter().enumerate() {
        let mut of_each = values.iter().skip(quantity).step_by(quantities.len());
        let value = of_each.next().copied().unwrap_or_default();
        // The deviation of a constant is a rounding error.
        if of_each.all(|&other| other == value) || deviation == 0.0 {
            return Err(FilesError::Targets(TargetError::ConstantTarget {
                path: path.into(),
                name: quantities.names[quantity].clone(),
                value,
            }));
        }
    }
    Ok(quantities)
}

/// Returns the labels of the training part; refuses those that all examples have, or none.
fn labels_of(path: &Path, names: Vec<String>, values: &[f64]) -> Result<TargetKind, FilesError> {
    let is_constant = |label: &usize| {
        let mut of_each = values.iter().skip(*label).step_by(names.len());
        let first = of_each.next().copied().unwrap_or_default();
        of_each.all(|&other| other == first)
    };
    let constant = (0..names.len()).filter(is_constant);
    let constant: Vec<String> = constant.map(|label| names[label].clone()).collect();
    match constant.is_empty() {
        true => Ok(TargetKind::Labels(names)),
        false => Err(FilesError::Targets(TargetError::ConstantLabels {
            path: path.into(),
            names: constant,
        })),
    }
}

/// Examples before scaling.
struct Rows {
    inputs: Inputs,
    labels: Vec<u8>,
    quantities: Vec<f64>,
}

impl Rows {
    /// Selects the examples `indices`, with their inputs and quantities.
    fn select(
        &self,
        [n_inputs, n_quantities]: [usize; 2],
        indices: impl Iterator<Item = usize>,
    ) -> Self {
        let indices: Vec<usize> = indices.collect();
        let (mut labels, mut quantities) = (Vec::new(), Vec::new());
        for &index in &indices {
            labels.push(self.labels[index]);
            quantities.extend_from_slice(&self.quantities[index * n_quantities..][..n_quantities]);
        }
        let inputs = self.inputs.select(n_inputs, &indices);
        Self {
            inputs,
            labels,
            quantities,
        }
    }
}

/// Returns whether all examples have the same inputs.
fn are_alike(examples: &View) -> Result<bool, DataError> {
    let n_inputs = examples.n_inputs;
    let (mut first, mut are_alike): (Option<Vec<f32>>, _) = (None, true);
    examples.try_visit(|inputs| {
        let first = first.get_or_insert_with(|| inputs[..n_inputs].to_vec());
        let mut others = inputs.chunks_exact(n_inputs);
        are_alike = others.all(|example| example == first);
        Ok(match are_alike {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    Ok(are_alike)
}

/// Returns channels, height and width of an example: rows of a table are images if their size is given, or if
/// they are the bytes of a square.
fn shape(
    files: &DataFiles,
    path: &Path,
    found: &[usize; 3],
    numbers: Numbers,
    scaling: ScalingKind,
) -> Result<[usize; 3], FilesError> {
    let n_inputs: usize = found.iter().product();
    match (files.image_size, numbers) {
        (None, Numbers::Table) if scaling == ScalingKind::Bytes => {
            Ok(side(n_inputs).map_or(*found, |side| [1, side, side]))
        }
        (None, _) | (Some(_), Numbers::Pixels) => Ok(*found),
        (Some([height, width]), Numbers::Table) => {
            let channels = n_inputs / (height * width);
            let is_image = [1, 3].contains(&channels) && channels * height * width == n_inputs;
            match is_image {
                true => Ok([channels, height, width]),
                false => Err(FilesError::NotOfSize {
                    path: path.into(),
                    n_inputs,
                    size: [height, width],
                }),
            }
        }
        (Some([height, width]), _) => match *found {
            [_, rows, columns] if [rows, columns] == [height, width] => Ok(*found),
            [channels, ..] => Err(FilesError::OtherShape {
                path: path.into(),
                expected: [channels, height, width],
                found: *found,
            }),
        },
    }
}

/// Returns the side of a square of `n_pixels` pixels.
fn side(n_pixels: usize) -> Option<usize> {
    let side = n_pixels.isqrt();
    (side >= LEAST_SIDE && side * side == n_pixels).then_some(side)
}
