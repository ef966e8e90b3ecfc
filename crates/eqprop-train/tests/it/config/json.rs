//! Configurations as text: older ones, newer ones, and such as nobody wrote.

use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::setup::{chain, config};

fn fields(config: &TrainingConfig) -> Map<String, Value> {
    let value = serde_json::to_value(config).expect("plain fields");
    value.as_object().expect("an object").clone()
}

fn read(fields: &Map<String, Value>) -> Result<TrainingConfig, TrainingError> {
    TrainingConfig::from_json(&Value::Object(fields.clone()).to_string())
}

#[test]
fn a_configuration_without_a_newer_field_is_read_with_its_default() {
    for preset in Preset::ALL {
        let config = preset.config();
        let all = fields(&config);
        assert_eq!(read(&all).expect("whole"), config);
        let mut n_defaults = 0;
        for key in all.keys() {
            let mut older = all.clone();
            older.remove(key);
            match read(&older) {
                Ok(read) => {
                    n_defaults += 1;
                    let differences = read.differences(&config);
                    assert!(differences.is_empty() || differences == [key.clone()]);
                }
                Err(TrainingError::MissingKey { key: missing }) => assert_eq!(missing, key),
                Err(error) => panic!("{key}: {error}"),
            }
        }
        assert_eq!(all.len() - n_defaults, 8, "fields without a default");
    }
}

#[test]
fn an_unknown_or_doubled_key_of_a_configuration_is_refused() {
    let mut newer = fields(&config());
    newer.insert("momentun".into(), json!(0.5));
    let message = read(&newer).expect_err("unknown").to_string();
    assert!(message.contains("unknown key `momentun`; did you mean `momentum`?"));

    let text = Value::Object(fields(&config())).to_string();
    let doubled = text.replacen('{', r#"{"seed": 3, "#, 1);
    let message = chain(&TrainingConfig::from_json(&doubled).expect_err("twice"));
    assert!(message.contains("`seed` is there twice"), "{message}");
    for text in ["", "7", "[]", "{", "null"] {
        let error = TrainingConfig::from_json(text).expect_err(text);
        assert!(matches!(error, TrainingError::NotAConfiguration { .. }));
    }
}

#[test]
fn a_configuration_within_a_file_is_read_in_the_same_way() {
    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(deserialize_with = "TrainingConfig::read")]
        training: TrainingConfig,
    }
    let mut older = fields(&config());
    older.remove("nesterov");
    let file: File = serde_json::from_value(json!({ "training": older })).expect("an older file");
    assert_eq!(file.training, config());
    older.insert("hidden".into(), json!([{"channels": 2}]));
    let file = serde_json::from_value::<File>(json!({ "training": older }));
    let message = file.expect_err("no kernel").to_string();
    assert!(
        message.contains("key `hidden`") && message.contains("missing field `kernel`"),
        "{message}"
    );
}

#[test]
fn a_mistake_in_a_value_is_named_with_its_place_and_an_example() {
    let kernel = r#"{"channels": 32, "kernel": 5"#;
    for (key, value, place, expected) in [
        (
            "hidden",
            r#"[{"channels": 3}]"#,
            "hidden[0]",
            "missing field `kernel`",
        ),
        (
            "hidden",
            r#"[8, {"chanels": 3, "kernel": 5}]"#,
            "hidden[1]",
            "did you mean `channels`?",
        ),
        (
            "hidden",
            r#"[{"channels": "3", "kernel": 5}]"#,
            "hidden[0].channels",
            "expected usize",
        ),
        (
            "hidden",
            r#"[{"channels": 3, "kernel": -5}]"#,
            "hidden[0].kernel",
            "expected usize",
        ),
        (
            "hidden",
            r#"[{"channels": 3, "kernel": 5, "pooling": {"maximum": 2}}]"#,
            "hidden[0].pooling",
            "expected one of `none`, `max`, `average`",
        ),
        (
            "hidden",
            r#"[{"channels": 3, "kernel": 5, "pooling": "max"}]"#,
            "hidden[0].pooling",
            "newtype variant",
        ),
        (
            "hidden",
            r#"["many"]"#,
            "hidden[0]",
            "expected a number of units, or feature maps",
        ),
        (
            "hidden",
            "[2.5]",
            "hidden[0]",
            "expected a number of units, or feature maps",
        ),
        (
            "hidden",
            "[-4]",
            "hidden[0]",
            "expected a number of units, or feature maps",
        ),
        (
            "skips",
            r#"[{"from": 0, "to": 2, "kind": "desne"}]"#,
            "skips[0].kind",
            "did you mean `dense`?",
        ),
        (
            "skips",
            r#"[{"from": 0, "to": 2}]"#,
            "skips[0]",
            "missing field `kind`",
        ),
        (
            "skips",
            r#"[{"from": 0, "to": 2, "kind": {"convolution": {"stride": 2}}}]"#,
            "skips[0].kind.convolution",
            "missing field `kernel`",
        ),
        ("nudging", "centred", "nudging", "did you mean `centered`?"),
        ("model", "hopfeild", "model", "did you mean `hopfield`?"),
        (
            "hidden_activation",
            r#"{"clipped_relu": {"max": 1, "min": 0}}"#,
            "hidden_activation",
            "unknown field `min`",
        ),
        (
            "initializer",
            r#"{"fan_in": {"gian": 1}}"#,
            "initializer",
            "did you mean `gain`?",
        ),
        (
            "augmentation",
            r#"{"flp": true}"#,
            "augmentation",
            "did you mean `flip`?",
        ),
        ("dataset", "minst", "dataset", "did you mean `mnist`?"),
        (
            "learning_rates",
            "[0.1, null]",
            "learning_rates[1]",
            "expected f64",
        ),
    ] {
        let error = config().with_override(key, value).expect_err(value);
        let message = chain(&error);
        for part in [key, value, place, expected, "it is written like `"] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
    let message = config().with_override("hidden", "4").expect_err("no list");
    assert!(message.to_string().contains(kernel), "{message}");
}

#[test]
fn the_example_of_every_field_fits_it() {
    for key in fields(&config()).keys() {
        let error = config().with_override(key, r#"{"no": "such"}"#);
        let TrainingError::UnfitValue { example, .. } = error.expect_err(key) else {
            panic!("{key} takes anything");
        };
        for example in example.split(" or ") {
            let config = config().with_override(key, example);
            config.unwrap_or_else(|error| panic!("{example}: {}", chain(&error)));
        }
    }
}
