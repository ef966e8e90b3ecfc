//! Weights in and out; see `tests/weights/generate.py` for the files of published PyTorch code.

mod damage;
mod wrapped;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_core::energy::{HopfieldEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{Network, config, distance, named_parameters, published, values, with};
use eqprop_train::config::TrainingConfig;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::weights::{Layout, WeightsFile, load_safetensors, save_safetensors};

/// A sum of up to 64 products in `f32`, relaxed to the last bit, is within 1e-6 of the exact one;
/// the outputs are of order 0.1.
const TOLERANCE: f64 = 1e-5;

/// A network for the 8×8 digits with its own random weights.
pub fn network(overrides: &[(&str, &str)]) -> Network {
    with(config(), overrides).network(&Device::flex())
}

/// Predictions computed by a script, by name: one row for each example.
fn predictions(name: &str) -> BTreeMap<String, Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(published(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

/// Output and scores of the classes at the free equilibrium of each input.
fn predict(network: &Network, inputs: &[Vec<f64>]) -> [Vec<f64>; 2] {
    let data = TensorData::new(inputs.concat(), [inputs.len(), 64]).convert::<f32>();
    let input = Tensor::from_data(data, &Device::flex());
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 300);
    let relaxed = network.relax(&relaxation, &input, None);
    let scores = network.scores(&network.energy.clamp(&input), &relaxed.state);
    [values(relaxed.state.output()), values(&scores)]
}

#[track_caller]
fn assert_equal(found: &[f64], expected: &[Vec<f64>]) {
    let off = distance(found, &expected.concat());
    assert!(off < TOLERANCE, "off by {off:e}");
    // Rows for columns, an example for the next: every other order is far off.
    let mut shifted = expected.to_vec();
    shifted.rotate_left(1);
    assert!(distance(found, &shifted.concat()) > 100.0 * TOLERANCE);
}

/// Gives every parameter another type.
struct Cast(DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}

const DENSE: (&str, &str) = ("hidden", "[12]");
const SMOOTH: [(&str, &str); 3] = [
    DENSE,
    ("hidden_activation", "sigmoid"),
    ("output_activation", "sigmoid"),
];
const CLIPPED: [(&str, &str); 3] = [
    DENSE,
    ("hidden_activation", "hard_sigmoid"),
    ("output_activation", "hard_sigmoid"),
];
const CONVOLUTIONAL: [(&str, &str); 3] = [
    (
        "hidden",
        r#"[{"channels": 4, "kernel": 3, "pooling": {"max": 2}}, {"channels": 6, "kernel": 2}]"#,
    ),
    ("cost", "cross_entropy"),
    ("learning_rates", "[0.1, 0.1, 0.1]"),
];
const ATTENTION: [(&str, &str); 2] = [
    ("hidden", r#"[{"channels": 4, "kernel": 2, "stride": 2}]"#),
    (
        "skips",
        r#"[{"from": 1, "to": 1, "kind": {"attention": {"heads": 2, "width": 3}}}]"#,
    ),
];
const AVERAGE_POOLING: (&str, &str) = (
    "hidden",
    r#"[{"channels": 4, "kernel": 3, "pooling": {"average": 2}}]"#,
);

#[test]
fn a_multilayer_network_of_pytorch_predicts_as_there() {
    let file = WeightsFile::open(&published("multilayer.tar")).expect("a checkpoint");
    assert_eq!(file.layout(), Layout::Synapses);
    // The optimizer's tensors in the checkpoint are not among them.
    let names: Vec<_> = file.tensors().map(|(name, _)| name).collect();
    let expected = ["0.bias", "0.weight", "1.bias", "1.weight"];
    assert_eq!(names, expected.map(|name| format!("synapses.{name}")));

    let reference = predictions("multilayer.json");
    let whole_model = WeightsFile::open(&published("whole_model.pt")).expect("a module");
    for file in [file, whole_model] {
        let loaded = file.load(network(&SMOOTH)).expect("the same layers");
        let [output, _] = predict(&loaded, &reference["input"]);
        assert_equal(&output, &reference["sigmoid"]);
    }
}

#[test]
fn halved_weights_replace_an_activation_of_half_the_slope() {
    let file = WeightsFile::open(&published("multilayer.tar")).expect("a checkpoint");
    let reference = predictions("multilayer.json");
    let predict = |file: &WeightsFile| {
        let loaded = file.load(network(&CLIPPED)).expect("the same layers");
        let [output, _] = predict(&loaded, &reference["input"]);
        output
    };
    let whole = predict(&file);
    assert!(distance(&whole, &reference["half_slope"].concat()) > 0.01);
    assert_equal(&predict(&file.scaled(0.5)), &reference["half_slope"]);
}

#[test]
fn weights_are_scaled_wherever_they_are_in_a_module_and_a_readout_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let network = network(&CONVOLUTIONAL);
    let learner = EquilibriumLearner::new(network.clone(), config().estimator());
    save_safetensors(&learner, &path, &[]).expect("a file");
    let halved = |file: WeightsFile| file.scaled(0.5);
    let file = WeightsFile::open(&path).expect("a file");
    let loaded = halved(file).load(learner.clone()).expect("the same layers");
    let mut n_kept = 0;
    for ((path, found), (_, whole)) in named_parameters(&loaded)
        .iter()
        .zip(named_parameters(&learner))
    {
        let is_readout = path.contains(".cost.");
        n_kept += usize::from(is_readout);
        let factor = if is_readout { 1.0 } else { 0.5 };
        let expected: Vec<_> = whole.iter().map(|value| factor * value).collect();
        assert_eq!(*found, expected, "{path}");
    }
    assert_eq!(n_kept, 2);

    save_safetensors(&network.energy, &path, &[]).expect("a file");
    let file = WeightsFile::open(&path).expect("a file");
    let loaded = halved(file).load(network.energy.clone());
    let loaded = named_parameters(&loaded.expect("the same layers"));
    for ((path, found), (_, whole)) in loaded.iter().zip(named_parameters(&network.energy)) {
        let expected: Vec<_> = whole.iter().map(|value| 0.5 * value).collect();
        assert_eq!(*found, expected, "{path}");
    }
}

/// `torch.nn.Linear` layers without biases, under PyTorch's names.
#[derive(Module, Debug)]
struct WithoutBiases {
    synapses: Vec<Synapse>,
}

#[derive(Module, Debug)]
struct Synapse {
    weight: Param<Tensor<2>>,
}

#[test]
fn synapses_without_biases_leave_biases_of_zero_also_in_safetensors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("synapses.safetensors");
    let synapse = |shape: [usize; 2]| {
        let numbers = (0..shape[0] * shape[1]).map(|n| n as f32 / 1000.0);
        let data = TensorData::new(numbers.collect(), shape);
        let weight = Param::from_data(data, &Device::flex());
        Synapse { weight }
    };
    let synapses = vec![synapse([12, 64]), synapse([10, 12])];
    save_safetensors(&WithoutBiases { synapses }, &path, &[]).expect("a file");

    // Biases to overwrite, as no new network has any.
    let other = network(&[DENSE]).map(&mut Shift);
    let loaded = load_safetensors(other, &path).expect("the same layers");
    for (path, numbers) in named_parameters(&loaded) {
        if path.contains("biases") {
            assert!(numbers.iter().all(|&bias| bias == 0.0), "{path}");
        } else {
            // Row 0 there is column 0 here.
            let n_out = if numbers.len() == 64 * 12 { 12 } else { 10 };
            let column: Vec<_> = numbers.iter().step_by(n_out).take(12).collect();
            let expected = (0..12).map(|n| f64::from(n as f32 / 1000.0));
            assert!(column.into_iter().copied().eq(expected), "{path}");
        }
    }
}

/// Adds 1 to every parameter.
struct Shift;

impl ModuleMapper for Shift {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor + 1.0)
    }
}

#[test]
fn a_convolutional_network_of_pytorch_with_a_readout_predicts_as_there() {
    let file = WeightsFile::open(&published("convolutional.pt")).expect("a dictionary");
    assert_eq!(file.layout(), Layout::Synapses);
    let reference = predictions("convolutional.json");
    let loaded = file.load(network(&CONVOLUTIONAL)).expect("the same layers");
    let [_, scores] = predict(&loaded, &reference["input"]);
    assert_equal(&scores, &reference["scores"]);
}

#[test]
fn a_list_of_dense_tensors_predicts_as_there() {
    let file = WeightsFile::open(&published("dense_list.pt")).expect("a list");
    assert_eq!(file.layout(), Layout::List);
    let reference = predictions("dense_list.json");
    let loaded = file.load(network(&[DENSE])).expect("the same layers");
    let [output, _] = predict(&loaded, &reference["input"]);
    assert_equal(&output, &reference["output"]);
}

#[test]
fn a_list_of_convolutional_tensors_predicts_as_there() {
    let file = WeightsFile::open(&published("convolutional_list.pt")).expect("a list");
    let reference = predictions("convolutional_list.json");
    let loaded = file.load(network(&[AVERAGE_POOLING]));
    let [output, _] = predict(&loaded.expect("the same layers"), &reference["input"]);
    assert_equal(&output, &reference["output"]);
}

#[test]
fn every_network_comes_back_from_safetensors_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let skip = [
        ("hidden", "[12, 12]"),
        (
            "skips",
            r#"[{"from": 0, "to": 3, "kind": "dense"}, {"from": 1, "to": 2, "kind": "identity"}]"#,
        ),
        ("learning_rates", "[0.1, 0.1, 0.1]"),
    ];
    for overrides in [
        &SMOOTH[..],
        &CONVOLUTIONAL,
        &[AVERAGE_POOLING],
        &skip,
        &ATTENTION,
    ] {
        let saved = network(overrides);
        save_safetensors(&saved, &path, &[("made", "here"), ("by", "\"us\"\n")]).expect("a file");
        let file = WeightsFile::open(&path).expect("a file");
        assert_eq!(file.layout(), Layout::Named);
        assert_eq!(file.metadata("made"), Some("here"));
        assert_eq!(file.metadata("by"), Some("\"us\"\n"));
        assert_eq!(file.metadata("missing"), None);

        let other = network(&[overrides, &[("seed", "7")]].concat());
        let (expected, before) = (named_parameters(&saved), named_parameters(&other));
        assert_ne!(before, expected);
        let loaded = file.load(other).expect("the same layers");
        assert_eq!(named_parameters(&loaded), expected);
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
}

#[test]
fn the_names_are_the_same_whether_the_energy_was_chosen_at_run_time_or_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let config: TrainingConfig = with(config(), &[DENSE]);
    let device = Device::flex();
    let energy: HopfieldEnergy = config.energy().init(&device);
    let typed = EquilibriumNetwork::new(energy, config.network.cost.init(10, 10, &device));
    save_safetensors(&typed, &path, &[]).expect("a file");

    let file = WeightsFile::open(&path).expect("a file");
    let found: Vec<_> = file.tensors().map(|(n, s)| (n, s.to_vec())).collect();
    let expected = [
        ("energy.biases.0", vec![12]),
        ("energy.biases.1", vec![10]),
        ("energy.connections.0.weight", vec![64, 12]),
        ("energy.connections.1.weight", vec![12, 10]),
    ];
    assert_eq!(found, expected);
    let loaded = load_safetensors(network(&[DENSE]), &path).expect("the same layers");
    let numbers =
        |list: Vec<(String, Vec<f64>)>| list.into_iter().map(|(_, n)| n).collect::<Vec<_>>();
    assert_eq!(
        numbers(named_parameters(&loaded)),
        numbers(named_parameters(&typed))
    );
}

#[test]
fn queries_and_keys_have_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    save_safetensors(&network(&ATTENTION), &path, &[]).expect("a file");
    let file = WeightsFile::open(&path).expect("a file");
    let found: Vec<_> = file.tensors().map(|(n, s)| (n, s.to_vec())).collect();
    let expected = [
        ("energy.biases.0", vec![4]),
        ("energy.biases.1", vec![10]),
        ("energy.connections.0.kernel", vec![4, 1, 2, 2]),
        ("energy.connections.1.weight", vec![4 * 4 * 4, 10]),
        ("energy.connections.2.key", vec![4, 6]),
        ("energy.connections.2.query", vec![4, 6]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_network_on_an_autodiff_device_is_saved_and_loaded_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let saved = network(&[DENSE]).train();
    save_safetensors(&saved, &path, &[]).expect("a file");
    let other = network(&[DENSE, ("seed", "7")]).train();
    let loaded = load_safetensors(other, &path).expect("the same layers");
    assert_eq!(named_parameters(&loaded), named_parameters(&saved));
    let is_autodiff = |network: &Network| network.devices().iter().all(Device::is_autodiff);
    assert!(is_autodiff(&loaded) && !is_autodiff(&loaded.valid()));
}

#[test]
fn halves_are_loaded_as_the_type_of_the_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let saved = network(&[DENSE]);
    let halves = saved.clone().map(&mut Cast(DType::F16));
    save_safetensors(&halves, &path, &[]).expect("a file");
    let loaded = load_safetensors(network(&[DENSE, ("seed", "7")]), &path).expect("floats");
    for ((path, found), (_, expected)) in named_parameters(&loaded)
        .iter()
        .zip(&named_parameters(&saved))
    {
        let off = distance(found, expected);
        // Half precision has 11 bits; no weight is larger than ½.
        assert!(off < 0.5 / 2048.0, "{path} off by {off:e}");
        assert!(
            path.contains("biases") || off > 0.0,
            "{path} was not halved"
        );
    }
    // A network of mixed types could not relax.
    predict(&loaded, &predictions("dense_list.json")["input"]);
}
