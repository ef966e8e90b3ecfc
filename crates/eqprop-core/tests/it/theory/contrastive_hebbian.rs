//! §4.1: as β goes to infinity the nudge clamps the output to the target, and the contrast
//! becomes that of contrastive Hebbian learning,
//!
//! ```text
//! ΔW_ij ∝ ρ_i^∞ ρ_j^∞ − ρ_i⁰ ρ_j⁰ = −dJ/dW_ij,   J = E(s^∞) − E(s⁰)
//! ```

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{
    Energy, HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    Setup, assert_close, connection, equilibrium, filled, gradients_in, graph, largest, order_of,
    parameter_differences, parameters, residual, values,
};

use super::{Problem, change, graph_to};

const N_INPUTS: usize = 3;
const N_HIDDEN: [usize; 2] = [4, 3];
const N_OUTPUTS: usize = 2;

fn problem(hidden: Activation, output: Activation) -> Problem {
    let sizes = [N_INPUTS, N_HIDDEN[0], N_HIDDEN[1], N_OUTPUTS];
    let config = graph_to(&sizes, hidden, output, &[(0, 1), (1, 2), (2, 3)]);
    Problem::new(&config, CostConfig::SquaredError, 0.5, 4, 110)
}

fn problems() -> Vec<Problem> {
    vec![
        problem(Activation::HardSigmoid, Activation::HardSigmoid),
        problem(Activation::HardSigmoid, Activation::Identity),
        problem(Activation::Sigmoid, Activation::Identity),
    ]
}

/// `rows` zero rows above or below the rows of a matrix of `n_columns`.
fn padded(matrix: &[f64], n_columns: usize, above: usize, below: usize) -> Vec<f64> {
    let zeros = |rows| vec![0.0; rows * n_columns];
    [zeros(above), matrix.to_vec(), zeros(below)].concat()
}

/// The equilibrium with the output clamped to the target, from a network in which the target is
/// a part of the input and only the hidden layers are free.
fn clamped_equilibrium(problem: &Problem, energy: &HopfieldEnergy, free: &State) -> State {
    let [first, second] = N_HIDDEN;
    let hidden = problem.energy.layers()[..2].to_vec();
    let ends = [(0, 1), (1, 2), (0, 2)];
    let connections = ends.map(|(from, to)| connection(from, to)).to_vec();
    let config = HopfieldEnergyConfig::new((N_INPUTS + N_OUTPUTS).into(), hidden, connections);
    let [below, between, above, bias_first, bias_second, ..] = &parameters(energy)[..] else {
        unreachable!("three weights, three biases");
    };
    let setup = &problem.setup;
    // The last connection leads from the output to the layer below it.
    let above = setup.tensor(above.clone(), [second, N_OUTPUTS]).transpose();
    let mut lists = [
        padded(below, first, 0, N_OUTPUTS),
        between.clone(),
        padded(&values(&above), second, N_INPUTS, 0),
        bias_first.clone(),
        bias_second.clone(),
    ]
    .into_iter();
    let clamping = filled(config.init(&setup.device), setup, |_| {
        lists.next().expect("a list each")
    });
    let input = Tensor::cat(vec![problem.input.clone(), problem.target.clone()], 1);
    let clamped = clamping.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&clamping, &clamped);
    let start = State::new(free.layers()[..2].to_vec());
    let state = equilibrium(&total, start, Scheme::Asynchronous, setup);
    State::new([state.layers(), std::slice::from_ref(&problem.target)].concat())
}

fn energy_of(problem: &Problem, energy: &HopfieldEnergy, state: &State) -> Vec<f64> {
    values(&energy.energy(&energy.clamp(&problem.input), state))
}

#[test]
fn the_nudged_state_approaches_the_clamped_one_as_one_over_beta() {
    let betas = [1e2, 1e3, 1e4, 1e5];
    for problem in problems() {
        let free = problem.free();
        let clamped = clamped_equilibrium(&problem, &problem.energy, &free);
        let contrast = |state: &State| {
            let contrast =
                problem
                    .energy
                    .contrast(&problem.energy.clamp(&problem.input), state, &free, 1.0);
            gradients_in(&problem.energy, &contrast).concat()
        };
        let (limit, mut states, mut updates) = (contrast(&clamped), Vec::new(), Vec::new());
        for beta in betas {
            let nudged = problem.relax(beta, free.clone());
            states.push(largest(&change(&clamped, &nudged, 1.0).concat()));
            updates.push(residual(&contrast(&nudged), &limit));
        }
        for distances in [states, updates] {
            let found = order_of(&betas, &distances);
            // 1/β² is 1e-2 and less beside 1/β.
            assert!((found + 1.0).abs() < 0.02, "order {found}, {distances:?}");
            assert!(distances[0] < 0.1, "{distances:?}");
        }
        assert!(largest(&limit) > 0.1, "{limit:?}");
    }
}

#[test]
fn the_contrast_with_the_clamped_state_is_the_contrastive_hebbian_rule() {
    for problem in problems() {
        let free = problem.free();
        let clamped = clamped_equilibrium(&problem, &problem.energy, &free);
        let contrast = problem
            .energy
            .contrast(&problem.clamped(), &clamped, &free, 1.0);
        let contrast = gradients_in(&problem.energy, &contrast);
        // The statistics ρ_i ρ_j and ρ_j, mean over the batch.
        let statistics = |state: &State| {
            let layers = [std::slice::from_ref(&problem.input), state.layers()].concat();
            let batch = problem.input.dims()[0] as f64;
            let pairs = layers.windows(2);
            let products = pairs.map(|pair| pair[0].clone().transpose().matmul(pair[1].clone()));
            let rates = layers[1..].iter().map(|layer| layer.clone().sum_dim(0));
            let all = products.chain(rates).map(|sum| values(&(sum / batch)));
            all.collect::<Vec<_>>()
        };
        let (plus, minus) = (statistics(&clamped), statistics(&free));
        for (index, gradient) in contrast.iter().enumerate() {
            let pairs = plus[index].iter().zip(&minus[index]);
            let hebbian: Vec<f64> = pairs.map(|(plus, minus)| plus - minus).collect();
            let found: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
            // Rounding of a few terms of order 1.
            assert_close(&found, &hebbian, 1e-14, &format!("parameter {index}"));
            assert!(largest(&hebbian) > 1e-3);
        }
    }
}

#[test]
fn the_contrastive_objective_is_positive_in_one_basin_and_its_gradient_is_the_update() {
    for problem in problems() {
        let free = problem.free();
        let objective = |energy: &HopfieldEnergy| {
            let free = problem.free_with(energy);
            let clamped = clamped_equilibrium(&problem, energy, &free);
            let pairs = [clamped, free].map(|state| energy_of(&problem, energy, &state));
            let examples = pairs[0].iter().zip(&pairs[1]);
            examples
                .map(|(plus, minus)| plus - minus)
                .collect::<Vec<_>>()
        };
        let objectives = objective(&problem.energy);
        // These networks have one minimum, and the targets are not in it.
        assert!(objectives.iter().all(|&j| j > 1e-2), "{objectives:?}");

        let mean = |energy: &HopfieldEnergy| {
            let objectives = objective(energy);
            objectives.iter().sum::<f64>() / objectives.len() as f64
        };
        // 1e-8 of truncation times third derivatives, 1e-13/1e-4 of relaxation. No clipped unit
        // is so near an end of its range that a difference crosses it.
        let expected = parameter_differences(&problem.energy, 1e-4, mean).concat();
        let clamped = clamped_equilibrium(&problem, &problem.energy, &free);
        let found = problem
            .energy
            .contrast(&problem.clamped(), &clamped, &free, 1.0);
        let found = gradients_in(&problem.energy, &found).concat();
        assert_close(&found, &expected, 1e-7, "gradient of the objective");
        assert!(largest(&expected) > 1e-2);
    }
}

/// Two hidden units that hold each other up: the free phase stays where they are both off, the
/// clamped output turns them on, into a deeper basin. The objective is then negative, and its
/// gradient no longer leads to the target; at a small β both phases stay in one basin.
#[test]
fn the_contrastive_objective_can_be_negative_across_basins() {
    let setup = Setup::double();
    let hard = Activation::HardSigmoid;
    let layer = |activation| LayerConfig::new(1, activation);
    let mut config = graph(&[1, 1, 1, 1], hard, &[(0, 1), (1, 2), (2, 3)]);
    config.layers[2] = layer(Activation::Identity);
    // E = ½(a² + b² + y²) − 2ab + 0.3(a + b) − by, no input.
    let mut lists = [0.0, 2.0, 1.0, -0.3, -0.3, 0.0].into_iter();
    let energy = filled(config.init(&setup.device), &setup, |_| {
        vec![lists.next().expect("a number each")]
    });
    let (input, target) = (setup.number(1.0), setup.number(1.0));
    let clamped_input = energy.clamp(&input);
    let cost = CostConfig::SquaredError.init(1, 1, &setup.device);
    let relax = |beta: f64, start: State| {
        let beta = setup.number(beta);
        let total = TotalEnergy::nudged(&energy, &clamped_input, &cost, &target, beta);
        equilibrium(&total, start, Scheme::Asynchronous, &setup)
    };
    let numbers = |state: &State| [0, 1, 2].map(|layer| values(state.layer(layer))[0]);
    let value = |state: &State| values(&energy.energy(&clamped_input, state))[0];

    let free = relax(0.0, energy.rest(&input));
    assert_eq!(numbers(&free), [0.0; 3]);
    assert_eq!(value(&free), 0.0);
    let clamped = relax(1e9, free.clone());
    assert_close(&numbers(&clamped), &[1.0; 3], 1e-8, "clamped state");
    // 1.5 − 2 + 0.6 − 1
    assert_close(&[value(&clamped)], &[-0.9], 1e-8, "objective");
    let nudged = relax(0.1, free.clone());
    let output = 0.1 / 1.1;
    assert_close(
        &numbers(&nudged),
        &[0.0, 0.0, output],
        1e-12,
        "nudged state",
    );
    assert!(value(&nudged) > 1e-3);
}
