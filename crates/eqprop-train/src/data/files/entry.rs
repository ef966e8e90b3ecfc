//! Arrays that have not been read yet: their headers and locations.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use super::super::DataError;
use super::super::memory::MAX_RATIO;
use super::super::reader::DataFile;
use super::super::stream::{Layout, Records, check_unpacked};
use super::array::ArrayHeader;
use super::description::DataFormat;
use super::error::FilesError;
use super::raw::check_memory;
use super::recognize::files_of;
use super::{idx, npy, safetensors};

/// Largest number of arrays in a file.
const MOST_ARRAYS: usize = 10_000;

/// An array that has not been read yet.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub name: String,
    pub header: ArrayHeader,
    place: Place,
}

/// Location of an array.
#[derive(Debug, Clone)]
enum Place {
    /// After this many bytes of a file, up to its end.
    Behind(PathBuf, usize),
    /// From this byte of a file on.
    At(PathBuf, u64),
    /// After this many bytes of the file with this index within a zip archive.
    Packed(PathBuf, usize, usize),
}

/// Returns all arrays of a file or folder, from their headers.
pub(super) fn entries(path: &Path, format: DataFormat) -> Result<Vec<Entry>, DataError> {
    let files = files_of(path, format)?;
    let is_alone = files.len() == 1;
    let mut all = Vec::new();
    for file in &files {
        let mut entries = match format {
            DataFormat::Npy => vec![npy_entry(file)?],
            DataFormat::Idx => vec![idx_entry(file)?],
            DataFormat::Npz => packed_entries(file)?,
            _ => safetensors_entries(file)?,
        };
        let is_many = matches!(format, DataFormat::Npz | DataFormat::Safetensors);
        if is_many && !is_alone {
            for entry in &mut entries {
                entry.name = format!("{} {}", name_of(file), entry.name);
            }
        }
        all.extend(entries);
        if all.len() > MOST_ARRAYS {
            let reason = format!("there are more than {MOST_ARRAYS} arrays");
            return Err(FilesError::array(path, format.name(), reason).into());
        }
    }
    Ok(all)
}

/// Returns the name of a file without its extension.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let ends = [".npy", ".npz", ".safetensors"];
    let name = ends
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    name.to_string()
}

fn npy_entry(path: &Path) -> Result<Entry, DataError> {
    let bad = |reason: String| FilesError::array(path, "an array of NumPy", reason);
    let mut file = DataFile::open(path)?;
    let n = npy::length_bytes(&file.read(npy::START)?).map_err(bad)?;
    let length = npy::text_length(&file.read(n)?).map_err(bad)?;
    let header = npy::parse(&file.read(length)?).map_err(bad)?;
    Ok(Entry {
        name: name_of(path),
        header,
        place: Place::Behind(path.into(), npy::START + n + length),
    })
}

fn idx_entry(path: &Path) -> Result<Entry, DataError> {
    let mut file = DataFile::open(path)?;
    let Some((element, n_axes)) = idx::start(&file.read(idx::START)?) else {
        let reason = "it does not begin as an IDX file";
        return Err(FilesError::array(path, "IDX", reason).into());
    };
    let axes = file.read(4 * n_axes)?;
    Ok(Entry {
        name: name_of(path),
        header: idx::header(element, &axes),
        place: Place::Behind(path.into(), idx::START + 4 * n_axes),
    })
}

fn safetensors_entries(path: &Path) -> Result<Vec<Entry>, DataError> {
    let bad = |reason: String| FilesError::array(path, "safetensors", reason);
    let mut file = DataFile::open(path)?;
    let whole = file.at_most(usize::MAX) as u64;
    let length = file
        .read(safetensors::START)?
        .try_into()
        .expect("as many as asked for");
    let length = u64::from_le_bytes(length);
    let rest = whole.saturating_sub(safetensors::START as u64);
    if length > rest.min(safetensors::MOST_TEXT) {
        return Err(bad(format!("its header promises {length} bytes of text")).into());
    }
    let text = file.read(length as usize)?;
    let arrays = safetensors::parse(&text, rest - length).map_err(bad)?;
    let start = safetensors::START as u64 + length;
    let entry = |(name, header, from): (String, ArrayHeader, usize)| Entry {
        name,
        header,
        place: Place::At(path.into(), start + from as u64),
    };
    Ok(arrays.into_iter().map(entry).collect())
}

fn packed_entries(path: &Path) -> Result<Vec<Entry>, DataError> {
    let bad = |reason: String| FilesError::array(path, "NPZ", reason);
    let mut archive = open_archive(path)?;
    let mut entries = Vec::new();
    if archive.len() > MOST_ARRAYS {
        return Err(bad(format!("it has more than {MOST_ARRAYS} arrays")).into());
    }
    for index in 0..archive.len() {
        let mut file = archive
            .by_index(index)
            .map_err(|error| bad(error.to_string()))?;
        let name = file
            .name()
            .map_err(|error| bad(error.to_string()))?
            .into_owned();
        let Some(name) = name.strip_suffix(".npy").map(String::from) else {
            continue;
        };
        let mut read = |n: usize| {
            let mut bytes = vec![0; n];
            let read = file.read_exact(&mut bytes);
            read.map(|()| bytes)
                .map_err(|error| bad(format!("array `{name}`: {error}")))
        };
        let n = npy::length_bytes(&read(npy::START)?).map_err(bad)?;
        let length = npy::text_length(&read(n)?).map_err(bad)?;
        let header = npy::parse(&read(length)?).map_err(bad)?;
        entries.push(Entry {
            header,
            place: Place::Packed(path.into(), index, npy::START + n + length),
            name,
        });
    }
    if entries.is_empty() {
        return Err(bad("it holds no array `.npy`".into()).into());
    }
    Ok(entries)
}

fn open_archive(path: &Path) -> Result<ZipArchive<File>, DataError> {
    let file = File::open(path).map_err(|source| FilesError::Read {
        path: path.into(),
        source,
    })?;
    let archive = ZipArchive::new(file);
    archive.map_err(|error| FilesError::array(path, "NPZ", error).into())
}

impl Entry {
    fn path(&self) -> &Path {
        match &self.place {
            Place::Behind(path, _) | Place::At(path, _) | Place::Packed(path, ..) => path,
        }
    }

    fn bad(&self, reason: String) -> FilesError {
        let reason = format!("array `{}`: {reason}", self.name);
        FilesError::array(self.path(), "an array", reason)
    }

    /// Returns its length in bytes.
    fn n_bytes(&self) -> Result<usize, FilesError> {
        let too_large = || self.bad(format!("its shape {:?} is too large", self.header.shape));
        self.header.n_bytes().ok_or_else(too_large)
    }

    /// Returns its examples as records in the file, each a row of numbers.
    ///
    /// # Errors
    /// If they are not stored uncompressed and contiguously.
    pub fn records(&self) -> Result<Records, DataError> {
        let path = self.path();
        let not_streamed = |reason| DataError::NotStreamed {
            path: path.into(),
            reason,
        };
        if self.header.is_scattered() {
            return Err(not_streamed(
                "the numbers of an example do not lie beside each other; \
                 `numpy.save(path, numpy.ascontiguousarray(array))` writes them so",
            ));
        }
        let n = self.header.n_examples();
        // Arrays without examples have been refused.
        let stride = self.n_bytes()? / n.max(1);
        let layout = |start: u64| Layout {
            start,
            stride,
            n,
            n_numbers: self.header.example().iter().product(),
            element: self.header.element,
            is_big_endian: self.header.is_big_endian,
        };
        match &self.place {
            Place::Behind(_, before) => {
                check_unpacked(path)?;
                Records::new(path, layout(*before as u64))?.whole()
            }
            Place::At(_, start) => {
                check_unpacked(path)?;
                Records::new(path, layout(*start))
            }
            Place::Packed(_, index, before) => {
                let mut archive = open_archive(path)?;
                let mut file = archive
                    .by_index(*index)
                    .map_err(|error| self.bad(error.to_string()))?;
                let start = match (file.compression(), file.data_start()) {
                    (CompressionMethod::Stored, Some(start)) => start,
                    _ => {
                        return Err(not_streamed(
                            "it is compressed; `numpy.savez` writes it without",
                        ));
                    }
                };
                let layout = layout(start + *before as u64);
                // To the end, where the checksum is verified.
                let length = io::copy(&mut file, &mut io::sink());
                let length = length.map_err(|error| self.bad(error.to_string()))?;
                if layout.end() != start + length {
                    let expected = layout.end() - start;
                    let reason = format!("expected {expected} bytes, found {length}");
                    return Err(self.bad(reason).into());
                }
                Records::new(path, layout)
            }
        }
    }

    /// Reads its bytes, as many as the header announces.
    pub fn load(&self) -> Result<Vec<u8>, DataError> {
        let path = self.path();
        let bad = |reason: String| self.bad(reason);
        let n = self.n_bytes()?;
        let n_numbers = self.header.len().unwrap_or(usize::MAX);
        check_memory(path, n_numbers as f64 + n as f64 / size_of::<f32>() as f64)?;
        match &self.place {
            Place::Behind(path, before) => {
                let mut file = DataFile::open(path)?;
                file.read(*before)?;
                file.read_rest(n)
            }
            Place::At(path, start) => {
                let read_error = |source| FilesError::Read {
                    path: path.clone(),
                    source,
                };
                let mut file = File::open(path).map_err(read_error)?;
                file.seek(SeekFrom::Start(*start)).map_err(read_error)?;
                // The header has been checked against the size of the file.
                let mut bytes = vec![0; n];
                file.read_exact(&mut bytes).map_err(read_error)?;
                Ok(bytes)
            }
            Place::Packed(path, index, before) => {
                let mut archive = open_archive(path)?;
                let file = archive
                    .by_index(*index)
                    .map_err(|error| bad(error.to_string()))?;
                let most = file.compressed_size().saturating_mul(MAX_RATIO);
                if n as u64 > most {
                    return Err(bad(format!("{n} bytes are promised, but not there")).into());
                }
                let mut bytes = Vec::with_capacity(n);
                let mut file = file.take((before + n) as u64);
                let mut skipped = vec![0; *before];
                let read = file.read_exact(&mut skipped);
                let read = read.and_then(|()| file.read_to_end(&mut bytes));
                read.map_err(|error| bad(error.to_string()))?;
                if bytes.len() < n {
                    let found = bytes.len();
                    return Err(bad(format!("expected {n} bytes, found {found}")).into());
                }
                // The checksum is verified at the end.
                let mut file = file.into_inner();
                let rest = file
                    .read(&mut [0])
                    .map_err(|error| bad(error.to_string()))?;
                match rest {
                    0 => Ok(bytes),
                    _ => Err(bad(format!("it goes on after {n} bytes")).into()),
                }
            }
        }
    }
}
