//! Costs of layers before the output: the gradient of the sum, the forces, and what they leave as it is.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{AttentionConfig, ConnectionKind, ConvolutionConfig};
use eqprop_core::cost::{
    AnyCost, ClassWeighted, Cost, CostConfig, CrossEntropy, CrossEntropyConfig, Intermediate,
    LocalCost, PhaseError, SquaredError,
};
use eqprop_core::energy::{
    Energy, HopfieldEnergyConfig, LayerConfig, PredictiveCoding, PredictiveCodingConfig,
    TotalEnergy, VectorField,
};
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Lists, Numbers, Setup, assert_close, chain, connection, cosine, cost, distance, equilibrium,
    filled, flat, fourth_order_differences, gradients_in, joined, network, norm, order_of,
    residual, values,
};

/// Input, three hidden layers and the output.
const SIZES: [usize; 5] = [3, 5, 4, 4, 2];
const WEIGHTS: [f64; 3] = [0.4, 0.0, 0.9];

/// A readout for two classes.
fn readout(n_units: usize, setup: &Setup, seed: u64) -> CrossEntropy {
    let mut numbers = Numbers(seed);
    let readout = CrossEntropyConfig::new(n_units, 2).init(&setup.device);
    filled(readout, setup, |n| numbers.list(n, -1.0, 1.0))
}

/// A local cost for each weight that is not 0.
fn locals(weights: &[f64], setup: &Setup) -> Vec<LocalCost> {
    let layers = weights.iter().enumerate().filter(|(_, c)| **c != 0.0);
    let local = |(layer, &c): (usize, &f64)| {
        LocalCost::new(
            layer,
            c,
            readout(SIZES[layer + 1], setup, 40 + layer as u64),
        )
    };
    layers.map(local).collect()
}

/// A network with a cost, and a batch.
struct Problem<E> {
    setup: Setup,
    energy: E,
    cost: AnyCost,
    input: Tensor<2>,
    target: Tensor<2>,
}

fn problem(
    which: CostConfig,
    activation: Activation,
) -> Problem<eqprop_core::energy::HopfieldEnergy> {
    let setup = Setup::double();
    let energy = network(&chain(&SIZES, activation), &setup, 0.6, 2);
    Problem::new(energy, which, setup)
}

impl<E: VectorField> Problem<E> {
    fn new(energy: E, which: CostConfig, setup: Setup) -> Self {
        let cost = cost(which, 2, &setup, 1.0, 3);
        Self {
            energy,
            cost: cost.with_locals(locals(&WEIGHTS, &setup)),
            input: Numbers(1).matrix(&setup, [3, 3], 0.0, 1.0),
            target: setup.one_hot(&[0, 1, 1], 2),
            setup,
        }
    }

    fn relax(&self, energy: &E, beta: f64, start: State) -> State {
        let clamped = energy.clamp(&self.input);
        let beta = self.setup.number(beta);
        let total = TotalEnergy::nudged(energy, &clamped, &self.cost, &self.target, beta);
        equilibrium(&total, start, Scheme::Asynchronous, &self.setup)
    }

    fn free(&self) -> State {
        let clamped = self.energy.clamp(&self.input);
        self.relax(&self.energy, 0.0, self.energy.start(&self.input, &clamped))
    }

    /// The estimate for every parameter, those of all readouts last.
    fn estimate(&self, free: &State, nudging: Nudging) -> Lists {
        let mut gradients = Gradients::new();
        let clamped = self.energy.clamp(&self.input);
        for difference in nudging.differences(1.0) {
            let nudges = [difference.first, difference.second];
            let [a, b] = nudges.map(|beta| self.relax(&self.energy, beta, free.clone()));
            let term = self.energy.contrast(&clamped, &a, &b, difference.weight);
            gradients.add(&term, &self.energy);
        }
        let mut readouts = Gradients::new();
        self.cost
            .summed_gradients(free, &self.target, &mut readouts);
        let own = gradients_in(&self.energy, &gradients);
        [own, gradients_in(&self.cost, &readouts)].concat()
    }

    /// The gradient of the mean of the summed cost at the free equilibrium, by differences of the whole procedure.
    fn exact(&self, free: &State) -> Lists {
        let mean = |cost: &AnyCost, state: &State| {
            let summed = cost.summed_value(state, &self.target);
            summed.mean().into_scalar::<f64>()
        };
        let own = fourth_order_differences(&self.energy, |energy| {
            mean(&self.cost, &self.relax(energy, 0.0, free.clone()))
        });
        let readouts = fourth_order_differences(&self.cost, |cost| mean(cost, free));
        [own, readouts].concat()
    }
}

const CASES: [(CostConfig, Activation); 4] = [
    (CostConfig::SquaredError, Activation::Sigmoid),
    (CostConfig::SquaredError, Activation::Tanh),
    (CostConfig::CrossEntropy, Activation::Sigmoid),
    (CostConfig::CrossEntropy, Activation::Tanh),
];

#[test]
fn every_parameter_has_the_gradient_of_the_summed_cost() {
    for (which, activation) in CASES {
        let problem = problem(which, activation);
        let free = problem.free();
        let exact = problem.exact(&free);
        let n_readouts = 2 * (2 + usize::from(which == CostConfig::CrossEntropy));
        assert_eq!(exact.len(), 8 + n_readouts);
        let found = problem.estimate(&free, Nudging::Centered { beta: 0.01 });
        for (index, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let what = format!("{which:?}, {activation:?}, parameter {index}");
            let cosine = cosine(found, exact);
            assert!(cosine >= 0.9999, "{what}: {cosine}");
            let off = residual(found, exact) / norm(exact);
            assert!(off < 2e-3, "{what}: off by {off:e}");
        }
    }
}

#[test]
fn a_centered_estimate_has_second_order_in_beta() {
    const BETAS: [f64; 4] = [0.005, 0.01, 0.02, 0.04];
    for (which, activation) in CASES {
        let problem = problem(which, activation);
        let free = problem.free();
        let exact = problem.exact(&free).concat();
        let order = |nudging: fn(f64) -> Nudging| {
            let off = |beta| residual(&problem.estimate(&free, nudging(beta)).concat(), &exact);
            order_of(&BETAS, &BETAS.map(off))
        };
        let one_sided = order(|beta| Nudging::OneSided { beta });
        assert!((one_sided - 1.0).abs() < 0.1, "{which:?}: {one_sided}");
        let centered = order(|beta| Nudging::Centered { beta });
        assert!((centered - 2.0).abs() < 0.1, "{which:?}: {centered}");
    }
}

/// To first order the estimate is linear in each weight: what the hidden nudges add would be subtracted if their
/// force had the other sign, or missing without it.
#[test]
fn the_force_on_hidden_layers_and_its_sign_count() {
    for (which, activation) in CASES {
        let problem = problem(which, activation);
        let free = problem.free();
        let nudging = Nudging::Centered { beta: 0.01 };
        let n = problem.energy.layers().len() * 2;
        let of_energy = |lists: Lists| lists[..n].concat();
        let exact = of_energy(problem.exact(&free));
        let with = of_energy(problem.estimate(&free, nudging));
        let plain = Problem {
            cost: cost(which, 2, &problem.setup, 1.0, 3),
            ..problem
        };
        let without = of_energy(plain.estimate(&free, nudging));
        let flipped: Vec<f64> = with
            .iter()
            .zip(&without)
            .map(|(a, b)| 2.0 * b - a)
            .collect();
        let off = [with, without, flipped].map(|found| residual(&found, &exact) / norm(&exact));
        assert!(off[0] < 1e-3, "{off:?}");
        assert!(off[1] > 0.2 && off[2] > 0.4, "{off:?}");
    }
}

/// The velocity is the slope of `F`, local costs included.
#[test]
fn the_force_is_the_slope_of_the_value() {
    const EPSILON: f64 = 1e-5;
    let problem = problem(CostConfig::SquaredError, Activation::Tanh);
    let Problem { setup, energy, .. } = &problem;
    let clamped = energy.clamp(&problem.input);
    let beta = setup.number(0.7);
    let total = TotalEnergy::nudged(energy, &clamped, &problem.cost, &problem.target, beta);
    let state = Numbers(5).state(energy.layers(), setup, 3);
    let velocity = total.velocity(&state);
    for layer in 0..state.layers().len() {
        for unit in 0..SIZES[layer + 1] {
            let value = |by| total.value(&eqprop_testing::moved(&state, layer, unit, by));
            let slope = (value(-EPSILON) - value(EPSILON)) / (2.0 * EPSILON);
            let found = velocity.layer(layer).clone().narrow(1, unit, 1);
            assert_close(&values(&found), &values(&slope), 1e-8, "slope of F");
        }
    }
}

/// Bit for bit, where nothing is fused and where the plain cost is.
#[test]
fn a_weight_of_0_is_no_local_cost() {
    for setup in Setup::both() {
        for which in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
            let energy = network(&chain(&SIZES, Activation::HardSigmoid), &setup, 0.6, 2);
            let plain = cost(which, 2, &setup, 1.0, 3);
            let local = LocalCost::new(1, 0.0, readout(4, &setup, 7));
            let with = plain.clone().with_locals(vec![local]);
            assert!(with.locals().is_empty());
            assert_eq!(with.is_quadratic(), plain.is_quadratic());
            let input = Numbers(1).matrix(&setup, [3, 3], 0.0, 1.0);
            let target = setup.one_hot(&[0, 1, 1], 2);
            let clamped = energy.clamp(&input);
            for scheme in [
                Scheme::Asynchronous,
                Scheme::FixedPoint,
                Scheme::GradientFlow { step_size: 0.5 },
            ] {
                let relax = |cost: &AnyCost| {
                    let beta = setup.number(0.4);
                    let total = TotalEnergy::nudged(&energy, &clamped, cost, &target, beta);
                    let relaxed = Relaxation::steps(scheme, 9).relax(&total, energy.rest(&input));
                    (flat(&relaxed.state), values(&total.value(&relaxed.state)))
                };
                assert_eq!(relax(&with), relax(&plain), "{which:?}, {scheme:?}");
            }
            let state = Numbers(5).state(energy.layers(), &setup, 3);
            let summed = |cost: &AnyCost| values(&cost.summed_value(&state, &target));
            assert_eq!(summed(&with), summed(&plain));
        }
    }
}

/// On `flex` in `f32` the whole phase would be one computation, which knows no local cost.
#[test]
fn no_phase_with_local_costs_is_fused() {
    let setup = Setup::single();
    let energy = network(&chain(&SIZES, Activation::HardSigmoid), &setup, 0.6, 2);
    let cost = cost(CostConfig::SquaredError, 2, &setup, 1.0, 3);
    let cost = cost.with_locals(locals(&WEIGHTS, &setup));
    let input = Numbers(1).matrix(&setup, [3, 3], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let target = setup.one_hot(&[0, 1, 1], 2);
    let total = TotalEnergy::nudged(&energy, &clamped, &cost, &target, setup.number(0.4));
    for scheme in [
        Scheme::Asynchronous,
        Scheme::GradientFlow { step_size: 0.5 },
    ] {
        let found = Relaxation::steps(scheme, 7).relax(&total, energy.rest(&input));
        let mut state = energy.rest(&input);
        let mut steps = scheme;
        (0..7).for_each(|_| steps.step(&total, &mut state));
        assert_eq!(flat(&found.state), flat(&state), "{scheme:?}");
        let free = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let free = Relaxation::steps(scheme, 7).relax(&free, energy.rest(&input));
        assert!(distance(&flat(&free.state), &flat(&state)) > 1e-3);
    }
}

/// Weights of classes weigh all costs of an example.
#[test]
fn classes_weigh_local_costs_too() {
    let problem = problem(CostConfig::SquaredError, Activation::Tanh);
    let setup = &problem.setup;
    let weights = vec![0.5, 3.0];
    let weighted = problem.cost.clone().with_class_weights(weights.clone());
    let state = Numbers(5).state(problem.energy.layers(), setup, 3);
    let target = &problem.target;
    let each: Tensor<1> = setup.tensor(vec![0.5, 3.0, 3.0], [3]);
    let expected = problem.cost.summed_value(&state, target) * each.clone();
    let found = weighted.summed_value(&state, target);
    assert_close(&values(&found), &values(&expected), 1e-14, "values");
    // Weights inside leave the local costs alone.
    let inner = ClassWeighted::new(SquaredError, weights.clone());
    let inside = Intermediate::new(inner, locals(&WEIGHTS, setup));
    let inside = inside.summed_value(&state, target);
    let own = problem.cost.value(state.output(), target);
    let expected = problem.cost.summed_value(&state, target) - own.clone() + own * each;
    assert_close(&values(&inside), &values(&expected), 1e-14, "inside");

    let exact = fourth_order_differences(&weighted, |cost| {
        let mean = cost.summed_value(&state, target).mean();
        mean.into_scalar::<f64>()
    });
    let mut gradients = Gradients::new();
    weighted.summed_gradients(&state, target, &mut gradients);
    let found = gradients_in(&weighted, &gradients).concat();
    assert_close(&found, &exact.concat(), 1e-9, "gradients");
}

/// Predictions are moved by their errors: the same minimum, with the force on hidden layers going down the chain with
/// what comes from above.
#[test]
fn error_descent_finds_the_minimum_with_local_costs() {
    let setup = Setup::double();
    let config = PredictiveCodingConfig::new(chain(&SIZES, Activation::Tanh));
    let mut numbers = Numbers(2);
    let energy: PredictiveCoding = filled(config.init(&setup.device), &setup, |n| {
        numbers.list(n, -0.6, 0.6)
    });
    let problem = Problem::new(energy, CostConfig::SquaredError, setup);
    let Problem { energy, setup, .. } = &problem;
    let clamped = energy.clamp(&problem.input);
    let start = energy.start(&problem.input, &clamped);
    let beta = setup.number(0.3);
    let total = TotalEnergy::nudged(energy, &clamped, &problem.cost, &problem.target, beta);
    let minimum = |scheme| equilibrium(&total, start.clone(), scheme, setup);
    let found = minimum(Scheme::ErrorDescent { step_size: 0.4 });
    let expected = minimum(Scheme::GradientFlow { step_size: 0.4 });
    assert_close(&flat(&found), &flat(&expected), 1e-10, "minimum");
    // The theorem of predictive coding is that of any energy.
    let free = problem.free();
    let exact = problem.exact(&free).concat();
    let found = problem.estimate(&free, Nudging::Centered { beta: 0.01 });
    let off = residual(&found.concat(), &exact) / norm(&exact);
    assert!(off < 1e-3, "{off:e}");
}

/// A layer with attention within it, whose step goes to the minimum of a bound.
#[test]
fn a_layer_with_attention_can_have_a_local_cost() {
    let setup = Setup::double();
    let patches = ConvolutionConfig::new(2).with_stride(2);
    let attention = ConnectionKind::Attention(AttentionConfig::new(2, 3));
    let connections = vec![
        joined(0, 1, ConnectionKind::Convolution(patches)),
        connection(1, 2),
        joined(1, 1, attention),
    ];
    let layers = vec![
        LayerConfig::new([3, 2, 2], Activation::Tanh),
        LayerConfig::new(2, Activation::Tanh),
    ];
    let config = HopfieldEnergyConfig::new([1, 4, 4].into(), layers, connections);
    let energy = network(&config, &setup, 0.3, 2);
    let local = LocalCost::new(0, 0.7, readout(12, &setup, 4));
    let problem = Problem {
        cost: cost(CostConfig::SquaredError, 2, &setup, 1.0, 3).with_locals(vec![local]),
        input: Numbers(1).matrix(&setup, [3, 16], 0.0, 1.0),
        target: setup.one_hot(&[0, 1, 1], 2),
        energy,
        setup,
    };
    let free = problem.free();
    let exact = problem.exact(&free).concat();
    let found = problem.estimate(&free, Nudging::Centered { beta: 0.01 });
    let off = residual(&found.concat(), &exact) / norm(&exact);
    assert!(off < 2e-3, "{off:e}");
}

fn energy_of_sizes() -> (impl Energy, Tensor<2>, Setup) {
    let setup = Setup::double();
    let energy = network(&chain(&SIZES, Activation::Tanh), &setup, 0.5, 2);
    let input = Numbers(1).matrix(&setup, [1, 3], 0.0, 1.0);
    (energy, input, setup)
}

#[test]
#[should_panic(expected = "no free layer 3 before the output for a local cost: there are 3")]
fn the_output_has_no_local_cost() {
    let (energy, input, setup) = energy_of_sizes();
    let clamped = energy.clamp(&input);
    let local = LocalCost::new(3, 1.0, readout(2, &setup, 1));
    let cost = Intermediate::new(SquaredError, vec![local]);
    let target = setup.one_hot(&[0], 2);
    TotalEnergy::nudged(&energy, &clamped, &cost, &target, setup.number(0.1));
}

#[test]
#[should_panic(expected = "free layer 1 has two local costs")]
fn a_layer_has_one_local_cost() {
    let setup = Setup::double();
    let local = LocalCost::new(1, 1.0, readout(4, &setup, 1));
    Intermediate::new(SquaredError, vec![local.clone(), local]);
}

#[test]
#[should_panic(expected = "must be finite and at least 0, but is -0.1")]
fn a_weight_below_0_is_refused() {
    LocalCost::new(1, -0.1, readout(4, &Setup::double(), 1));
}

#[test]
#[should_panic(expected = "local costs are added to a plain squared error or cross-entropy")]
fn phases_have_no_local_costs() {
    let local = LocalCost::new(1, 0.1, readout(4, &Setup::double(), 1));
    let _ = AnyCost::PhaseError(PhaseError).with_locals(vec![local]);
}
