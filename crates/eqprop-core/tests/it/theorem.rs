//! The theorem: a contrast of equilibria estimates the gradient of the cost, to first order
//! in β from one side, to second order from both, and to order 2n from n pairs.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::{Difference, Nudging};
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, cost, equilibrium, fourth_order_differences, gradients_in, graph,
    network, norm, order_of, residual,
};

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
            target: setup.one_hot(&[0, 1, 1], 2),
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

    /// The estimate of `nudging`, with each state relaxed by itself.
    fn estimate(&self, free: &State, nudging: Nudging) -> Vec<f64> {
        let mut readout = Gradients::new();
        self.cost
            .gradients(free.output(), &self.target, &mut readout);
        let mut gradients = Gradients::new();
        for difference in nudging.differences(1.0) {
            let Difference {
                first,
                second,
                weight,
            } = difference;
            let [a, b] = [first, second].map(|beta| self.relax(&self.energy, beta, free.clone()));
            let term = self
                .energy
                .contrast(&self.energy.clamp(&self.input), &a, &b, weight);
            gradients.add(&term, &self.energy);
        }
        let lists = [
            gradients_in(&self.energy, &gradients),
            gradients_in(&self.cost, &readout),
        ];
        lists.concat().concat()
    }

    /// The gradient of the mean cost at the free equilibrium, by central differences of the whole
    /// procedure: 1e-13/ε of relaxation, 1e-10 together with those of the differences.
    fn exact(&self, free: &State) -> Vec<f64> {
        let mean_cost = |cost: &AnyCost, state: &State| {
            let mean = cost.value(state.output(), &self.target).mean();
            mean.into_scalar::<f64>()
        };
        let energy = fourth_order_differences(&self.energy, |energy| {
            mean_cost(&self.cost, &self.relax(energy, 0.0, free.clone()))
        });
        let readout = fourth_order_differences(&self.cost, |cost| mean_cost(cost, free));
        [energy, readout].concat().concat()
    }
}

fn check_orders(activation: Activation, which: CostConfig) {
    let problem = Problem::new(activation, which);
    let free = problem.free();
    let exact = problem.exact(&free);
    let size = norm(&exact);
    let errors = |nudging: fn(f64) -> Nudging| {
        let error = |beta: &f64| residual(&problem.estimate(&free, nudging(*beta)), &exact);
        BETAS.iter().map(error).collect::<Vec<_>>()
    };
    for (name, nudging, order) in [
        (
            "one-sided",
            (|beta| Nudging::OneSided { beta }) as fn(f64) -> Nudging,
            1.0,
        ),
        ("centered", |beta| Nudging::Centered { beta }, 2.0),
    ] {
        let errors = errors(nudging);
        let what = format!("{name}, {activation:?}, {which:?}: {errors:?} of {size}");
        // The differences' own error is a tenth of the least error looked at, or less.
        assert!(errors[0] > 1e-7, "{what}");
        assert!(errors[0] < 0.05 * size, "{what}");
        let found = order_of(&BETAS, &errors);
        // Slopes 1 and 2 are 1 apart.
        assert!((found - order).abs() < 0.1, "slope {found}, {what}");
    }
    let flipped: Vec<f64> = problem
        .estimate(&free, Nudging::Centered { beta: BETAS[0] })
        .iter()
        .map(|g| -g)
        .collect();
    assert!(residual(&flipped, &exact) > 1.9 * size);
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

#[test]
fn n_pairs_have_order_2n_in_beta() {
    const BETAS: [f64; 4] = [0.04, 0.06, 0.08, 0.1];
    for activation in [Activation::Sigmoid, Activation::Tanh] {
        let problem = Problem::new(activation, CostConfig::SquaredError);
        let free = problem.free();
        let exact = problem.exact(&free);
        let size = norm(&exact);
        let relative = |beta: f64, n_pairs: usize| {
            let nudging = Nudging::HigherOrder { beta, n_pairs };
            residual(&problem.estimate(&free, nudging), &exact) / size
        };
        for n_pairs in [1, 2, 3] {
            let errors = BETAS.map(|beta| relative(beta, n_pairs));
            let what = format!("{n_pairs} pairs, {activation:?}: {errors:?}");
            // The differences' own error is a tenth of the least error looked at, or less.
            assert!(errors[0] > 1e-9, "{what}");
            let found = order_of(&BETAS, &errors);
            // Orders are 2 apart.
            let order = 2.0 * n_pairs as f64;
            assert!((found - order).abs() < 0.3, "slope {found}, {what}");
        }

        // Where the centered estimate is off by some 5 %, a second pair gains a factor of 30.
        let beta = match activation {
            Activation::Sigmoid => 0.1,
            _ => 0.15,
        };
        let centered = relative(beta, 1);
        assert!(
            (0.04..0.06).contains(&centered),
            "{activation:?}: {centered}"
        );
        let gain = centered / relative(beta, 2);
        assert!(gain > 20.0, "{activation:?}: {gain}");
        let gain = relative(beta, 2) / relative(beta, 3);
        assert!(gain > 10.0, "{activation:?}: {gain}");
    }
}

/// The published coefficients of the central differences of order 2, 4 and 6, times the spacing
/// `β/n = 1`.
#[test]
fn the_weights_are_those_of_central_differences() {
    for (n_pairs, expected) in [
        (1, &[1.0 / 2.0] as &[f64]),
        (2, &[2.0 / 3.0, -1.0 / 12.0]),
        (3, &[3.0 / 4.0, -3.0 / 20.0, 1.0 / 60.0]),
    ] {
        let nudging = Nudging::HigherOrder {
            beta: n_pairs as f64,
            n_pairs,
        };
        let differences = nudging.differences(1.0);
        let weights: Vec<f64> = differences.iter().map(|d| d.weight).collect();
        assert_close(&weights, expected, 1e-15, "rounding");
        for (k, difference) in differences.iter().enumerate() {
            let node = (k + 1) as f64;
            assert_eq!([difference.first, difference.second], [node, -node]);
        }
    }
    let beta = 0.3;
    let one_pair = Nudging::HigherOrder { beta, n_pairs: 1 };
    let centered = Nudging::Centered { beta };
    assert_eq!(one_pair.differences(1.0), centered.differences(1.0));
}

#[test]
fn several_pairs_are_checked_at_every_node() {
    let pairs = |beta, n_pairs| Nudging::HigherOrder { beta, n_pairs };
    let check = |nudging: Nudging, output| nudging.validate(&SquaredError, output);
    assert_eq!(check(pairs(0.9, 2), Activation::Identity), Ok(()));
    assert_eq!(check(pairs(0.9, 20), Activation::Identity), Ok(()));
    let beta = -1.5;
    let refused = check(pairs(-beta, 2), Activation::Identity);
    assert_eq!(refused, Err(ConfigError::Unbounded { beta }));
    assert_eq!(check(pairs(-beta, 2), Activation::Tanh), Ok(()));
    for (nudging, message) in [
        (
            pairs(-0.5, 2),
            "beta must be a positive number, but is -0.5",
        ),
        (
            pairs(f64::NAN, 2),
            "beta must be a positive number, but is NaN",
        ),
        (pairs(0.5, 0), "n_pairs must be 1 to 20, but is 0"),
        (pairs(0.5, 21), "n_pairs must be 1 to 20, but is 21"),
    ] {
        let error = check(nudging, Activation::Tanh).expect_err("out of range");
        assert_eq!(error.to_string(), message);
    }
}
