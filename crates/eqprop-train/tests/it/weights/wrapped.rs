//! Files of PyTorch in which a network is a part of something else.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use eqprop_testing::{explained, named_parameters, published};
use eqprop_train::weights::{Layout, WeightsFile};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{CONVOLUTIONAL, network};

/// A text in a pickle: `BINUNICODE`, its length, itself.
fn text(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_le_bytes();
    [b"X", &length[..], text.as_bytes()].concat()
}

/// Puts `prefix` before the names of all parameters.
fn renamed(pickle: &[u8], prefix: &str) -> Vec<u8> {
    let mut result = pickle.to_vec();
    for index in 0..4 {
        for name in ["weight", "bias"] {
            let name = format!("synapses.{index}.{name}");
            let (old, new) = (text(&name), text(&format!("{prefix}{name}")));
            if let Some(at) = result.windows(old.len()).position(|part| part == old) {
                result.splice(at..at + old.len(), new);
            }
        }
    }
    result
}

/// The pickle of `{"epoch": 3, key: object}`, from that of `object`.
fn entry(pickle: &[u8], key: &str) -> Vec<u8> {
    let object = &pickle[2..pickle.len() - 1];
    let other = [text("epoch"), b"K\x03s".to_vec()].concat();
    [b"\x80\x02}", &other[..], &text(key), object, b"s."].concat()
}

/// A copy of a PyTorch file with its pickle changed.
fn changed(source: &Path, target: &Path, change: impl Fn(&[u8]) -> Vec<u8>) {
    let mut archive = ZipArchive::new(File::open(source).unwrap()).unwrap();
    let mut copy = ZipWriter::new(File::create(target).unwrap());
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if name.ends_with("/data.pkl") {
            bytes = change(&bytes);
        }
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        copy.start_file(name, stored).unwrap();
        copy.write_all(&bytes).unwrap();
    }
    copy.finish().unwrap();
}

#[test]
fn a_wrapped_network_is_the_network() {
    let source = published("convolutional.pt");
    let load = |path: &Path| {
        let file = WeightsFile::open(path).unwrap_or_else(|error| panic!("{}", explained(&error)));
        assert_eq!(file.layout(), Layout::Synapses);
        let loaded = file.load(network(&CONVOLUTIONAL));
        named_parameters(&loaded.unwrap_or_else(|error| panic!("{}", explained(&error))))
    };
    let expected = load(&source);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped.pt");
    for prefix in ["module.", "_orig_mod.", "_orig_mod.module.", "encoder."] {
        changed(&source, &path, |pickle| renamed(pickle, prefix));
        assert_eq!(load(&path), expected, "{prefix}");
    }
    for keys in [
        &["net"][..],
        &["model"],
        &["state_dict"],
        &["model_state_dict"],
        &["mine"],
        &["state_dict", "checkpoint"],
        &["net", "state", "all"],
    ] {
        for prefix in ["", "module."] {
            changed(&source, &path, |pickle| {
                let inner = renamed(pickle, prefix);
                keys.iter().fold(inner, |inner, key| entry(&inner, key))
            });
            assert_eq!(load(&path), expected, "{prefix} in {keys:?}");
        }
    }
}

#[test]
fn a_list_in_a_checkpoint_is_the_list() {
    let source = published("dense_list.pt");
    let tensors = |path: &Path| {
        let file = WeightsFile::open(path).unwrap_or_else(|error| panic!("{}", explained(&error)));
        assert_eq!(file.layout(), Layout::List);
        let tensors = file
            .tensors()
            .map(|(name, shape)| (name.to_string(), shape.to_vec()));
        tensors.collect::<Vec<_>>()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped.pt");
    changed(&source, &path, |pickle| entry(pickle, "params"));
    assert_eq!(tensors(&path), tensors(&source));
}
