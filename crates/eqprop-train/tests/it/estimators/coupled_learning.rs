//! Coupled learning: a closed form, its limit, and the objective of contrastive learning.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig, SquaredError};
use eqprop_core::energy::{Energy, HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    HopfieldNetwork, Setup, distance, filled_with, fourth_order_differences, norm, relative_error,
    values,
};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{CoupledLearning, EquilibriumPropagation, GradientEstimator};

use super::{Problem, chain, combined, phase};

const LINEAR: Activation = Activation::Identity;

fn coupled(nudging: Nudging) -> CoupledLearning {
    CoupledLearning::new(nudging, phase(), phase())
}

fn one_sided(beta: f64) -> CoupledLearning {
    coupled(Nudging::OneSided { beta })
}

/// One unit per layer, `E = ½h² + ½o² − x v h − h w o − b h − c o`: the equilibria by hand.
#[test]
fn a_linear_network_has_the_update_of_its_closed_form() {
    let [v, w, b, c] = [0.7, 0.6, -0.2, 0.3];
    let (x, y) = (1.3, 1.0);
    let mut problem = Problem::new(
        &chain(&[1, 1, 1], LINEAR, LINEAR),
        CostConfig::SquaredError,
        0.5,
    );
    problem.network = filled_with(problem.network, &Setup::double(), &[v, w, b, c]);
    problem.batch = Batch::new(
        Setup::double().tensor(vec![x], [1, 1]),
        Setup::double().tensor(vec![y], [1, 1]),
    );

    // h = x v + b + w o, o = w h + c
    let h_free = (x * v + b + w * c) / (1.0 - w * w);
    let o_free = w * h_free + c;
    let clamped = |beta: f64| {
        let o = (1.0 - beta) * o_free + beta * y;
        (x * v + b + w * o, o)
    };
    let by_hand = |first: f64, second: f64| {
        let ((h1, o1), (h2, o2)) = (clamped(first), clamped(second));
        let weighted = [-x * (h1 - h2), -(h1 * o1 - h2 * o2), -(h1 - h2), -(o1 - o2)];
        weighted.map(|difference| difference / (first - second))
    };

    let beta = 0.4;
    let cases = [
        (Nudging::OneSided { beta }, by_hand(beta, 0.0)),
        (Nudging::OneSided { beta: -beta }, by_hand(-beta, 0.0)),
        (Nudging::Centered { beta }, by_hand(beta, -beta)),
    ];
    for (index, (nudging, expected)) in cases.iter().enumerate() {
        let found = problem.gradient(&coupled(*nudging));
        let off = distance(&found, expected);
        // States relaxed to 1e-14, divided by 0.4.
        assert!(off < 1e-12, "{nudging:?}: {off:e}");
        let flipped = combined(&[(-1.0, &found)]);
        assert!(distance(&flipped, expected) > 0.1);
        for (other, expected) in &cases[index + 1..] {
            let apart = distance(&found, expected);
            assert!(apart > 1e-3, "{nudging:?}, {other:?}: {apart:e}");
        }
    }
    let cl = CoupledLearning::contrastive_learning(phase(), phase());
    assert!(distance(&problem.gradient(&cl), &by_hand(1.0, 0.0)) < 1e-12);
}

#[test]
fn without_hidden_layers_a_linear_network_has_its_exact_gradient_at_any_beta() {
    let problem = Problem::new(
        &chain(&[3, 2], LINEAR, LINEAR),
        CostConfig::SquaredError,
        0.6,
    );
    let exact = problem.exact();
    for beta in [-2.0, 0.01, 1.0] {
        // The differences are off by 1e-10.
        let off = relative_error(&problem.gradient(&one_sided(beta)), &exact);
        assert!(off < 1e-9, "{beta}: {off:e}");
    }
    // Another activation makes another rule of it.
    let problem = Problem::new(
        &chain(&[3, 2], LINEAR, Activation::Tanh),
        CostConfig::SquaredError,
        0.6,
    );
    let off = relative_error(&problem.gradient(&one_sided(0.01)), &problem.exact());
    assert!(off > 0.05, "{off}");
}

impl Problem {
    /// The free equilibrium with its output clamped at `output`, the layers before it relaxed.
    fn clamped_at(&self, network: &HopfieldNetwork, output: &Tensor<2>) -> State {
        let clamped = network.energy.clamp(&self.batch.input);
        let mut start = self.free(network);
        let last = start.layers().len() - 1;
        start.set(last, output.clone());
        let total = TotalEnergy::<_, SquaredError>::output_clamped(
            &network.energy,
            &clamped,
            output.clone(),
        );
        phase().relax(&total, start).converged().expect("a minimum")
    }

    /// The energy of each example.
    fn energy(&self, network: &HopfieldNetwork, state: &State) -> Vec<f64> {
        let clamped = network.energy.clamp(&self.batch.input);
        values(&network.energy.energy(&clamped, state))
    }

    /// `S g` for each example, `S = d²/do² min_h E(h, o)` by central differences at `output`.
    fn stiffness_times(&self, output: &[f64], direction: &[f64]) -> Vec<f64> {
        const EPSILON: f64 = 1e-4;
        let (n_examples, n_units) = (3, 2);
        let energy = |moved: Vec<f64>| {
            let output = Setup::double().tensor(moved, [n_examples, n_units]);
            self.energy(&self.network, &self.clamped_at(&self.network, &output))
        };
        let moved = |unit: usize, by_unit: f64, by_direction: f64| {
            let numbers = output.iter().zip(direction).enumerate();
            let step = |index: usize| {
                if index % n_units == unit {
                    by_unit
                } else {
                    0.0
                }
            };
            numbers
                .map(|(index, (o, g))| o + step(index) + by_direction * g)
                .collect()
        };
        let mut product = vec![0.0; output.len()];
        for unit in 0..n_units {
            let at = |a: f64, b: f64| energy(moved(unit, a * EPSILON, b * EPSILON));
            let corners = [at(1.0, 1.0), at(1.0, -1.0), at(-1.0, 1.0), at(-1.0, -1.0)];
            for example in 0..n_examples {
                let [a, b, c, d] = corners.each_ref().map(|values| values[example]);
                product[example * n_units + unit] = (a - b - c + d) / (4.0 * EPSILON * EPSILON);
            }
        }
        product
    }
}

/// Coupled learning sees the error through the stiffness `S` of the output: it estimates the
/// gradient for a target at which the error is `S(o − y)`.
#[test]
fn for_small_beta_the_error_is_seen_through_the_stiffness_of_the_output() {
    for output in [LINEAR, Activation::Tanh] {
        let problem = Problem::dense(Activation::Tanh, output, CostConfig::SquaredError);
        let free = values(problem.free(&problem.network).output());
        let target = values(&problem.batch.target);
        let error = combined(&[(1.0, &free), (-1.0, &target)]);
        let seen = problem.stiffness_times(&free, &error);
        let target = combined(&[(1.0, &free), (-1.0, &seen)]);
        let through_stiffness = Problem {
            network: problem.network.clone(),
            batch: Batch::new(
                problem.batch.input.clone(),
                Setup::double().tensor(target, [3, 2]),
            ),
        };
        let expected = through_stiffness.exact();
        let coupled = |beta| problem.gradient(&coupled(Nudging::Centered { beta }));
        let errors = [0.02, 0.01].map(|beta| relative_error(&coupled(beta), &expected));
        // Off by β² = 1e-4 or so, which must fall fourfold with β; the second differences are off by
        // ε² = 1e-8, times derivatives of the potential of tanh that reach 100.
        assert!(errors[1] < 1e-3, "{output:?}: {errors:?}");
        let fall = errors[0] / errors[1];
        assert!((3.5..4.5).contains(&fall), "{output:?}: {errors:?}");
        // It is not the gradient of the cost.
        let off = relative_error(&coupled(0.01), &problem.exact());
        assert!(off > 0.05, "{output:?}: {off}");
    }
}

#[test]
fn contrastive_learning_descends_the_energy_difference_of_clamped_and_free() {
    for (hidden, output) in [
        (Activation::Tanh, LINEAR),
        (Activation::Sigmoid, Activation::HardSigmoid),
    ] {
        let problem = Problem::dense(hidden, output, CostConfig::SquaredError);
        let objectives = |network: &HopfieldNetwork| {
            let clamped = problem.clamped_at(network, &problem.batch.target);
            let clamped = problem.energy(network, &clamped);
            let free = problem.energy(network, &problem.free(network));
            combined(&[(1.0, &clamped), (-1.0, &free)])
        };
        let of_each = objectives(&problem.network);
        assert!(of_each.iter().all(|&j| j > 0.01), "{of_each:?}");
        let expected = fourth_order_differences(&problem.network, |network| {
            let objectives = objectives(network);
            objectives.iter().sum::<f64>() / objectives.len() as f64
        })
        .concat();
        let cl = CoupledLearning::contrastive_learning(phase(), phase());
        let found = problem.gradient(&cl);
        let off = relative_error(&found, &expected);
        // The differences are off by 1e-10 for smooth layers.
        assert!(off < 1e-8, "{hidden:?}, {output:?}: {off:e}");
        let flipped = combined(&[(-1.0, &found)]);
        assert!(relative_error(&flipped, &expected) > 1.9);
    }
}

/// Contrastive Hebbian learning.
#[test]
fn contrastive_learning_is_the_limit_of_equilibrium_propagation_for_large_beta() {
    for output in [LINEAR, Activation::HardSigmoid] {
        let problem = Problem::dense(Activation::Tanh, output, CostConfig::SquaredError);
        let cl = CoupledLearning::contrastive_learning(phase(), phase());
        let expected = problem.gradient(&cl);
        let off = [1e3, 1e4].map(|beta| {
            let nudging = Nudging::OneSided { beta };
            let nudged = EquilibriumPropagation::new(nudging, phase(), phase());
            let undivided = combined(&[(beta, &problem.gradient(&nudged))]);
            relative_error(&undivided, &expected)
        });
        // The output is (drive + βy)/(1 + β): off by 1/β.
        assert!(off[1] < 1e-3, "{output:?}: {off:?}");
        let fall = off[0] / off[1];
        assert!((9.0..11.0).contains(&fall), "{output:?}: {off:?}");
    }
}

#[test]
fn the_output_stays_where_it_is_clamped_whatever_the_dynamics() {
    let problem = Problem::dense(
        Activation::Tanh,
        Activation::Sigmoid,
        CostConfig::CrossEntropy,
    );
    let network = &problem.network;
    let beta = 0.5;
    let free = problem.free(network);
    let one = Setup::double().tensor(vec![beta], [1, 1]);
    let nudge = network
        .cost
        .nudge(&problem.batch.target, one, Activation::Sigmoid);
    let moved = free.output().clone() + network.cost.force(&nudge, free.output());
    // Through a readout, −∂C/∂o is not y − o.
    let to_target = (problem.batch.target.clone() - free.output().clone()) * beta;
    let to_target = values(&(free.output().clone() + to_target));
    assert!(distance(&values(&moved), &to_target) > 0.01);

    let expected = problem.clamped_at(network, &moved);
    assert!(
        norm(&values(
            &(expected.layer(0).clone() - free.layer(0).clone())
        )) > 1e-3
    );
    for dynamics in [
        Scheme::Asynchronous,
        Scheme::FixedPoint,
        Scheme::GradientFlow { step_size: 0.5 },
    ] {
        let clamped = Relaxation::steps(dynamics, 2000).with_tolerance(1e-14);
        let nudging = Nudging::OneSided { beta };
        let estimate = problem.estimate(&CoupledLearning::new(nudging, phase(), clamped));
        let clamped = estimate.second_phase.expect("a clamped phase").state;
        assert_eq!(values(clamped.output()), values(&moved), "{dynamics:?}");
        for (found, expected) in clamped.layers().iter().zip(expected.layers()) {
            // The last residual was 1e-14.
            assert!(
                distance(&values(found), &values(expected)) < 1e-12,
                "{dynamics:?}"
            );
        }
    }
}

#[test]
fn random_signs_are_a_function_of_seed_and_count() {
    let problem = Problem::dense(Activation::Tanh, LINEAR, CostConfig::SquaredError);
    let beta = 0.5;
    let both = [beta, -beta].map(|beta| problem.gradient(&one_sided(beta)));
    assert!(distance(&both[0], &both[1]) > 1e-3);
    let is_positive = |estimator: &CoupledLearning| {
        let found = problem.gradient(estimator);
        assert!(both.contains(&found));
        found == both[0]
    };
    let random = || coupled(Nudging::RandomSign { beta }).with_seed(3);
    let estimator = random();
    let signs: Vec<bool> = (0..16).map(|_| is_positive(&estimator)).collect();
    assert!(signs.contains(&true) && signs.contains(&false));
    let resumed = random();
    GradientEstimator::<HopfieldEnergy, AnyCost>::resume(&resumed, 7);
    let rest: Vec<bool> = (7..16).map(|_| is_positive(&resumed.clone())).collect();
    assert_eq!(rest, signs[7..]);
}
