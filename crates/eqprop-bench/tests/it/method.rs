//! Methods by name, and what each of them is.

use std::collections::BTreeSet;
use std::error::Error;

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Stopping;
use eqprop_train::config::{HiddenLayer, TrainingConfig};
use eqprop_train::estimator::{CoupledLearning, EquilibriumPropagation, GradientEstimator};

use eqprop_bench::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_bench::method::{Method, MethodError};
use eqprop_testing::{Lists, batch, config, gradients_of, relative_error};

#[test]
fn names_are_unique_and_read_back() {
    let names: BTreeSet<&str> = Method::ALL.map(Method::name).into();
    assert_eq!(names.len(), Method::ALL.len());
    for method in Method::ALL {
        assert_eq!(method.to_string(), method.name());
        assert_eq!(method.name().parse::<Method>().expect("known"), method);
        let json = serde_json::to_string(&method).expect("a name");
        assert_eq!(json, format!("\"{}\"", method.name()));
        let read: Method = serde_json::from_str(&json).expect("a name");
        assert_eq!(read, method);
    }
    // As a column of a table.
    assert_eq!(format!("{:>6}", Method::Cep), "   cep");
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = "backpropp".parse::<Method>().expect_err("unknown");
    let known = "eqprop, cep, pep, nep, random-sign, cl, pcpl, ncpl, ccpl, bptt, tbp, rbp, exact, \
                 backprop";
    let expected =
        format!("unknown method `backpropp`; did you mean `backprop`?; the methods are: {known}");
    assert_eq!(error.to_string(), expected);
}

/// A linear output, nudged by `beta` alone.
fn one_sided(beta: f64) -> TrainingConfig {
    nudged_by(Nudging::OneSided { beta })
}

fn nudged_by(nudging: Nudging) -> TrainingConfig {
    let mut config = config();
    config.phases.nudging = nudging;
    config
}

/// With a linear output and the squared error, `E + βC` has no lower bound for β ≤ −1.
#[test]
fn a_beta_that_leaves_the_energy_unbounded_is_refused() {
    let linear = one_sided(1.0);
    for method in Method::ALL {
        let refused = matches!(method, Method::Cep | Method::Nep | Method::RandomSign);
        match method.estimator(&linear) {
            Ok(_) => assert!(!refused, "{method}"),
            Err(error) => {
                assert!(refused, "{method}: {error}");
                assert_eq!(error.to_string(), format!("{method} cannot be used here"));
                let cause = error.source().and_then(|cause| cause.downcast_ref());
                assert!(
                    matches!(cause, Some(ConfigError::Unbounded { beta: -1.0 })),
                    "{method}: {cause:?}"
                );
            }
        }
        // Just above, and with a bounded output, nothing speaks against it.
        assert!(method.estimator(&one_sided(0.99)).is_ok(), "{method}");
        let mut bounded = linear.clone();
        bounded.network.output_activation = Activation::HardSigmoid;
        assert!(method.estimator(&bounded).is_ok(), "{method}");
    }
}

#[test]
fn a_network_too_large_for_the_exact_gradient_is_refused() {
    // With the ten outputs 1001 and 1000 units.
    let units = |hidden: Vec<usize>| {
        let mut config = config();
        config.network.hidden = hidden.into_iter().map(HiddenLayer::from).collect();
        Method::Exact.estimator(&config)
    };
    let error = units(vec![500, 491]).expect_err("too large");
    assert!(
        matches!(error, MethodError::TooManyUnits { n_units: 1001 }),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(message.contains("at most 1000 units"), "{message}");
    assert!(message.contains("has 1001"), "{message}");
    assert!(units(vec![500, 490]).is_ok());
}

#[test]
fn a_network_without_a_feedforward_twin_is_refused_by_backprop_alone() {
    let lateral = r#"[{"from": 1, "to": 1, "kind": "dense"}]"#;
    let config = config().with_override("skips", lateral).expect("skips");
    let error = Method::Backprop.estimator(&config).expect_err("no twin");
    assert!(
        matches!(error, MethodError::NoTwin { from: 1, to: 1 }),
        "{error:?}"
    );
    assert!(Method::Rbp.estimator(&config).is_ok());
}

/// The gradients of three batches one after the other.
fn gradients<G>(estimator: &G, config: &TrainingConfig) -> Lists
where
    G: GradientEstimator<AnyField, AnyCost>,
{
    let network = config.network(&Device::flex());
    let batch = batch(6);
    let estimates = (0..3).map(|_| estimator.estimate(&network, &batch, None));
    let lists = estimates.map(|estimate| gradients_of(&network, &estimate.gradients).concat());
    lists.collect()
}

#[test]
fn a_method_is_what_its_name_says_whatever_the_configuration_nudges_by() {
    let beta = 0.3;
    let centered = nudged_by(Nudging::Centered { beta });
    for mut config in [one_sided(-beta), centered] {
        // Few steps, after which the ways to one gradient are still apart.
        config.phases.free_steps = 5;
        config.phases.nudged_steps = 2;
        let configured = config.estimator();
        let nudged = |nudging| {
            let EquilibriumPropagation { free, nudged, .. } = config.estimator();
            EquilibriumPropagation::new(nudging, free, nudged).with_seed(config.seed)
        };
        let free = || configured.free.clone();
        let recurrent = RecurrentBackprop {
            free: free(),
            costate: Stopping::new(2),
        };
        let exact = ImplicitExact { free: free() };
        let centered = nudged(Nudging::Centered { beta });
        let positive = nudged(Nudging::OneSided { beta });
        let negative = nudged(Nudging::OneSided { beta: -beta });
        let random = nudged(Nudging::RandomSign { beta });
        let clamped = |nudging| {
            let EquilibriumPropagation { free, nudged, .. } = config.estimator();
            CoupledLearning::new(nudging, free, nudged)
        };
        let contrastive = clamped(Nudging::OneSided { beta: 1.0 });
        let [toward, away, both] = [
            Nudging::OneSided { beta },
            Nudging::OneSided { beta: -beta },
            Nudging::Centered { beta },
        ]
        .map(clamped);
        let expected = [
            (Method::Eqprop, gradients(&configured, &config)),
            (Method::Cep, gradients(&centered, &config)),
            (Method::Pep, gradients(&positive, &config)),
            (Method::Nep, gradients(&negative, &config)),
            (Method::RandomSign, gradients(&random, &config)),
            (Method::Cl, gradients(&contrastive, &config)),
            (Method::Pcpl, gradients(&toward, &config)),
            (Method::Ncpl, gradients(&away, &config)),
            (Method::Ccpl, gradients(&both, &config)),
            (Method::Bptt, gradients(&Bptt::new(free()), &config)),
            (Method::Tbp, gradients(&Bptt::truncated(free(), 2), &config)),
            (Method::Rbp, gradients(&recurrent, &config)),
            (Method::Exact, gradients(&exact, &config)),
            (Method::Backprop, gradients(&FeedforwardBackprop, &config)),
        ];
        assert_eq!(expected.each_ref().map(|(method, _)| *method), Method::ALL);
        for (method, expected) in &expected {
            let estimator = method.estimator(&config).expect("possible");
            assert_eq!(&gradients(&estimator, &config), expected, "{method}");
        }
        // No method can pass for another, but the configured one for that of its name.
        let same = match configured.nudging {
            Nudging::OneSided { .. } => Method::Nep,
            _ => Method::Cep,
        };
        for (index, (first, a)) in expected.iter().enumerate() {
            for (second, b) in &expected[..index] {
                let apart = relative_error(&a.concat(), &b.concat());
                if (*first, *second) == (same, Method::Eqprop) {
                    assert_eq!(a, b);
                } else {
                    assert!(apart > 1e-6, "{first} and {second}: {apart:e}");
                }
            }
        }
    }
}

#[test]
fn random_signs_come_from_the_seed_and_go_on_after_a_resume() {
    let (network, batch) = (config().network(&Device::flex()), batch(2));
    let draw = |seed: u64, resumed: u64| -> Vec<Vec<f64>> {
        let estimator = Method::RandomSign.estimator(&config().with_seed(seed));
        let estimator = estimator.expect("possible");
        GradientEstimator::<AnyField, AnyCost>::resume(&estimator, resumed);
        let estimates = (0..20).map(|_| estimator.estimate(&network, &batch, None));
        let lists = estimates.map(|estimate| gradients_of(&network, &estimate.gradients).concat());
        lists.collect()
    };
    let whole = draw(0, 0);
    let distinct: BTreeSet<String> = whole.iter().map(|list| format!("{list:?}")).collect();
    assert_eq!(distinct.len(), 2, "one gradient for each sign");
    assert_eq!(draw(0, 5)[..15], whole[5..]);
    assert_ne!(draw(1, 0), whole);
}
