//! Continual equilibrium propagation: its limit of small rates, and its update step by step.

use burn::module::ParamGroup;
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{Energy, TotalEnergy, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    HopfieldNetwork, Setup, distance, filled_with, named_parameters, parameters, relative_error,
    values,
};
use eqprop_train::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, EquilibriumPropagation,
};

use super::{Problem, phase};

const BETA: f64 = 0.5;

fn problem(cost: CostConfig) -> Problem {
    Problem::dense(Activation::Tanh, Activation::Tanh, cost)
}

fn free(dynamics: Scheme) -> Relaxation {
    Relaxation {
        dynamics,
        ..phase()
    }
}

fn continual(dynamics: Scheme, rate: f64, n_steps: usize) -> ContinualEquilibriumPropagation {
    let rates = ContinualRates::uniform(rate);
    ContinualEquilibriumPropagation::new(BETA, rates, free(dynamics), n_steps)
}

fn one_sided(dynamics: Scheme, n_steps: usize) -> EquilibriumPropagation {
    let nudging = Nudging::OneSided { beta: BETA };
    let nudged = Relaxation::steps(dynamics, n_steps);
    EquilibriumPropagation::new(nudging, free(dynamics), nudged)
}

const SCHEMES: [Scheme; 3] = [
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.3 },
];

/// A sum of contrasts of successive states is the contrast of the last with the first.
#[test]
fn at_rate_zero_it_is_one_sided_step_by_step() {
    for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let problem = problem(cost);
        for dynamics in SCHEMES {
            let mut before = None;
            for n_steps in 1..=6 {
                let found = problem.gradient(&continual(dynamics, 0.0, n_steps));
                let expected = problem.gradient(&one_sided(dynamics, n_steps));
                // Sums of rounded numbers of order 1, divided by 0.5.
                let off = distance(&found, &expected);
                assert!(off < 1e-13, "{dynamics:?}, {n_steps} steps: {off:e}");
                if let Some(before) = before.replace(found.clone()) {
                    assert!(distance(&found, &before) > 1e-6, "each step adds something");
                }
            }
        }
    }
}

#[test]
fn its_difference_to_one_sided_is_linear_in_the_rate_at_every_step() {
    let problem = problem(CostConfig::SquaredError);
    let rates = [0.001, 0.01];
    for dynamics in SCHEMES {
        // The first step is taken before any parameter has moved.
        for n_steps in [2, 3, 5, 10, 30] {
            let expected = problem.gradient(&one_sided(dynamics, n_steps));
            let off = rates.map(|rate| {
                relative_error(
                    &problem.gradient(&continual(dynamics, rate, n_steps)),
                    &expected,
                )
            });
            let slope = (off[1] / off[0]).log10();
            // The next order adds some 1 % at a rate of 0.01.
            let what = format!("{dynamics:?}, {n_steps} steps: {off:?}");
            assert!((slope - 1.0).abs() < 0.05, "slope {slope}, {what}");
            assert!(off[1] > 1e-5, "{what}");
        }
    }
}

/// The largest change of a unit over the step size, with parameters that move as with those that
/// stay.
#[test]
fn its_residual_is_the_speed_of_the_last_step() {
    let problem = problem(CostConfig::SquaredError);
    for dynamics in SCHEMES {
        for rate in [0.0, 0.1] {
            let second_phase = |n_steps| {
                let estimate = problem.estimate(&continual(dynamics, rate, n_steps));
                estimate.second_phase.expect("nudged states")
            };
            let (before, last) = (second_phase(2), second_phase(3));
            assert_eq!((last.n_steps, last.tolerance), (3, None));
            let step_size = match dynamics {
                Scheme::GradientFlow { step_size } => step_size,
                _ => 1.0,
            };
            let change = values(&last.state.max_distance(&before.state));
            let expected: Vec<f64> = change.iter().map(|change| change / step_size).collect();
            assert!(distance(&values(&last.residual), &expected) < 1e-14);
            assert!(change.iter().all(|&change| change > 1e-4), "{change:?}");
        }
    }
}

/// The parameters that `n_steps` continual updates lead to, written out; a rate for each number.
fn moved(problem: &Problem, network: &HopfieldNetwork, rates: &[f64], n_steps: usize) -> Vec<f64> {
    let n_energy = parameters(&network.energy).concat().len();
    let mut state = problem.free(network);
    let mut numbers = parameters(&network.energy).concat();
    for _ in 0..n_steps {
        let energy = filled_with(network.energy.clone(), &Setup::double(), &numbers);
        let clamped = energy.clamp(&problem.batch.input);
        let beta = Tensor::full([1, 1], BETA, (&state.device(), state.output().dtype()));
        let target = &problem.batch.target;
        let total = TotalEnergy::nudged(&energy, &clamped, &network.cost, target, beta);
        let next = Relaxation::steps(Scheme::Asynchronous, 1).relax(&total, state.clone());
        // ∂E/∂θ itself, by differences of the energy, which is linear in θ.
        let slope = |state: &State, index: usize| {
            let at = |by: f64| {
                let mut numbers = numbers.clone();
                numbers[index] += by;
                let energy = filled_with(network.energy.clone(), &Setup::double(), &numbers);
                let clamped = energy.clamp(&problem.batch.input);
                energy.energy(&clamped, state).mean().into_scalar::<f64>()
            };
            at(0.5) - at(-0.5)
        };
        let steps: Vec<f64> = (0..n_energy)
            .map(|i| rates[i] / BETA * (slope(&next.state, i) - slope(&state, i)))
            .collect();
        for (number, step) in numbers.iter_mut().zip(&steps) {
            *number -= step;
        }
        state = next.state;
    }
    numbers
}

#[test]
fn a_plain_step_with_its_gradient_makes_the_continual_update() {
    let problem = problem(CostConfig::SquaredError);
    let network = &problem.network;
    let (base, first_layer, bias) = (0.2, 0.5, 0.05);
    let rates = ContinualRates::uniform(base)
        .with_group(
            ParamGroup::from_predicate("network.energy.connections.0."),
            0.4,
        )
        .with_group(
            ParamGroup::from_predicate("energy.connections.0."),
            first_layer,
        )
        .with_group(ParamGroup::from_path("network.energy.biases.1"), bias);
    let rate_of = |path: &str| match path {
        path if path.starts_with("energy.connections.0.") => first_layer,
        "energy.biases.1" => bias,
        _ => base,
    };
    let lists = named_parameters(network).into_iter();
    let rate_of_each: Vec<f64> = lists
        .flat_map(|(path, numbers)| vec![rate_of(&path); numbers.len()])
        .collect();
    assert!(
        [first_layer, bias, base]
            .iter()
            .all(|rate| rate_of_each.contains(rate))
    );

    let n_steps = 5;
    let estimator = ContinualEquilibriumPropagation::new(BETA, rates, phase(), n_steps);
    let before = parameters(network).concat();
    let gradient = problem.gradient(&estimator);
    assert_eq!(
        parameters(network).concat(),
        before,
        "the network itself stays as it is"
    );
    let step = |sign: f64| -> Vec<f64> {
        let numbers = before.iter().zip(&gradient).zip(&rate_of_each);
        numbers
            .map(|((theta, g), rate)| theta - sign * rate * g)
            .collect()
    };
    let expected = moved(&problem, network, &rate_of_each, n_steps);
    // Sums of some 100 rounded numbers of order 1.
    let off = distance(&step(1.0), &expected);
    assert!(off < 1e-12, "{off:e}");
    assert!(distance(&step(-1.0), &expected) > 1e-2);
    // With other rates the same gradient would not do.
    let uniform = problem.gradient(&continual(Scheme::Asynchronous, base, n_steps));
    assert!(relative_error(&uniform, &gradient) > 1e-3);
}

#[test]
#[should_panic(expected = "nudged_steps must be at least 1, but is 0")]
fn no_nudged_steps_are_refused() {
    continual(Scheme::Asynchronous, 0.1, 0);
}
