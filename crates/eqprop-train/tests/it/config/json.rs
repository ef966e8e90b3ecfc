//! Configurations as text: older ones, newer ones, and such as nobody wrote.

use eqprop_core::energy::{LayerUpdate, Model, Parametrization};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Scheme;
use eqprop_testing::{config, explained, with};
use eqprop_train::config::{Schedule, TrainingConfig};
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use serde::Deserialize;
use serde_json::{Value, json};

fn fields(config: &TrainingConfig) -> Value {
    serde_json::to_value(config).expect("plain fields")
}

fn read(fields: &Value) -> Result<TrainingConfig, TrainingError> {
    TrainingConfig::from_json(&fields.to_string())
}

/// The names of the fields in a section, or of those outside of all.
fn names(fields: &Value, section: &str) -> Vec<String> {
    let section = match section {
        "" => fields,
        section => &fields[section],
    };
    let section = section.as_object().expect("an object").iter();
    let is_field =
        |(_, value): &(_, &Value)| value.get("dataset").or(value.get("hidden")).is_none();
    let fields = section.filter(is_field).map(|(name, _)| name.clone());
    fields
        .filter(|name| !["phases", "optimizer"].contains(&name.as_str()))
        .collect()
}

const SECTIONS: [&str; 5] = ["", "data", "network", "phases", "optimizer"];

#[test]
fn a_configuration_without_a_newer_field_is_read_with_its_default() {
    for preset in Preset::ALL {
        let config = preset.config();
        let all = fields(&config);
        assert_eq!(read(&all).expect("whole"), config);
        let mut missing_keys = Vec::new();
        for section in SECTIONS {
            for name in names(&all, section) {
                let mut older = all.clone();
                let fields = match section {
                    "" => &mut older,
                    section => &mut older[section],
                };
                fields.as_object_mut().expect("an object").remove(&name);
                match read(&older) {
                    Ok(read) => {
                        let differences = read.differences(&config);
                        let of_it = |key: &String| *key == name || key.starts_with("learning_rate");
                        assert!(differences.iter().all(of_it), "{name}: {differences:?}");
                    }
                    Err(TrainingError::MissingKey { key }) => missing_keys.push(key),
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
        missing_keys.sort_unstable();
        let expected = [
            "batch_size",
            "beta",
            "dataset",
            "epochs",
            "free_steps",
            "hidden",
            "learning_rates",
            "nudged_steps",
        ];
        assert_eq!(missing_keys, expected);
    }
}

#[test]
fn a_flat_configuration_of_form_2_is_the_preset_that_it_was() {
    let text = include_str!("../../../../../tests/golden/form-2/presets.json");
    let flat: serde_json::Map<String, Value> = serde_json::from_str(text).expect("JSON");
    assert_eq!(flat.len(), 14, "all that there were");
    for (name, flat) in flat {
        let preset: Preset = name.parse().expect("a preset");
        assert_eq!(read(&flat).expect(&name), preset.config(), "{name}");
        // In any order, and what another choice would use is left out as it was.
        let mut other = flat.clone();
        other["history"] = json!(0);
        other["step_size"] = json!(7);
        let mut expected = preset.config();
        if let Scheme::GradientFlow { step_size } = &mut expected.phases.dynamics {
            *step_size = 7.0;
        }
        assert_eq!(read(&other).expect(&name), expected, "{name}");
    }
}

#[test]
fn an_unknown_or_doubled_key_of_a_configuration_is_refused() {
    for key in ["momentun", "optimizer.momentun"] {
        let mut newer = fields(&config());
        match key.split_once('.') {
            Some((section, name)) => newer[section][name] = json!(0.5),
            None => newer[key] = json!(0.5),
        }
        let message = read(&newer).expect_err("unknown").to_string();
        let expected = format!("unknown key `{key}`; did you mean `momentum`?");
        assert!(message.contains(&expected), "{message}");
    }

    let text = fields(&config()).to_string();
    for (place, doubled) in [("{", "seed"), (r#""data":{"#, "padding")] {
        let twice = format!(r#"{place}"{doubled}": 3, "#);
        let doubled_text = text.replacen(place, &twice, 1);
        let message = explained(&TrainingConfig::from_json(&doubled_text).expect_err("twice"));
        let expected = format!("`{doubled}` is there twice");
        assert!(message.contains(&expected), "{message}");
    }
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
    let optimizer = older["optimizer"].as_object_mut();
    optimizer.expect("an object").remove("nesterov");
    let file: File = serde_json::from_value(json!({ "training": older })).expect("an older file");
    assert_eq!(file.training, config());
    older["network"]["hidden"] = json!([{"channels": 2}]);
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
        let message = explained(&error);
        for part in [key, value, place, expected, "it is written like `"] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
    let message = config().with_override("hidden", "4").expect_err("no list");
    assert!(message.to_string().contains(kernel), "{message}");
}

/// Every name of a setting, from the answer to one that is none.
fn all_names() -> Vec<String> {
    let error = config().with_override("no", "such").expect_err("no such");
    let TrainingError::UnknownKey { known, .. } = error else {
        panic!("{error}");
    };
    known
}

#[test]
fn the_example_of_every_setting_fits_it() {
    let names = all_names();
    assert_eq!(names.len(), 58);
    for key in names {
        let mut config = config();
        if let Err(TrainingError::UnusedOption { choice, needed, .. }) =
            config.with_override(&key, "1")
        {
            config = config.with_override(choice, needed).expect(needed);
        }
        let error = config.with_override(&key, r#"{"no": "such"}"#);
        let TrainingError::UnfitValue { example, .. } = error.expect_err(&key) else {
            panic!("{key} takes anything");
        };
        for example in example.split(" or ") {
            let config = config.with_override(&key, example);
            config.unwrap_or_else(|error| panic!("{example}: {}", explained(&error)));
        }
    }
}

#[test]
fn a_setting_is_found_by_its_name_and_by_the_way_to_it() {
    let flow = with(
        config(),
        &[("step_size", "0.3"), ("dynamics", "gradient_flow")],
    );
    assert_eq!(
        flow.phases.dynamics,
        Scheme::GradientFlow { step_size: 0.3 },
        "choices come first"
    );
    for (short, long, value) in [
        ("free_steps", "phases.free_steps", "30"),
        ("beta", "phases.beta", "0.2"),
        ("beta", "phases.nudging.centered.beta", "0.2"),
        (
            "step_size",
            "phases.dynamics.gradient_flow.step_size",
            "0.2",
        ),
        ("step_size", "phases.step_size", "0.2"),
        ("augmentation", "data.augmentation", r#"{"shift": 2}"#),
        ("augmentation.shift", "data.augmentation.shift", "2"),
        ("dynamics", "phases.dynamics", "anderson"),
    ] {
        let [short, long] = [short, long].map(|key| flow.with_override(key, value).expect(key));
        assert_eq!(short, long);
        assert_ne!(short, flow);
    }
    let several = flow.with_override("phases", r#"{"free_steps": 30, "nudging": "random_sign"}"#);
    let several = several.expect("two of a section");
    assert_eq!(several.phases.free_steps, 30);
    assert_eq!(several.phases.nudging, Nudging::RandomSign { beta: 0.5 });
    assert_eq!(several.phases.dynamics, flow.phases.dynamics);
}

#[test]
fn a_choice_of_one_word_has_the_options_that_it_shares_or_the_usual_ones() {
    let chosen = |changes: &[(&str, &str)]| with(config(), changes);
    let phases = chosen(&[("beta", "0.3"), ("nudging", "higher_order")]).phases;
    assert_eq!(
        phases.nudging,
        Nudging::HigherOrder {
            beta: 0.3,
            n_pairs: 2
        }
    );
    for (name, expected) in ["gradient_flow", "anderson", "adaptive_flow"]
        .into_iter()
        .zip(&Scheme::all()[2..])
    {
        assert_eq!(chosen(&[("dynamics", name)]).phases.dynamics, *expected);
    }
    assert_eq!(
        chosen(&[("dynamics", "error_descent")]).phases.dynamics,
        Scheme::ErrorDescent { step_size: 1.0 }
    );
    let model = chosen(&[("model", "predictive_coding"), ("parametrization", "mu_pc")]);
    assert_eq!(
        model.network.model,
        Model::PredictiveCoding {
            layer_update: LayerUpdate::Projected,
            parametrization: Parametrization::MuPc,
        }
    );
    let schedule = |changes| chosen(changes).optimizer.schedule;
    assert_eq!(
        schedule(&[("schedule", "exponential")]),
        Schedule::Exponential { decay: 1.0 }
    );
    let again = [("learning_rate_decay", "0.9"), ("schedule", "exponential")];
    assert_eq!(schedule(&again), Schedule::Exponential { decay: 0.9 });
    assert_eq!(
        chosen(&[("model", "resistive"), ("input_gain", "3")])
            .network
            .model,
        Model::Resistive { input_gain: 3.0 }
    );
}

#[test]
fn an_option_of_a_choice_that_is_not_made_is_refused_with_the_choice() {
    for (key, value, choice, needed, found) in [
        (
            "step_size",
            "0.3",
            "dynamics",
            "gradient_flow",
            "asynchronous",
        ),
        ("input_gain", "3", "model", "resistive", "hopfield"),
        ("n_pairs", "3", "nudging", "higher_order", "centered"),
        (
            "phases.dynamics.anderson.history",
            "3",
            "dynamics",
            "anderson",
            "asynchronous",
        ),
    ] {
        let message = config()
            .with_override(key, value)
            .expect_err(key)
            .to_string();
        let expected = format!(
            "`{key}` is an option of {choice} \"{needed}\", but {choice} is \"{found}\": set {choice} to"
        );
        assert!(message.contains(&expected), "{message}");
    }
}
