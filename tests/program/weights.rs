//! Weights exported from a run folder, and imported into a new one.

use std::fs;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use eqprop_train::config::TrainingConfig;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::preset::Preset;
use eqprop_train::weights::save_safetensors;
use serde_json::Value;

use crate::place::{Place, QUICK};
use crate::resume::metrics;

/// Returns the path of a file of `tests/weights`.
fn published(name: &str) -> String {
    let path = eqprop_testing::published(name);
    path.to_str().unwrap().to_string()
}

/// `--set` with the layers and activations of `multilayer.tar`.
const MULTILAYER: [&str; 6] = [
    "--set",
    "hidden=[12]",
    "--set",
    "hidden_activation=sigmoid",
    "--set",
    "output_activation=sigmoid",
];

fn floats(bytes: &[u8]) -> Vec<f32> {
    let floats = bytes.chunks_exact(4).map(|four| four.try_into().unwrap());
    floats.map(f32::from_le_bytes).collect()
}

/// Returns all numbers of a safetensors file, one tensor after the other.
fn tensors(place: &Place, file: &str) -> Vec<u8> {
    let bytes = fs::read(place.path(file)).unwrap();
    let header = usize::from(bytes[0]) + 256 * usize::from(bytes[1]);
    bytes[8 + header..].to_vec()
}

#[test]
fn an_exported_network_is_imported_with_its_configuration_and_predicts_the_same() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run", "--set", "hidden=[16]"]].concat());
    let report = place.json(&["export", "run", "small.safetensors"]);
    assert_eq!(report["network"], "64-16-10");
    assert_eq!(report["n_parameters"], 64 * 16 + 16 + 16 * 10 + 10);
    assert_eq!(report["tensors"].as_array().unwrap().len(), 4);

    let report = place.json(&["import", "small.safetensors"]);
    assert_eq!(report["run"], "runs/small");
    assert_eq!(report["layout"], "file of named parameters");
    let judged = |run: &str| {
        let mut report = place.json(&["evaluate", run]);
        report["run"] = Value::Null;
        report
    };
    assert_eq!(judged("runs/small"), judged("run"));
    // A second time it gets a folder of its own, and --set changes what it does.
    let changed = ["import", "small.safetensors", "--set", "free_steps=1"];
    assert_eq!(place.json(&changed)["run"], "runs/small-2");
    assert_ne!(judged("runs/small-2"), judged("run"));
    place.succeed(&["relax", "runs/small", "--examples", "1"]);
}

#[test]
fn training_an_imported_network_is_training_from_its_weights() {
    for schedule in ["exponential", "cosine"] {
        let place = Place::new();
        let settings = [
            "--set",
            "n_train=80",
            "--set",
            "hidden=[16]",
            "--set",
            "momentum=0.5",
            "--set",
            "epochs=2",
            "--set",
            &format!("schedule={schedule}"),
        ];
        place.succeed(&[&["train", "--run", "direct"], &settings[..]].concat());

        // The initial weights depend on the sizes and the seed alone.
        let config = Preset::Digits.config();
        let config = config.with_override("hidden", "[16]").unwrap();
        let initial = config.network(&Device::default());
        let path = place.path("initial.safetensors");
        save_safetensors(&initial, &path, &[]).unwrap();
        let import = ["import", "initial.safetensors", "--run", "imported"];
        place.succeed(&[&import, &settings[..]].concat());
        place.succeed(&["train", "--resume", "--run", "imported"]);
        let [imported, direct] = ["imported", "direct"].map(|run| metrics(&place.path(run)));
        assert_eq!(imported, direct);

        place.succeed(&["export", "direct", "a.safetensors"]);
        place.succeed(&["export", "imported", "b.safetensors"]);
        assert_eq!(
            tensors(&place, "a.safetensors"),
            tensors(&place, "b.safetensors")
        );
    }
}

#[test]
fn weights_of_published_code_become_a_run() {
    let place = Place::new();
    let file = published("multilayer.tar");
    let import = [&["import", &file, "--run", "run"], &MULTILAYER[..]].concat();
    let report = place.json(&import);
    assert_eq!(report["layout"], "PyTorch module of synapses");
    assert_eq!(report["network"], "64-12-10");
    let error = || {
        place.json(&["evaluate", "run"])["test_error"]
            .as_f64()
            .unwrap()
    };
    let untrained = error();
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "1"]);
    assert!(error() < untrained - 0.2, "{untrained} became {}", error());
}

#[test]
fn weights_are_scaled_as_asked() {
    let place = Place::new();
    let list = published("dense_list.pt");
    let values = |run: &str, scale: &str| {
        let import = ["import", &list, "--set", "hidden=[12]", "--run", run];
        place.succeed(&[&import[..], &["--scale", scale]].concat());
        place.succeed(&["export", run, "weights"]);
        floats(&tensors(&place, "weights"))
    };
    let (whole, half) = (values("whole", "1"), values("half", "0.5"));
    let expected: Vec<_> = whole.iter().map(|value| 0.5 * value).collect();
    assert_eq!(half, expected);
    assert!(half.iter().any(|&value| value != 0.0));
}

/// Lowers every matrix by 0.01.
struct Lower;

impl ModuleMapper for Lower {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let by = if D == 2 { 0.01 } else { 0.0 };
        param.map(|tensor| tensor - by)
    }
}

#[test]
fn negative_conductances_are_imported_as_none() {
    let place = Place::new();
    let settings = [
        ("model", "resistive"),
        ("hidden", "[16]"),
        ("hidden_activation", "diode"),
    ];
    let config = settings
        .iter()
        .fold(Preset::Digits.config(), |config, (key, value)| {
            config.with_override(key, value).unwrap()
        });
    let network = config.network(&Device::default()).map(&mut Lower);
    save_safetensors(&network, &place.path("lowered.safetensors"), &[]).unwrap();
    let set = settings.map(|(key, value)| format!("{key}={value}"));
    let set = set.iter().flat_map(|setting| ["--set", setting]);
    let import = ["import", "lowered.safetensors", "--run", "run"];
    place.succeed(&import.into_iter().chain(set).collect::<Vec<_>>());
    place.succeed(&["export", "run", "imported.safetensors"]);
    let values = floats(&tensors(&place, "imported.safetensors"));
    assert!(values.iter().any(|&value| value > 0.0));
    assert!(values.iter().all(|&value| value >= 0.0));
    let lowered = floats(&tensors(&place, "lowered.safetensors"));
    assert!(lowered.iter().any(|&value| value < 0.0));
}

#[test]
fn weights_that_do_not_fit_leave_no_run() {
    let place = Place::new();
    let file = published("multilayer.tar");
    let shapes = ["`synapses.0.weight`", "[12, 64]", "[128, 64]"];
    place.refuse(&["import", &file], &shapes);
    place.refuse(&["import", "missing.pt"], &["cannot read `missing.pt`"]);
    fs::write(place.path("notes.txt"), "mine").unwrap();
    place.refuse(&["import", "notes.txt"], &["`notes.txt`", "neither"]);
    place.refuse(&["import", &file, "--scale", "0"], &["--scale"]);
    place.refuse(&["import", &file, "--scale", "NaN"], &["--scale"]);
    let unknown = [&["import", &file, "--set", "betta=1"], &MULTILAYER[..]].concat();
    place.refuse(&unknown, &["`betta`"]);
    place.refuse(&["export", "missing", "out"], &["not a run folder"]);

    place.succeed(&[&["import", &file, "--run", "run"], &MULTILAYER[..]].concat());
    let again = [&["import", &file, "--run", "run"], &MULTILAYER[..]].concat();
    place.refuse(&again, &["`run`", "overwritten"]);
    place.refuse(&["export", "run", "no/out"], &["cannot write `no/out`"]);
}

#[test]
fn weights_that_are_not_finite_are_never_judged() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run", "--set", "hidden=[4]"]].concat());
    place.succeed(&["export", "run", "good"]);
    place.refuse(
        &[
            "import",
            "good",
            "--scale",
            "1e37",
            "--set",
            "gains=[1,1e40]",
        ],
        &["gains"],
    );
    place.succeed(&["import", "good", "--scale", "10", "--run", "ten"]);
    place.succeed(&["export", "ten", "ten-times"]);
    place.succeed(&["import", "ten-times", "--scale", "1e37", "--run", "huge"]);
    place.succeed(&["export", "huge", "huge-weights"]);
    let again = ["import", "huge-weights", "--scale", "1e5"];
    place.refuse(&again, &["scaled by 1e5", "choose a smaller scale"]);
    // Finite weights, of a network whose numbers are not.
    place.refuse(&["evaluate", "huge"], &["too large"]);
    place.refuse(&["relax", "huge", "--out", "pictures"], &["too large"]);
    image::GrayImage::from_pixel(8, 8, image::Luma([255]))
        .save(place.path("image.png"))
        .unwrap();
    place.refuse(&["predict", "huge", "image.png"], &["too large"]);

    // A model that another program wrote into the run folder.
    let config = fs::read_to_string(place.path("run/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let config = TrainingConfig::from_json(&config["training"].to_string()).unwrap();
    for value in [f32::NAN, f32::INFINITY] {
        let network = config.network(&Device::default()).map(&mut Fill(value));
        let learner = EquilibriumLearner::new(network, config.estimator());
        let bytes = learner.into_record().into_bytes().unwrap();
        fs::write(place.path("run/model.bpk"), &*bytes).unwrap();
        for command in [
            &["evaluate", "run"][..],
            &["relax", "run"],
            &["export", "run", "out"],
            &["predict", "run", "image.png"],
            &["fidelity", "--run", "run"],
        ] {
            place.refuse(command, &["model.bpk", "must be finite"]);
        }
    }
}

/// Gives every parameter the same number.
struct Fill(f32);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like() + self.0)
    }
}

#[test]
fn a_weights_file_of_another_version_is_read_or_refused_by_name() {
    let place = Place::new();
    let config = Preset::Digits.config();
    let network = config.network(&Device::default());
    let Value::Object(fields) = serde_json::to_value(&config).unwrap() else {
        panic!("a configuration is an object");
    };
    let write = |metadata: &[(&str, &str)]| {
        save_safetensors(&network, &place.path("weights"), metadata).unwrap();
    };
    let text = |fields: &serde_json::Map<String, Value>| serde_json::to_string(fields).unwrap();

    let mut older = fields.clone();
    for (section, field) in [
        ("optimizer", "nesterov"),
        ("optimizer", "gradient_clip"),
        ("phases", "start"),
        ("data", "augmentation"),
    ] {
        older[section]
            .as_object_mut()
            .unwrap()
            .remove(field)
            .unwrap();
    }
    write(&[
        ("eqprop.version", "0.0.9"),
        ("eqprop.config", &text(&older)),
    ]);
    place.succeed(&["import", "weights", "--run", "older"]);
    let read = fs::read_to_string(place.path("older/config.json")).unwrap();
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["training"], Value::Object(fields.clone()));

    write(&[
        ("eqprop.format", "3"),
        ("eqprop.version", "7.0.0"),
        ("eqprop.config", "{}"),
    ]);
    let expected = ["`weights` has format 3", "reads formats 1 to 2", "7.0.0"];
    place.refuse(&["import", "weights"], &expected);
    place.refuse(&["import", "weights", "--preset", "digits"], &expected);
    write(&[("eqprop.format", "one")]);
    place.refuse(
        &["import", "weights", "--preset", "digits"],
        &["format \"one\""],
    );
    write(&[
        ("eqprop.format", "1"),
        ("eqprop.normalizer", "x"),
        ("eqprop.config", &text(&fields)),
    ]);
    place.refuse(&["import", "weights"], &["`eqprop.normalizer`"]);
    // Others may put beside the tensors what they like.
    write(&[("format", "pt"), ("eqprop.config", &text(&fields))]);
    place.succeed(&["import", "weights", "--run", "other"]);

    let mut newer = fields.clone();
    newer.insert("dropouts".into(), 0.5.into());
    write(&[("eqprop.format", "1"), ("eqprop.config", &text(&newer))]);
    place.refuse(
        &["import", "weights"],
        &["`weights`", "unknown key `dropouts`"],
    );
    let mut less = fields.clone();
    less["network"].as_object_mut().unwrap().remove("hidden");
    write(&[("eqprop.config", &text(&less))]);
    place.refuse(&["import", "weights"], &["has no `hidden`"]);

    place.succeed(&["export", "older", "ours"]);
    let bytes = fs::read(place.path("ours")).unwrap();
    let head = String::from_utf8_lossy(&bytes[..4000]).into_owned();
    assert!(head.contains(r#""eqprop.format":"2""#), "{head}");
}
