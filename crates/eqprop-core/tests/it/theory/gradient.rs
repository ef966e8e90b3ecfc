//! Theorem 1: the limit of the contrast as β goes to 0 is the gradient of `J(θ) = C(s⁰(θ))`, where
//! `s⁰(θ)` is the equilibrium that the network reaches from the initial state.

use burn::module::Module;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{HopfieldEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::state::State;
use eqprop_testing::{assert_close, distance, gradients_in, largest, parameter_differences};

use super::{Problem, extrapolate, graph_to};

/// A skip from layer 1 to 3, a connection within layer 2, and one from the input past layer 1.
const ENDS: [(usize, usize); 6] = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2), (0, 2)];

/// Activation of the hidden layers, of the output, and the cost.
const KINDS: [(Activation, Activation, CostConfig); 5] = [
    (
        Activation::Sigmoid,
        Activation::Sigmoid,
        CostConfig::SquaredError,
    ),
    (
        Activation::Sigmoid,
        Activation::Sigmoid,
        CostConfig::CrossEntropy,
    ),
    (
        Activation::Tanh,
        Activation::Identity,
        CostConfig::SquaredError,
    ),
    (
        Activation::Sigmoid,
        Activation::Softmax,
        CostConfig::SquaredError,
    ),
    (
        Activation::Tanh,
        Activation::Softmax,
        CostConfig::CrossEntropy,
    ),
];

fn problem(hidden: Activation, output: Activation, which: CostConfig) -> Problem {
    let config = graph_to(&[3, 4, 3, 2], hidden, output, &ENDS);
    Problem::new(&config, which, 0.4, 3, 10)
}

/// The gradient of every parameter by differences of order ε⁴, one list per parameter.
fn differences<M: Module>(module: &M, f: impl Fn(&M) -> f64) -> Vec<Vec<f64>> {
    let epsilon = 2e-3;
    let [coarse, fine] =
        [epsilon, epsilon / 2.0].map(|epsilon| parameter_differences(module, epsilon, &f));
    let pairs = coarse.iter().zip(&fine);
    pairs.map(|(a, b)| extrapolate(a, b, 4.0 / 3.0)).collect()
}

/// `dJ/dθ` by differences of the whole procedure: relax from the initial state, take the mean cost.
fn gradient_of_the_procedure(problem: &Problem) -> Vec<Vec<f64>> {
    let mean_cost = |energy: &HopfieldEnergy, cost: &AnyCost| {
        let state = problem.free_with(energy);
        let mean = cost.value(state.output(), &problem.target).mean();
        mean.into_scalar::<f64>()
    };
    let energy = differences(&problem.energy, |energy| mean_cost(energy, &problem.cost));
    // Without a nudge the readout does not act on the state.
    let readout = differences(&problem.cost, |cost| mean_cost(&problem.energy, cost));
    [energy, readout].concat()
}

/// The centered estimate for every parameter, the readout's included.
fn estimate(problem: &Problem, beta: f64) -> Vec<Vec<f64>> {
    let free = problem.free();
    let [up, down] = [beta, -beta].map(|beta| problem.relax(beta, free.clone()));
    let scale = 1.0 / (2.0 * beta);
    let energy = problem
        .energy
        .contrast(&problem.energy.clamp(&problem.input), &up, &down, scale);
    let mut readout = Gradients::new();
    let target = &problem.target;
    problem.cost.gradients(free.output(), target, &mut readout);
    [
        gradients_in(&problem.energy, &energy),
        gradients_in(&problem.cost, &readout),
    ]
    .concat()
}

/// The differences are off by ε⁴ = 2e-11 of truncation and 1e-13/ε = 1e-10 of relaxation, the
/// estimate extrapolated from β = 0.02 and 0.01 by β⁴ = 2e-7 times fifth derivatives, and by
/// 1e-13/β = 1e-11 of relaxation.
const TOLERANCE: f64 = 2e-7;

#[test]
fn the_limit_of_the_estimate_is_the_gradient_of_the_whole_procedure() {
    for (hidden, output, which) in KINDS {
        let problem = problem(hidden, output, which);
        let expected = gradient_of_the_procedure(&problem);
        let [coarse, fine] = [0.02, 0.01].map(|beta| estimate(&problem, beta));
        let n_energy = ENDS.len() + problem.energy.layers().len();
        for (index, expected) in expected.iter().enumerate() {
            let what = format!("{hidden:?}, {output:?}, {which:?}, parameter {index}");
            let limit = extrapolate(&coarse[index], &fine[index], 4.0 / 3.0);
            assert_close(&limit, expected, TOLERANCE, &what);
            assert!(largest(expected) > 1e4 * TOLERANCE, "{what}: {expected:?}");
            // The limit has to be taken: at β = 0.02 the estimate of what acts on the state is
            // further off.
            let is_readout = index >= n_energy;
            let off = distance(&coarse[index], expected);
            let left = distance(&limit, expected);
            assert!(
                is_readout || left < 0.01 * off,
                "{what}: {left:e} of {off:e}"
            );
        }
    }
}

/// `F(s^β)` is stationary in the state, so only the explicit dependence on θ is left of its
/// derivative: `d/dθ [F(s^β) − E(s⁰)]/β` is the one-sided estimate, whatever β.
#[test]
fn at_any_beta_the_estimate_is_the_gradient_of_the_rise_of_the_total_energy() {
    for (hidden, output, which) in KINDS {
        let problem = problem(hidden, output, which);
        let mut estimates = Vec::new();
        for beta in [0.8, -0.4] {
            let free = problem.free();
            let nudged = problem.relax(beta, free.clone());
            let contrast = problem
                .energy
                .contrast(&problem.clamped(), &nudged, &free, 1.0 / beta);
            let found = gradients_in(&problem.energy, &contrast).concat();
            // Moved parameters find their equilibria near these.
            let rise = |energy: &HopfieldEnergy| {
                let value = |beta, near: &State| {
                    let state = problem.relax_with(energy, beta, near.clone());
                    problem.nudged(energy, beta, |total| {
                        total.value(&state).mean().into_scalar::<f64>()
                    })
                };
                (value(beta, &nudged) - value(0.0, &free)) / beta
            };
            let expected = parameter_differences(&problem.energy, 1e-5, rise).concat();
            let what = format!("{hidden:?}, {output:?}, {which:?}, beta {beta}");
            // 1e-10 of truncation and 1e-15/1e-5 of rounding, because an energy does not feel
            // the error of its minimum to first order.
            assert_close(&found, &expected, 1e-8, &what);
            estimates.push(found);
        }
        // The two are far from each other, and so from the gradient at β = 0.
        assert!(distance(&estimates[0], &estimates[1]) > 1e-3);
    }
}
