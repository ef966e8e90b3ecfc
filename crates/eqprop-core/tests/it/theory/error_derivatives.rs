//! The second phase carries error derivatives: from the free equilibrium on, the changes of the
//! nudged state are the derivatives of the cost that backpropagation sends back through the
//! steps of the network,
//!
//! ```text
//! (s_{t+1} − s_t) / (ε β) → −∂C(s_T)/∂u_{T−t} = −σ'(u) ∂C(s_T)/∂s_{T−t}   as β → 0
//! ```
//!
//! in every layer and at every step `t`, with `u = σ⁻¹(s)` the drive that holds a unit. `ε` is
//! the step of the gradient flow, and 1 for the fixed-point iteration. This is theorem 1 of
//! Ernoult et al. (2019), <https://arxiv.org/abs/1905.13633>, for states.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    assert_close, chain, filled, largest, norm, order_of, parameters, residual, values,
};

use super::{Problem, change, graph_to};

/// Layers of the chains, the input first.
const SIZES: [usize; 4] = [3, 4, 3, 2];

/// `−∂C(s_t)/∂u₀` for `t = 0, 1, … n_steps`, where `u₀` holds the free equilibrium and no nudge
/// acts; one list per layer. By central differences: every step is the same, so that a
/// perturbation `t` steps before the end is one of the start seen after `t` steps.
fn error_derivatives(
    problem: &Problem,
    scheme: Scheme,
    free: &State,
    n_steps: usize,
) -> Vec<Vec<Vec<f64>>> {
    let epsilon = 1e-4;
    let batch = free.batch_size();
    let zeros = |layer: &Tensor<2>| vec![0.0; batch * layer.dims()[1]];
    let zeros: Vec<Vec<f64>> = free.layers().iter().map(zeros).collect();
    let mut errors = vec![zeros; n_steps + 1];
    for (layer, drive) in problem.drives(free).into_iter().enumerate() {
        let n_units = drive.dims()[1];
        let activation = problem.energy.layers()[layer].activation;
        for unit in 0..n_units {
            let [up, down] = [epsilon, -epsilon].map(|by| {
                let mut step = vec![0.0; n_units];
                step[unit] = by;
                let step = problem.setup.tensor(step, [1, n_units]);
                let mut moved = free.clone();
                moved.set(layer, activation.apply(drive.clone() + step));
                let path = problem.path(scheme, 0.0, moved, n_steps);
                let costs = path.iter().map(|state| problem.cost_of(state));
                costs.collect::<Vec<_>>()
            });
            for step in 0..=n_steps {
                for example in 0..batch {
                    let slope = (up[step][example] - down[step][example]) / (2.0 * epsilon);
                    errors[step][layer][example * n_units + unit] = -slope;
                }
            }
        }
    }
    errors
}

/// `(s_{t+1} − s_t) / (ε β)` at steps `t = 0, 1, … n_steps` of the nudged phase, by central
/// differences in β: off by β² of truncation and by 1e-13/β = 1e-8 of relaxation.
fn velocities(
    problem: &Problem,
    scheme: Scheme,
    free: &State,
    n_steps: usize,
) -> Vec<Vec<Vec<f64>>> {
    let beta = 1e-5;
    let step_size = match scheme {
        Scheme::GradientFlow { step_size } => step_size,
        _ => 1.0,
    };
    let [up, down] =
        [beta, -beta].map(|beta| problem.path(scheme, beta, free.clone(), n_steps + 1));
    let velocity = |step: usize| {
        let scale = 0.5 / (step_size * beta);
        let [up, down] = [&up, &down].map(|path| change(&path[step], &path[step + 1], scale));
        let pairs = up.iter().zip(&down);
        pairs
            .map(|(up, down)| up.iter().zip(down).map(|(a, b)| a - b).collect())
            .collect()
    };
    (0..=n_steps).map(velocity).collect()
}

#[test]
fn the_nudged_steps_are_the_error_derivatives_through_the_same_steps() {
    let n_steps = 6;
    let ends = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2)];
    for (hidden, output, which) in [
        (
            Activation::HardSigmoid,
            Activation::HardSigmoid,
            CostConfig::SquaredError,
        ),
        (
            Activation::Sigmoid,
            Activation::Sigmoid,
            CostConfig::SquaredError,
        ),
        (
            Activation::Tanh,
            Activation::Softmax,
            CostConfig::SquaredError,
        ),
        (
            Activation::HardSigmoid,
            Activation::Tanh,
            CostConfig::CrossEntropy,
        ),
    ] {
        let config = graph_to(&[3, 4, 4, 3], hidden, output, &ends);
        let problem = Problem::new(&config, which, 0.5, 3, 40);
        let free = problem.free();
        for scheme in [
            Scheme::GradientFlow { step_size: 0.3 },
            Scheme::GradientFlow { step_size: 1.0 },
            Scheme::FixedPoint,
        ] {
            let found = velocities(&problem, scheme, &free, n_steps);
            let expected = error_derivatives(&problem, scheme, &free, n_steps);
            for layer in 0..3 {
                for step in 0..=n_steps {
                    let what =
                        format!("{hidden:?}, {output:?}, {scheme:?}, layer {layer}, step {step}");
                    // The differences are off by 1e-8 times third derivatives. The fixed-point
                    // step of a smooth output has a smaller step for positive β, by β in each
                    // of the steps.
                    let tolerance = match scheme {
                        Scheme::FixedPoint => 1e-4,
                        _ => 1e-6,
                    };
                    let (found, expected) = (&found[step][layer], &expected[step][layer]);
                    assert_close(found, expected, tolerance, &what);
                }
                let all = (0..=n_steps).map(|step| largest(&expected[step][layer]));
                let most = all.fold(0.0, f64::max);
                assert!(most > 1e-2, "{hidden:?}, layer {layer}: {most:e}");
            }
        }
    }
}

/// A chain of 2 hidden layers with weights uniform in plus or minus `scales`, and biases that
/// keep the drives in the middle of the activation's range.
fn centered_chain(activation: Activation, seed: u64, scales: [f64; 3]) -> Problem {
    let config = chain(&SIZES, activation);
    let mut problem = Problem::new(&config, CostConfig::SquaredError, 1.0, 4, seed);
    let middle = match activation {
        Activation::Tanh => 0.0,
        _ => 0.5,
    };
    let mut lists = parameters(&problem.energy);
    let (weights, biases) = lists.split_at_mut(scales.len());
    for (weights, scale) in weights.iter_mut().zip(scales) {
        weights.iter_mut().for_each(|weight| *weight *= scale);
    }
    for bias in biases.iter_mut().flatten() {
        *bias = middle + 0.2 * *bias;
    }
    let mut lists = lists.into_iter();
    problem.energy = filled(problem.energy, &problem.setup, |_| {
        lists.next().expect("a list each")
    });
    problem
}

/// The weights of a connection of a chain of [`SIZES`].
fn weight(problem: &Problem, connection: usize) -> Tensor<2> {
    let list = parameters(&problem.energy).swap_remove(connection);
    let shape = [SIZES[connection], SIZES[connection + 1]];
    problem.setup.tensor(list, shape)
}

/// The errors `−∂C/∂u_k` that backpropagation sends down a chain whose layers respond as they do
/// around the drives `u`:
///
/// ```text
/// δ_out = σ'(u_out) (y − s_out),   δ_k = σ'(u_k) (δ_{k+1} W_{k+1}ᵀ)
/// ```
fn backpropagated(problem: &Problem, drives: &[Tensor<2>]) -> Vec<Vec<f64>> {
    let layers = problem.energy.layers();
    let response = |layer: usize| {
        // Exact for clipped layers, off by 1e-10 for smooth ones.
        let epsilon = 1e-5;
        let [up, down] = [epsilon, -epsilon]
            .map(|by| layers[layer].activation.apply(drives[layer].clone() + by));
        (up - down) / (2.0 * epsilon)
    };
    let last = layers.len() - 1;
    let output = layers[last].activation.apply(drives[last].clone());
    let mut error = response(last) * problem.force(&output);
    let mut errors = vec![values(&error)];
    for layer in (0..last).rev() {
        let weight = weight(problem, layer + 1);
        error = response(layer) * error.matmul(weight.transpose());
        errors.insert(0, values(&error));
    }
    errors
}

/// Inside its range the flow of a hard-sigmoid unit is linear, and a clipped unit stays where it
/// is: what arrives first in each layer is the backpropagated error at any β that takes no unit
/// across an end of its range, without a limit.
#[test]
fn the_first_change_of_each_layer_is_its_backpropagated_error() {
    let step_size: f64 = 0.5;
    let beta = 1e-3;
    let (mut n_clipped, mut n_free) = (0, 0);
    for seed in 60..66 {
        let problem = centered_chain(Activation::HardSigmoid, seed, [0.8; 3]);
        let free = problem.free();
        let expected = backpropagated(&problem, &problem.drives(&free));
        let scheme = Scheme::GradientFlow { step_size };
        let path = problem.path(scheme, beta, free.clone(), 3);
        for (layer, expected) in expected.iter().enumerate() {
            // The error is in the output after 1 step, and one layer further after each other.
            let arrival = 3 - layer;
            let what = format!("seed {seed}, layer {layer}");
            let before = change(&free, &path[arrival - 1], 1.0);
            // The equilibrium is within 1e-13, which is divided by βε³ = 1e-4.
            let scale = 1.0 / (beta * step_size.powi(arrival as i32));
            assert!(largest(&before[layer]) * scale < 1e-8, "{what}: too early");
            let found = change(&path[arrival - 1], &path[arrival], scale);
            assert_close(&found[layer], expected, 1e-8, &what);
            n_clipped += expected.iter().filter(|&&error| error == 0.0).count();
            n_free += expected.iter().filter(|error| error.abs() > 1e-2).count();
        }
    }
    assert!(n_clipped > 10 && n_free > 50, "{n_clipped}, {n_free}");
}

#[test]
fn the_first_change_of_each_smooth_layer_is_its_backpropagated_error() {
    let step_size = 0.1;
    for activation in [Activation::Sigmoid, Activation::Tanh] {
        let problem = centered_chain(activation, 70, [0.8; 3]);
        let free = problem.free();
        let expected = backpropagated(&problem, &problem.drives(&free));
        let scheme = Scheme::GradientFlow { step_size };
        let found = velocities(&problem, scheme, &free, 2);
        for (layer, expected) in expected.iter().enumerate() {
            // ε for every layer that the error went through; 1e-8 of truncation and 1e-9 of
            // relaxation are divided by 1e-2 at most.
            let n_before = 2 - layer;
            let scale = 10f64.powi(n_before as i32);
            let found: Vec<f64> = found[n_before][layer].iter().map(|v| v * scale).collect();
            assert_close(&found, expected, 1e-5, &format!("{activation:?}, {layer}"));
            assert!(largest(expected) > 1e-2);
        }
    }
}

/// With weights of order γ above the first connection, the whole displacement `ds^β/dβ` of each
/// layer is the error that backpropagation finds in the feedforward network of the same
/// parameters, up to a relative O(γ²): what comes back from below a layer has passed a
/// connection twice, and so has the feedback in what the feedforward pass lacks.
#[test]
fn with_weak_feedback_the_displacement_is_the_feedforward_error() {
    let beta = 1e-3;
    let feedbacks = [0.025, 0.05, 0.1, 0.2];
    let mut residuals = vec![Vec::new(); 3];
    for feedback in feedbacks {
        let problem = centered_chain(Activation::HardSigmoid, 80, [0.1, feedback, feedback]);
        // The feedforward pass: what each layer gets from below.
        let biases: Vec<_> = parameters(&problem.energy).split_off(3);
        let mut below = problem.input.clone();
        let mut drives = Vec::new();
        for (connection, bias) in biases.into_iter().enumerate() {
            let n_units = bias.len();
            let bias = problem.setup.tensor(bias, [1, n_units]);
            let drive = below.matmul(weight(&problem, connection)) + bias;
            below = Activation::HardSigmoid.apply(drive.clone());
            drives.push(drive);
        }
        for drive in &drives {
            assert!(values(drive).iter().all(|u| (0.05..0.95).contains(u)));
        }
        let expected = backpropagated(&problem, &drives);
        let free = problem.free();
        let [up, down] = [beta, -beta].map(|beta| problem.relax(beta, free.clone()));
        let found = change(&down, &up, 1.0 / (2.0 * beta));
        for layer in 0..3 {
            let residual = residual(&found[layer], &expected[layer]);
            residuals[layer].push(residual / norm(&expected[layer]));
        }
    }
    for residuals in residuals {
        let found = order_of(&feedbacks, &residuals);
        // The next order, γ⁴, bends the line at γ = 0.2; a first order would give 1.
        assert!((found - 2.0).abs() < 0.2, "order {found}, {residuals:?}");
        assert!(residuals[0] < 0.05, "{residuals:?}");
    }
}
