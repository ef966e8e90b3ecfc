//! Configurations in files.

use std::fmt::Debug;

use burn::config::Config;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling,
};
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig};
use eqprop_core::shape::LayerShape;
use eqprop_testing::joined;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::valid;

/// Saves and loads a configuration, and returns what its file says.
fn through_file(config: &HopfieldEnergyConfig, name: &str) -> serde_json::Value {
    let file = format!("eqprop-core-{name}-{}.json", std::process::id());
    let file = std::env::temp_dir().join(file);
    config.save(&file).expect("a temporary file can be written");
    let loaded = HopfieldEnergyConfig::load(&file).expect("what was saved can be read");
    let text = std::fs::read_to_string(&file).expect("it is still there");
    std::fs::remove_file(&file).expect("it is ours");
    assert_eq!(loaded, *config);
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_configuration_survives_its_file() {
    let mut config = valid();
    config.layers[0].activation = Activation::ClippedRelu { max: 0.75 };
    config.layers[1].activation = Activation::Softmax;
    config.connections[1].initializer = InitializerConfig::FanIn { gain: 0.5 };
    let json = through_file(&config, "dense");
    assert_eq!(json["input"], 3);
    assert_eq!(json["layers"][0]["shape"], 4);
    assert_eq!(json["layers"][0]["activation"]["clipped_relu"]["max"], 0.75);
    assert_eq!(json["layers"][1]["activation"], "softmax");
    assert_eq!(json["connections"][1]["kind"], "dense");
}

#[test]
fn a_configuration_of_maps_survives_its_file() {
    let strided = ConvolutionConfig::new(3).with_stride(2).with_padding(1);
    for (pooling, form) in [
        (Pooling::None, json!("none")),
        (Pooling::Max(2), json!({"max": 2})),
        (Pooling::Average(2), json!({"average": 2})),
    ] {
        let maps = LayerConfig::new([32, 12, 12], Activation::HardSigmoid);
        let rows = 6 / if pooling == Pooling::None { 1 } else { 2 };
        let above = LayerConfig::new([4, rows, rows], Activation::HardSigmoid);
        let kind = ConnectionKind::Convolution(strided.with_pooling(pooling));
        let config = HopfieldEnergyConfig::new(
            [32, 12, 12].into(),
            vec![maps, above],
            vec![joined(0, 1, ConnectionKind::Identity), joined(1, 2, kind)],
        );
        assert_eq!(config.validate(), Ok(()));
        let json = through_file(&config, "maps");
        assert_eq!(json["input"], json!([32, 12, 12]));
        assert_eq!(json["layers"][1]["shape"], json!([4, rows, rows]));
        assert_eq!(json["connections"][0]["kind"], "identity");
        let kind = json!({"kernel": 3, "stride": 2, "padding": 1, "pooling": form});
        assert_eq!(json["connections"][1]["kind"], json!({"convolution": kind}));
    }
}

#[test]
fn what_a_file_leaves_out_of_a_convolution_has_its_default() {
    let read = |text| serde_json::from_str::<ConnectionKind>(text).expect(text);
    let of_five = ConvolutionConfig::new(5);
    for (text, expected) in [
        (r#"{"convolution": {"kernel": 5}}"#, of_five),
        (
            r#"{"convolution": {"kernel": 5, "pooling": {"max": 2}}}"#,
            of_five.with_pooling(Pooling::Max(2)),
        ),
    ] {
        assert_eq!(read(text), ConnectionKind::Convolution(expected));
    }
    assert_eq!((of_five.stride, of_five.padding), (1, 0));
}

#[test]
fn what_a_file_cannot_mean_is_refused() {
    fn refused<T: DeserializeOwned + Debug>(text: &str) -> String {
        serde_json::from_str::<T>(text).expect_err(text).to_string()
    }
    type Layer = LayerConfig;
    type Kind = ConnectionKind;
    type Joined = ConnectionConfig;
    let shape = "a shape is a number of units, or channels, height and width in a list";
    for (error, expected) in [
        (
            refused::<Layer>(r#"{"shape": 3, "activation": "tanh", "slope": 2.0}"#),
            "unknown field `slope`",
        ),
        (
            refused::<Kind>(r#"{"convolution": {"kernel": 5, "dilation": 2}}"#),
            "unknown field `dilation`",
        ),
        (
            refused::<Kind>(r#"{"convolution": {"stride": 2}}"#),
            "missing field `kernel`",
        ),
        (refused::<Kind>(r#""pooling""#), "unknown variant `pooling`"),
        (
            refused::<Kind>(r#"{"convolution": {"kernel": 5, "pooling": {"min": 2}}}"#),
            "unknown variant `min`",
        ),
        (
            refused::<Joined>(
                r#"{"from": 0, "to": 1, "kind": "identity", "initializer": "glorot", "gain": 1}"#,
            ),
            "unknown field `gain`",
        ),
        (refused::<LayerShape>("[32, 12]"), shape),
        (refused::<LayerShape>("[32, 12, 12, 1]"), shape),
        (refused::<LayerShape>("-3"), shape),
        (refused::<LayerShape>("2.5"), shape),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}
