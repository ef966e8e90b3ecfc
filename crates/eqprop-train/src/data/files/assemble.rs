//! From what readers find to a data set.

use std::path::Path;

use super::super::{DataError, DataSource, Dataset, Examples};
use super::description::{DataFiles, DataFormat, Findings};
use super::error::FilesError;
use super::raw::{RawData, RawPart};
use super::scaling::{Numbers, Scaling, ScalingKind};
use super::split;

/// Rows of a table that are a square of at least so many pixels along may be images.
const LEAST_SIDE: usize = 4;

/// Files that were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The data set; its kind are the files with what was found.
    pub dataset: Dataset,
    /// What was done that one may want to know.
    pub notes: Vec<String>,
}

/// The data set of `raw`: classes in order, split, in an order of all classes, scaled by what the
/// training part holds.
pub(super) fn dataset(
    files: &DataFiles,
    path: &Path,
    format: DataFormat,
    mut raw: RawData,
) -> Result<Reading, DataError> {
    let mut notes = std::mem::take(&mut raw.notes);
    let known = files.found.as_ref();
    let classes = known.map_or_else(|| raw.names.in_order(), |found| found.classes.clone());
    if let [class] = &classes[..] {
        return Err(FilesError::OneClass {
            path: path.into(),
            class: class.clone(),
        }
        .into());
    }
    let label = label_of_each(path, raw.names.all(), &classes)?;
    let labeled = |part: RawPart| {
        let labels = part.labels.iter().map(|&number| label[number as usize]);
        (part.inputs, labels.collect::<Vec<u8>>())
    };
    let n_inputs: usize = raw.shape.iter().product();
    let (inputs, labels) = labeled(raw.train);
    let ((mut train, train_labels), (mut test, test_labels)) = match raw.test.map(labeled) {
        Some(test) => ((inputs, labels), test),
        None => {
            let chosen =
                split::choose_test(&labels, classes.len(), files.test_share, files.split_seed);
            let n_test = chosen.iter().filter(|&&is_test| is_test).count();
            if n_test == 0 {
                return Err(FilesError::TooFew {
                    path: path.into(),
                    found: labels.len(),
                }
                .into());
            }
            notes.push(format!(
                "there is no test part: {n_test} of {} examples are taken for it, the same share of each \
                 class, at random",
                labels.len()
            ));
            let [rest, test] = [false, true].map(|wanted| {
                let indices = (0..labels.len()).filter(|&i| chosen[i] == wanted);
                select(&inputs, &labels, n_inputs, indices)
            });
            (rest, test)
        }
    };
    let order = split::order(&train_labels, classes.len(), files.split_seed);
    let train_labels = match order {
        None => train_labels,
        Some(order) => {
            notes.push("training examples come class by class, and are shuffled".into());
            let labels;
            (train, labels) = select(&train, &train_labels, n_inputs, order.into_iter());
            labels
        }
    };
    if known.is_none() {
        check_classes(path, &classes, &train_labels)?;
        if train
            .chunks_exact(n_inputs)
            .all(|example| example == &train[..n_inputs])
        {
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
            let is_square = raw.numbers == Numbers::Table
                && (files.image_size.is_some() || side(n_inputs).is_some());
            let kind = files
                .scaling
                .unwrap_or_else(|| ScalingKind::usual(raw.numbers, &train, is_square));
            let shape = shape(files, path, &raw.shape, raw.numbers, kind)?;
            (Scaling::of(kind, &train, n_inputs), shape)
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
    scaling.apply(&mut train, n_inputs);
    scaling.apply(&mut test, n_inputs);
    let examples = |inputs, labels| Examples {
        inputs,
        labels,
        shape,
        n_classes: classes.len(),
    };
    let (train, test) = (examples(train, train_labels), examples(test, test_labels));
    let found = known.cloned().unwrap_or_else(|| {
        let (mean, deviation) = train.channel_statistics();
        let is_pixels = scaling.kind() == ScalingKind::Bytes;
        Findings {
            format,
            shape,
            classes: classes.clone(),
            columns: if is_pixels { Vec::new() } else { raw.columns },
            scaling,
            mean,
            deviation,
            n_train: train.len(),
            n_test: test.len(),
        }
    });
    let source = DataSource::from(DataFiles {
        found: Some(found),
        ..files.clone()
    });
    Ok(Reading {
        dataset: Dataset::new(source, train, test),
        notes,
    })
}

/// The label of each name.
fn label_of_each(path: &Path, names: &[String], classes: &[String]) -> Result<Vec<u8>, FilesError> {
    let label = |name: &String| {
        let found = classes.iter().position(|class| class == name);
        let found = found.and_then(|label| u8::try_from(label).ok());
        found.ok_or_else(|| FilesError::OtherClass {
            path: path.into(),
            class: name.clone(),
            n_classes: classes.len(),
            known: classes.to_vec(),
        })
    };
    names.iter().map(label).collect()
}

/// Refuses a class of which there is nothing to learn from.
fn check_classes(path: &Path, classes: &[String], labels: &[u8]) -> Result<(), FilesError> {
    let mut is_there = vec![false; classes.len()];
    for &label in labels {
        is_there[usize::from(label)] = true;
    }
    match is_there.iter().position(|is_there| !is_there) {
        None => Ok(()),
        Some(class) => Err(FilesError::UntrainedClass {
            path: path.into(),
            class: classes[class].clone(),
        }),
    }
}

/// The examples of `indices`.
fn select(
    inputs: &[f32],
    labels: &[u8],
    n_inputs: usize,
    indices: impl Iterator<Item = usize>,
) -> (Vec<f32>, Vec<u8>) {
    let (mut chosen, mut chosen_labels) = (Vec::new(), Vec::new());
    for index in indices {
        chosen.extend_from_slice(&inputs[index * n_inputs..][..n_inputs]);
        chosen_labels.push(labels[index]);
    }
    (chosen, chosen_labels)
}

/// Channels, height and width of an example: rows of a table are images if their size is named, or if
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

/// The side of a square of so many pixels.
fn side(n_pixels: usize) -> Option<usize> {
    let side = n_pixels.isqrt();
    (side >= LEAST_SIDE && side * side == n_pixels).then_some(side)
}
