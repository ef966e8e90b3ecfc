//! The update as a sum along the nudged path: with tied weights, a synapse that follows
//!
//! ```text
//! dW_ij ∝ ρ(u_i) dρ(u_j) + ρ(u_j) dρ(u_i) = d[ρ(u_i) ρ(u_j)]
//! ```
//!
//! (eq. 13 of Scellier & Bengio 2017; each term is spike-timing-dependent plasticity as in eq. 12) has
//! changed at the end of the path by the contrast of its ends (eq. 14). A state here holds the rates
//! `s = ρ(u)`; the input, which is not passed through an activation, has a constant rate `x`.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergy, VectorField};
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{assert_close, gradients_in, largest, order_of, residual, values};

use super::{Problem, graph_to};

/// A skip, a connection within layer 2 and one against the order of the layers.
const ENDS: [(usize, usize); 5] = [(0, 1), (1, 2), (3, 2), (1, 3), (2, 2)];

/// The rates of a step that an update sees.
#[derive(Clone, Copy)]
enum Rates {
    /// Rates at the midpoint: the sum telescopes.
    Midpoint,
    /// Rates before the step: Euler's rule.
    Left,
}

/// The updates of every weight and bias along `path`, mean over the batch, in the order of the
/// energy's parameters.
fn summed(
    energy: &HopfieldEnergy,
    input: &Tensor<2>,
    path: &[State],
    rates: Rates,
) -> Vec<Vec<f64>> {
    let batch = input.dims()[0] as f64;
    let rate = |layer: usize, state: &State| match layer {
        0 => input.clone(),
        free => state.layer(free - 1).clone(),
    };
    let seen = |layer, [from, to]: [&State; 2]| match rates {
        Rates::Midpoint => (rate(layer, from) + rate(layer, to)) / 2.0,
        Rates::Left => rate(layer, from),
    };
    let moved = |layer, [from, to]: [&State; 2]| rate(layer, to) - rate(layer, from);
    let steps = || path.windows(2).map(|step| [&step[0], &step[1]]);
    let weights = energy.ends().iter().map(|&(i, j)| {
        let updates = steps().map(|step| {
            seen(i, step).transpose().matmul(moved(j, step))
                + moved(i, step).transpose().matmul(seen(j, step))
        });
        let sum = updates.reduce(|a, b| a + b).expect("a step");
        let mut sum = values(&(sum / batch));
        if i == j {
            // No unit is connected to itself.
            let n_units = path[0].layer(i - 1).dims()[1];
            for unit in 0..n_units {
                sum[unit * (n_units + 1)] = 0.0;
            }
        }
        sum
    });
    let biases = (1..=path[0].layers().len()).map(|layer| {
        let sum = steps().map(|step| moved(layer, step)).reduce(|a, b| a + b);
        values(&(sum.expect("a step").sum_dim(0) / batch))
    });
    weights.chain(biases).collect()
}

/// The contrast of the ends of a path, in the direction of the update: `−∂E/∂θ` is `ρ_i ρ_j`.
fn contrast(problem: &Problem, path: &[State], scale: f64) -> Vec<Vec<f64>> {
    let (first, last) = (&path[0], path.last().expect("a state"));
    let gradients =
        problem
            .energy
            .contrast(&problem.energy.clamp(&problem.input), last, first, -scale);
    gradients_in(&problem.energy, &gradients)
}

fn problems() -> Vec<Problem> {
    let kinds = [
        (Activation::HardSigmoid, CostConfig::SquaredError),
        (Activation::Sigmoid, CostConfig::SquaredError),
        (Activation::Tanh, CostConfig::CrossEntropy),
    ];
    let problems = kinds.into_iter().map(|(activation, which)| {
        let config = graph_to(&[3, 4, 3, 2], activation, activation, &ENDS);
        Problem::new(&config, which, 0.5, 3, 90)
    });
    problems.collect()
}

#[test]
fn midpoint_updates_along_any_path_sum_to_the_contrast_of_its_ends() {
    let beta = 0.5;
    for problem in problems() {
        let free = problem.free();
        let rest = problem.energy.rest(&problem.input);
        let flow = |step_size| Scheme::GradientFlow { step_size };
        for (start, scheme, n_steps) in [
            // To convergence, far from it, and not even from the free equilibrium.
            (&free, flow(0.1), 200),
            (&free, flow(0.5), 4),
            (&free, Scheme::Asynchronous, 3),
            (&free, Scheme::FixedPoint, 5),
            (&rest, flow(0.9), 3),
        ] {
            let path = problem.path(scheme, beta, start.clone(), n_steps);
            let found = summed(&problem.energy, &problem.input, &path, Rates::Midpoint);
            let expected = contrast(&problem, &path, 1.0);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!("{scheme:?}, {n_steps} steps, parameter {index}");
                // Rounding of sums of 200 terms of order 1.
                assert_close(found, expected, 1e-13, &what);
                assert!(largest(expected) > 1e-4, "{what}: {expected:?}");
            }
        }
    }
}

/// Divided by β, the summed updates descend the gradient of the cost.
#[test]
fn the_summed_updates_go_down_the_gradient_of_the_cost() {
    let beta = 1e-3;
    for problem in problems() {
        let free = problem.free();
        let path = problem.path(Scheme::Asynchronous, beta, free.clone(), 60);
        let updates = summed(&problem.energy, &problem.input, &path, Rates::Midpoint).concat();
        let [up, down] = [beta, -beta].map(|beta| problem.relax(beta, free.clone()));
        let scale = 1.0 / (2.0 * beta);
        let gradients =
            problem
                .energy
                .contrast(&problem.energy.clamp(&problem.input), &up, &down, scale);
        let gradient = gradients_in(&problem.energy, &gradients).concat();
        let found: Vec<f64> = updates.iter().map(|update| update / beta).collect();
        let expected: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
        // One-sided: off by O(β), with second derivatives of order 1.
        assert_close(&found, &expected, 5e-3, "updates / beta");
        assert!(largest(&expected) > 5e-2, "{expected:?}");
    }
}

/// A synapse that sees only the rates before a step is off by `Σ Δρ_i Δρ_j`, which is of the
/// order of the step size for a path of given duration.
#[test]
fn updates_from_the_rates_before_each_step_approach_the_contrast_at_first_order() {
    let (beta, duration) = (0.5, 6.4);
    let step_sizes: [f64; 4] = [0.0125, 0.025, 0.05, 0.1];
    for problem in problems() {
        let free = problem.free();
        let mut residuals = Vec::new();
        let mut size = 0.0;
        for step_size in step_sizes {
            let n_steps = (duration / step_size).round() as usize;
            let scheme = Scheme::GradientFlow { step_size };
            let path = problem.path(scheme, beta, free.clone(), n_steps);
            let left = summed(&problem.energy, &problem.input, &path, Rates::Left).concat();
            let expected = contrast(&problem, &path, 1.0).concat();
            residuals.push(residual(&left, &expected));
            size = largest(&expected);
        }
        let found = order_of(&step_sizes, &residuals);
        // The second order in the step bends the line; an exact sum would leave rounding only.
        assert!((found - 1.0).abs() < 0.1, "order {found}, {residuals:?}");
        assert!(residuals[0] < 0.1 * size, "{residuals:?} of {size}");
        assert!(residuals[0] > 1e-6, "{residuals:?}");
    }
}
