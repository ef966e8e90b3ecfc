//! Gradient descent in the errors: its first step, its order in β, its descent, and other fields.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, SquaredError};
use eqprop_core::energy::{PredictiveCoding, PredictiveCodingConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, chain, flat, gradients_in, network, parameter_differences,
    relative_error, values,
};

use super::{BATCH, Problem, residual};

/// Residual blocks, and a chain, whose output is linear.
fn configs(activation: Activation) -> [PredictiveCodingConfig; 2] {
    let (_, block) = residual(activation).swap_remove(0);
    let chain = PredictiveCodingConfig::new(chain(&[3, 6, 5, 2], activation));
    [block, chain].map(|mut config| {
        let output = config.chain.layers.last_mut().expect("an output");
        output.activation = Activation::Identity;
        config
    })
}

struct Trial {
    setup: Setup,
    energy: PredictiveCoding,
    input: Tensor<2>,
    target: Tensor<2>,
}

impl Trial {
    fn new(config: &PredictiveCodingConfig) -> Self {
        let setup = Setup::double();
        let scale = match config.chain.connections.len() > config.chain.layers.len() {
            true => 2.5,
            false => 0.9,
        };
        let Problem { energy, input, .. } = Problem::of(config, &setup, scale);
        Self {
            target: setup.one_hot(&[0, 1, 1], 2),
            setup,
            energy,
            input,
        }
    }

    fn nudged(&self, beta: f64, step_size: f64, n_steps: usize) -> State {
        let clamped = self.energy.clamp(&self.input);
        let start = self.energy.start(&self.input, &clamped);
        let beta = self.setup.number(beta);
        let (energy, target) = (&self.energy, &self.target);
        let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, target, beta);
        let relaxation = Relaxation::steps(Scheme::ErrorDescent { step_size }, n_steps);
        relaxation.relax(&total, start).state
    }

    fn estimate(&self, first: f64, second: f64, n_steps: usize) -> Vec<f64> {
        let clamped = self.energy.clamp(&self.input);
        let [a, b] = [first, second].map(|beta| match beta {
            0.0 => self.energy.start(&self.input, &clamped),
            _ => self.nudged(beta, 1.0, n_steps),
        });
        let gradients = self
            .energy
            .contrast(&clamped, &a, &b, 1.0 / (first - second));
        gradients_in(&self.energy, &gradients).concat()
    }

    /// The gradient of the cost of the forward pass, within 1e-9.
    fn exact(&self) -> Vec<f64> {
        let lists = parameter_differences(&self.energy, 1e-6, |energy| {
            let output = energy.forward(&self.input).output().clone();
            let cost = SquaredError.value(&output, &self.target);
            cost.mean().into_scalar::<f64>()
        });
        lists.concat()
    }

    /// The cost of each example if `layer` is `value` and the layers above are as predicted.
    fn cost_above(&self, layer: usize, value: Tensor<2>) -> Vec<f64> {
        let above = layer + 1..self.energy.layers().len();
        let output = above.fold(value, |below, layer| {
            self.energy.drive_from_below(layer, &below)
        });
        values(&SquaredError.value(&output, &self.target))
    }
}

#[test]
fn the_first_step_makes_the_errors_of_backpropagation() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for config in configs(activation) {
            let trial = Trial::new(&config);
            let (beta, epsilon) = (0.3, 1e-6);
            let pass = trial.energy.forward(&trial.input);
            let state = trial.nudged(beta, 1.0, 1);
            let mut below = trial.input.clone();
            for (layer, value) in state.layers().iter().enumerate() {
                let predicted = trial.energy.drive_from_below(layer, &below);
                let errors = values(&(value.clone() - predicted));
                let n_units = value.dims()[1];
                for unit in 0..n_units {
                    let moved = |by: f64| {
                        let mut step = vec![0.0; n_units];
                        step[unit] = by;
                        let step = trial.setup.tensor(step, [1, n_units]);
                        trial.cost_above(layer, pass.layer(layer).clone() + step)
                    };
                    let (up, down) = (moved(epsilon), moved(-epsilon));
                    for example in 0..BATCH {
                        let slope = (up[example] - down[example]) / (2.0 * epsilon);
                        let found = errors[example * n_units + unit];
                        let what = format!("{activation:?}, layer {layer}");
                        // Differences of costs of order 1.
                        assert_close(&[found], &[-beta * slope], 1e-8, &what);
                    }
                }
                assert!(
                    errors.iter().any(|error| error.abs() > 1e-3),
                    "layer {layer}"
                );
                below = value.clone();
            }
        }
    }
}

#[test]
fn the_estimate_is_of_first_order_in_beta_from_one_side_and_of_second_from_both() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for config in configs(activation) {
            let trial = Trial::new(&config);
            let exact = trial.exact();
            for n_steps in [1, 12] {
                // Where a step is a linear function of the errors, one alone is proportional to β.
                let is_linear = activation == Activation::Relu && n_steps == 1;
                for (order, second, largest) in [(1.0, 0.0, 2e-4), (2.0, -1.0, 8e-3)] {
                    let betas = [0.25, 0.5, 1.0].map(|part| part * largest);
                    let errors = betas.map(|beta| {
                        relative_error(&trial.estimate(beta, second * beta, n_steps), &exact)
                    });
                    let what = format!("{activation:?}, {n_steps} steps: {errors:?}");
                    let is_exact = order > 1.5 && is_linear;
                    if !is_exact {
                        let slope = (errors[2] / errors[0]).log2() / 2.0;
                        assert!((slope - order).abs() < 0.1, "{what}: order {slope}");
                    }
                    assert!(errors[2] < if is_exact { 1e-6 } else { 1e-2 }, "{what}");
                }
            }
        }
    }
}

#[test]
fn no_step_raises_the_total_energy() {
    for config in configs(Activation::Tanh) {
        let trial = Trial::new(&config);
        let clamped = trial.energy.clamp(&trial.input);
        let beta = trial.setup.number(0.5);
        let (energy, target) = (&trial.energy, &trial.target);
        let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, target, beta);
        let mut falls = Vec::new();
        let mut before: Option<Vec<f64>> = None;
        let relaxation = Relaxation::steps(Scheme::ErrorDescent { step_size: 0.5 }, 20);
        let start = Problem::of(&config, &trial.setup, 1.0).states;
        for start in start
            .into_iter()
            .chain([trial.energy.forward(&trial.input)])
        {
            relaxation.relax_observed(&total, start, |step, state| {
                let after = values(&total.value(state));
                if let Some(before) = before.take().filter(|_| step > 0) {
                    falls.extend(
                        before
                            .iter()
                            .zip(&after)
                            .map(|(before, after)| before - after),
                    );
                }
                before = Some(after);
            });
        }
        assert!(falls.iter().all(|fall| *fall > -1e-13), "{falls:?}");
        assert!(falls.iter().sum::<f64>() > 0.1);
    }
}

#[test]
fn of_a_field_without_predictions_it_is_gradient_flow() {
    let setup = Setup::double();
    let energy = network(
        &chain(&[3, 5, 4, 2], Activation::HardSigmoid),
        &setup,
        0.6,
        2,
    );
    let mut numbers = Numbers(4);
    let input = numbers.matrix(&setup, [BATCH, 3], 0.0, 1.0);
    let start = numbers.state(energy.layers(), &setup, BATCH);
    let clamped = energy.clamp(&input);
    let target = setup.one_hot(&[0, 1, 1], 2);
    let beta = setup.number(0.4);
    let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
    let step_size = 0.3;
    let [found, expected] = [
        Scheme::ErrorDescent { step_size },
        Scheme::GradientFlow { step_size },
    ]
    .map(|scheme| Relaxation::steps(scheme, 4).relax(&total, start.clone()));
    assert_eq!(flat(&found.state), flat(&expected.state));
    assert!(relative_error(&flat(&found.state), &flat(&start)) > 0.1);
}

#[test]
fn its_step_is_a_fraction() {
    for step_size in [0.0, -0.1, 1.1, f64::NAN] {
        let error = Scheme::ErrorDescent { step_size }.validate();
        let message = error.expect_err("refused").to_string();
        let expected = "descent_step must be greater than 0 and at most 1";
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(Scheme::ErrorDescent { step_size: 1.0 }.validate(), Ok(()));
    assert_eq!(
        Scheme::ErrorDescent { step_size: 0.5 }.to_string(),
        "error descent, ε = 0.5"
    );
}
