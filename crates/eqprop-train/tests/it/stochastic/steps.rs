//! Langevin dynamics one step at a time, against the step of gradient flow and its noise.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Setup, distance, values};
use eqprop_train::estimator::stochastic::Langevin;

use super::{Network, TEMPERATURE, network};

const N_CHAINS: usize = 256;
const N_UNITS: usize = 4;

/// Units that the input does not drive, with the biases `drives`.
fn driven(activation: Activation, drives: [f64; N_UNITS]) -> Network {
    let numbers = [[0.0; N_UNITS], drives].concat();
    network(&[1, N_UNITS], activation, SquaredError, &numbers)
}

/// `n_steps` steps of `dynamics` from `start` in all chains.
fn relaxed(network: &Network, dynamics: impl Dynamics, start: f64, n_steps: usize) -> Vec<f64> {
    with_total(network, |total| {
        let start = State::new(vec![
            Setup::double().tensor(vec![start; N_CHAINS * N_UNITS], [N_CHAINS, N_UNITS]),
        ]);
        let relaxed = Relaxation::steps(dynamics, n_steps).relax(total, start);
        values(relaxed.state.output())
    })
}

fn with_total<T>(
    network: &Network,
    use_it: impl FnOnce(&TotalEnergy<'_, HopfieldEnergy, SquaredError>) -> T,
) -> T {
    let input: Tensor<2> = Setup::double().tensor(vec![0.0; N_CHAINS], [N_CHAINS, 1]);
    let clamped = network.energy.clamp(&input);
    use_it(&TotalEnergy::free(&network.energy, &clamped))
}

#[test]
fn a_step_is_that_of_gradient_flow_and_its_noise() {
    let network = driven(Activation::Identity, [0.1, -0.4, 0.9, -1.5]);
    let noise = |step_size: f64, temperature: f64| -> Vec<f64> {
        let drift = relaxed(&network, Scheme::GradientFlow { step_size }, 0.3, 1);
        let moved = relaxed(&network, Langevin::new(step_size, temperature, 7), 0.3, 1);
        moved
            .iter()
            .zip(&drift)
            .map(|(s, drift)| s - drift)
            .collect()
    };
    let expected = noise(0.1, TEMPERATURE);
    // A variance of 2Tε = 0.1, known to √(2/1024) = 4 %.
    let variance = expected.iter().map(|n| n * n).sum::<f64>() / expected.len() as f64;
    assert!((variance / 0.1 - 1.0).abs() < 0.1, "{variance}");
    // The same numbers times √(2Tε), in `f32`.
    for (step_size, temperature, factor) in [
        (0.4, TEMPERATURE, 2.0),
        (0.1, 4.0 * TEMPERATURE, 2.0),
        (0.4, 9.0 * TEMPERATURE, 6.0),
    ] {
        let found = noise(step_size, temperature);
        let expected: Vec<f64> = expected.iter().map(|n| factor * n).collect();
        assert!(distance(&found, &expected) < 1e-5);
    }
}

/// Where one step of noise is as long as several ranges, each unit ends where a ray between two
/// mirrors would.
#[test]
fn a_step_beyond_the_range_is_folded_into_it_however_far() {
    let inside = [0.1, 0.2, 0.3, 0.4];
    let diode = [0.1, 0.2, -0.3, -0.4];
    for (activation, drives, max) in [
        (Activation::HardSigmoid, inside, 1.0),
        (Activation::ClippedRelu { max: 0.5 }, inside, 0.5),
        (Activation::ClippedRelu { max: 2.0 }, inside, 2.0),
        (Activation::Relu, inside, f64::INFINITY),
        (Activation::Diode, diode, f64::INFINITY),
    ] {
        let step = |activation| {
            let langevin = Langevin::new(0.5, 4.0, 3);
            relaxed(&driven(activation, drives), langevin, 0.0, 1)
        };
        let unbounded = step(Activation::Identity);
        let folded = unbounded.iter().enumerate().map(|(index, s)| {
            let size = s.abs();
            let n_ranges = (size / max).floor();
            let size = match n_ranges % 2.0 == 0.0 {
                true if max.is_infinite() => size,
                true => size - n_ranges * max,
                false => (n_ranges + 1.0) * max - size,
            };
            size.copysign(drives[index % N_UNITS])
        });
        let folded: Vec<f64> = folded.collect();
        // Rounding of numbers of order 10.
        assert!(
            distance(&step(activation), &folded) < 1e-13,
            "{activation:?}"
        );
        // All cases occur: within the range, below it, and as far as the second mirror image above.
        let n_inside = unbounded
            .iter()
            .zip(&folded)
            .filter(|(s, f)| s == f)
            .count();
        assert!((1..unbounded.len()).contains(&n_inside), "{activation:?}");
        let farthest = unbounded.iter().copied().fold(0.0, f64::max);
        assert!(max.is_infinite() || farthest > 2.0 * max, "{farthest}");
    }
}

#[test]
fn the_residual_of_chains_is_the_speed_of_their_last_step() {
    let network = driven(Activation::Identity, [0.1, -0.4, 0.9, -1.5]);
    let langevin = || Langevin::new(0.25, TEMPERATURE, 5);
    let [before, last] = [3, 4].map(|n| relaxed(&network, langevin(), 0.0, n));
    let speed = last.chunks(N_UNITS).zip(before.chunks(N_UNITS));
    let expected: Vec<f64> = speed
        .map(|(last, before)| distance(last, before) / 0.25)
        .collect();
    let found = with_total(&network, |total| {
        let start = network
            .energy
            .rest(&Setup::double().tensor(vec![0.0; N_CHAINS], [N_CHAINS, 1]));
        let relaxed = Relaxation::steps(langevin(), 4).relax(total, start);
        values(&relaxed.residual)
    });
    assert!(
        distance(&found, &expected) < 1e-12,
        "{found:?}, {expected:?}"
    );
}
