//! Langevin dynamics and stochastic equilibrium propagation against expectations in closed form,
//! in `f64`.
//!
//! Averages over samples are compared in units of their standard error, from independent chains
//! or estimates.

mod chains;
mod gaussian;
mod one_unit;
mod quadrature;
mod samples;
mod steps;

use burn::module::Module;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{Cost, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{Setup, distance, filled_with, gradients_of, values};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::stochastic::{
    LangevinError, Sampling, StochasticEquilibriumPropagation,
};
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

use gaussian::{Gaussian, N_HIDDEN, N_IN, N_OUT};

const TEMPERATURE: f64 = 0.5;
const INPUT: [[f64; N_IN]; 2] = [[0.8, -0.5], [-0.3, 1.0]];
const TARGET: [[f64; N_OUT]; 2] = [[1.0, -0.5], [-0.4, 0.7]];

type Network<C = SquaredError> = EquilibriumNetwork<HopfieldEnergy, C>;

fn batch<const N: usize, const M: usize>(input: &[[f64; N]], target: &[[f64; M]]) -> Batch {
    let (n, setup) = (input.len(), Setup::double());
    Batch::new(
        setup.tensor(input.concat(), [n, N]),
        setup.tensor(target.concat(), [n, M]),
    )
}

fn network<C: Cost>(
    sizes: &[usize],
    activation: Activation,
    cost: C,
    numbers: &[f64],
) -> Network<C> {
    let glorot = InitializerConfig::Glorot;
    let config = HopfieldEnergyConfig::dense(sizes, activation, activation, glorot);
    let network = EquilibriumNetwork::new(config.init(&Device::flex()), cost);
    filled_with(network, &Setup::double(), numbers)
}

/// The network of [`Gaussian`], or with other activations.
fn two_layers(activation: Activation) -> Network {
    let numbers = Gaussian::new().0.concat();
    network(&[N_IN, N_HIDDEN, N_OUT], activation, SquaredError, &numbers)
}

/// A mean over independent samples and its standard error.
#[derive(Debug, Clone, Copy)]
struct Measured {
    mean: f64,
    error: f64,
}

impl Measured {
    fn of(samples: &[f64]) -> Self {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let squares = samples.iter().map(|s| (s - mean) * (s - mean));
        let error = (squares.sum::<f64>() / (n - 1.0) / n).sqrt();
        Self { mean, error }
    }

    /// Of every column of a list of rows.
    fn columns(rows: &[Vec<f64>]) -> Vec<Self> {
        let column = |i| Self::of(&rows.iter().map(|row| row[i]).collect::<Vec<_>>());
        (0..rows[0].len()).map(column).collect()
    }

    /// The distance to `expected` in standard errors.
    fn off(self, expected: f64) -> f64 {
        (self.mean - expected).abs() / self.error
    }
}

/// The distance of every number in standard errors.
fn off(measured: &[Measured], expected: &[f64]) -> Vec<f64> {
    assert_eq!(measured.len(), expected.len());
    let pairs = measured.iter().zip(expected);
    pairs
        .map(|(measured, &expected)| measured.off(expected))
        .collect()
}

/// Every number is within three standard errors.
#[track_caller]
fn assert_within_errors(measured: &[Measured], expected: &[f64], what: &str) {
    let off = off(measured, expected);
    assert!(
        off.iter().all(|&off| off <= 3.0),
        "{what}: off by {off:.2?} standard errors, {measured:?}, {expected:?}"
    );
}

/// Every number is more than ten standard errors off.
#[track_caller]
fn assert_told_apart(measured: &[Measured], other: &[f64], what: &str) {
    let off = off(measured, other);
    assert!(off.iter().all(|&off| off > 10.0), "{what}: {off:.2?}");
}

fn negated(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| -v).collect()
}

/// Independent estimates, one after the other.
fn estimates<C: Cost>(
    estimator: &StochasticEquilibriumPropagation,
    network: &Network<C>,
    batch: &Batch,
    n: usize,
) -> Vec<Vec<f64>> {
    let estimates = (0..n).map(|_| estimator.estimate(network, batch, None));
    estimates
        .map(|estimate| gradients_of(network, &estimate.gradients).concat())
        .collect()
}

/// The minimum to 1e-12: where the chains start.
fn free_phase() -> Relaxation {
    Relaxation::steps(Scheme::Asynchronous, 500).with_tolerance(1e-12)
}

fn stochastic(nudging: Nudging, sampling: Sampling) -> StochasticEquilibriumPropagation {
    StochasticEquilibriumPropagation::new(nudging, free_phase(), sampling)
}

#[test]
fn the_gradient_in_closed_form_is_the_slope_of_the_expected_cost() {
    let gaussian = Gaussian::new();
    let moved = |list: usize, entry: usize, by: f64| {
        let mut gaussian = gaussian.clone();
        gaussian.0[list][entry] += by;
        gaussian.expected_cost()
    };
    let epsilon = 1e-5;
    for (list, gradient) in gaussian.gradient().iter().enumerate() {
        let slope = |i| (moved(list, i, epsilon) - moved(list, i, -epsilon)) / (2.0 * epsilon);
        let slopes: Vec<f64> = (0..gradient.len()).map(slope).collect();
        // ε² of truncation times a third derivative of order 10, and 1e-16/ε of rounding.
        assert!(
            distance(gradient, &slopes) < 1e-8,
            "{gradient:?}, {slopes:?}"
        );
    }
    // As β and ε → 0 an estimate tends to it: a quarter of the distance at half of both.
    let distance_at = |by: f64| {
        let limit = gaussian.limit_of_estimates(0.05 * by, 0.1 * by).concat();
        distance(&limit, &gaussian.gradient().concat())
    };
    let ratio = distance_at(1.0) / distance_at(0.5);
    assert!((ratio - 4.0).abs() < 0.4, "{ratio}");
}

#[test]
fn estimates_are_the_gradient_of_the_expected_cost() {
    let (gaussian, network) = (Gaussian::new(), two_layers(Activation::Identity));
    let (beta, step_size) = (0.02, 0.1);
    // The slowest direction relaxes as e^{−0.4·0.1·t}: 2e-3 of order t after 200 steps.
    let sampling = Sampling::new(TEMPERATURE)
        .with_step_size(step_size)
        .with_n_chains(64)
        .with_burn_in(200)
        .with_n_samples(60)
        .with_thinning(6);
    let estimator = stochastic(Nudging::Centered { beta }, sampling);
    let batch = batch(&INPUT, &TARGET);
    let measured = Measured::columns(&estimates(&estimator, &network, &batch, 30));
    let exact = gaussian.gradient().concat();
    assert_within_errors(&measured, &exact, "gradient");

    // That is a statement about the estimates, not about their spread: what finite β and ε are
    // expected to change is less than half a standard error.
    let limit = gaussian.limit_of_estimates(beta, step_size).concat();
    for ((measured, exact), limit) in measured.iter().zip(&exact).zip(&limit) {
        assert!(
            (exact - limit).abs() < 0.5 * measured.error,
            "{measured:?}, {exact}, {limit}"
        );
    }
    // Without the part of the noise, every weight between units would be told apart; with the
    // wrong sign, every parameter.
    let weights = N_IN * N_HIDDEN..N_IN * N_HIDDEN + N_HIDDEN * N_OUT;
    let without_noise = gaussian.gradient_without_noise().concat();
    assert_told_apart(
        &measured[weights.clone()],
        &without_noise[weights],
        "no noise",
    );
    assert_told_apart(&measured, &negated(&exact), "flipped");
}

#[test]
fn without_temperature_estimates_are_those_of_equilibrium_propagation() {
    let batch = batch(&INPUT, &TARGET);
    for activation in [
        Activation::Identity,
        Activation::HardSigmoid,
        Activation::Relu,
    ] {
        let network = two_layers(activation);
        if activation == Activation::HardSigmoid {
            // Units at both ends of their range are among what is compared.
            let estimator = stochastic(Nudging::Centered { beta: 0.1 }, Sampling::new(1.0));
            let free = estimator.infer(&network, &batch.input, None).state;
            let units = values(free.layer(0));
            assert!(units.contains(&0.0) && units.contains(&1.0), "{units:?}");
        }
        for nudging in [
            Nudging::Centered { beta: 0.1 },
            Nudging::OneSided { beta: -0.1 },
            Nudging::HigherOrder {
                beta: 0.1,
                n_pairs: 2,
            },
        ] {
            let phase = free_phase;
            let expected = EquilibriumPropagation::new(nudging, phase(), phase());
            let expected = gradients_of(
                &network,
                &expected.estimate(&network, &batch, None).gradients,
            )
            .concat();
            let estimate = |temperature| {
                let sampling = Sampling::new(temperature).with_burn_in(600);
                let estimate = stochastic(nudging, sampling).estimate(&network, &batch, None);
                distance(
                    &gradients_of(&network, &estimate.gradients).concat(),
                    &expected,
                )
            };
            // The samples' deviations are of order √T = 1e-5, and so are those of the contrast,
            // because common random numbers keep them from being divided by β.
            let size = distance(&expected, &vec![0.0; expected.len()]);
            assert!(size > 0.1);
            let (cold, warm) = (estimate(1e-10), estimate(TEMPERATURE));
            assert!(
                cold < 1e-4 * size,
                "{activation:?}, {nudging:?}: {cold:e} of {size}"
            );
            assert!(
                warm > 0.05 * size,
                "{activation:?}, {nudging:?}: {warm:e} of {size}"
            );
        }
    }
}

#[test]
fn estimates_are_a_function_of_seed_and_count() {
    let network = two_layers(Activation::HardSigmoid);
    let batch = batch(&INPUT, &TARGET);
    let sampling = Sampling::new(TEMPERATURE)
        .with_burn_in(3)
        .with_n_samples(4)
        .with_thinning(2);
    let with_seed = |seed| stochastic(Nudging::RandomSign { beta: 0.1 }, sampling).with_seed(seed);
    let draw = |estimator: &_, n| estimates(estimator, &network, &batch, n);
    let resume = |estimator: &StochasticEquilibriumPropagation, n| {
        GradientEstimator::<HopfieldEnergy, SquaredError>::resume(estimator, n);
    };

    let estimator = with_seed(5);
    let first = draw(&estimator, 12);
    for (i, a) in first.iter().enumerate() {
        assert!(first[i + 1..].iter().all(|b| distance(a, b) > 1e-3));
    }
    resume(&estimator, 4);
    assert_eq!(draw(&estimator, 3), first[4..7]);
    // Clones go on together, as Burn's learner needs, and a new estimator can be resumed.
    assert_eq!(draw(&estimator.clone(), 2), first[7..9]);
    assert_eq!(draw(&estimator, 1), first[9..10]);
    let fresh = with_seed(5);
    resume(&fresh, 10);
    assert_eq!(draw(&fresh, 2), first[10..12]);
    assert!(distance(&draw(&with_seed(6), 1)[0], &first[0]) > 1e-3);
}

#[test]
fn common_random_numbers_keep_the_variance_from_growing_as_beta_falls() {
    let network = two_layers(Activation::HardSigmoid);
    let batch = batch(&INPUT, &TARGET);
    let sampling = Sampling::new(TEMPERATURE)
        .with_n_chains(4)
        .with_n_samples(10);
    let spread = |beta| {
        let estimator = stochastic(Nudging::Centered { beta }, sampling);
        let measured = Measured::columns(&estimates(&estimator, &network, &batch, 20));
        measured.iter().map(|m| m.error * m.error).sum::<f64>()
    };
    // With independent noise the ratio would be 100.
    let ratio = spread(0.01) / spread(0.1);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}

#[test]
fn an_estimate_on_an_autodiff_device_is_outside_autodiff() {
    let plain = two_layers(Activation::Identity);
    let network = plain.clone().train();
    let inner = batch(&INPUT, &TARGET);
    let on_autodiff = Batch::new(
        inner.input.clone().autodiff(),
        inner.target.clone().autodiff(),
    );
    let sampling = Sampling::new(TEMPERATURE).with_burn_in(5).with_n_samples(2);
    let estimator = || stochastic(Nudging::Centered { beta: 0.1 }, sampling);
    let estimate = estimator().estimate(&network, &on_autodiff, None);
    let expected = estimator().estimate(&plain, &inner, None);
    assert_eq!(
        gradients_of(&network, &estimate.gradients).concat(),
        gradients_of(&plain, &expected.gradients).concat()
    );
    let chains = estimate.second_phase.expect("two phases");
    assert_eq!(chains.state.batch_size(), 2 * 16 * 2);
    assert!(!chains.state.output().is_autodiff() && !estimate.cost.is_autodiff());
}

#[test]
fn what_cannot_be_sampled_is_refused_by_name() {
    let nudging = Nudging::Centered { beta: 0.1 };
    let refused = |network: &Network, sampling: Sampling| {
        let error = stochastic(nudging, sampling).validate(network);
        error.expect_err("it cannot work").to_string()
    };
    let sampling = Sampling::new(TEMPERATURE);
    let network = two_layers(Activation::HardSigmoid);
    assert_eq!(stochastic(nudging, sampling).validate(&network), Ok(()));
    for (sampling, expected) in [
        (
            sampling.with_step_size(0.0),
            "step_size must be greater than 0 and at most 1, but is 0",
        ),
        (
            sampling.with_step_size(1.5),
            "step_size must be greater than 0 and at most 1, but is 1.5",
        ),
        (
            Sampling::new(0.0),
            "temperature must be a positive number, but is 0",
        ),
        (
            Sampling::new(f64::NAN),
            "temperature must be a positive number, but is NaN",
        ),
        (
            sampling.with_n_chains(0),
            "n_chains must be at least 1, but is 0",
        ),
        (
            sampling.with_n_samples(0),
            "n_samples must be at least 1, but is 0",
        ),
        (
            sampling.with_thinning(0),
            "thinning must be at least 1, but is 0",
        ),
    ] {
        assert_eq!(refused(&network, sampling), expected);
    }
    let unbounded = stochastic(Nudging::Centered { beta: 1.0 }, sampling);
    let error = unbounded.validate(&two_layers(Activation::Identity));
    assert!(matches!(error, Err(LangevinError::Config(_))), "{error:?}");
    for activation in [Activation::Sigmoid, Activation::Tanh, Activation::Softmax] {
        let message = refused(&two_layers(activation), sampling);
        let expected = format!("but layer 1 has {activation:?}");
        assert!(message.ends_with(&expected), "{message}");
    }
}

#[test]
#[should_panic(expected = "but layer 1 has Tanh")]
fn an_estimate_of_what_cannot_be_sampled_panics() {
    let network = two_layers(Activation::Tanh);
    let sampling = Sampling::new(TEMPERATURE);
    let estimator = stochastic(Nudging::Centered { beta: 0.1 }, sampling);
    estimator.estimate(&network, &batch(&INPUT, &TARGET), None);
}
