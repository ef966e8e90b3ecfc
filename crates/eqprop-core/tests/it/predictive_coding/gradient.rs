//! Equilibrium propagation in a predictive coding network against the gradient of its forward pass.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConvolutionConfig, Pooling};
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{
    HopfieldEnergyConfig, LayerUpdate, PredictiveCoding, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, chain, cost, distance, filled, gradients_in, norm, parameter_differences,
    relative_error, values,
};

use super::{Problem, convolutional};
use crate::devices;

/// A network with its cost and a batch.
struct Trial {
    setup: Setup,
    energy: PredictiveCoding,
    cost: AnyCost,
    input: Tensor<2>,
    target: Tensor<2>,
}

const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];
/// Small enough that no unit and no winner of max pooling switches.
const BETAS: [f64; 3] = [5e-5, 1e-4, 2e-4];

/// Three layers of `activation`, the last one linear.
fn dense(activation: Activation) -> HopfieldEnergyConfig {
    let mut config = chain(&[3, 6, 5, 2], activation);
    config.layers[2].activation = Activation::Identity;
    config
}

fn with_pooling(activation: Activation) -> HopfieldEnergyConfig {
    let kernel = ConvolutionConfig::new(3).with_padding(1);
    let mut config = convolutional(activation, kernel.with_pooling(Pooling::Max(2)), [4, 4]);
    config.layers[2].activation = Activation::Identity;
    config
}

impl Trial {
    fn new(config: &HopfieldEnergyConfig, which: CostConfig, update: LayerUpdate) -> Self {
        Self::on(Setup::double(), config, which, update)
    }

    fn on(
        setup: Setup,
        config: &HopfieldEnergyConfig,
        which: CostConfig,
        update: LayerUpdate,
    ) -> Self {
        // Weights for which a layer amplifies: their norm is about 1.5.
        let Problem { energy, input, .. } = Problem::with_update(config, &setup, 0.9, update);
        Self {
            cost: cost(which, 2, &setup, 1.0, 3),
            target: setup.one_hot(&[0, 1, 1], 2),
            energy,
            input,
            setup,
        }
    }

    fn start(&self) -> State {
        self.energy
            .start(&self.input, &self.energy.clamp(&self.input))
    }

    fn nudged(&self, beta: f64, scheme: Scheme, n_steps: usize) -> State {
        let clamped = self.energy.clamp(&self.input);
        let start = self.energy.start(&self.input, &clamped);
        let beta = self.setup.number(beta);
        let total = TotalEnergy::nudged(&self.energy, &clamped, &self.cost, &self.target, beta);
        Relaxation::steps(scheme, n_steps)
            .relax(&total, start)
            .state
    }

    /// The contrast of the states nudged by `first` and `second`, one list per parameter.
    fn estimate(&self, first: f64, second: f64, n_steps: usize) -> Vec<Vec<f64>> {
        let [a, b] = [first, second].map(|beta| match beta {
            0.0 => self.start(),
            _ => self.nudged(beta, Scheme::Asynchronous, n_steps),
        });
        let scale = 1.0 / (first - second);
        let gradients = self
            .energy
            .contrast(&self.energy.clamp(&self.input), &a, &b, scale);
        gradients_in(&self.energy, &gradients)
    }

    /// The gradient of the cost of the forward pass, by central differences: ε² of truncation and
    /// 1e-16/ε of rounding, 1e-9 together.
    fn exact(&self) -> Vec<Vec<f64>> {
        parameter_differences(&self.energy, 1e-6, |energy| {
            let output = energy.forward(&self.input).output().clone();
            let cost = self.cost.value(&output, &self.target);
            cost.mean().into_scalar::<f64>()
        })
    }
}

/// `‖found − expected‖ / ‖expected‖`, the largest over the parameters.
fn error(found: &[Vec<f64>], expected: &[Vec<f64>]) -> f64 {
    let pairs = found.iter().zip(expected);
    let errors = pairs.map(|(found, expected)| relative_error(found, expected));
    errors.fold(0.0, f64::max)
}

fn check_order(config: &HopfieldEnergyConfig, update: LayerUpdate, centered_order: f64) {
    for which in COSTS {
        let trial = Trial::new(config, which, update);
        let exact = trial.exact();
        let what = format!("{:?}, {which:?}, {update:?}", config.layers[0]);
        for (order, second) in [(1.0, 0.0), (centered_order, -1.0)] {
            // A mirror step of the cross-entropy stops short of the minimum by a part of the order
            // of β, which more steps than layers take away.
            let errors = BETAS.map(|beta| error(&trial.estimate(beta, second * beta, 12), &exact));
            let slope = (errors[2] / errors[0]).log2() / 2.0;
            // The next order is not yet gone.
            let close = (slope - order).abs() < 0.1;
            assert!(close, "{what}: order {slope} of {errors:?}");
            // The other sign would be off by 2.
            assert!(errors[0] < 0.1, "{what}: {errors:?}");
        }
    }
}

#[test]
fn the_estimate_is_of_first_order_in_beta_from_one_side_and_of_second_from_both() {
    check_order(&dense(Activation::Tanh), LayerUpdate::Projected, 2.0);
    for config in [dense(Activation::Relu), with_pooling(Activation::Relu)] {
        check_order(&config, LayerUpdate::PreActivation, 2.0);
    }
}

/// A nudge of one sign lifts units whose prediction is clipped, a nudge of the other does not.
#[test]
fn with_projected_updates_of_clipped_units_both_sides_are_of_first_order_too() {
    for config in [dense(Activation::Relu), with_pooling(Activation::Relu)] {
        check_order(&config, LayerUpdate::Projected, 1.0);
    }
}

#[test]
fn as_many_steps_as_layers_reach_every_layer_and_fewer_do_not() {
    for config in [dense(Activation::Tanh), with_pooling(Activation::Relu)] {
        let trial = Trial::new(&config, CostConfig::SquaredError, LayerUpdate::Projected);
        let exact = trial.exact();
        let beta = 1e-4;
        let after = |n_steps| error(&trial.estimate(beta, 0.0, n_steps), &exact);
        // What is left is of the order of β.
        assert!(after(3) < 0.01, "{}", after(3));
        assert!((after(3) - after(20)).abs() < 0.01);
        assert!(after(2) > 0.1, "{}", after(2));
    }
}

#[test]
fn all_layers_at_once_diverge() {
    let config = dense(Activation::Identity);
    let mut trial = Trial::new(&config, CostConfig::SquaredError, LayerUpdate::Projected);
    let mut numbers = Numbers(8);
    trial.energy = filled(trial.energy, &trial.setup, |n| numbers.list(n, -1.5, 1.5));
    let start = trial.start();
    let moved = |scheme| {
        let distance = trial.nudged(1e-3, scheme, 30).max_distance(&start);
        values(&distance).into_iter().fold(0.0, f64::max)
    };
    let (asynchronous, synchronous) = (moved(Scheme::Asynchronous), moved(Scheme::FixedPoint));
    assert!(asynchronous < 0.5, "{asynchronous}");
    assert!(synchronous > 100.0, "{synchronous}");
}

/// The states are close, but the errors are their differences: rounding of 6e-8 to errors of the
/// order of β.
#[test]
fn single_precision_is_enough_for_a_small_beta() {
    let config = dense(Activation::Relu);
    for which in COSTS {
        let [double, single] = [0, 1].map(|index| {
            let setup = devices::all().swap_remove(index);
            Trial::on(setup, &config, which, LayerUpdate::Projected)
        });
        let beta = 0.002;
        let [double, single] = [double, single].map(|trial| trial.estimate(beta, 0.0, 3).concat());
        let size = norm(&double);
        assert!(size > 0.1);
        assert!(distance(&single, &double) < 1e-3 * size);
    }
}
