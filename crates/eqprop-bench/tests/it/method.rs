//! Methods by name, and the estimator of each.

use std::collections::BTreeSet;
use std::error::Error;

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::{Circle, Nudging};
use eqprop_core::relaxation::Stopping;
use eqprop_train::config::{HiddenLayer, TrainingConfig};
use eqprop_train::estimator::{
    AsymmetricEquilibriumPropagation, ContinualEquilibriumPropagation, ContinualRates,
    CoupledLearning, DyadicEquilibriumPropagation, EquilibriumPropagation, GradientEstimator,
    HolomorphicEquilibriumPropagation, Homeostasis, Sampling, StochasticEquilibriumPropagation,
    WeightPerturbation,
};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use eqprop_bench::method::{Method, MethodError, MethodOptions};
use eqprop_testing::{Lists, batch, config, gradients_of, relative_error, with};

use crate::setup::suited;

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
    let known = "eqprop, cep, pep, nep, random-sign, higher-order, holomorphic, continual, stochastic, \
                 asymmetric, dyadic, homeostasis, cl, pcpl, ncpl, ccpl, weight-perturbation, bptt, tbp, rbp, exact, backprop";
    let expected =
        format!("unknown method `backpropp`; did you mean `backprop`?; the methods are: {known}");
    assert_eq!(error.to_string(), expected);
}

/// A linear output, nudged by `beta` only.
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
        let refused = matches!(
            method,
            Method::Cep | Method::Nep | Method::RandomSign | Method::HigherOrder
        );
        let linear = suited(linear.clone(), method);
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
        let less = suited(one_sided(0.99), method);
        assert!(method.estimator(&less).is_ok(), "{method}");
        let mut bounded = linear.clone();
        bounded.network.output_activation = Activation::HardSigmoid;
        let bounded = suited(bounded, method);
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

/// The gradients of three mini-batches, one after the other.
fn gradients<G>(estimator: &G, config: &TrainingConfig) -> Lists
where
    G: GradientEstimator<AnyField, AnyCost>,
{
    gradients_on(estimator, &config.network(&Device::flex()))
}

/// The same for a given network.
fn gradients_on<E, G>(estimator: &G, network: &EquilibriumNetwork<E, AnyCost>) -> Lists
where
    E: VectorField,
    G: GradientEstimator<E, AnyCost>,
{
    let batch = batch(6);
    let estimates = (0..3).map(|_| estimator.estimate(network, &batch, None));
    let lists = estimates.map(|estimate| gradients_of(network, &estimate.gradients).concat());
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
        let several = nudged(Nudging::HigherOrder { beta, n_pairs: 2 });
        // Complex states need another network.
        let smooth = suited(config.clone(), Method::Holomorphic);
        let circle = Circle { beta, n_points: 4 };
        let holomorphic = HolomorphicEquilibriumPropagation::new(
            circle,
            smooth.phases.free(),
            smooth.phases.nudged(),
        );
        let EquilibriumNetwork { energy, cost, .. } = smooth.network(&Device::flex());
        let AnyField::Hopfield(energy) = energy else {
            panic!("the energy is Hopfield's")
        };
        let complex = EquilibriumNetwork::new(energy, cost);
        let network = config.network(&Device::flex());
        let layers = config.optimizer.learning_rates.iter().enumerate();
        let rates = layers.fold(ContinualRates::uniform(0.0), |rates, (layer, &rate)| {
            rates.with_group(network.energy.parameters_into(layer), 0.05 * rate)
        });
        let signed = config.phases.nudging.beta();
        let continual = ContinualEquilibriumPropagation::new(signed, rates, free(), 2);
        let sampling = Sampling::new(1e-3)
            .with_step_size(0.2)
            .with_n_chains(4)
            .with_burn_in(30)
            .with_n_samples(5)
            .with_thinning(4);
        let stochastic =
            StochasticEquilibriumPropagation::new(config.phases.nudging, free(), sampling)
                .with_seed(config.seed);
        let nudging = config.phases.nudging;
        let nudged_phase = || configured.nudged.clone();
        let asymmetric = AsymmetricEquilibriumPropagation::new(nudging, free(), nudged_phase());
        let dyadic = DyadicEquilibriumPropagation::new(nudging, free(), nudged_phase());
        let untied = suited(config.clone(), Method::Asymmetric);
        let symmetric = Homeostasis::new(config.estimator(), 10.0).with_seed(config.seed);
        let perturbation = WeightPerturbation::new(1e-3, 1, free()).with_seed(config.seed);
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
            (Method::HigherOrder, gradients(&several, &config)),
            (Method::Holomorphic, gradients_on(&holomorphic, &complex)),
            (Method::Continual, gradients_on(&continual, &network)),
            (Method::Stochastic, gradients(&stochastic, &config)),
            (Method::Asymmetric, gradients(&asymmetric, &untied)),
            (Method::Dyadic, gradients(&dyadic, &untied)),
            (Method::Homeostasis, gradients(&symmetric, &untied)),
            (Method::Cl, gradients(&contrastive, &config)),
            (Method::Pcpl, gradients(&toward, &config)),
            (Method::Ncpl, gradients(&away, &config)),
            (Method::Ccpl, gradients(&both, &config)),
            (
                Method::WeightPerturbation,
                gradients(&perturbation, &config),
            ),
            (Method::Bptt, gradients(&Bptt::new(free()), &config)),
            (Method::Tbp, gradients(&Bptt::truncated(free(), 2), &config)),
            (Method::Rbp, gradients(&recurrent, &config)),
            (Method::Exact, gradients(&exact, &config)),
            (Method::Backprop, gradients(&FeedforwardBackprop, &config)),
        ];
        assert_eq!(expected.each_ref().map(|(method, _)| *method), Method::ALL);
        for (method, expected) in &expected {
            let config = suited(config.clone(), *method);
            let estimator = method.estimator(&config).expect("possible");
            assert_eq!(&gradients(&estimator, &config), expected, "{method}");
        }
        // None of those for untied weights is the plain estimate.
        let plain = gradients(&configured, &untied).concat();
        for (method, found) in &expected {
            if [Method::Asymmetric, Method::Dyadic, Method::Homeostasis].contains(method) {
                let apart = relative_error(&found.concat(), &plain);
                assert!(apart > 1e-6, "{method}: {apart:e}");
            }
        }
        // No method can pass for another, but the configured one for that of its name.
        let same = match configured.nudging {
            Nudging::OneSided { .. } => Method::Nep,
            _ => Method::Cep,
        };
        for (index, (first, a)) in expected.iter().enumerate() {
            for (second, b) in &expected[..index] {
                let (a, b) = (a.concat(), b.concat());
                if a.len() != b.len() {
                    // Of another network.
                    continue;
                }
                let apart = relative_error(&a, &b);
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

#[test]
fn an_option_changes_the_method_that_it_belongs_to() {
    let changed = [
        (Method::HigherOrder, "higher-order.n_pairs", "3"),
        (Method::Holomorphic, "holomorphic.n_points", "6"),
        (Method::Continual, "continual.rate", "0.5"),
        (Method::Stochastic, "stochastic.temperature", "0.1"),
        (Method::Stochastic, "stochastic.step_size", "0.1"),
        (Method::Stochastic, "stochastic.n_chains", "2"),
        (Method::Stochastic, "stochastic.burn_in", "3"),
        (Method::Stochastic, "stochastic.n_samples", "2"),
        (Method::Stochastic, "stochastic.thinning", "2"),
        (Method::Homeostasis, "homeostasis.strength", "1"),
        (
            Method::WeightPerturbation,
            "weight-perturbation.size",
            "0.01",
        ),
        (
            Method::WeightPerturbation,
            "weight-perturbation.n_draws",
            "2",
        ),
    ];
    let all = MethodOptions::default();
    let names: Vec<String> = all.list().into_iter().map(|(name, _)| name).collect();
    let mut tried = changed.map(|(_, name, _)| name.to_string()).to_vec();
    tried.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!(tried, expected, "every option");
    for (method, key, value) in changed {
        let config = suited(nudged_by(Nudging::Centered { beta: 0.3 }), method);
        let with = |options: &MethodOptions| {
            let estimator = method.estimator_with(&config, options).expect("possible");
            gradients(&estimator, &config)
        };
        let options = all.with(key, value).expect("an option");
        assert_ne!(with(&options), with(&all), "{key}");
        assert_eq!(MethodOptions::method_of(key), Some(method.name()));
    }
    assert_eq!(MethodOptions::method_of("phases.beta"), None);
}

#[test]
fn options_that_cannot_work_are_named() {
    let text = |error: MethodError| {
        let cause = error
            .source()
            .map_or(String::new(), |cause| format!(": {cause}"));
        format!("{error}{cause}")
    };
    for (key, value, expected) in [
        (
            "higher-order.n_pairs",
            "21",
            "higher-order cannot be used here: n_pairs",
        ),
        (
            "holomorphic.n_points",
            "0",
            "holomorphic cannot be used here: n_points",
        ),
        (
            "continual.rate",
            "-1",
            "the options of continual cannot work: continual.rate",
        ),
        (
            "stochastic.n_chains",
            "0",
            "the options of stochastic cannot work: n_chains",
        ),
        (
            "stochastic.temperature",
            "0",
            "the options of stochastic cannot work: temperature",
        ),
        (
            "homeostasis.strength",
            "-1",
            "the options of homeostasis cannot work: homeostasis.strength",
        ),
        ("weight-perturbation.size", "0", "weight-perturbation.size"),
        (
            "weight-perturbation.n_draws",
            "0",
            "weight-perturbation.n_draws",
        ),
    ] {
        let name = MethodOptions::method_of(key).expect("of a method");
        let method: Method = name.parse().expect("known");
        let options = MethodOptions::default().with(key, value).expect("a number");
        let refused = method.estimator_with(&suited(config(), method), &options);
        let message = text(refused.expect_err("out of range"));
        assert!(message.contains(expected), "{message}");
    }
    let with = |key, value| {
        text(
            MethodOptions::default()
                .with(key, value)
                .expect_err("wrong"),
        )
    };
    assert!(with("holomorphic.n_point", "2").contains("did you mean `holomorphic.n_points`?"));
    assert!(
        with("holomorphic.n_points", "two").contains(
            "`two` does not fit the option `holomorphic.n_points`; it is written like `4`"
        )
    );
    // Layers decide too.
    let refused = |method: Method, config: &TrainingConfig| {
        text(method.estimator(config).expect_err("refused"))
    };
    assert!(
        refused(Method::Holomorphic, &config()).contains("needs sigmoid, tanh or identity layers")
    );
    let pooled = r#"[{"channels": 2, "kernel": 3, "padding": 1, "pooling": {"max": 2}},
        {"channels": 2, "kernel": 3, "padding": 1, "pooling": {"max": 2}}]"#;
    let pooled = config().with_override("hidden", pooled).expect("maps");
    assert!(Method::Homeostasis.estimator(&pooled).is_ok());
    let pooled = suited(pooled, Method::Homeostasis);
    assert!(
        refused(Method::Homeostasis, &pooled).contains("cannot go through max pooling of untied")
    );
    let smooth = suited(config(), Method::Holomorphic);
    assert!(
        refused(Method::Stochastic, &smooth)
            .contains("stochastic cannot be used here: Langevin dynamics")
    );
}

#[test]
fn states_that_are_not_ideal_are_for_equilibrium_propagation() {
    let states = [
        ("state_noise", "0.1", "0"),
        ("state_bits", "4", "null"),
        ("state_range", "2.0", "null"),
    ];
    for (key, value, ideal) in states {
        let bounded = with(config(), &[("output_activation", "hard_sigmoid")]);
        let config = with(bounded, &[(key, value)]);
        config.validate().expect("such units can be");
        for method in Method::ALL {
            let is_contrast = matches!(
                method,
                Method::Eqprop
                    | Method::Cep
                    | Method::Pep
                    | Method::Nep
                    | Method::RandomSign
                    | Method::HigherOrder
            );
            match method.estimator(&suited(config.clone(), method)) {
                Ok(_) => assert!(is_contrast, "{method}, {key}"),
                Err(error) => {
                    assert!(!is_contrast, "{method}, {key}: {error}");
                    let expected = format!(
                        "hardware.{key} changes the states of equilibrium propagation, and {method} relaxes without: \
                         set it to {ideal}, or choose other --methods"
                    );
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
    }
}
