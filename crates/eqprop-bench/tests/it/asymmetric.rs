//! Gradients of networks without an energy: asymmetric and dyadic equilibrium propagation against the exact
//! gradient, against independent numbers, and against the biased estimate.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{
    AnyField, FeedbackUpdate, HopfieldEnergyConfig, LayerConfig, UntiedHopfield,
    UntiedHopfieldConfig,
};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Relaxation;
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::{
    AsymmetricEquilibriumPropagation, DyadicEquilibriumPropagation, EquilibriumPropagation,
    Estimate, GradientEstimator,
};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::panic::catch;
use eqprop_train::preset::Preset;
use eqprop_train::training::Training;

use eqprop_bench::baseline::{FeedforwardBackprop, ImplicitExact};
use eqprop_bench::method::Method;
use eqprop_testing::{
    ByName, Lists, Network, Numbers, Reference, Setup, assert_agrees, assert_close, connection,
    cosine, digits, filled, filled_with, flat, gradients_of, graph, joined, norm, order_of,
    parameters, read_reference, relative_error,
};
use serde::Deserialize;

use crate::setup::suited;

/// Any estimator of the gradient of a network.
type Estimator = dyn GradientEstimator<AnyField, AnyCost>;

const BETA: f64 = 0.05;
const ONE_SIDED: Nudging = Nudging::OneSided { beta: BETA };
const CENTERED: Nudging = Nudging::Centered { beta: BETA };

fn phase() -> Relaxation {
    Setup::double().free()
}

fn asymmetric(nudging: Nudging) -> AsymmetricEquilibriumPropagation {
    AsymmetricEquilibriumPropagation::new(nudging, phase(), phase())
}

fn dyadic(nudging: Nudging) -> DyadicEquilibriumPropagation {
    DyadicEquilibriumPropagation::new(nudging, phase(), phase())
}

/// The estimate of the unmodified field, which is biased.
fn biased(nudging: Nudging) -> EquilibriumPropagation {
    EquilibriumPropagation::new(nudging, phase(), phase())
}

/// Both unbiased estimators, by name.
fn both(nudging: Nudging) -> [(&'static str, Box<Estimator>); 2] {
    [
        ("asymmetric", Box::new(asymmetric(nudging))),
        ("dyadic", Box::new(dyadic(nudging))),
    ]
}

/// A network with a mini-batch.
struct Problem {
    network: Network,
    batch: Batch,
}

impl Problem {
    /// All parameters of both directions uniform in `±scale`, and three examples.
    fn new(graph: HopfieldEnergyConfig, update: FeedbackUpdate, scale: f64) -> Self {
        let setup = Setup::double();
        let mut numbers = Numbers(11);
        let n_inputs = graph.input.n_units();
        let output = graph.layers.last().expect("an output layer");
        let n_outputs = output.n_units();
        let field = UntiedHopfieldConfig::new(graph).with_update(update);
        let field = field.init(&Device::flex());
        let field = filled(field, &setup, |n| numbers.list(n, -scale, scale));
        let cost = CostConfig::SquaredError.init(n_outputs, n_outputs, &Device::flex());
        let input = numbers.list(3 * n_inputs, 0.0, 1.0);
        let classes = [0, 1, 0].map(|class| class % n_outputs);
        Self {
            network: EquilibriumNetwork::new(AnyField::Untied(field), cost),
            batch: Batch::new(
                setup.tensor(input, [3, n_inputs]),
                setup.one_hot(&classes, n_outputs),
            ),
        }
    }

    fn field(&self) -> &UntiedHopfield {
        match &self.network.energy {
            AnyField::Untied(field) => field,
            other => panic!("{other} is not untied"),
        }
    }

    fn with_field(&self, field: impl Into<AnyField>) -> Self {
        let cost = self.network.cost.clone();
        Self {
            network: EquilibriumNetwork::new(field.into(), cost),
            batch: self.batch.clone(),
        }
    }

    fn estimate(&self, estimator: &Estimator) -> Estimate {
        estimator.estimate(&self.network, &self.batch, None)
    }

    fn gradient(&self, estimator: &Estimator) -> Lists {
        gradients_of(&self.network, &self.estimate(estimator).gradients)
    }

    fn exact(&self) -> Lists {
        let found = self.gradient(&ImplicitExact { free: phase() });
        assert!(norm(&found.concat()) > 1e-3, "nothing to compare");
        found
    }
}

/// Chains with two and three hidden layers of smooth units.
fn chains() -> Vec<(String, Problem)> {
    let mut problems = Vec::new();
    for activation in [Activation::Sigmoid, Activation::Tanh] {
        for sizes in [&[3, 6, 5, 2][..], &[3, 6, 5, 4, 2]] {
            let ends: Vec<_> = (1..sizes.len()).map(|to| (to - 1, to)).collect();
            let graph = graph(sizes, activation, &ends);
            let problem = Problem::new(graph, FeedbackUpdate::Own, 0.6);
            problems.push((format!("{activation:?} {sizes:?}"), problem));
        }
    }
    problems
}

fn lowest_cosine(found: &Lists, expected: &Lists) -> f64 {
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| cosine(a, b)).fold(1.0, f64::min)
}

#[test]
fn every_layer_of_an_untied_network_has_the_direction_of_its_exact_gradient() {
    for (what, problem) in chains() {
        let exact = problem.exact();
        // One-sided, what is left is of first order in β.
        for (nudging, least) in [(ONE_SIDED, 0.995), (CENTERED, 0.9999)] {
            for (name, estimator) in both(nudging) {
                let lowest = lowest_cosine(&problem.gradient(&*estimator), &exact);
                assert!(lowest >= least, "{name}, {what}, {nudging:?}: {lowest}");
            }
            let lowest = lowest_cosine(&problem.gradient(&biased(nudging)), &exact);
            assert!(lowest < 0.9, "vector field, {what}: {lowest}");
        }
    }
}

#[test]
fn the_error_is_of_first_order_in_beta_one_sided_and_of_second_order_centered() {
    let betas = [0.08, 0.04, 0.02, 0.01];
    for (what, problem) in chains() {
        let exact = problem.exact().concat();
        let order = |of: &dyn Fn(f64) -> Box<Estimator>| {
            let off = |beta: &f64| relative_error(&problem.gradient(&*of(*beta)).concat(), &exact);
            order_of(&betas, &betas.each_ref().map(off))
        };
        for index in [0, 1] {
            let way = |nudging| {
                let [first, second] = both(nudging);
                [first, second].into_iter().nth(index).expect("two").1
            };
            let one_sided = order(&|beta| way(Nudging::OneSided { beta }));
            assert!((0.8..1.2).contains(&one_sided), "{what}: {one_sided}");
            let centered = order(&|beta| way(Nudging::Centered { beta }));
            assert!((1.8..2.2).contains(&centered), "{what}: {centered}");
        }
        // The error of the field's own estimate does not fall with β.
        let stays = order(&|beta| Box::new(biased(Nudging::Centered { beta })));
        assert!(stays < 0.1, "{what}: {stays}");
    }
}

#[test]
fn the_sign_of_each_parameters_gradient_counts() {
    for (what, problem) in chains() {
        let exact = problem.exact();
        for (name, estimator) in both(Nudging::Centered { beta: 0.01 }) {
            let found = problem.gradient(&*estimator);
            // Some β².
            assert_agrees(&found, &exact, 1e-3, &format!("{name}, {what}"));
        }
    }
}

/// Connections that skip a layer, that stay within one, and that lead from a later to an earlier one.
#[test]
fn connections_of_any_ends_and_clipped_units_have_their_exact_gradient() {
    let ends = [(0, 1), (1, 2), (2, 2), (3, 2), (1, 3), (0, 3)];
    for activation in [Activation::Tanh, Activation::HardSigmoid] {
        let problem = Problem::new(
            graph(&[3, 6, 5, 2], activation, &ends),
            FeedbackUpdate::Own,
            0.4,
        );
        let exact = problem.exact();
        for (name, estimator) in both(Nudging::Centered { beta: 0.01 }) {
            let found = problem.gradient(&*estimator);
            let off = relative_error(&found.concat(), &exact.concat());
            assert!(off < 1e-3, "{name}, {activation:?}: {off:e}");
        }
        let off = relative_error(
            &problem.gradient(&biased(CENTERED)).concat(),
            &exact.concat(),
        );
        assert!(off > 0.05, "{activation:?}: {off:e}");
    }
}

fn convolutional(pooling: Pooling) -> Problem {
    let kernel = ConvolutionConfig::new(3).with_padding(1);
    let connections = vec![
        joined(0, 1, ConnectionKind::Convolution(kernel)),
        joined(
            1,
            2,
            ConnectionKind::Convolution(kernel.with_pooling(pooling)),
        ),
        connection(2, 3),
    ];
    let tanh = Activation::Tanh;
    let layers = vec![
        LayerConfig::new([2, 4, 4], tanh),
        LayerConfig::new([2, 2, 2], tanh),
        LayerConfig::new(3, tanh),
    ];
    let graph = HopfieldEnergyConfig::new([1, 4, 4].into(), layers, connections);
    Problem::new(graph, FeedbackUpdate::Own, 0.4)
}

#[test]
fn kernels_of_both_directions_have_their_exact_gradient() {
    let problem = convolutional(Pooling::Average(2));
    let exact = problem.exact();
    for (name, estimator) in both(Nudging::Centered { beta: 0.01 }) {
        let found = problem.gradient(&*estimator);
        assert_agrees(&found, &exact, 1e-3, &format!("{name}, convolutions"));
    }
    let off = relative_error(
        &problem.gradient(&biased(CENTERED)).concat(),
        &exact.concat(),
    );
    assert!(off > 0.05, "convolutions: {off:e}");
}

#[test]
#[should_panic(expected = "use average pooling")]
fn max_pooling_of_untied_weights_is_refused() {
    convolutional(Pooling::Max(2)).gradient(&asymmetric(CENTERED));
}

#[test]
fn the_learning_rule_of_the_field_does_not_matter() {
    let gradients = [FeedbackUpdate::Own, FeedbackUpdate::Same].map(|update| {
        let ends = [(0, 1), (1, 2), (2, 3)];
        let graph = graph(&[3, 6, 5, 2], Activation::Tanh, &ends);
        let problem = Problem::new(graph, update, 0.6);
        let found = both(CENTERED).map(|(_, estimator)| problem.gradient(&*estimator));
        let own = problem.gradient(&biased(CENTERED));
        (found, own)
    });
    let [(own, own_rule), (same, same_rule)] = gradients;
    assert_eq!(own, same);
    assert_ne!(own_rule, same_rule);
}

/// `Jᵀ` of a feedforward network is solved from the output backward.
#[test]
fn without_feedback_the_gradient_is_backpropagation() {
    for (what, problem) in chains() {
        let mut field = problem.field().clone();
        let zeros = |connection| filled(connection, &Setup::double(), |n| vec![0.0; n]);
        let feedback = field.feedback.into_iter();
        field.feedback = feedback.map(|back| back.map(zeros)).collect();
        let n_forward = parameters(&field.forward).len();
        let problem = problem.with_field(field);
        let backprop = problem.gradient(&FeedforwardBackprop)[..n_forward].to_vec();
        for (name, estimator) in both(Nudging::Centered { beta: 0.01 }) {
            let found = problem.gradient(&*estimator)[..n_forward].to_vec();
            assert_agrees(&found, &backprop, 1e-3, &format!("{name}, {what}"));
        }
        // Nothing comes back to the hidden layers of the field itself.
        let found = problem.gradient(&biased(CENTERED));
        assert!(
            found[0].iter().all(|g| g.abs() < 1e-12),
            "{what}: {found:?}"
        );
    }
}

#[test]
fn with_an_energy_both_are_equilibrium_propagation() {
    for (what, problem) in chains() {
        let tied = problem.with_field(problem.field().forward.clone());
        let several = Nudging::HigherOrder {
            beta: 0.3,
            n_pairs: 2,
        };
        for nudging in [ONE_SIDED, CENTERED, several] {
            let expected = tied.gradient(&biased(nudging));
            let found = tied.gradient(&asymmetric(nudging));
            assert_eq!(found, expected, "{what}, {nudging:?}");
            let found = tied.gradient(&dyadic(nudging)).concat();
            // Equilibria to 1e-13, over β.
            let off = relative_error(&found, &expected.concat());
            assert!(off < 1e-9, "{what}, {nudging:?}: {off:e}");
        }
    }
}

/// With phases that are one fused computation, on flex in `f32`, and step by step.
#[test]
fn single_precision_finds_the_gradient_of_double_precision() {
    for (what, problem) in chains() {
        let setup = Setup::single();
        let lists = parameters(&problem.network);
        let single = Problem {
            network: filled_with(problem.network.clone(), &setup, &lists.concat()),
            batch: Batch::new(
                problem.batch.input.clone().cast(setup.dtype),
                problem.batch.target.clone().cast(setup.dtype),
            ),
        };
        let phase = || setup.free();
        let estimators: [(Box<Estimator>, Box<Estimator>); 2] = [
            (
                Box::new(AsymmetricEquilibriumPropagation::new(
                    CENTERED,
                    phase(),
                    phase(),
                )),
                Box::new(asymmetric(CENTERED)),
            ),
            (
                Box::new(DyadicEquilibriumPropagation::new(
                    CENTERED,
                    phase(),
                    phase(),
                )),
                Box::new(dyadic(CENTERED)),
            ),
        ];
        for (in_single, in_double) in estimators {
            let found = single.gradient(&*in_single).concat();
            let expected = problem.gradient(&*in_double).concat();
            // Some 1e-6 of each state, over β; the gradient is an order smaller than the states.
            let off = relative_error(&found, &expected);
            assert!(off < 2e-3, "{what}: {off:e}");
        }
    }
}

#[test]
fn estimates_of_a_network_on_autodiff_are_the_same_and_outside_it() {
    for problem in [Pooling::Average(2)].map(convolutional) {
        let on_autodiff = Problem {
            network: problem.network.clone().train(),
            batch: Batch::new(
                problem.batch.input.clone().autodiff(),
                problem.batch.target.clone().autodiff(),
            ),
        };
        for (name, estimator) in both(CENTERED) {
            let found = on_autodiff.gradient(&*estimator);
            assert_eq!(found, problem.gradient(&*estimator), "{name}");
            let second_phase = on_autodiff.estimate(&*estimator).second_phase;
            let state = second_phase.expect("a second phase").state;
            assert!(state.layers().iter().all(|layer| !layer.is_autodiff()));
        }
    }
}

#[test]
fn signs_are_drawn_from_the_seed_and_go_on_after_a_resume() {
    let (_, problem) = chains().remove(0);
    let nudging = Nudging::RandomSign { beta: 0.3 };
    let course = |of: &dyn Fn(u64) -> Box<Estimator>, seed, resumed| -> Vec<Lists> {
        let estimator = of(seed);
        estimator.resume(resumed);
        (0..8).map(|_| problem.gradient(&*estimator)).collect()
    };
    let ways: [&dyn Fn(u64) -> Box<Estimator>; 2] = [
        &|seed| Box::new(asymmetric(nudging).with_seed(seed)),
        &|seed| Box::new(dyadic(nudging).with_seed(seed)),
    ];
    for of in ways {
        let whole = course(of, 0, 0);
        assert!(
            whole.iter().any(|gradient| *gradient != whole[0]),
            "both signs"
        );
        assert_eq!(course(of, 0, 3)[..5], whole[3..]);
        assert_ne!(course(of, 1, 0), whole);
    }
}

#[test]
fn a_nudging_that_cannot_work_is_refused() {
    let (_, problem) = chains().remove(0);
    for nudging in [
        Nudging::OneSided { beta: 0.0 },
        Nudging::Centered { beta: -0.1 },
    ] {
        for (name, estimator) in both(nudging) {
            let found = catch(|| problem.estimate(&*estimator)).map(|_| ());
            let message = found.expect_err(name);
            assert!(message.contains("beta must be"), "{name}: {message}");
        }
    }
}

#[test]
fn the_digits_are_learned_with_untied_weights_as_with_tied_ones() {
    let dataset = digits(usize::MAX, usize::MAX);
    let tied = Preset::Digits.config();
    let untied = suited(tied.clone(), Method::Asymmetric);
    let run = |method: Method, mut config: TrainingConfig| {
        config.epochs = 10;
        let estimator = method.estimator(&config).expect("possible");
        let training = Training::with_estimator(config, estimator, &dataset, &Device::flex());
        let mut training = training.expect("a configuration that works");
        while !training.is_finished() {
            let record = training.run_epoch(|_| ControlFlow::Continue(()));
            record.expect("finite").expect("nothing breaks it");
        }
        let last = training.records().last().expect("ten epochs");
        (last.train_cost, last.held_out_error())
    };
    let (_, error_of_tied) = run(Method::Eqprop, tied);
    let (biased, _) = run(Method::Eqprop, untied.clone());
    for method in [Method::Asymmetric, Method::Dyadic] {
        let (cost, error) = run(method, untied.clone());
        // About 0.07, and 0.116 with the biased estimate.
        assert!(cost < 0.8 * biased, "{method}: {cost} and {biased}");
        // Seven examples of room.
        assert!(
            error < error_of_tied + 0.02,
            "{method}: {error} and {error_of_tied}"
        );
    }
}

/// A file of `tests/reference/untied.py`.
#[derive(Deserialize)]
struct Untied {
    sizes: Vec<usize>,
    hidden: Activation,
    output: Activation,
}

impl Untied {
    /// The arrays in the order of the network's fields.
    fn lists(&self, arrays: &ByName) -> Lists {
        let n = self.sizes.len() - 1;
        let names = (0..n).map(|k| format!("W{k}"));
        let names = names.chain((0..n).map(|k| format!("b{k}")));
        let names = names.chain((1..n).map(|k| format!("B{k}")));
        names.map(|name| arrays[&name].data.clone()).collect()
    }
}

#[test]
fn equilibria_and_estimates_are_those_of_independent_numbers() {
    let setup = Setup::double();
    for file in ["untied_2_hidden.json", "untied_3_hidden.json"] {
        let (found, untied): (Reference, Untied) = (read_reference(file), read_reference(file));
        let n_outputs = untied.sizes[untied.sizes.len() - 1];
        let ends: Vec<_> = (1..untied.sizes.len()).map(|to| (to - 1, to)).collect();
        let mut config = graph(&untied.sizes, untied.hidden, &ends);
        config
            .layers
            .last_mut()
            .expect("an output layer")
            .activation = untied.output;
        let field = UntiedHopfieldConfig::new(config).with_update(FeedbackUpdate::Own);
        let field = field.init(&Device::flex());
        let field = filled_with(field, &setup, &untied.lists(&found.params).concat());
        let cost = CostConfig::SquaredError.init(n_outputs, n_outputs, &Device::flex());
        let problem = Problem {
            network: EquilibriumNetwork::new(AnyField::Untied(field), cost),
            batch: Batch::new(found.input(&setup), setup.one_hot(&found.labels, n_outputs)),
        };
        let beta = found.beta;
        let expected = |of: &str| untied.lists(&found.gradients[of]);
        let (one_sided, centered) = (Nudging::OneSided { beta }, Nudging::Centered { beta });
        let cases: [(&str, Box<Estimator>); 6] = [
            ("exact", Box::new(ImplicitExact { free: phase() })),
            ("field_centered", Box::new(biased(centered))),
            ("asymmetric_one_sided", Box::new(asymmetric(one_sided))),
            ("asymmetric_centered", Box::new(asymmetric(centered))),
            ("dyadic_one_sided", Box::new(dyadic(one_sided))),
            ("dyadic_centered", Box::new(dyadic(centered))),
        ];
        // States to 1e-13, over β, in gradients of some 0.1.
        let tolerance = 1e-9;
        for (of, estimator) in &cases {
            let gradient = problem.gradient(&**estimator);
            for (other, _) in &cases {
                let what = format!("{file}, {of} and {other}");
                if of == other {
                    assert_agrees(&gradient, &expected(of), tolerance, &what);
                } else {
                    let apart = relative_error(&gradient.concat(), &expected(other).concat());
                    assert!(apart > 1e-5, "{what}: {apart:e}");
                }
            }
        }
        let numbers = |layers: &[eqprop_testing::Array]| -> Vec<f64> {
            // Layer by layer, all examples of each.
            layers.iter().flat_map(|layer| layer.data.clone()).collect()
        };
        let n = found.labels.len();
        let phases = [
            ("asymmetric", ["positive", "negative"], &cases[3].1),
            ("dyadic", ["first", "second"], &cases[5].1),
        ];
        for (name, parts, estimator) in phases {
            let estimate = problem.estimate(&**estimator);
            let free = flat(&estimate.free.state);
            assert_close(&free, &numbers(&found.free.state), 1e-11, file);
            let state = estimate.second_phase.expect("a second phase").state;
            for (index, part) in parts.iter().enumerate() {
                let expected = &found.nudged[&format!("{name}_{part}")].state;
                let state = flat(&state.narrow(index * n, n));
                assert_close(
                    &state,
                    &numbers(expected),
                    1e-11,
                    &format!("{file}, {name} {part}"),
                );
            }
        }
    }
}
