//! Configurations: files, refusals, initial weights.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::config::Config;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig};
use eqprop_core::error::ConfigError;
use eqprop_core::shape::LayerShape;

use crate::network::{connection, graph, parameters};
use crate::setup::Setup;

/// Seeds a device whose random numbers all threads share, and keeps other tests from drawing
/// until the guard is dropped.
pub fn seeded(device: &Device, seed: u64) -> MutexGuard<'static, ()> {
    static RANDOM: Mutex<()> = Mutex::new(());
    let guard = RANDOM.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    guard
}

fn valid() -> HopfieldEnergyConfig {
    graph(
        &[3, 4, 2],
        Activation::HardSigmoid,
        &[(0, 1), (1, 2), (0, 2)],
    )
}

#[test]
fn a_configuration_survives_its_file() {
    let mut config = valid();
    config.layers[0].activation = Activation::ClippedRelu { max: 0.75 };
    config.layers[1].activation = Activation::Softmax;
    config.connections[1].initializer = InitializerConfig::FanIn { gain: 0.5 };
    let file = format!("eqprop-core-config-{}.json", std::process::id());
    let file = std::env::temp_dir().join(file);
    config.save(&file).expect("a temporary file can be written");
    let loaded = HopfieldEnergyConfig::load(&file).expect("what was saved can be read");
    let text = std::fs::read_to_string(&file).expect("it is still there");
    std::fs::remove_file(&file).expect("it is ours");
    assert_eq!(loaded, config);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["layers"][0]["activation"]["clipped_relu"]["max"], 0.75);
    assert_eq!(json["layers"][1]["activation"], "softmax");
    assert_eq!(json["connections"][1]["kind"], "dense");
}

#[test]
fn an_unknown_field_of_a_layer_is_refused() {
    let text = r#"{"shape": 3, "activation": "tanh", "slope": 2.0}"#;
    let error = serde_json::from_str::<LayerConfig>(text).expect_err("no such field");
    assert!(
        error.to_string().contains("unknown field `slope`"),
        "{error}"
    );
}

#[test]
fn each_mistake_in_a_configuration_has_its_message() {
    let refused = |change: &dyn Fn(&mut HopfieldEnergyConfig)| {
        let mut config = valid();
        change(&mut config);
        let error: ConfigError = config.validate().expect_err("refused");
        error.to_string()
    };
    assert_eq!(valid().validate(), Ok(()));
    assert_eq!(
        refused(&|c| c.input = LayerShape::Flat(0)),
        "input size must be at least 1, but is 0"
    );
    assert_eq!(
        refused(&|c| c.layers[1].shape = LayerShape::Flat(0)),
        "layer size must be at least 1, but is 0"
    );
    assert_eq!(
        refused(&|c| c.layers.clear()),
        "a network needs at least one layer above the input"
    );
    for max in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            refused(&|c| c.layers[0].activation = Activation::ClippedRelu { max }),
            format!("clipped_relu max must be a positive number, but is {max}")
        );
        assert_eq!(
            refused(&|c| c.connections[0].initializer = InitializerConfig::FanIn { gain: max }),
            format!("initializer gain must be a positive number, but is {max}")
        );
    }
    for (from, to) in [(1, 3), (3, 1)] {
        assert_eq!(
            refused(&|c| c.connections.push(connection(from, to))),
            format!(
                "connection 3 joins layers {from} and {to}, but the network has layers 0 (the \
                 input) to 2"
            )
        );
    }
    for from in [0, 1] {
        assert_eq!(
            refused(&|c| c.connections.push(connection(from, 0))),
            "connection 3 leads into layer 0, the clamped input; swap its ends"
        );
    }
    assert_eq!(
        refused(&|c| c.connections.truncate(1)),
        "layer 2 has no connection"
    );
}

#[test]
#[should_panic(expected = "connection 3 leads into layer 0, the clamped input; swap its ends")]
fn init_panics_with_the_message_of_validate() {
    let mut config = valid();
    config.connections.push(connection(2, 0));
    config.init(&Setup::double().device);
}

#[test]
#[should_panic(expected = "a network needs at least one layer above the input")]
fn init_panics_without_layers() {
    HopfieldEnergyConfig::new(3, vec![], vec![]).init(&Setup::double().device);
}

/// 20 to 30 units, weights by `initializer`.
fn wide(initializer: InitializerConfig, device: &Device) -> HopfieldEnergy {
    let tanh = Activation::Tanh;
    HopfieldEnergyConfig::dense(&[20, 30], tanh, tanh, initializer).init(device)
}

#[test]
fn initial_weights_fill_the_bounds_of_their_distribution_and_biases_are_zero() {
    for setup in Setup::all() {
        let _guard = seeded(&setup.device, 1);
        for (initializer, bound) in [
            (InitializerConfig::Glorot, (6.0_f64 / 50.0).sqrt()),
            (InitializerConfig::FanIn { gain: 0.5 }, 0.5 / 20f64.sqrt()),
        ] {
            let [weight, bias] = parameters(&wide(initializer, &setup.device))
                .try_into()
                .expect("a weight and a bias");
            let largest = weight.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
            // One rounding of f32 above; the largest of 600 is this close but once in e^12.
            assert!(
                largest <= bound * 1.000_001,
                "{initializer:?}: {largest} over {bound}"
            );
            assert!(
                largest > bound * 0.98,
                "{initializer:?}: {largest} far below {bound}"
            );
            // The variance of a uniform distribution, with a standard error of 4 %.
            let variance = weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64;
            assert!(
                (variance * 3.0 / bound.powi(2) - 1.0).abs() < 0.2,
                "{initializer:?}"
            );
            assert_eq!(bias, [0.0; 30]);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    for setup in Setup::all() {
        let weights = |seed| {
            let _guard = seeded(&setup.device, seed);
            parameters(&wide(InitializerConfig::Glorot, &setup.device))
        };
        let first = weights(7);
        assert_eq!(weights(7), first, "{}", setup.name);
        assert_ne!(weights(8), first, "{}", setup.name);
    }
}
