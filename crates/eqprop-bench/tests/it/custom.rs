//! User-written energies against independent gradients: differences of the whole procedure, the costate by
//! iteration and by a linear solve, and autodiff through the relaxation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, CostConfig, SquaredError};
use eqprop_core::energy::{CustomEnergy, EnergyFunction, LayerConfig};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::baseline::{Bptt, ImplicitExact, RecurrentBackprop};
use eqprop_bench::fidelity;
use eqprop_testing::{
    Graph, Lists, Numbers, Setup, assert_agrees, custom, filled, gradients_of,
    parameter_differences,
};

/// `E = Σ G − x W hᵀ − h V oᵀ − λ Σ h³ − Σ (h U)·o²`, of third order.
#[derive(Module, Debug)]
struct Cubic {
    below: Param<Tensor<2>>,
    above: Param<Tensor<2>>,
    lambda: Param<Tensor<1>>,
    joint: Param<Tensor<2>>,
}

impl EnergyFunction for Cubic {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let [h, o] = [0, 1].map(|layer| state.layer(layer).clone());
        let potentials =
            Activation::Tanh.potential(h.clone()) + Activation::Tanh.potential(o.clone());
        let drive = input.clone().matmul(self.below.val());
        let cube = h.clone() * h.clone() * h.clone() * self.lambda.val().unsqueeze();
        let hidden = (drive * h.clone() + cube).sum_dim(1);
        let sent = h.clone().matmul(self.above.val()) * o.clone();
        let joint = h.matmul(self.joint.val()) * o.clone() * o;
        potentials - (hidden + (sent + joint).sum_dim(1)).squeeze_dim(1)
    }
}

type Network = EquilibriumNetwork<CustomEnergy<Cubic>, SquaredError>;

fn network(setup: &Setup) -> Network {
    let mut numbers = Numbers(1);
    let mut matrix = |shape: [usize; 2]| {
        let list = numbers.list(shape[0] * shape[1], -0.6, 0.6);
        Param::from_tensor(setup.tensor(list, shape))
    };
    let cubic = Cubic {
        below: matrix([3, 4]),
        above: matrix([4, 2]),
        joint: matrix([4, 2]),
        lambda: Param::from_tensor(setup.tensor(vec![0.15], [1])),
    };
    let layers = [4, 2].map(|n: usize| LayerConfig::new(n, Activation::Tanh));
    EquilibriumNetwork::new(CustomEnergy::new(cubic, layers), SquaredError)
}

fn batch(setup: &Setup) -> Batch {
    let mut numbers = Numbers(2);
    Batch::new(
        setup.tensor(numbers.list(9, 0.0, 1.0), [3, 3]),
        setup.tensor(numbers.list(6, -1.0, 1.0), [3, 2]),
    )
}

fn method(setup: &Setup, beta: f64) -> EquilibriumPropagation {
    EquilibriumPropagation::new(Nudging::Centered { beta }, setup.free(), setup.free())
}

fn costate(tolerance: f64) -> Stopping {
    Stopping {
        tolerance: Some(tolerance),
        ..Stopping::new(500)
    }
}

/// The slope of the mean cost after relaxing again, for every parameter, by central differences.
fn differences(network: &Network, batch: &Batch) -> Lists {
    parameter_differences(network, 1e-4, |network| {
        let relaxed = network.relax(&Setup::double().free(), &batch.input, None);
        let cost = SquaredError.value(relaxed.state.output(), &batch.target);
        cost.mean().into_scalar::<f64>()
    })
}

/// The differences have errors of ε² = 1e-8 times third derivatives of order 10; differentiating the energy
/// twice has errors of ε² = 4e-11, and the estimate at β = 0.0003 of β² = 1e-7 times derivatives.
#[test]
fn all_gradients_of_an_energy_of_third_order_are_the_slope_of_its_cost() {
    let setup = &Setup::double();
    let (network, batch) = (network(setup), batch(setup));
    let expected = differences(&network, &batch);
    let agrees = |estimate: Estimate, what: &str| {
        let residual = estimate.free.info().residual;
        assert!(residual <= setup.rest(), "{what}: residual {residual:e}");
        let found = gradients_of(&network, &estimate.gradients);
        assert_agrees(&found, &expected, 1e-6, what);
    };
    let free = setup.free();
    let exact = ImplicitExact { free: free.clone() };
    agrees(exact.estimate(&network, &batch, None), "exact");
    let recurrent = RecurrentBackprop {
        free: free.clone(),
        costate: costate(1e-9),
    };
    agrees(recurrent.estimate(&network, &batch, None), "rbp");
    agrees(Bptt::new(free).estimate(&network, &batch, None), "bptt");
    let estimate = method(setup, 3e-4).estimate(&network, &batch, None);
    agrees(estimate, "equilibrium propagation");
}

/// Also in single precision, where differentiating an energy twice loses half of the digits.
#[test]
fn the_exact_gradient_of_an_energy_of_third_order_is_as_exact_as_its_format() {
    let [double, single] = Setup::both().each_ref().map(|setup| {
        let exact = ImplicitExact { free: setup.free() };
        let network = network(setup);
        let estimate = exact.estimate(&network, &batch(setup), None);
        gradients_of(&network, &estimate.gradients)
    });
    assert_agrees(&single, &double, 2e-3, "f32");
}

/// With a skip connection and a connection within a layer.
#[test]
fn the_exact_gradient_of_a_function_is_that_of_its_closed_form() {
    let setup = &Setup::double();
    let graph = Graph {
        sizes: &[3, 4, 3, 2],
        ends: &[(0, 1), (1, 2), (2, 3), (1, 3), (2, 2)],
        hidden: Activation::Sigmoid,
        output: Activation::Identity,
        cost: CostConfig::SquaredError,
    };
    let mut numbers = Numbers(5);
    let hopfield = filled(graph.energy(), setup, |n| numbers.list(n, -0.5, 0.5));
    let batch = graph.batch(setup, 3, 6);
    let custom = EquilibriumNetwork::new(custom(hopfield.clone()), SquaredError);
    let closed = EquilibriumNetwork::new(hopfield, SquaredError);
    let exact = ImplicitExact { free: setup.free() };
    let expected = exact.estimate(&closed, &batch, None);
    let expected = gradients_of(&closed, &expected.gradients);
    let found = exact.estimate(&custom, &batch, None);
    let found = gradients_of(&custom, &found.gradients);
    assert_agrees(&found, &expected, 1e-8, "exact");
}

#[test]
fn a_check_tells_a_true_gradient_from_a_false_one() {
    let setup = &Setup::double();
    let (network, batch) = (network(setup), batch(setup));
    let found = fidelity::check(&network, &batch, &method(setup, 0.01)).expect("equilibria");
    let parameters = found.gradient.parameters.iter();
    let names: Vec<_> = parameters.map(|(name, _)| name.as_str()).collect();
    let expected = ["below", "above", "lambda", "joint"].map(|f| format!("energy.function.{f}"));
    assert_eq!(names, expected);
    assert!(found.gradient.lowest_cosine() > 0.9999, "{found:?}");
    assert!(found.gradient.whole.relative_error < 1e-2, "{found:?}");
    assert!(found.free_residual <= 1e-12 && found.costate_residual <= 1e-8);
    // An estimate from single steps, before convergence, does not agree so well.
    let steps = |n_steps| Relaxation::steps(Scheme::FixedPoint, n_steps);
    let nudging = Nudging::Centered { beta: 0.01 };
    let early = EquilibriumPropagation::new(nudging, steps(1), steps(1));
    let early = fidelity::check(&network, &batch, &early).expect("equilibria");
    assert!(early.gradient.lowest_cosine() < 0.9, "{early:?}");

    let empty = Batch::new(setup.tensor(vec![], [0, 3]), setup.tensor(vec![], [0, 2]));
    let found = fidelity::check(&network, &empty, &method(setup, 0.01));
    assert_eq!(found, Err(fidelity::FidelityError::NoExamples));
}
