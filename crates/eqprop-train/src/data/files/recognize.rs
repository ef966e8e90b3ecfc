//! Detection of file formats, by names and first bytes.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::reader::DataFile;
use super::super::{Contents, DataError};
use super::description::DataFormat;
use super::error::FilesError;
use super::part::natural;
use super::{idx, npy};

/// Largest number of files of a folder to open: names are faster and more reliable.
const MOST_OPENED: usize = 200;

/// Detects the format of a file or folder.
pub(super) fn format(path: &Path) -> Result<DataFormat, DataError> {
    if !path.is_dir() {
        return match file_format(path) {
            Some(format) => Ok(format),
            None if is_image(path) => Err(FilesError::OneImage { path: path.into() }.into()),
            None => Err(FilesError::UnknownFile { path: path.into() }.into()),
        };
    }
    let mut found = Vec::new();
    if has_class_folders(path)? {
        found.push(DataFormat::Images);
    }
    for folder in with_raw(path) {
        for path in files(&folder)?.iter().take(MOST_OPENED) {
            found.extend(file_format(path));
        }
    }
    let is_there = |format: &DataFormat| found.contains(format);
    let found: Vec<_> = DataFormat::ALL.into_iter().filter(is_there).collect();
    match found[..] {
        [format] => Ok(format),
        [] if holds_image(path)? => Err(FilesError::NoClassFolders { path: path.into() }.into()),
        [] => Err(FilesError::NothingKnown {
            contents: Contents::of(path),
        }
        .into()),
        _ => Err(FilesError::SeveralFormats {
            path: path.into(),
            formats: found.into_iter().map(DataFormat::name).collect(),
        }
        .into()),
    }
}

/// Returns the files of a format: `path` itself, or those in the folder, by name.
pub(super) fn files_of(path: &Path, format: DataFormat) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    for folder in with_raw(path) {
        let mut files = files(&folder)?;
        files.retain(|path| file_format(path) == Some(format));
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Err(FilesError::NoneOfFormat {
        format: format.name(),
        contents: Contents::of(path),
    }
    .into())
}

/// Detects the format of a file.
fn file_format(path: &Path) -> Option<DataFormat> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let unpacked = name.strip_suffix(".gz");
    let is_packed = unpacked.is_some();
    let name = unpacked.unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("csv" | "tsv") => return Some(DataFormat::Csv),
        Some("npy") => return Some(DataFormat::Npy),
        // Files with several arrays are read by seeking.
        Some("npz" | "safetensors") if is_packed => return None,
        Some("npz") => return Some(DataFormat::Npz),
        Some("safetensors") => return Some(DataFormat::Safetensors),
        Some("bin") => return Some(DataFormat::Cifar),
        Some("png" | "jpg" | "jpeg") => return None,
        _ => {}
    }
    let start = DataFile::open(path).ok()?.read(npy::MAGIC.len()).ok()?;
    match &start[..] {
        start if start == npy::MAGIC => Some(DataFormat::Npy),
        start if idx::start(&start[..idx::START]).is_some() => Some(DataFormat::Idx),
        [b'P', b'K', 3, 4, ..] => Some(DataFormat::Npz),
        _ => None,
    }
}

/// Returns whether the name is that of a supported image.
pub(super) fn is_image(path: &Path) -> bool {
    let end = path
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    end.is_some_and(|end| ["png", "jpg", "jpeg"].contains(&end.as_str()))
}

/// Returns whether a folder has folders of images, directly or one level down.
fn has_class_folders(path: &Path) -> Result<bool, DataError> {
    for folder in folders(path)? {
        if holds_image(&folder)? {
            return Ok(true);
        }
        for inner in folders(&folder)? {
            if holds_image(&inner)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn holds_image(folder: &Path) -> Result<bool, DataError> {
    let entries = entries(folder)?;
    Ok(entries.iter().any(|path| is_image(path)))
}

/// Returns a folder, and the folder `raw` in it, where torchvision keeps files.
fn with_raw(path: &Path) -> Vec<PathBuf> {
    let raw = path.join("raw");
    let mut both = vec![path.to_path_buf()];
    both.extend(raw.is_dir().then_some(raw));
    both
}

/// Returns the folders of a folder, by name.
pub(super) fn folders(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut entries = entries(path)?;
    entries.retain(|path| path.is_dir());
    Ok(entries)
}

/// Returns the files of a folder, by name.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut entries = entries(path)?;
    entries.retain(|path| path.is_file());
    Ok(entries)
}

/// Returns the entries of a folder that are not hidden, by name.
fn entries(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read_error = |source| FilesError::Read {
        path: path.into(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_hidden = name.starts_with(['.', '_']);
        if !is_hidden {
            let key = natural(&name);
            found.push((key, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
