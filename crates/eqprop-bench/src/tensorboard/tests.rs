use std::fs;

use eqprop_train::training::EpochRecord;
use tempfile::TempDir;

use super::{EventFile, Measured, find, tag};

/// Creates the record of an epoch, identified by its test error.
fn record(epoch: usize) -> EpochRecord {
    EpochRecord {
        epoch,
        train_error: 0.5,
        r_squared: None,
        exact_matches: None,
        train_cost: 0.25,
        validation_error: None,
        validation_cost: None,
        test_error: Some(epoch as f64 / 1000.0),
        test_cost: None,
        energy: None,
        residual: 0.0,
        unconverged: 0.0,
        free_steps: 1.0,
        seconds: 1.0,
        seconds_estimating: 1.0,
        seconds_optimizing: 0.0,
        update_ratios: Vec::new(),
    }
}

fn measured(record: &EpochRecord) -> Measured {
    vec![
        ("test_error".to_string(), record.test_error),
        ("validation_error".to_string(), record.validation_error),
    ]
}

/// Reads step, name and value of everything in the event file of `folder`.
///
/// Follows the description of the format, without any of the code that writes: lengths are trusted, checksums
/// are ignored.
fn read(folder: &std::path::Path) -> Vec<(u64, String, f32)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut number, mut place) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number += u64::from(byte % 128) << place;
            if byte < 128 {
                return number;
            }
            place += 7;
        }
    }
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let length = match key % 8 {
                0 => {
                    let number = varint(&mut bytes);
                    found.push((key / 8, number.to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                5 => 4,
                2 => varint(&mut bytes) as usize,
                other => panic!("wire type {other}"),
            };
            found.push((key / 8, bytes[..length].to_vec()));
            bytes = &bytes[length..];
        }
        found
    }
    let bytes = fs::read(find(folder).expect("an event file")).expect("it can be read");
    let (mut rest, mut found, mut is_first) = (&bytes[..], Vec::new(), true);
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().expect("eight")) as usize;
        let event = fields(&rest[12..12 + length]);
        rest = &rest[12 + length + 4..];
        let of = |number: u64| {
            let mut fields = event.iter();
            fields
                .find(|(field, _)| *field == number)
                .map(|(_, bytes)| bytes.clone())
        };
        if std::mem::take(&mut is_first) {
            assert_eq!(of(3).as_deref(), Some(&b"brain.Event:2"[..]));
            continue;
        }
        let wall_time = f64::from_le_bytes(of(1).expect("a time")[..].try_into().expect("eight"));
        assert!(wall_time > 1.7e9, "{wall_time}");
        let step = u64::from_le_bytes(of(2).expect("a step")[..].try_into().expect("eight"));
        for (_, value) in fields(&of(5).expect("a summary")) {
            let value = fields(&value);
            let tag = String::from_utf8(value[0].1.clone()).expect("a name");
            let number = f32::from_le_bytes(value[1].1[..].try_into().expect("four"));
            found.push((step, tag, number));
        }
    }
    found
}

fn errors(epochs: std::ops::RangeInclusive<usize>) -> Vec<(u64, String, f32)> {
    let errors = epochs.map(|epoch| {
        let error = (epoch as f64 / 1000.0) as f32;
        (epoch as u64, "error/test".to_string(), error)
    });
    errors.collect()
}

#[test]
fn another_reader_finds_each_epoch_once() {
    let folder = TempDir::new().expect("a folder");
    let records: Vec<_> = (1..=300).map(record).collect();
    let mut events = EventFile::open(folder.path()).expect("a new file");
    events.write(&records[..1], measured).expect("written");
    events.write(&records, measured).expect("written");
    events.write(&records, measured).expect("nothing new");
    // From 128 on a step takes two bytes.
    assert_eq!(read(folder.path()), errors(1..=300));
}

#[test]
fn a_run_that_goes_on_appends_what_is_missing() {
    let folder = TempDir::new().expect("a folder");
    let records: Vec<_> = (1..=4).map(record).collect();
    let open = || EventFile::open(folder.path()).expect("a file");
    open().write(&records[..2], measured).expect("written");
    open().write(&records, measured).expect("written");
    assert_eq!(read(folder.path()), errors(1..=4));
    // Set back to an earlier epoch, whose successors then turn out otherwise.
    let mut repeated = records.clone();
    repeated[2].test_error = Some(0.5);
    open().write(&repeated[..2], measured).expect("written");
    open().write(&repeated[..3], measured).expect("written");
    let mut expected = errors(1..=2);
    expected.push((3, "error/test".into(), 0.5));
    assert_eq!(read(folder.path()), expected);
    let files = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1, "TensorBoard would show two curves");
}

#[test]
fn what_a_killed_process_left_is_cut_off() {
    let folder = TempDir::new().expect("a folder");
    let records: Vec<_> = (1..=3).map(record).collect();
    let open = || EventFile::open(folder.path()).expect("a file");
    open().write(&records, measured).expect("written");
    let path = find(folder.path()).expect("a file");
    let whole = fs::read(&path).expect("it can be read");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("written");
        open().write(&records, measured).expect("written");
        assert_eq!(read(folder.path()), errors(1..=3), "{length}");
    }
    // A changed byte.
    let mut damaged = whole.clone();
    damaged[whole.len() - 6] ^= 1;
    fs::write(&path, &damaged).expect("written");
    open().write(&records, measured).expect("written");
    assert_eq!(read(folder.path()), errors(1..=3));
}

#[test]
fn curves_of_one_kind_are_side_by_side() {
    for (name, expected) in [
        ("train_error", "error/train"),
        ("validation_cost", "cost/validation"),
        ("update_ratio.energy.weight", "update_ratio/energy.weight"),
        ("residual", "training/residual"),
    ] {
        assert_eq!(tag(name), expected);
    }
}
