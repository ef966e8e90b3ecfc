//! Which arms a plan combines, and which plans are refused.

use std::error::Error;

use eqprop_core::activation::Activation;

use super::*;

fn plan(vary: &[(&str, &[&str])]) -> Plan {
    let mut plan = Plan::new(Preset::Digits.config(), vec![Method::Eqprop]);
    plan.vary = vary
        .iter()
        .map(|(key, values)| variation(key, values))
        .collect();
    plan
}

fn variation(key: &str, values: &[&str]) -> Variation {
    Variation {
        key: key.to_string(),
        values: values.iter().map(ToString::to_string).collect(),
    }
}

fn names(plan: &Plan) -> Vec<String> {
    let arms = plan.arms().expect("possible");
    arms.into_iter().map(|arm| arm.name).collect()
}

/// Returns an error with all its sources.
fn in_full(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", in_full(source)),
        None => error.to_string(),
    }
}

fn refused(plan: &Plan) -> String {
    in_full(&plan.arms().expect_err("not possible"))
}

#[test]
fn arms_are_all_combinations_and_are_what_their_names_say() {
    let mut plan = plan(&[
        ("beta", &["0.1", "0.2"]),
        ("hidden_activation", &["tanh", "sigmoid"]),
    ]);
    let expected = [
        "beta=0.1 hidden_activation=tanh",
        "beta=0.1 hidden_activation=sigmoid",
        "beta=0.2 hidden_activation=tanh",
        "beta=0.2 hidden_activation=sigmoid",
    ];
    assert_eq!(names(&plan), expected);
    let arms = plan.arms().expect("possible");
    assert_eq!(arms[2].config.phases.nudging.beta(), 0.2);
    assert_eq!(arms[2].config.network.hidden_activation, Activation::Tanh);
    assert_eq!(
        arms[1].config.network.hidden_activation,
        Activation::Sigmoid
    );

    plan.vary.truncate(1);
    plan.methods.push(Method::Backprop);
    let expected = [
        "eqprop beta=0.1",
        "eqprop beta=0.2",
        "backprop beta=0.1",
        "backprop beta=0.2",
    ];
    assert_eq!(names(&plan), expected);

    plan.methods.truncate(1);
    for preset in [Preset::Paper1h, Preset::Dhn1h] {
        plan.presets.push(NamedConfig {
            name: preset.name().to_string(),
            config: preset.config(),
        });
    }
    let expected = [
        "paper-1h beta=0.1",
        "paper-1h beta=0.2",
        "dhn-1h beta=0.1",
        "dhn-1h beta=0.2",
    ];
    assert_eq!(names(&plan), expected);
}

#[test]
fn a_name_has_no_spaces_inside_of_a_value() {
    let plan = plan(&[
        ("hidden", &["[50, 20]", "[100]"]),
        ("learning_rates", &["[0.1, 0.1, 0.1]", "[0.1,0.1]"]),
    ]);
    // Two hidden layers need three rates.
    assert!(
        refused(&plan).starts_with("`hidden=[50,20] learning_rates=[0.1,0.1]` cannot be trained: ")
    );
    let text = r#"{"clipped_relu": {"max": 6}}"#;
    let plan = self::plan(&[("hidden_activation", &[text, "tanh"])]);
    let expected = [
        r#"hidden_activation={"clipped_relu":{"max":6}}"#,
        "hidden_activation=tanh",
    ];
    assert_eq!(names(&plan), expected);
}

#[test]
fn an_option_varies_only_where_it_belongs() {
    let mut plan = plan(&[("higher-order.n_pairs", &["2", "3"])]);
    plan.methods.push(Method::HigherOrder);
    let expected = [
        "eqprop",
        "higher-order higher-order.n_pairs=2",
        "higher-order higher-order.n_pairs=3",
    ];
    assert_eq!(names(&plan), expected);
    let arms = plan.arms().expect("possible");
    assert_eq!(arms[2].options.higher_order.n_pairs, 3);

    let plan = self::plan(&[
        ("nudging", &["centered", "higher_order"]),
        ("n_pairs", &["2", "3"]),
    ]);
    let expected = [
        "nudging=centered",
        "nudging=higher_order n_pairs=2",
        "nudging=higher_order n_pairs=3",
    ];
    assert_eq!(names(&plan), expected);
    // An option of no method is a mistake.
    assert!(
        refused(&self::plan(&[("n_pairs", &["2", "3"])]))
            .contains("`n_pairs` is an option of nudging")
    );
    let missing = self::plan(&[("holomorphic.n_points", &["2", "3"])]);
    assert!(
        refused(&missing)
            .contains("`holomorphic.n_points` is an option of holomorphic, which is not among")
    );
}

#[test]
fn what_cannot_be_varied_is_named() {
    for (vary, expected) in [
        (
            ("betta", &["1", "2"][..]),
            "unknown key `betta`; did you mean `beta`?",
        ),
        (
            ("betta", &["1"]),
            "unknown key `betta`; did you mean `beta`?",
        ),
        (
            ("beta", &["0.1"]),
            "`beta` has one value, 0.1, and nothing to compare it with",
        ),
        (
            ("seed", &["1", "2"]),
            "`seed` cannot be varied: every arm is trained with each of the seeds; --seeds",
        ),
        (
            ("dataset", &["digits", "mnist"]),
            "`dataset` cannot be varied",
        ),
        (
            ("data.n_validation", &["10", "20"]),
            "`data.n_validation` cannot be varied",
        ),
        (("beta", &["0.1", "0.1"]), "value `beta=0.1` is named twice"),
        (
            ("beta", &["0.1", "0.10"]),
            "`beta=0.1` and `beta=0.10` are the same training",
        ),
        (
            ("beta", &["0.1", "many"]),
            "`many` does not fit the key `beta`",
        ),
        (("beta", &["0.1", "-3"]), "`beta=-3` cannot be trained: "),
        (
            ("higher-order.n_pair", &["2", "3"]),
            "did you mean `higher-order.n_pairs`?",
        ),
    ] {
        let message = refused(&plan(&[vary]));
        assert!(message.contains(expected), "{message}");
    }
    let twice = plan(&[("beta", &["0.1", "0.2"]), ("beta", &["0.3", "0.4"])]);
    assert!(refused(&twice).contains("setting `beta` is named twice"));
    let values: Vec<String> = (1..=40).map(|n| n.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let many = plan(&[("batch_size", &values), ("free_steps", &values)]);
    assert!(refused(&many).contains("1600 combinations are too many"));
}

#[test]
fn arms_have_to_be_judged_by_the_same_examples() {
    let mut plan = plan(&[]);
    for preset in [Preset::Digits, Preset::Paper1h] {
        plan.presets.push(NamedConfig {
            name: preset.name().to_string(),
            config: preset.config(),
        });
    }
    assert!(refused(&plan).contains("`digits` and `paper-1h` are for other data"));
    // The last of the training examples are others if there are fewer of them.
    let mut held_out = self::plan(&[("n_train", &["100", "200"])]);
    assert_eq!(names(&held_out).len(), 2);
    held_out.config.data.n_validation = 50;
    assert!(refused(&held_out).contains("hold out other examples"));
}

#[test]
fn what_is_added_stands_where_it_would_from_the_start() {
    let small = Comparison::of(plan(&[("beta", &["0.1", "0.2"])]), 1).expect("possible");
    let more = Addition {
        methods: vec![Method::Backprop, Method::Eqprop],
        vary: vec![variation("beta", &["0.4", "0.1"])],
        ..Addition::default()
    };
    let mut with_run = small.clone();
    let arm = small.arms()[1].clone();
    with_run.place_of(&arm, 0);
    let larger = with_run.extended(None, Some(2), &more).expect("possible");
    let mut expected = plan(&[("beta", &["0.1", "0.2", "0.4"])]);
    expected.methods.push(Method::Backprop);
    assert_eq!(larger.plan, expected);
    // In a larger comparison it has another name, but the same folder.
    assert_eq!(larger.runs[0].arm, "eqprop beta=0.2");
    assert_eq!(
        larger.folder_of("eqprop beta=0.2", 0),
        small.folder_of("beta=0.2", 0)
    );

    let refused = |more: Addition| {
        small
            .clone()
            .extended(None, None, &more)
            .expect_err("not there")
            .to_string()
    };
    let other = Addition {
        vary: vec![variation("batch_size", &["4"])],
        ..Addition::default()
    };
    assert!(refused(other).contains("does not vary `batch_size` but beta"));
    let preset = NamedConfig {
        name: "digits".to_string(),
        config: Preset::Digits.config(),
    };
    let presets = Addition {
        presets: vec![preset],
        ..Addition::default()
    };
    assert!(refused(presets).contains("does not vary `preset`"));
}

#[test]
fn folders_are_those_of_methods_where_nothing_else_differs_and_never_shared() {
    let methods = comparison(&[Method::Eqprop, Method::Cl], 1).expect("possible");
    assert_eq!(methods.folder_of("cl", 7).as_deref(), Some("7-cl"));
    let plan = plan(&[("hidden", &["[50]", "[500]", "[\"x\"]"])]);
    // Characters that are not plain are replaced, and the folders still differ.
    let plan = Plan {
        vary: vec![variation(
            "hidden",
            &["[50]", "[500]", r#"[{"channels": 3, "kernel": 3}]"#],
        )],
        ..plan
    };
    let arms = plan.arms().expect("possible");
    let folders: std::collections::BTreeSet<String> =
        arms.iter().map(|arm| arm.folder(0)).collect();
    assert_eq!(folders.len(), 3);
    let is_plain = |folder: &String| {
        folder.len() < 120
            && folder
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_=.~".contains(c))
    };
    assert!(folders.iter().all(is_plain), "{folders:?}");
}
