//! States that a relaxation leaves unchanged, and examples that relax independently.

use burn::tensor::{Int, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, chain, distance, equilibrium, filled, flat, gradients_in, graph,
    network,
};

use crate::devices;

const BATCH: usize = 4;
const SCHEMES: [Scheme; 5] = [
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.3 },
    Scheme::Anderson {
        history: 5,
        mixing: 1.0,
    },
    Scheme::AdaptiveFlow { error: 0.8 },
];

/// A network with a skip connection, a batch and its targets.
struct Problem {
    setup: Setup,
    energy: HopfieldEnergy,
    input: Tensor<2>,
    target: Tensor<2>,
}

impl Problem {
    fn new(activation: Activation, setup: Setup) -> Self {
        let config = graph(&[3, 5, 4, 2], activation, &[(0, 1), (1, 2), (2, 3), (1, 3)]);
        let mut numbers = Numbers(1);
        Self {
            energy: network(&config, &setup, 0.4, 2),
            input: numbers.matrix(&setup, [BATCH, 3], 0.0, 1.0),
            target: numbers.matrix(&setup, [BATCH, 2], 0.0, 1.0),
            setup,
        }
    }

    fn all() -> Vec<Self> {
        let activations = [
            Activation::HardSigmoid,
            Activation::Tanh,
            Activation::Softmax,
        ];
        let problems = |activation| {
            let setups = devices::all().into_iter();
            setups.map(move |setup| Self::new(activation, setup))
        };
        activations.into_iter().flat_map(problems).collect()
    }

    /// The equilibrium reached from `start`; free where `beta` is `None`.
    fn relax(&self, beta: Option<f64>, start: State, scheme: Scheme) -> State {
        let clamped = self.energy.clamp(&self.input);
        let total = match beta {
            None => TotalEnergy::free(&self.energy, &clamped),
            Some(beta) => {
                let beta = self.setup.number(beta);
                let cost = &SquaredError;
                TotalEnergy::nudged(&self.energy, &clamped, cost, &self.target, beta)
            }
        };
        equilibrium(&total, start, scheme, &self.setup)
    }

    fn free(&self, scheme: Scheme) -> State {
        self.relax(None, self.energy.rest(&self.input), scheme)
    }

    /// The same network with selected examples of the batch.
    fn select(&self, examples: &[i32]) -> Self {
        let device = &self.setup.device;
        let indices = Tensor::<1, Int>::from_ints(examples, device);
        Self {
            setup: Setup {
                device: device.clone(),
                ..self.setup
            },
            energy: self.energy.clone(),
            input: self.input.clone().select(0, indices.clone()),
            target: self.target.clone().select(0, indices),
        }
    }
}

#[test]
fn a_free_equilibrium_stays_where_it_is_and_so_it_does_at_beta_zero() {
    for problem in Problem::all() {
        for scheme in SCHEMES {
            let what = format!("{scheme:?}, {}", problem.setup.name);
            let free = problem.free(scheme);
            let tolerance = problem.setup.tolerance;
            let again = problem.relax(None, free.clone(), scheme);
            assert_close(&flat(&again), &flat(&free), tolerance, &what);
            let again = problem.relax(Some(0.0), free.clone(), scheme);
            assert_close(&flat(&again), &flat(&free), tolerance, &what);
            // A nudge moves it by more than a hundred times the tolerance.
            let nudged = problem.relax(Some(0.1), free.clone(), scheme);
            assert!(
                distance(&flat(&nudged), &flat(&free)) > 100.0 * tolerance,
                "{what}"
            );
        }
    }
}

#[test]
fn all_schemes_find_the_same_equilibria() {
    for problem in Problem::all() {
        for beta in [None, Some(0.5), Some(-0.5)] {
            let [first, others @ ..] =
                SCHEMES.map(|scheme| problem.relax(beta, problem.free(scheme), scheme));
            for other in &others {
                // A residual r leaves an error of r/(1 − contraction), here 10 r at most.
                let tolerance = 10.0 * problem.setup.tolerance;
                assert_close(&flat(other), &flat(&first), tolerance, problem.setup.name);
            }
        }
    }
}

#[test]
fn permuting_the_batch_permutes_the_states() {
    let order = [2, 0, 3, 1];
    for problem in Problem::all() {
        let permuted = problem.select(&order);
        for scheme in SCHEMES {
            let indices = Tensor::<1, Int>::from_ints(order, &problem.setup.device);
            let select = |layer: &Tensor<2>| layer.clone().select(0, indices.clone());
            let expected = flat(&problem.free(scheme).map(select));
            let found = flat(&permuted.free(scheme));
            assert_close(
                &found,
                &expected,
                problem.setup.tolerance,
                problem.setup.name,
            );
            // And the examples do differ.
            let unpermuted = flat(&problem.free(scheme));
            assert!(distance(&found, &unpermuted) > 100.0 * problem.setup.tolerance);
        }
    }
}

#[test]
fn duplicating_the_batch_leaves_the_mean_gradient() {
    let estimate = |problem: &Problem| {
        let free = problem.free(Scheme::Asynchronous);
        let [up, down] =
            [0.5, -0.5].map(|beta| problem.relax(Some(beta), free.clone(), Scheme::Asynchronous));
        let gradients =
            problem
                .energy
                .contrast(&problem.energy.clamp(&problem.input), &up, &down, 1.0);
        gradients_in(&problem.energy, &gradients).concat()
    };
    for problem in Problem::all() {
        let once = estimate(&problem);
        let twice = estimate(&problem.select(&[0, 1, 2, 3, 0, 1, 2, 3]));
        assert_close(&twice, &once, problem.setup.tolerance, problem.setup.name);
        // A sum would be twice as large.
        assert!(
            once.iter()
                .any(|g| g.abs() > 100.0 * problem.setup.tolerance)
        );
    }
}

#[test]
fn both_nudges_in_one_doubled_batch_are_the_two_separate_relaxations() {
    let beta = 0.5;
    for problem in Problem::all() {
        let Problem { setup, energy, .. } = &problem;
        for scheme in SCHEMES {
            let free = problem.free(scheme);
            let clamped = energy.repeat(&energy.clamp(&problem.input), 2);
            let target = problem.target.clone().repeat_dim(0, 2);
            let betas = [[beta; BATCH], [-beta; BATCH]].concat();
            let betas = setup.tensor(betas, [2 * BATCH, 1]);
            let cost = &SquaredError;
            let total = TotalEnergy::nudged(energy, &clamped, cost, &target, betas);
            let both = equilibrium(&total, free.repeat(2), scheme, setup);
            for (start, beta) in [(0, beta), (BATCH, -beta)] {
                let alone = problem.relax(Some(beta), free.clone(), scheme);
                let found = both.narrow(start, BATCH);
                assert_close(&flat(&found), &flat(&alone), setup.tolerance, setup.name);
            }
        }
    }
}

/// The reason why `FixedPoint` does not promise what `Asynchronous` does.
#[test]
fn synchronous_steps_can_raise_the_energy_where_asynchronous_ones_do_not() {
    let setup = Setup::double();
    // E = ½a² + ½b² + 2ab − a − b from a = b = 0: both units to 1 at once make it 1.
    let config = chain(&[1, 1, 1], Activation::HardSigmoid).init(&setup.device);
    let mut lists = [vec![0.0], vec![-2.0], vec![1.0], vec![1.0]].into_iter();
    let energy = filled(config, &setup, |_| lists.next().expect("a list each"));
    let input = setup.number(1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let energies = |scheme| {
        let relaxation = Relaxation::steps(scheme, 2);
        relaxation
            .relax_traced(&total, energy.rest(&input))
            .1
            .energy
    };
    assert_eq!(energies(Scheme::FixedPoint), [0.0, 1.0, 0.0]);
    assert_eq!(energies(Scheme::Asynchronous), [0.0, -0.5, -0.5]);
}
