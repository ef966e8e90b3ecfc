//! Numbers that no machine can hold: each is refused, or works.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eqprop_core::error::ConfigError;
use eqprop_testing::{config, digits, explained, training, with};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::error::TrainingError;

const NUMBERS: [&str; 22] = [
    "0",
    "-1",
    "1",
    "3",
    "40",
    "2147483648",
    "4294967296",
    "9007199254740992",
    "4611686018427387904",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e40",
    "-1e40",
    "1e37",
    "1e-37",
    "1e308",
    "1e-320",
    "1e999",
    "NaN",
    "null",
];

/// Where the numbers go: fields, and for `#` in what else is written there.
const PLACES: [(&str, &str); 53] = [
    ("n_train", "#"),
    ("n_validation", "#"),
    ("padding", "#"),
    ("augmentation", r#"{"shift": #}"#),
    ("hidden", "[#]"),
    ("hidden", "[#, 2]"),
    ("hidden", r#"[{"channels": #, "kernel": 3}]"#),
    ("hidden", r#"[{"channels": 2, "kernel": #}]"#),
    ("hidden", r#"[{"channels": 2, "kernel": 3, "stride": #}]"#),
    ("hidden", r#"[{"channels": 2, "kernel": 3, "padding": #}]"#),
    ("hidden", r#"[{"channels": 2, "kernel": #, "padding": #}]"#),
    (
        "hidden",
        r#"[{"channels": 2, "kernel": 3, "padding": #, "pooling": {"max": #}}]"#,
    ),
    (
        "hidden",
        r#"[{"channels": 2, "kernel": 3, "pooling": {"max": #}}]"#,
    ),
    (
        "hidden",
        r#"[{"channels": 2, "kernel": 3, "pooling": {"average": #}}]"#,
    ),
    ("skips", r#"[{"from": #, "to": 2, "kind": "dense"}]"#),
    ("skips", r#"[{"from": 0, "to": #, "kind": "dense"}]"#),
    (
        "skips",
        r#"[{"from": 0, "to": 2, "kind": {"convolution": {"kernel": #, "padding": #}}}]"#,
    ),
    (
        "skips",
        r#"[{"from": 1, "to": 1, "kind": {"attention": {"heads": #, "width": #}}}]"#,
    ),
    ("hidden_activation", r#"{"clipped_relu": {"max": #}}"#),
    ("output_activation", r#"{"clipped_relu": {"max": #}}"#),
    ("initializer", r#"{"fan_in": {"gain": #}}"#),
    ("input_gain", "#"),
    ("gains", "[#, 1]"),
    ("gains", "[#]"),
    ("gains", "[]"),
    ("beta", "#"),
    ("n_pairs", "#"),
    ("step_size", "#"),
    ("history", "#"),
    ("mixing", "#"),
    ("step_error", "#"),
    ("descent_step", "#"),
    ("free_steps", "#"),
    ("nudged_steps", "#"),
    ("tolerance", "#"),
    ("check_every", "#"),
    ("learning_rates", "[#, 0.1]"),
    ("learning_rates", "[#, #]"),
    ("learning_rates", "[]"),
    ("learning_rates", "[[#]]"),
    ("learning_rate_decay", "#"),
    ("momentum", "#"),
    ("weight_decay", "#"),
    ("gradient_clip", "#"),
    ("batch_size", "#"),
    ("epochs", "#"),
    ("seed", "#"),
    ("hidden", "[]"),
    ("hidden", "[[#]]"),
    ("normalize", "#"),
    ("nesterov", "#"),
    ("model", "#"),
    ("dataset", "#"),
];

/// Further settings, chosen so that every field is used in one of them.
const SETTINGS: [&[(&str, &str)]; 9] = [
    &[],
    &[("dynamics", "gradient_flow"), ("nudging", "higher_order")],
    &[("dynamics", "anderson"), ("nudging", "one_sided")],
    &[("dynamics", "adaptive_flow"), ("start", "particles")],
    &[
        ("schedule", "cosine"),
        ("momentum", "0.5"),
        ("tolerance", "1e-3"),
    ],
    &[("model", "resistive"), ("hidden_activation", "diode")],
    &[
        ("model", "predictive_coding"),
        ("cost", "cross_entropy"),
        ("normalize", "true"),
    ],
    &[
        ("model", "predictive_coding"),
        ("parametrization", "mu_pc"),
        ("dynamics", "error_descent"),
    ],
    &[
        ("model", "untied"),
        ("hidden", r#"[{"channels": 2, "kernel": 3}]"#),
    ],
];

/// Reads, checks and begins a training, and ends it after an epoch where that is not a matter of years.
fn try_out(
    base: &TrainingConfig,
    key: &str,
    value: &str,
    data: &Dataset,
) -> Result<(), TrainingError> {
    let config = base.with_override(key, value)?;
    config.validate()?;
    config.check_data(data)?;
    let prepared = data.clone().map(|examples| config.data.prepare(examples));
    let device = burn::tensor::Device::flex();
    let mut training = eqprop_train::training::Training::new(config, &prepared, &device)?;
    let config = training.config();
    if config.phases.free_steps.max(config.phases.nudged_steps) < 100_000 {
        training.run_epoch(|_| ControlFlow::Continue(()))?;
    }
    Ok(())
}

#[test]
fn no_number_in_a_configuration_panics() {
    let data = digits(8, 4);
    let base = with(config(), &[("free_steps", "3"), ("nudged_steps", "2")]);
    let (mut n_refused, mut n_worked) = (0, 0);
    let mut panics = Vec::new();
    for overrides in SETTINGS {
        let base = with(base.clone(), overrides);
        for (key, form) in PLACES {
            for number in NUMBERS {
                let value = form.replace('#', number);
                let tried = AssertUnwindSafe(|| try_out(&base, key, &value, &data));
                match catch_unwind(tried) {
                    Ok(Ok(())) => n_worked += 1,
                    Ok(Err(_)) => n_refused += 1,
                    Err(_) => panics.push(format!("{overrides:?} {key}={value}")),
                }
                if !form.contains('#') {
                    break;
                }
            }
        }
    }
    assert!(panics.is_empty(), "{panics:#?}");
    assert!(
        n_refused > 1000 && n_worked > 1000,
        "{n_refused}, {n_worked}"
    );
}

#[test]
fn what_is_too_much_is_refused_with_its_limit() {
    for (overrides, expected) in [
        (
            ("gains", "[1e40, 1]"),
            "gains must be of a size between 1e-37 and 1e37",
        ),
        (
            ("initializer", r#"{"fan_in": {"gain": 1e40}}"#),
            "initializer gain must be of a size",
        ),
        (
            ("learning_rates", "[1e308, 0.1]"),
            "learning_rates must be of a size",
        ),
        (("beta", "1e-320"), "beta must be of a size"),
        (
            ("padding", "18446744073709551615"),
            "padding must be at most 32768",
        ),
        (
            ("epochs", "4611686018427387904"),
            "epochs must be at most 4294967295",
        ),
        (
            ("batch_size", "18446744073709551615"),
            "batch_size must be at most",
        ),
        (("free_steps", "4294967296"), "free_steps must be at most"),
        (
            ("augmentation", r#"{"shift": 18446744073709551615}"#),
            "augmentation shift must be at most",
        ),
        // 64 × 2³² weights.
        (("hidden", "[4294967295]"), "the parameters take at least"),
    ] {
        let error = with(config(), &[overrides]).validate().expect_err(expected);
        let message = explained(&error);
        assert!(message.contains(expected), "{message}");
    }
    let tokens = with(config(), &[("hidden", r#"[{"channels": 2, "kernel": 1}]"#)]);
    for (heads, width, expected) in [
        (1, 1_u64 << 50, "the parameters take at least"),
        // 2²² matrices of 64 × 64 probabilities.
        (1_u64 << 22, 1, "the states of a batch take at least"),
    ] {
        let attention = format!(
            r#"[{{"from": 1, "to": 1, "kind": {{"attention": {{"heads": {heads}, "width": {width}}}}}}}]"#
        );
        let error = with(tokens.clone(), &[("skips", &attention)]).validate();
        let message = explained(&error.expect_err(expected));
        assert!(message.contains(expected), "{message}");
    }
    let long = format!("{:?}", vec![1; 1001]);
    let error = with(config(), &[("hidden", &long)]).validate();
    let error = error.expect_err("too deep").to_string();
    assert!(
        error.contains("hidden layers must be at most 1000"),
        "{error}"
    );
}

#[test]
fn images_that_are_too_large_when_padded_are_refused_before_they_are() {
    // 1797 images of 65,544 × 65,544 pixels; each alone could be counted.
    let config = with(config(), &[("padding", "32700")]);
    let error = config.load_data(None).expect_err("30 TB");
    assert!(matches!(error, TrainingError::Memory { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("padded images") && text.contains("less padding"),
        "{text}"
    );
    let config = with(self::config(), &[("padding", "1")]);
    assert_eq!(config.load_data(None).expect("small").train.n_inputs(), 100);
}

#[test]
fn numbers_at_the_bounds_are_not_an_ordinary_result_or_are_one() {
    // What f32 can hold may still overflow: then the training says so.
    let data = digits(16, 8);
    let largest = format!("[{:e}, {0:e}]", ConfigError::LARGEST);
    let mut training = training(with(config(), &[("learning_rates", &largest)]), &data);
    let outcome = training.run_epoch(|_| ControlFlow::Continue(()));
    assert!(
        matches!(outcome, Err(TrainingError::Diverged { epoch: 1, .. })),
        "{outcome:?}"
    );
}
