//! The binary files of CIFAR-10 and CIFAR-100, with any number of records.
//!
//! ```text
//! record of CIFAR-10:  label | 3072 bytes of pixels
//! record of CIFAR-100: coarse label | label | 3072 bytes of pixels
//! ```

use std::path::Path;

use super::super::DataError;
use super::super::reader::DataFile;
use super::description::DataFormat;
use super::error::FilesError;
use super::labels::Names;
use super::part::Part;
use super::raw::{RawData, RawPart, check_memory, joined};
use super::recognize::files_of;
use super::scaling::Numbers;

const SHAPE: [usize; 3] = [3, 32, 32];
const N_PIXELS: usize = 3 * 32 * 32;

/// All records.
pub(super) fn read(path: &Path) -> Result<RawData, DataError> {
    let mut parts: Vec<(Part, RawPart)> = Vec::new();
    let mut names = Names::default();
    let mut n_labels = None;
    for file in files_of(path, DataFormat::Cifar)? {
        let bytes = DataFile::open(&file)?.read_all()?;
        check_memory(&file, bytes.len() as f64)?;
        // Files of both lengths are of the version that the first one is of.
        let fits = |n: &usize| bytes.len().is_multiple_of(n + N_PIXELS);
        let Some(n) = n_labels.or([1, 2].into_iter().find(fits)).filter(fits) else {
            let reason = format!(
                "{} bytes are no whole number of records of {} or {} bytes",
                bytes.len(),
                N_PIXELS + 1,
                N_PIXELS + 2
            );
            return Err(FilesError::array(&file, "CIFAR", reason).into());
        };
        n_labels = Some(n);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let part = Part::of(&name).unwrap_or(Part::Train);
        let target = match parts.iter().position(|(found, _)| *found == part) {
            Some(index) => &mut parts[index].1,
            None => {
                parts.push((part, RawPart::default()));
                &mut parts.last_mut().expect("one was just added").1
            }
        };
        for record in bytes.chunks_exact(n + N_PIXELS) {
            let label = names.number(path, &record[n - 1].to_string())?;
            target.labels.push(label);
            target
                .inputs
                .extend(record[n..].iter().map(|&byte| f32::from(byte)));
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
