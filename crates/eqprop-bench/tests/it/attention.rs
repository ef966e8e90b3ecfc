//! Gradients of networks with softmax attention within a layer: equilibrium propagation, recurrent
//! backpropagation and backpropagation through time against the exact gradient and against independent
//! numbers.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{AttentionConfig, ConnectionKind, ConvolutionConfig};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{AnyField, HopfieldEnergyConfig, LayerConfig};
use eqprop_core::nudging::{Circle, Nudging};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{
    AsymmetricEquilibriumPropagation, DyadicEquilibriumPropagation, EquilibriumPropagation,
    GradientEstimator, HolomorphicEquilibriumPropagation,
};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::baseline::{Bptt, ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    Lists, Network, Numbers, Reference, Setup, assert_agrees, connection, cosine, filled,
    filled_with, gradients_of, joined, norm, order_of, read_reference, relative_error,
};

/// Any estimator of the gradient of a network.
type Estimator = dyn GradientEstimator<AnyField, AnyCost>;

/// A network with a mini-batch.
struct Problem {
    network: Network,
    batch: Batch,
}

/// Patches of 4×4 images as tokens of five channels that attend with two heads, three outputs.
fn config(hidden: Activation, output: Activation) -> HopfieldEnergyConfig {
    let patches = ConvolutionConfig::new(2).with_stride(2);
    let attention = ConnectionKind::Attention(AttentionConfig::new(2, 3));
    let connections = vec![
        joined(0, 1, ConnectionKind::Convolution(patches)),
        connection(1, 2),
        joined(1, 1, attention),
    ];
    let layers = vec![
        LayerConfig::new([5, 2, 2], hidden),
        LayerConfig::new(3, output),
    ];
    HopfieldEnergyConfig::new([1, 4, 4].into(), layers, connections)
}

impl Problem {
    /// Creates a problem with every parameter uniform in `±scale`.
    fn new(hidden: Activation, output: Activation, scale: f64) -> Self {
        let setup = Setup::double();
        let mut numbers = Numbers(3);
        let device = Device::flex();
        let energy = config(hidden, output).init(&device);
        let cost = CostConfig::SquaredError.init(3, 3, &device);
        let network = EquilibriumNetwork::new(energy.into(), cost);
        let input = numbers.list(4 * 16, 0.0, 1.0);
        Self {
            network: filled(network, &setup, |n| numbers.list(n, -scale, scale)),
            batch: Batch::new(
                setup.tensor(input, [4, 16]),
                setup.one_hot(&[0, 1, 2, 1], 3),
            ),
        }
    }

    fn gradient(&self, estimator: &Estimator) -> Lists {
        let estimate = estimator.estimate(&self.network, &self.batch, None);
        gradients_of(&self.network, &estimate.gradients)
    }

    fn exact(&self) -> Lists {
        let found = self.gradient(&ImplicitExact { free: phase() });
        assert!(norm(&found.concat()) > 1e-2, "nothing to compare");
        found
    }
}

/// Tokens that repel each other may oscillate unless they follow the gradient flow.
const FLOW: Scheme = Scheme::GradientFlow { step_size: 0.5 };

fn phase() -> Relaxation {
    Relaxation::steps(FLOW, 4000).with_tolerance(Setup::double().rest())
}

fn eqprop(nudging: Nudging) -> EquilibriumPropagation {
    EquilibriumPropagation::new(nudging, phase(), phase())
}

/// Problems with tokens some of which repel each other more than their potentials hold them.
fn problems() -> [Problem; 3] {
    problems_of(0.5)
}

fn problems_of(scale: f64) -> [Problem; 3] {
    use Activation::{Identity, Sigmoid, Tanh};
    let layers = [(Tanh, Identity), (Sigmoid, Sigmoid), (Tanh, Tanh)];
    layers.map(|(hidden, output)| Problem::new(hidden, output, scale))
}

#[test]
fn every_parameter_has_the_direction_of_its_exact_gradient() {
    for problem in problems() {
        let exact = problem.exact();
        // Kernel, dense weights, queries, keys and two biases.
        assert_eq!(exact.len(), 6);
        let beta = 0.05;
        for (nudging, least) in [
            (Nudging::OneSided { beta }, 0.995),
            (Nudging::Centered { beta }, 0.9999),
        ] {
            let found = problem.gradient(&eqprop(nudging));
            for (index, (found, exact)) in found.iter().zip(&exact).enumerate() {
                let cosine = cosine(found, exact);
                assert!(cosine >= least, "{nudging:?}, parameter {index}: {cosine}");
            }
        }
    }
}

#[test]
fn the_error_is_of_first_order_in_beta_one_sided_and_of_second_order_centered() {
    let betas = [0.08, 0.04, 0.02, 0.01];
    for problem in problems() {
        let exact = problem.exact();
        // Of the queries and keys alone as of all.
        for parameters in [0..6, 2..4] {
            let of = |lists: &Lists| lists[parameters.clone()].concat();
            let order = |nudging: fn(f64) -> Nudging| {
                let off = |&beta: &f64| {
                    let found = problem.gradient(&eqprop(nudging(beta)));
                    relative_error(&of(&found), &of(&exact))
                };
                order_of(&betas, &betas.each_ref().map(off))
            };
            let one_sided = order(|beta| Nudging::OneSided { beta });
            assert!((0.8..1.2).contains(&one_sided), "{one_sided}");
            let centered = order(|beta| Nudging::Centered { beta });
            assert!((1.8..2.2).contains(&centered), "{centered}");
        }
    }
}

#[test]
fn the_sign_of_each_parameters_gradient_counts() {
    for problem in problems() {
        let exact = problem.exact();
        let found = problem.gradient(&eqprop(Nudging::Centered { beta: 0.01 }));
        // Some β²; queries and keys are some hundredths of the gradient.
        for (found, exact) in found.iter().zip(&exact) {
            let (found, exact) = (vec![found.clone()], vec![exact.clone()]);
            assert_agrees(&found, &exact, 2e-3, "with one sign");
        }
    }
}

#[test]
fn backpropagation_in_time_and_in_equilibrium_go_through_attention() {
    for problem in problems() {
        let exact = problem.exact();
        let bptt = Bptt::new(Relaxation::steps(FLOW, 600));
        assert_agrees(&problem.gradient(&bptt), &exact, 1e-9, "through time");
    }
    // The costate is iterated as an asynchronous relaxation, which needs weaker repulsion.
    for problem in problems_of(0.3) {
        let exact = problem.exact();
        let free = Setup::double().free();
        let bptt = Bptt::new(Relaxation::steps(free.dynamics, 600));
        assert_agrees(&problem.gradient(&bptt), &exact, 1e-9, "through time");
        let costate = free.stopping;
        let recurrent = RecurrentBackprop { free, costate };
        assert_agrees(&problem.gradient(&recurrent), &exact, 1e-9, "recurrent");
    }
}

/// The Hessian of attention is symmetric: the energy is its own adjoint.
#[test]
fn with_an_energy_asymmetric_and_dyadic_estimates_are_equilibrium_propagation() {
    let nudging = Nudging::Centered { beta: 0.05 };
    for problem in problems() {
        let expected = problem.gradient(&eqprop(nudging));
        let asymmetric = AsymmetricEquilibriumPropagation::new(nudging, phase(), phase());
        assert_eq!(problem.gradient(&asymmetric), expected);
        // Dyadic: the drive at the mean of two states, which is no contrast of two drives here.
        let dyadic = DyadicEquilibriumPropagation::new(nudging, phase(), phase());
        let off = relative_error(&problem.gradient(&dyadic).concat(), &expected.concat());
        assert!(off < 0.01, "{off:e}");
    }
}

#[test]
fn the_exact_gradient_agrees_with_the_reference() {
    for setup in &Setup::both() {
        let reference: Reference = read_reference("attention_tokens.json");
        let energy = config(Activation::Tanh, Activation::Identity).init(&setup.device);
        let cost = CostConfig::SquaredError.init(3, 3, &setup.device);
        let names = ["K0", "W", "W_q", "W_k", "b0", "b1"];
        let lists = |of: &eqprop_testing::ByName| names.map(|name| of[name].data.clone()).to_vec();
        let network = EquilibriumNetwork::new(energy.into(), cost);
        let network: Network = filled_with(network, setup, &lists(&reference.params).concat());
        let target = setup.one_hot(&reference.labels, 3);
        let batch = Batch::new(reference.input(setup), target);
        let problem = Problem { network, batch };
        let estimator = ImplicitExact { free: setup.free() };
        let expected = lists(&reference.gradients["exact"]);
        let tolerance = setup.choose(1e-11, 1e-5);
        assert_agrees(
            &problem.gradient(&estimator),
            &expected,
            tolerance,
            setup.name,
        );
    }
}

#[test]
fn complex_states_refuse_attention() {
    let circle = Circle {
        beta: 0.1,
        n_points: 4,
    };
    let estimator = HolomorphicEquilibriumPropagation::new(circle, phase(), phase());
    let config = config(Activation::Tanh, Activation::Identity);
    let error = estimator.validate(&config, CostConfig::SquaredError);
    let said = error.expect_err("refused").to_string();
    assert!(
        said.contains("cannot go through attention, which connection 2 is"),
        "{said}"
    );
}
