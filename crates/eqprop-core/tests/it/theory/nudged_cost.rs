//! Proposition 2: the nudge lowers the cost to first order,
//!
//! ```text
//! d C(s^β)/dβ = −(∂C/∂s)ᵀ H⁻¹ (∂C/∂s) ≤ 0,   ds^β/dβ = −H⁻¹ ∂C/∂s   at β = 0
//! ```
//!
//! with the Hessian `H` of `E` over the units that are free to move: it is positive definite at
//! a minimum.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::VectorField;
use eqprop_core::state::State;
use eqprop_testing::{assert_close, values};

use super::{Problem, change, graph_to};

const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];
const CLIPPED: Activation = Activation::ClippedRelu { max: 0.7 };

/// Whether a unit with this drive can move, and its distance from the drive at which that changes.
fn mobility(activation: Activation, drive: f64) -> (bool, f64) {
    let range = match activation {
        Activation::Diode => unreachable!("units of one layer with different ranges"),
        _ if activation.has_kinks() => 0.0..activation.max(),
        _ => f64::NEG_INFINITY..f64::INFINITY,
    };
    let margin = (drive - range.start).abs().min((drive - range.end).abs());
    (range.contains(&drive), margin)
}

/// `∂E/∂s` of a single example, all layers in one list. Not for a softmax, whose potential comes with a
/// constraint.
fn slopes(problem: &Problem, state: &State) -> Vec<f64> {
    let drives = problem.drives(state).into_iter().enumerate();
    let slopes = drives.map(|(index, drive)| {
        let activation = problem.energy.layers()[index].activation;
        values(&(activation.inverse(state.layer(index).clone()) - drive))
    });
    slopes.collect::<Vec<_>>().concat()
}

/// The Hessian of `E` by central differences of its slopes: exact for quadratic potentials, else
/// off by ε²/6 times the third derivative of `σ⁻¹`, 1e-7 for units between 0.03 and 0.97.
fn hessian(problem: &Problem, state: &State) -> Vec<Vec<f64>> {
    let epsilon = 1e-5;
    let mut columns = Vec::new();
    for (layer, values) in state.layers().iter().enumerate() {
        let n_units = values.dims()[1];
        for unit in 0..n_units {
            let slopes = [epsilon, -epsilon].map(|by| {
                let mut step = vec![0.0; n_units];
                step[unit] = by;
                let mut moved = state.clone();
                let step = problem.setup.tensor(step, [1, n_units]);
                moved.set(layer, values.clone() + step);
                slopes(problem, &moved)
            });
            let pairs = slopes[0].iter().zip(&slopes[1]);
            columns.push(pairs.map(|(a, b)| (a - b) / (2.0 * epsilon)).collect());
        }
    }
    columns
}

/// The solution of `matrix · x = right` by elimination without pivots, and the least pivot: a
/// symmetric matrix is positive definite just if all of them are positive.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> (Vec<f64>, f64) {
    let n = right.len();
    for pivot in 0..n {
        for row in pivot + 1..n {
            let (above, below) = matrix.split_at_mut(row);
            let factor = below[0][pivot] / above[pivot][pivot];
            let pairs = below[0].iter_mut().zip(&above[pivot]).skip(pivot);
            pairs.for_each(|(entry, subtracted)| *entry -= factor * subtracted);
            right[row] -= factor * right[pivot];
        }
    }
    let least = (0..n).map(|i| matrix[i][i]).fold(f64::INFINITY, f64::min);
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|c| matrix[row][c] * right[c]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    (right, least)
}

#[test]
fn the_nudge_moves_the_state_by_the_inverse_hessian_and_lowers_the_cost_by_its_form() {
    let beta = 1e-4;
    let ends = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2)];
    let (mut n_clipped, mut n_free) = (0, 0);
    for (hidden, output) in [
        (Activation::HardSigmoid, Activation::HardSigmoid),
        (CLIPPED, Activation::Identity),
        (Activation::Sigmoid, Activation::Sigmoid),
        (Activation::Tanh, Activation::Identity),
    ] {
        for which in COSTS {
            for seed in 0..4 {
                let config = graph_to(&[3, 4, 4, 2], hidden, output, &ends);
                let problem = Problem::new(&config, which, 0.5, 1, 20 + seed);
                let what = format!("{hidden:?}, {output:?}, {which:?}, seed {seed}");
                let free = problem.free();
                let [up, down] = [beta, -beta].map(|beta| problem.relax(beta, free.clone()));

                // Units that can move: a clipped unit stays where it is.
                let drives = problem.drives(&free);
                let drives = drives.iter().enumerate().flat_map(|(index, drive)| {
                    let activation = problem.energy.layers()[index].activation;
                    values(drive)
                        .into_iter()
                        .map(move |u| mobility(activation, u))
                });
                let (moves, margins): (Vec<bool>, Vec<f64>) = drives.unzip();
                let margin = margins.iter().copied().fold(f64::INFINITY, f64::min);
                assert!(margin > 10.0 * beta, "{what}: margin {margin:e}");
                let free_units: Vec<usize> = (0..moves.len()).filter(|&i| moves[i]).collect();
                n_free += free_units.len();
                n_clipped += moves.len() - free_units.len();

                // −∂C/∂s, which acts on the output alone.
                let force = values(&problem.force(free.output()));
                let n_inner = moves.len() - force.len();
                let forces = [vec![0.0; n_inner], force].concat();
                let hessian = hessian(&problem, &free);
                let over = |i: &usize| free_units.iter().map(|&j| hessian[*i][j]).collect();
                let right = free_units.iter().map(|&i| forces[i]).collect();
                let (solution, least_pivot) = solve(free_units.iter().map(over).collect(), right);
                assert!(least_pivot > 0.0, "{what}: not a minimum");
                let mut velocity = vec![0.0; moves.len()];
                for (&unit, value) in free_units.iter().zip(solution) {
                    velocity[unit] = value;
                }

                // β² = 1e-8 of truncation, 1e-13/β = 1e-9 of relaxation, and the Hessian's 1e-7.
                let tolerance = 1e-6;
                let found = change(&down, &up, 1.0 / (2.0 * beta)).concat();
                assert_close(&found, &velocity, tolerance, &what);

                let cost = |state: &State| problem.cost_of(state)[0];
                let slope = (cost(&up) - cost(&down)) / (2.0 * beta);
                let form: f64 = velocity.iter().zip(&forces).map(|(v, f)| v * f).sum();
                assert_close(&[slope], &[-form], tolerance, &what);
                if (n_inner..moves.len()).any(|unit| moves[unit] && forces[unit].abs() > 1e-2) {
                    assert!(form > 100.0 * tolerance, "{what}: form {form:e}");
                }
            }
        }
    }
    assert!(n_clipped > 10 && n_free > 100, "{n_clipped}, {n_free}");
}

/// The rate at which the cost would fall if the output moved alone: `(∂C/∂s)ᵀ σ' (∂C/∂s)`, for each
/// example. It bounds the true rate from below, because `gᵀH⁻¹g ≥ (gᵀv)² / vᵀHv` for every `v`, and
/// `v = σ'g` on the output alone makes the bound `gᵀσ'g` if no two output units are connected.
fn rate_of_the_output_alone(problem: &Problem, free: &State) -> Vec<f64> {
    let epsilon = 1e-5;
    let force = problem.force(free.output());
    let drive = problem.drives(free).pop().expect("a layer");
    let activation = problem.energy.layers().last().expect("a layer").activation;
    let [up, down] = [epsilon, -epsilon]
        .map(|epsilon| activation.apply(drive.clone() + force.clone() * epsilon));
    let rate: Tensor<2> = ((up - down) / (2.0 * epsilon) * force).sum_dim(1);
    values(&rate)
}

#[test]
fn the_nudge_lowers_the_cost_of_random_networks_and_its_opposite_raises_it() {
    let beta = 1e-4;
    let graphs: [&[(usize, usize)]; 4] = [
        &[(0, 1), (1, 2), (2, 3)],
        &[(0, 1), (1, 2), (2, 3), (1, 3), (0, 3)],
        &[(0, 1), (1, 2), (2, 2), (2, 3)],
        &[(0, 1), (2, 1), (3, 2), (0, 2)],
    ];
    let kinds = [
        (Activation::HardSigmoid, Activation::HardSigmoid),
        (Activation::HardSigmoid, Activation::Identity),
        (CLIPPED, CLIPPED),
        (Activation::Sigmoid, Activation::Sigmoid),
        (Activation::Tanh, Activation::Tanh),
        (Activation::Tanh, Activation::Softmax),
    ];
    let (mut n_examples, mut n_moved) = (0, 0);
    for (number, (hidden, output)) in kinds.into_iter().enumerate() {
        for which in COSTS {
            for (index, ends) in graphs.into_iter().enumerate() {
                let config = graph_to(&[3, 5, 4, 3], hidden, output, ends);
                let seed = 100 + 10 * number as u64 + index as u64;
                let problem = Problem::new(&config, which, 0.6, 16, seed);
                let free = problem.free();
                let rates = rate_of_the_output_alone(&problem, &free);
                let [up, down] = [beta, -beta].map(|beta| problem.relax(beta, free.clone()));
                let costs = [&up, &free, &down].map(|state| problem.cost_of(state));
                for (example, rate) in rates.into_iter().enumerate() {
                    let what = format!("{hidden:?}, {output:?}, {which:?}, {ends:?}, {example}");
                    let [up, free, down] = [0, 1, 2].map(|state| costs[state][example]);
                    let slope = (up - down) / (2.0 * beta);
                    // β² = 1e-8 of truncation, 1e-13/β = 1e-9 of relaxation, times the
                    // curvatures.
                    assert!(
                        slope <= -rate + 1e-6,
                        "{what}: {slope:e}, output alone {rate:e}"
                    );
                    n_examples += 1;
                    // One sign alone: the second order must be less than the first.
                    if rate > 1e-2 {
                        assert!(up < free && free < down, "{what}: {up} {free} {down}");
                        n_moved += 1;
                    }
                }
            }
        }
    }
    assert_eq!(n_examples, 768);
    assert!(n_moved > 500, "{n_moved} outputs could move");
}
