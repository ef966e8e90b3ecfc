//! Weights that cannot be loaded, and what is said about them.

use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_testing::{explained, published};
use eqprop_train::weights::{WeightsFile, check_finite, load_safetensors, save_safetensors};
use tempfile::TempDir;

use super::{AVERAGE_POOLING, CONVOLUTIONAL, DENSE, network};

/// Expects that the file cannot be loaded into a network, with each of `expected` in the reason.
#[track_caller]
fn refuse(path: &Path, overrides: &[(&str, &str)], expected: &[&str]) {
    let loaded = WeightsFile::open(path).and_then(|file| file.load(network(overrides)));
    let error = explained(&loaded.expect_err("a file that does not fit"));
    let name = path.file_name().expect("a file").to_string_lossy();
    for part in expected.iter().chain([&&*name]) {
        assert!(error.contains(part), "{part:?} is missing: {error}");
    }
}

/// A folder with the weights of 64-12-10.
fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    save_safetensors(&network(&[DENSE]), &path, &[]).expect("a file");
    (folder, path)
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let (_folder, path) = folder();
    let wider = ("hidden", "[16]");
    let shapes = ["`energy.connections.0.weight`", "[64, 12]", "[64, 16]"];
    refuse(&path, &[wider], &shapes);
    // PyTorch has the axes the other way round.
    let shapes = ["`synapses.0.weight`", "[12, 64]", "[16, 64]"];
    refuse(&published("multilayer.tar"), &[wider], &shapes);
    let shapes = ["`parameters.2`", "[1, 8, 8, 12]", "[64, 16]"];
    refuse(&published("dense_list.pt"), &[wider], &shapes[1..]);
    let smaller = [("hidden", r#"[{"channels": 4, "kernel": 5}]"#)];
    let shapes = ["`parameters.2`", "[4, 1, 3, 3]", "[4, 1, 5, 5]"];
    refuse(&published("convolutional_list.pt"), &smaller, &shapes);
}

#[test]
fn a_tensor_that_is_missing_or_left_over_is_named() {
    let (_folder, path) = folder();
    let deeper = [
        ("hidden", "[12, 10]"),
        ("learning_rates", "[0.1, 0.1, 0.1]"),
    ];
    let missing = [
        "no tensor `energy.connections.2.weight`",
        "[10, 10]",
        "energy.biases.0",
    ];
    refuse(&path, &deeper, &missing);
    let missing = ["no tensor `synapses.2.weight`", "synapses.1.bias"];
    refuse(&published("multilayer.tar"), &deeper, &missing);

    let (_other, path) = {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep.safetensors");
        save_safetensors(&network(&deeper), &path, &[]).expect("a file");
        (folder, path)
    };
    let left_over = ["`energy.biases.2`", "[10]", "no parameter"];
    refuse(&path, &[("hidden", "[12]")], &left_over);
    let convolutional = published("convolutional.pt");
    let shallower = [CONVOLUTIONAL[0], ("learning_rates", "[0.1, 0.1, 0.1]")];
    // Without a readout the third synapse leads to the output layer, and fits it.
    let file = WeightsFile::open(&convolutional).expect("a dictionary");
    file.load(network(&shallower)).expect("the same shapes");
}

#[test]
fn what_a_published_layout_has_no_place_for_is_refused() {
    let skip = [
        DENSE,
        ("skips", r#"[{"from": 0, "to": 2, "kind": "dense"}]"#),
    ];
    for name in ["multilayer.tar", "dense_list.pt"] {
        let reason = ["from each layer to the next", "3 connections", "3 layers"];
        refuse(&published(name), &skip, &reason);
    }
    let readout = [AVERAGE_POOLING, ("cost", "cross_entropy")];
    let reason = ["no readout", "`cost.weight`", "squared error"];
    refuse(&published("convolutional_list.pt"), &readout, &reason);
}

#[test]
fn files_that_hold_no_weights_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let needed = ["a dictionary or a list of tensors is needed"];
    refuse(&write("number.pkl", b"\x80\x02K\x07."), &[DENSE], &needed);
    let class = write("class.pkl", b"\x80\x02cbuiltins\ncomplex\n.");
    refuse(&class, &[DENSE], &["complex", needed[0]]);
    refuse(
        &folder.path().join("missing.pt"),
        &[DENSE],
        &["cannot read"],
    );
    let neither = ["neither a safetensors file nor", "torch.save"];
    refuse(&write("empty.pt", b""), &[DENSE], &neither);
    refuse(&write("notes.txt", b"my weights"), &[DENSE], &neither);
    refuse(&write("list.pkl", b"\x80\x02]q\x00."), &[DENSE], &neither);
    let nothing = write("nothing.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    refuse(&nothing, &[DENSE], &["holds no tensors"]);
}

#[test]
fn damaged_files_are_refused() {
    let (folder, path) = folder();
    let whole = fs::read(&path).expect("a file");
    let damaged = folder.path().join("damaged");
    for length in [12, whole.len() / 2, whole.len() - 1] {
        fs::write(&damaged, &whole[..length]).expect("a file");
        refuse(&damaged, &[DENSE], &["not a whole safetensors file"]);
    }
    let list = fs::read(published("dense_list.pt")).expect("a file");
    for length in [12, list.len() / 2, list.len() - 1] {
        fs::write(&damaged, &list[..length]).expect("a file");
        refuse(&damaged, &[DENSE], &["torch.save"]);
    }
}

#[test]
fn numbers_that_are_not_finite_or_not_floats_are_refused() {
    let (folder, path) = folder();
    let mut bytes = fs::read(&path).expect("a file");
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let damaged = folder.path().join("nan.safetensors");
    fs::write(&damaged, &bytes).expect("a file");
    refuse(&damaged, &[DENSE], &["holds NaN", "finite", "`energy."]);

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let whole = fs::read(&path).expect("a file");
    let header = 8 + usize::from(whole[0]) + 256 * usize::from(whole[1]);
    let integers = text(&whole[8..header]).replacen("\"F32\"", "\"I32\"", 1);
    let integers = [&whole[..8], integers.as_bytes(), &whole[header..]].concat();
    let path = folder.path().join("integers.safetensors");
    fs::write(&path, integers).expect("a file");
    refuse(&path, &[DENSE], &["I32", "weights are floats"]);
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let (folder, path) = folder();
    let before = fs::read(&path).expect("a file");
    let nowhere = folder.path().join("missing/weights.safetensors");
    let error = save_safetensors(&network(&[DENSE]), &nowhere, &[]).expect_err("no folder");
    assert!(
        explained(&error).contains("cannot write"),
        "{}",
        explained(&error)
    );
    let over_a_folder = save_safetensors(&network(&[DENSE]), folder.path(), &[]);
    assert!(over_a_folder.is_err());
    assert_eq!(fs::read(&path).expect("a file"), before);
    load_safetensors(network(&[DENSE]), &path).expect("still whole");
}

#[test]
fn weights_that_become_infinite_are_refused() {
    let (_folder, path) = folder();
    let scaled = WeightsFile::open(&path).expect("a file").scaled(1e40);
    let error = scaled.load(network(&[DENSE])).expect_err("infinite in f32");
    let message = error.to_string();
    for part in [
        "energy.connections.0.weight",
        "1e40",
        "choose a smaller scale",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    // Finite in the file's double precision, infinite in the network's single one.
    let large = TensorData::new(vec![1e300; 64 * 12], [64, 12]);
    let double = Tensor::<2>::from_data(large, (&Device::flex(), DType::F64));
    let single = Tensor::<2>::zeros([64, 12], &Device::flex());
    let module = |weight| Large {
        weight: Param::from_tensor(weight),
    };
    let path = path.with_file_name("large.safetensors");
    save_safetensors(&module(double), &path, &[]).expect("a file");
    let loaded = load_safetensors(module(single), &path);
    let message = loaded.expect_err("too large").to_string();
    assert!(message.contains("too large for F32"), "{message}");
}

#[test]
fn a_network_with_a_weight_that_is_no_number_is_found_out() {
    let path = Path::new("model.bpk");
    let mut network = network(&[DENSE]);
    check_finite(&network, path).expect("new weights");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        network.energy = network.energy.map(&mut Fill(value));
        let message = check_finite(&network, path)
            .expect_err("not finite")
            .to_string();
        assert!(
            message.contains("model.bpk") && message.contains("must be finite"),
            "{message}"
        );
    }
}

/// A module of one matrix.
#[derive(Module, Debug)]
struct Large {
    weight: Param<Tensor<2>>,
}

/// Gives every parameter the same number.
struct Fill(f32);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like() + self.0)
    }
}
