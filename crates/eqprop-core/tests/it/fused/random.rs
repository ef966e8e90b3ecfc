//! Fused relaxations, clamped drives and contrasts of random networks against the plain ones in `f64`.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{
    HopfieldEnergyConfig, LayerConfig, TotalEnergy, UntiedHopfieldConfig, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, connection, cost, distance, filled, gradients_in, graph, network, values,
};
use proptest::prelude::*;

use super::{Output, SCHEMES};
use crate::properties::any_network_of_maps;

/// One, the vector widths and their neighbors, and sizes that fill a panel or nearly so.
const SIZES: [usize; 18] = [
    1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 15, 16, 17, 33, 47, 49, 97, 130,
];
const BATCHES: [usize; 8] = [1, 2, 3, 4, 5, 7, 9, 21];
/// All but the softmax, which goes step by step.
const ACTIVATIONS: [Activation; 7] = [
    Activation::HardSigmoid,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::ClippedRelu { max: 0.7 },
    Activation::Identity,
    Activation::Diode,
];

#[derive(Debug, Clone)]
pub struct Case {
    pub config: HopfieldEnergyConfig,
    /// Whether connections have separate feedback weights.
    pub is_untied: bool,
    pub scheme: Scheme,
    pub output: Output,
    pub cost: CostConfig,
    pub batch: usize,
    pub n_steps: usize,
    /// The fraction of the inputs that are not 0.
    pub density: f64,
    pub seed: u64,
}

/// A chain of one to four layers, some of one activation and some of many, with connections beside
/// it between any two layers, in either order, and within a layer.
pub fn any_network() -> impl Strategy<Value = HopfieldEnergyConfig> {
    let size = || (0..SIZES.len()).prop_map(|index| SIZES[index]);
    let layers = prop::collection::vec((size(), 0..ACTIVATIONS.len()), 1..5);
    (
        size(),
        layers,
        any::<bool>(),
        prop::array::uniform25(0..6_u8),
    )
        .prop_map(|(n_inputs, layers, alike, choices)| {
            let activation = |index: usize| match alike {
                true => ACTIVATIONS[layers[0].1],
                false => ACTIVATIONS[index],
            };
            let configs = layers
                .iter()
                .map(|&(size, index)| LayerConfig::new(size, activation(index)));
            let mut connections = Vec::new();
            for to in 1..=layers.len() {
                connections.push(connection(to - 1, to));
                for from in 0..=to {
                    match choices[5 * from + to] {
                        0 if from + 1 != to => connections.push(connection(from, to)),
                        1 if from > 0 && from < to => connections.push(connection(to, from)),
                        _ => {}
                    }
                }
            }
            HopfieldEnergyConfig::new(n_inputs.into(), configs.collect(), connections)
        })
}

pub fn any_case(
    network: impl Strategy<Value = HopfieldEnergyConfig>,
) -> impl Strategy<Value = Case> {
    let scheme = prop_oneof![
        2 => Just(Scheme::Asynchronous),
        1 => Just(Scheme::FixedPoint),
        2 => (0.05..1.0_f64).prop_map(|step_size| Scheme::GradientFlow { step_size }),
    ];
    let output = prop_oneof![
        1 => Just(Output::Free),
        2 => Just(Output::Nudged),
        1 => Just(Output::Clamped),
    ];
    let cost = prop_oneof![
        5 => Just(CostConfig::SquaredError),
        1 => Just(CostConfig::CrossEntropy),
    ];
    let how = (scheme, output, cost, 0..BATCHES.len(), 1..8_usize);
    let numbers = (
        prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64],
        any::<u64>(),
        prop::bool::weighted(0.25),
    );
    (network, how, numbers).prop_map(|(config, how, (density, seed, is_untied))| {
        let (scheme, output, cost, batch, n_steps) = how;
        Case {
            config,
            is_untied,
            scheme,
            output,
            cost,
            batch: BATCHES[batch],
            n_steps,
            density,
            seed,
        }
    })
}

/// Weights with which no layer responds more strongly than all layers that drive it together: rounding is not
/// magnified.
fn scale(config: &HopfieldEnergyConfig) -> f64 {
    let LayerShape::Flat(n_inputs) = config.input else {
        return 0.15;
    };
    let sizes = config.layers.iter().map(LayerConfig::n_units);
    let n_units = n_inputs + sizes.sum::<usize>();
    1.0 / (n_units as f64).sqrt()
}

/// The drive of the first layer, the state in which the relaxation ends with its residual, and the
/// gradient that its contrast with the start is.
fn measured(case: &Case, setup: &Setup, stepwise: bool) -> Vec<(&'static str, Vec<f64>)> {
    let (config, scale) = (&case.config, scale(&case.config));
    if !case.is_untied {
        return measured_in(
            &network(config, setup, scale, case.seed),
            case,
            setup,
            stepwise,
        );
    }
    let mut numbers = Numbers(case.seed);
    let field = UntiedHopfieldConfig::new(config.clone()).init(&setup.device);
    let field = filled(field, setup, |n| numbers.list(n, -scale, scale));
    measured_in(&field, case, setup, stepwise)
}

fn measured_in<E: VectorField>(
    energy: &E,
    case: &Case,
    setup: &Setup,
    stepwise: bool,
) -> Vec<(&'static str, Vec<f64>)> {
    let Case {
        ref config,
        scheme,
        output,
        batch,
        n_steps,
        seed,
        ..
    } = *case;
    let mut numbers = Numbers(seed ^ 1);
    let input = (0..batch * config.input.n_units())
        .map(|_| match numbers.uniform(0.0, 1.0) < case.density {
            true => numbers.uniform(-1.0, 1.0),
            false => 0.0,
        })
        .collect();
    let input: Tensor<2> = setup.tensor(input, [batch, config.input.n_units()]);
    let clamped = energy.clamp(&input);
    let start = numbers.state(&config.layers, setup, batch);
    let n_outputs = start.output().dims()[1];
    let target = numbers.matrix(setup, [batch, n_outputs], 0.1, 1.0);
    let beta = numbers.matrix(setup, [batch, 1], -0.5, 0.9);
    let cost = cost(case.cost, n_outputs, setup, 0.5, seed ^ 2);
    let (total, start) = match output {
        Output::Free => (TotalEnergy::<_, AnyCost>::free(energy, &clamped), start),
        Output::Nudged => {
            let target = target.clone() / target.sum_dim(1);
            // The total energy keeps what it needs of them.
            let total = TotalEnergy::nudged(energy, &clamped, &cost, &target, beta);
            (total, start)
        }
        Output::Clamped => {
            let mut layers = start.layers().to_vec();
            *layers.last_mut().expect("a network has an output") = target.clone();
            let total = TotalEnergy::output_clamped(energy, &clamped, target);
            (total, State::new(layers))
        }
    };
    let relaxation = Relaxation::steps(scheme, n_steps);
    let relaxed = match stepwise {
        true => relaxation.relax_observed(&total, start.clone(), |_, _| {}),
        false => relaxation.relax(&total, start.clone()),
    };
    let gradients = energy.contrast(&energy.clamp(&input), &start, &relaxed.state, 1.0);
    vec![
        ("drive", values(&energy.drive(0, &clamped, &start))),
        (
            "state",
            relaxed.state.layers().iter().flat_map(values).collect(),
        ),
        ("residual", values(&relaxed.residual)),
        ("gradient", gradients_in(energy, &gradients).concat()),
    ]
}

fn assert_same(case: &Case) {
    assert_same_on(&Setup::single(), case);
}

/// Compares the fused computations on `setup` with the plain operations in `f64`.
pub fn assert_same_on(setup: &Setup, case: &Case) {
    let found = measured(case, setup, false);
    let exact = measured(case, &Setup::double(), true);
    let largest = |numbers: &[f64]| numbers.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    let state = largest(&exact[1].1);
    for ((what, found), (_, exact)) in found.iter().zip(&exact) {
        // Sums of up to some hundred terms, a few steps over: a hundred roundings of the largest
        // number. The residual is relative to the step size, and so is its error.
        let magnified = match (*what, case.scheme) {
            ("residual", Scheme::GradientFlow { step_size }) => 1.0 / step_size,
            _ => 1.0,
        };
        let allowed = 1e-5 * magnified * largest(exact).max(state);
        let distance = distance(found, exact);
        assert!(
            distance <= allowed,
            "{}, {what}: off by {distance:e}, allowed {allowed:e}: {case:?}",
            setup.name
        );
    }
}

/// A hidden layer and a few outputs: the weights between them are read once for both directions only if they
/// are the same.
#[test]
fn weights_that_differ_forth_and_back_are_not_taken_for_each_other() {
    let of = |sizes: &[usize], ends| graph(sizes, Activation::HardSigmoid, ends);
    // The last leads down, from a wide output to a short layer.
    let configs = [
        of(&[5, 70, 10], &[(0, 1), (1, 2)]),
        of(&[5, 70, 10], &[(0, 1), (2, 1)]),
        of(&[5, 4, 70], &[(0, 1), (2, 1)]),
    ];
    for config in configs {
        for scheme in SCHEMES {
            for is_untied in [false, true] {
                assert_same(&Case {
                    config: config.clone(),
                    is_untied,
                    scheme,
                    output: Output::Nudged,
                    cost: CostConfig::SquaredError,
                    batch: 5,
                    n_steps: 4,
                    density: 0.5,
                    seed: 3,
                });
            }
        }
    }
}

proptest! {
    // The same cases in every run: CI is no place for new ones. To look for some, raise `cases`
    // and change the seed.
    #![proptest_config(ProptestConfig {
        cases: 192,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_fused_relaxation_of_any_dense_network_is_the_plain_one(case in any_case(any_network())) {
        assert_same(&case);
    }

    #[test]
    fn a_fused_relaxation_of_any_network_of_maps_is_the_plain_one(
        case in any_case(any_network_of_maps()),
        n_steps in 1..4_usize,
    ) {
        // Layers joined as they are respond more than what drives them.
        assert_same(&Case { n_steps, ..case });
    }
}
