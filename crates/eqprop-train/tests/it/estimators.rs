//! The other estimators against closed forms, differences of whole procedures, and each other,
//! all in `f64`.

mod continual;
mod coupled_learning;
mod higher_order;
mod holomorphic;
mod weight_perturbation;

use burn::module::Module;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{AnyCost, Cost, CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::nudging::{Circle, Nudging};
use eqprop_core::relaxation::Relaxation;
use eqprop_core::state::State;
use eqprop_testing::{HopfieldNetwork, Setup, filled, fourth_order_differences, gradients_of};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, CoupledLearning, EquilibriumPropagation,
    Estimate, GradientEstimator, HolomorphicEquilibriumPropagation,
};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::panic::catch;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn estimates_of_a_network_on_autodiff_are_the_same_and_outside_it() {
    let problem = Problem::dense(Activation::Tanh, Activation::Tanh, CostConfig::SquaredError);
    let on_autodiff = Problem {
        network: problem.network.clone().train(),
        batch: Batch::new(
            problem.batch.input.clone().autodiff(),
            problem.batch.target.clone().autodiff(),
        ),
    };
    assert!(on_autodiff.network.energy.biases[0].val().is_autodiff());
    let beta = 0.3;
    let coupled = CoupledLearning::new(Nudging::Centered { beta }, phase(), phase());
    let circle = Circle { beta, n_points: 4 };
    let holomorphic = HolomorphicEquilibriumPropagation::new(circle, phase(), phase());
    let rates = ContinualRates::uniform(0.1);
    let continual = ContinualEquilibriumPropagation::new(beta, rates, phase(), 5);
    let estimates: [&dyn Fn(&Problem) -> Estimate; 3] = [
        &|problem| problem.estimate(&coupled),
        &|problem| problem.estimate(&holomorphic),
        &|problem| problem.estimate(&continual),
    ];
    for estimate in estimates {
        // `gradients_of` looks at each gradient.
        let listed = |problem: &Problem, estimate: &Estimate| {
            gradients_of(&problem.network, &estimate.gradients)
        };
        let found = listed(&on_autodiff, &estimate(&on_autodiff));
        assert_eq!(found, listed(&problem, &estimate(&problem)));
        let second_phase = estimate(&on_autodiff).second_phase.expect("a second phase");
        assert!(second_phase.state.layers().iter().all(|s| !s.is_autodiff()));
    }
}

#[test]
fn a_nudging_that_cannot_work_is_refused() {
    let bounded = Problem::dense(Activation::Tanh, Activation::Tanh, CostConfig::SquaredError);
    let linear = Problem::dense(
        Activation::Tanh,
        Activation::Identity,
        CostConfig::SquaredError,
    );
    #[track_caller]
    fn refuse(expected: &str, estimate: impl FnOnce() -> Estimate) {
        let message = catch(estimate).map(|_| ()).expect_err(expected);
        assert!(message.contains(expected), "{message}");
    }
    let eqprop = |nudging| EquilibriumPropagation::new(nudging, phase(), phase());
    let continual = |beta| {
        let rates = ContinualRates::uniform(0.1);
        ContinualEquilibriumPropagation::new(beta, rates, phase(), 5)
    };
    let coupled = |nudging| CoupledLearning::new(nudging, phase(), phase());
    let holomorphic = |beta, n_points| {
        HolomorphicEquilibriumPropagation::new(Circle { beta, n_points }, phase(), phase())
    };
    let one_sided = |beta| Nudging::OneSided { beta };

    let (zero, positive) = ("beta must be a number other than 0", "a positive number");
    refuse(zero, || bounded.estimate(&eqprop(one_sided(0.0))));
    refuse(zero, || bounded.estimate(&continual(0.0)));
    refuse(zero, || bounded.estimate(&coupled(one_sided(0.0))));
    let centered = Nudging::Centered { beta: -0.1 };
    refuse(positive, || bounded.estimate(&eqprop(centered)));
    refuse(positive, || bounded.estimate(&coupled(centered)));
    let points = "n_points must be at least 1";
    refuse(positive, || bounded.estimate(&holomorphic(f64::NAN, 4)));
    refuse(points, || bounded.estimate(&holomorphic(0.1, 0)));

    // The cost outweighs the energy of an output without a largest value; clamped, it does not.
    let unbounded = "beta = -1.5 is refused";
    refuse(unbounded, || linear.estimate(&eqprop(one_sided(-1.5))));
    refuse(unbounded, || linear.estimate(&continual(-1.5)));
    bounded.estimate(&eqprop(one_sided(-1.5)));
    bounded.estimate(&continual(-1.5));
    linear.estimate(&coupled(one_sided(-1.5)));
}

fn random(seed: u64) -> impl FnMut(usize, f64, f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move |n, low, high| (0..n).map(|_| rng.random_range(low..high)).collect()
}

/// A network with a batch of three examples.
struct Problem {
    network: HopfieldNetwork,
    batch: Batch,
}

impl Problem {
    fn new(config: &HopfieldEnergyConfig, cost: CostConfig, scale: f64) -> Self {
        let (device, setup) = (Device::flex(), Setup::double());
        let mut numbers = random(1);
        let n_units = config.layers.last().expect("an output layer").n_units();
        let cost = cost.init(n_units, 2, &device);
        let network = EquilibriumNetwork::new(config.init(&device), cost);
        let network = filled(network, &setup, |n| numbers(n, -scale, scale));
        let n_inputs = config.input.n_units();
        let input = setup.tensor(numbers(3 * n_inputs, 0.0, 1.0), [3, n_inputs]);
        let target = setup.tensor(vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0], [3, 2]);
        Self {
            network,
            batch: Batch::new(input, target),
        }
    }

    /// 3-4-2.
    fn dense(hidden: Activation, output: Activation, cost: CostConfig) -> Self {
        Self::new(&chain(&[3, 4, 2], hidden, output), cost, 0.6)
    }

    fn estimate(&self, estimator: &impl GradientEstimator<HopfieldEnergy, AnyCost>) -> Estimate {
        estimator.estimate(&self.network, &self.batch, None)
    }

    fn gradient(&self, estimator: &impl GradientEstimator<HopfieldEnergy, AnyCost>) -> Vec<f64> {
        gradients_of(&self.network, &self.estimate(estimator).gradients).concat()
    }

    fn free(&self, network: &HopfieldNetwork) -> State {
        let clamped = network.energy.clamp(&self.batch.input);
        let total = TotalEnergy::<_, SquaredError>::free(&network.energy, &clamped);
        let rest = network.energy.rest(&self.batch.input);
        phase().relax(&total, rest).converged().expect("a minimum")
    }

    /// The gradient of the mean cost, by differences of free equilibria: off by 1e-10.
    fn exact(&self) -> Vec<f64> {
        let differences = fourth_order_differences(&self.network, |network| {
            let free = self.free(network);
            let cost = network.cost.value(free.output(), &self.batch.target);
            cost.mean().into_scalar::<f64>()
        });
        differences.concat()
    }
}

fn chain(sizes: &[usize], hidden: Activation, output: Activation) -> HopfieldEnergyConfig {
    HopfieldEnergyConfig::dense(sizes, hidden, output, InitializerConfig::Glorot)
}

/// Relaxes until a step changes nothing that `f64` resolves.
fn phase() -> Relaxation {
    Setup::double().free()
}

/// `Σ factor · list`.
fn combined(terms: &[(f64, &[f64])]) -> Vec<f64> {
    let sum = |index: usize| {
        terms
            .iter()
            .map(|(factor, list)| factor * list[index])
            .sum()
    };
    (0..terms[0].1.len()).map(sum).collect()
}
