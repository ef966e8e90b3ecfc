//! User data: tables, arrays and IDX files under any name.

use std::path::Path;

use bolero::check;
use eqprop_train::data::{DataError, DataFiles};

use crate::idx::change;
use crate::reader::{Input, Limit, Reader};
use crate::seed::{Files, Seed};
use crate::weights::{entries, header_and_data, zipped};

/// A cell of two bytes becomes a number of four, while the table is read, in the parts that are made of it
/// and as they are put in order; in the first line it becomes the name of a column, several times.
const TABLE: Limit = Limit {
    times: 400,
    plus: 2 << 20,
};

/// A number of one byte is one of four, likewise.
const ARRAYS: Limit = Limit {
    times: 64,
    plus: 2 << 20,
};

/// Headers as JSON take some 100 bytes for two in the text.
const SAFETENSORS: Limit = Limit {
    times: 256,
    plus: 2 << 20,
};

/// Deflate unpacks to at most 1032 times as much, even of a table.
const PACKED: Limit = Limit {
    times: 1032 * 400,
    plus: 2 << 20,
};

/// Reads a folder, into memory and with inputs that stay in the files, and checks the findings.
fn read(folder: &Path) -> Result<(), DataError> {
    let files = DataFiles::new(folder.to_str().expect("the folder has a name"));
    let in_memory = files.look();
    match (&in_memory, files.look_streaming()) {
        (Ok(in_memory), Ok(streamed)) => {
            assert_eq!(in_memory.fingerprint(), streamed.fingerprint());
            assert_eq!(in_memory.kind, streamed.kind);
        }
        (Ok(_), Err(DataError::NotStreamed { .. })) | (Err(_), Err(_)) => {}
        (in_memory, streamed) => panic!("{in_memory:?}, but streamed {streamed:?}"),
    }
    let dataset = in_memory?;
    let files = dataset.kind.files().expect("they are files");
    for part in [&dataset.train, &dataset.test] {
        assert_eq!(part.inputs.len(), part.len() * part.n_inputs());
        assert!(
            part.labels
                .iter()
                .all(|&label| usize::from(label) < part.n_classes)
        );
    }
    assert!(files.check().is_ok(), "{files:?}");
    Ok(())
}

/// Changes an array within the archive, which is packed again, or the bytes.
fn change_archive(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let ((name, bytes), donor) = (&seed.files[0], &donor.files[0].1);
    let changed = match entries(bytes) {
        Some(mut entries) if input.is_inside => {
            let index = input.part(entries.len());
            let content = std::mem::take(&mut entries[index].1);
            entries[index].1 = input.mutate(content, donor);
            zipped(&entries, input.part.is_multiple_of(2))
        }
        _ => input.mutate(bytes.clone(), donor),
    };
    vec![(name.clone(), changed)]
}

/// Changes the header as JSON, with a corrected length, or the bytes.
fn change_safetensors(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let ((name, bytes), donor) = (&seed.files[0], &donor.files[0].1);
    let changed = match header_and_data(bytes) {
        Some((header, data)) if input.is_inside => {
            let header = input.edit(header.to_vec(), donor);
            [&(header.len() as u64).to_le_bytes(), &header[..], data].concat()
        }
        _ => input.mutate(bytes.clone(), donor),
    };
    vec![(name.clone(), changed)]
}

#[test]
fn tables() {
    let reader = Reader::new("table", TABLE, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn compressed_tables() {
    let reader = Reader::new("table-gzip", PACKED, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn compressed_arrays() {
    let reader = Reader::new("arrays-gzip", PACKED, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn arrays_in_files() {
    let reader = Reader::new("arrays", ARRAYS, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn arrays_in_archives() {
    let reader = Reader::new("npz", PACKED, change_archive, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn safetensors_of_data() {
    let reader = Reader::new("data-safetensors", SAFETENSORS, change_safetensors, read);
    check!().with_type().for_each(|input| reader.check(input));
}
