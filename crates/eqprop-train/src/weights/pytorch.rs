//! Files written by `torch.save`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::Path;

use burn::store::bridge;
use burn::store::pytorch_reader::{PickleValue, PytorchError, PytorchReader};
use burn::tensor::TensorData;
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::error::WeightsError;
use super::layout::LIST;
use super::wrapper;

/// Largest ratio of the contents' size to that of the file, apart from a small constant. Tensors may share
/// their numbers, a tensor may repeat a number, and an archive may be compressed.
const MAX_EXPANSION: u64 = 16;
const SMALL: u64 = 1 << 20;

/// Reads the tensors of a dictionary or a list, by name.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, TensorData>, WeightsError> {
    let unreadable = |source| WeightsError::Pytorch {
        path: path.to_path_buf(),
        source,
    };
    check_archive(path)?;
    let root = PytorchReader::read_pickle_data(path, None).map_err(unreadable)?;
    match root {
        PickleValue::Dict(_) => {
            let reader = PytorchReader::new(path).map_err(unreadable)?;
            Ok(wrapper::unwrapped(contents(path, reader)?))
        }
        PickleValue::List(_) => {
            let file = with_list_in_dictionary(path).map_err(unreadable)?;
            let reader = PytorchReader::new(file.path()).map_err(unreadable)?;
            contents(path, reader)
        }
        other => Err(WeightsError::Root {
            path: path.to_path_buf(),
            found: match other {
                PickleValue::Unsupported(python_type) => python_type,
                _ => "a number or a text".to_string(),
            },
        }),
    }
}

fn contents(
    path: &Path,
    reader: PytorchReader,
) -> Result<BTreeMap<String, TensorData>, WeightsError> {
    let sizes = reader.tensors().values();
    let sizes = sizes.map(|tensor| tensor.byte_len() as u64);
    check_size(path, sizes.fold(0, u64::saturating_add))?;
    let tensors = reader.into_tensors().into_iter().map(|(name, tensor)| {
        let data = bridge::into_data(bridge::from_pytorch(tensor));
        let data = data.map_err(WeightsError::tensor(path, &name))?;
        Ok((name, data))
    });
    tensors.collect()
}

/// Refuses an archive that unpacks to much more than the file's size, which `torch.save` never writes.
fn check_archive(path: &Path) -> Result<(), WeightsError> {
    let file = File::open(path).map_err(WeightsError::read(path))?;
    // Other files and damaged archives are left to the reader to report.
    let archive = ZipArchive::new(BufReader::new(file));
    let size = archive.ok().and_then(|archive| archive.decompressed_size());
    check_size(path, size.unwrap_or(0).try_into().unwrap_or(u64::MAX))
}

/// Refuses contents that take much more memory than the file's size.
fn check_size(path: &Path, needed: u64) -> Result<(), WeightsError> {
    let size = fs::metadata(path).map_err(WeightsError::read(path))?.len();
    if needed <= size.saturating_mul(MAX_EXPANSION).saturating_add(SMALL) {
        Ok(())
    } else {
        let path = path.to_path_buf();
        Err(WeightsError::Expansion { path, size, needed })
    }
}

/// Copies a file whose root is a list, with a dictionary around the list: the reader supports no other
/// root.
fn with_list_in_dictionary(path: &Path) -> Result<NamedTempFile, PytorchError> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?))?;
    let mut copy = ZipWriter::new(NamedTempFile::new()?);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if name.ends_with("/data.pkl") {
            let mut pickle = Vec::new();
            entry.read_to_end(&mut pickle)?;
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            copy.start_file(name, options)?;
            copy.write_all(&in_dictionary(&pickle)?)?;
        } else {
            drop(entry);
            copy.raw_copy_file(archive.by_index_raw(index)?)?;
        }
    }
    Ok(copy.finish()?)
}

/// Wraps the pickle of `object` as that of `{"parameters": object}`.
///
/// A pickle is a program for a stack machine: `PROTO n`, opcodes that push the object, `STOP`. An
/// empty dictionary and the key go before the object, and `SETITEM` after it takes all three.
fn in_dictionary(pickle: &[u8]) -> Result<Vec<u8>, PytorchError> {
    const PROTO: u8 = 0x80;
    const EMPTY_DICT: u8 = b'}';
    const BINUNICODE: u8 = b'X';
    const SETITEM: u8 = b's';
    const STOP: u8 = b'.';
    let [PROTO, version, object @ .., STOP] = pickle else {
        let reason = "its pickle is not of protocol 2 or later";
        return Err(PytorchError::InvalidFormat(reason.to_string()));
    };
    let mut wrapped = vec![PROTO, *version, EMPTY_DICT, BINUNICODE];
    wrapped.extend((LIST.len() as u32).to_le_bytes());
    wrapped.extend(LIST.as_bytes());
    wrapped.extend(object);
    wrapped.extend([SETITEM, STOP]);
    Ok(wrapped)
}
