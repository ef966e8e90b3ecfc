//! The theorem: a contrast of equilibria estimates the gradient of the cost, to first order
//! in β from one side and to second order from both.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{Energy, HopfieldEnergy, TotalEnergy};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;

use crate::network::{
    Numbers, cost, equilibrium, gradients_of, graph, network, one_hot, parameter_differences,
};
use crate::setup::Setup;

const BETAS: [f64; 4] = [0.005, 0.01, 0.02, 0.04];

struct Problem {
    setup: Setup,
    energy: HopfieldEnergy,
    cost: AnyCost,
    input: Tensor<2>,
    target: Tensor<2>,
}

impl Problem {
    /// A smooth network with a skip and with a connection within a layer.
    fn new(activation: Activation, which: CostConfig) -> Self {
        let setup = Setup::double();
        let ends = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2)];
        let config = graph(&[3, 4, 3, 2], activation, &ends);
        let mut numbers = Numbers(1);
        Self {
            energy: network(&config, &setup, 0.4, 2),
            cost: cost(which, 2, &setup, 1.0, 3),
            input: numbers.matrix(&setup, [3, 3], 0.0, 1.0),
            target: one_hot(&setup, &[0, 1, 1], 2),
            setup,
        }
    }

    fn relax(&self, energy: &HopfieldEnergy, beta: f64, start: State) -> State {
        let clamped = energy.clamp(&self.input);
        let beta = self.setup.number(beta);
        let total = TotalEnergy::nudged(energy, &clamped, &self.cost, &self.target, beta);
        equilibrium(&total, start, Scheme::Asynchronous, &self.setup)
    }

    fn free(&self) -> State {
        self.relax(&self.energy, 0.0, self.energy.rest(&self.input))
    }

    /// The estimate from the nudging factors `first` and `second`.
    fn estimate(&self, free: &State, first: f64, second: f64) -> Vec<f64> {
        let [a, b] = [first, second].map(|beta| self.relax(&self.energy, beta, free.clone()));
        let scale = 1.0 / (first - second);
        let gradients = self.energy.contrast(&self.input, &a, &b, scale);
        let mut readout = Gradients::new();
        self.cost
            .gradients(free.output(), &self.target, &mut readout);
        let lists = [
            gradients_of(&self.energy, &gradients),
            gradients_of(&self.cost, &readout),
        ];
        lists.concat().concat()
    }

    /// The gradient of the mean cost at the free equilibrium, by central differences of the
    /// whole procedure: off by ε² of truncation and 1e-13/ε of relaxation, 1e-8 together.
    fn exact(&self, free: &State) -> Vec<f64> {
        let epsilon = 1e-4;
        let mean_cost = |cost: &AnyCost, state: &State| {
            let mean = cost.value(state.output(), &self.target).mean();
            mean.into_scalar::<f64>()
        };
        let energy = parameter_differences(&self.energy, epsilon, |energy| {
            mean_cost(&self.cost, &self.relax(energy, 0.0, free.clone()))
        });
        let readout = parameter_differences(&self.cost, epsilon, |cost| mean_cost(cost, free));
        [energy, readout].concat().concat()
    }
}

fn norm(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn error(estimate: &[f64], exact: &[f64]) -> f64 {
    norm(estimate.iter().zip(exact).map(|(a, b)| a - b))
}

/// Slope of `ln y` over `ln x` by least squares.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let logs = |values: &[f64]| {
        let mean = values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64;
        values.iter().map(|v| v.ln() - mean).collect::<Vec<_>>()
    };
    let (x, y) = (logs(x), logs(y));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(&x, &y) / product(&x, &x)
}

fn check_orders(activation: Activation, which: CostConfig) {
    let problem = Problem::new(activation, which);
    let free = problem.free();
    let exact = problem.exact(&free);
    let size = norm(exact.iter().copied());
    let errors = |second: fn(f64) -> f64| {
        let error = |beta: &f64| error(&problem.estimate(&free, *beta, second(*beta)), &exact);
        BETAS.iter().map(error).collect::<Vec<_>>()
    };
    for (name, second, order) in [
        ("one-sided", (|_| 0.0) as fn(f64) -> f64, 1.0),
        ("centered", |beta| -beta, 2.0),
    ] {
        let errors = errors(second);
        let what = format!("{name}, {activation:?}, {which:?}: {errors:?} of {size}");
        // The differences' own error is a tenth of the least error looked at, or less.
        assert!(errors[0] > 1e-7, "{what}");
        assert!(errors[0] < 0.05 * size, "{what}");
        let found = slope(&BETAS, &errors);
        // Slopes 1 and 2 are 1 apart.
        assert!((found - order).abs() < 0.1, "slope {found}, {what}");
    }
    let flipped: Vec<f64> = problem
        .estimate(&free, BETAS[0], -BETAS[0])
        .iter()
        .map(|g| -g)
        .collect();
    assert!(error(&flipped, &exact) > 1.9 * size);
}

#[test]
fn estimates_of_a_sigmoid_network_have_order_one_and_two_in_beta() {
    check_orders(Activation::Sigmoid, CostConfig::SquaredError);
}

#[test]
fn estimates_of_a_tanh_network_have_order_one_and_two_in_beta() {
    check_orders(Activation::Tanh, CostConfig::SquaredError);
}

#[test]
fn estimates_through_a_readout_have_order_one_and_two_in_beta() {
    check_orders(Activation::Tanh, CostConfig::CrossEntropy);
}
