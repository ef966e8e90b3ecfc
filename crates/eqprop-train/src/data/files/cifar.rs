//! The binary files of CIFAR-10 and CIFAR-100, with any number of records.
//!
//! ```text
//! record of CIFAR-10:  label | 3072 bytes of pixels
//! record of CIFAR-100: coarse label | label | 3072 bytes of pixels
//! ```

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::super::DataError;
use super::super::cifar::{N_PIXELS, streams};
use super::super::reader::DataFile;
use super::super::stream::{Residence, check_unpacked};
use super::description::DataFormat;
use super::error::FilesError;
use super::labels::Names;
use super::part::Part;
use super::raw::{RawData, RawPart, check_memory, joined};
use super::recognize::files_of;
use super::scaling::Numbers;

const SHAPE: [usize; 3] = [3, 32, 32];

/// Reads all records.
pub(super) fn read(path: &Path, residence: Residence) -> Result<RawData, DataError> {
    let mut parts: Vec<(Part, RawPart)> = Vec::new();
    let mut names = Names::default();
    let mut n_labels = None;
    for file in files_of(path, DataFormat::Cifar)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let part = Part::of(&name).unwrap_or(Part::Train);
        let mut examples = RawPart::default();
        match residence {
            Residence::Memory => {
                let bytes = DataFile::open(&file)?.read_all()?;
                check_memory(&file, bytes.len() as f64)?;
                let n = n_labels_of(&file, bytes.len(), &mut n_labels)?;
                let mut inputs = Vec::with_capacity(bytes.len());
                for record in bytes.chunks_exact(n + N_PIXELS) {
                    let label = names.number(path, &record[n - 1].to_string())?;
                    examples.labels.push(label);
                    inputs.extend(record[n..].iter().map(|&byte| f32::from(byte)));
                }
                examples.inputs = inputs.into();
            }
            Residence::Files => {
                let n_bytes = length(&file)?;
                let n = n_labels_of(&file, n_bytes, &mut n_labels)?;
                let (labels, pixels) = streams(&file, n, n_bytes / (n + N_PIXELS))?;
                labels.visit(labels.len(), |labels| {
                    for label in labels {
                        let label = names.number(path, &label.to_string())?;
                        examples.labels.push(label);
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
                examples.inputs = pixels.into();
            }
        }
        match parts.iter_mut().find(|(found, _)| *found == part) {
            Some((_, before)) => {
                before.labels.extend(examples.labels);
                let inputs = std::mem::take(&mut before.inputs).joined(examples.inputs);
                before.inputs = inputs.expect("nothing was done to them");
            }
            None => parts.push((part, examples)),
        }
    }
    let mut notes = Vec::new();
    let (train, test, n_validation) = joined(path, parts, &mut notes)?;
    Ok(RawData {
        shape: SHAPE,
        names,
        quantities: Vec::new(),
        numbers: Numbers::Bytes,
        columns: Vec::new(),
        train,
        test,
        n_validation,
        notes,
    })
}

/// Returns the number of labels before the pixels in a file of `n_bytes` bytes. If the length fits both
/// versions, the first file decides.
fn n_labels_of(
    file: &Path,
    n_bytes: usize,
    before: &mut Option<usize>,
) -> Result<usize, FilesError> {
    let fits = |n: &usize| n_bytes.is_multiple_of(n + N_PIXELS);
    let found = before.or([1, 2].into_iter().find(fits)).filter(fits);
    *before = found;
    found.ok_or_else(|| {
        let reason = format!(
            "{n_bytes} bytes are no whole number of records of {} or {} bytes",
            N_PIXELS + 1,
            N_PIXELS + 2
        );
        FilesError::array(file, "CIFAR", reason)
    })
}

/// Returns the length of an uncompressed file.
fn length(file: &Path) -> Result<usize, DataError> {
    check_unpacked(file)?;
    let found = fs::metadata(file).map_err(|source| DataError::Read {
        path: file.into(),
        source,
    })?;
    match found.len() {
        0 => Err(DataError::Empty { path: file.into() }),
        n => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
    }
}
