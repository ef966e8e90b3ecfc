//! Chains of Langevin dynamics against the densities that they should have.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::Relaxation;
use eqprop_core::state::State;
use eqprop_testing::{Setup, values};
use eqprop_train::estimator::stochastic::Langevin;

use super::gaussian::{Gaussian, N_HIDDEN};
use super::{
    INPUT, Measured, TARGET, TEMPERATURE, assert_told_apart, assert_within_errors, batch, negated,
    network, off, two_layers,
};

/// The states of every chain at steps `burn_in + thinning, burn_in + 2 thinning …` of a
/// relaxation, as lists of units: `[sample][chain][unit]`.
fn chains<C: Cost>(
    langevin: Langevin,
    total: &TotalEnergy<'_, HopfieldEnergy, C>,
    start: State,
    burn_in: usize,
    thinning: usize,
    n_samples: usize,
) -> Vec<Vec<Vec<f64>>> {
    let mut samples = Vec::new();
    let relaxation = Relaxation::steps(langevin, burn_in + n_samples * thinning);
    relaxation.relax_observed(total, start, |step, state| {
        if step > burn_in && (step - burn_in).is_multiple_of(thinning) {
            let units = Tensor::cat(state.layers().to_vec(), 1);
            let n_units = units.dims()[1];
            let numbers = values(&units);
            samples.push(numbers.chunks(n_units).map(<[f64]>::to_vec).collect());
        }
    });
    assert_eq!(samples.len(), n_samples);
    samples
}

/// The average of `f` over the samples of each chain.
fn chain_averages(samples: &[Vec<Vec<f64>>], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<Vec<f64>> {
    let average = |chain: usize| {
        let mut sum: Vec<f64> = Vec::new();
        for sample in samples {
            let values = f(&sample[chain]);
            sum.resize(values.len(), 0.0);
            sum.iter_mut().zip(&values).for_each(|(s, v)| *s += v);
        }
        sum.iter().map(|s| s / samples.len() as f64).collect()
    };
    (0..samples[0].len()).map(average).collect()
}

#[test]
fn chains_of_a_quadratic_energy_have_the_mean_and_covariance_of_their_step_size() {
    let (gaussian, network) = (Gaussian::new(), two_layers(Activation::Identity));
    let (beta, step_size, n_chains) = (0.4, 0.3, 512);
    let batch = batch(&INPUT[..1], &TARGET[..1]);
    let energy = &network.energy;
    let clamped = energy.repeat(&energy.clamp(&batch.input), n_chains);
    let target = batch.target.repeat_dim(0, n_chains);
    let beta_column = Setup::double().tensor(vec![beta], [1, 1]);
    let total = TotalEnergy::nudged(energy, &clamped, &network.cost, &target, beta_column);
    let start = energy.rest(&batch.input).repeat(n_chains);
    // The slowest direction relaxes as e^{−0.4·0.3·t}: 1e-8 after 150 steps.
    let langevin = Langevin::new(step_size, TEMPERATURE, 1);
    let samples = chains(langevin, &total, start, 150, 4, 150);

    let mean = gaussian.mean(0, beta);
    let n = mean.len();
    let pairs: Vec<_> = (0..n).flat_map(|i| (i..n).map(move |j| (i, j))).collect();
    let moments = chain_averages(&samples, |s| {
        let products = pairs
            .iter()
            .map(|&(i, j)| (s[i] - mean[i]) * (s[j] - mean[j]));
        s.iter().copied().chain(products).collect()
    });
    let moments = Measured::columns(&moments);
    let (means, covariances) = moments.split_at(n);
    assert_within_errors(means, &mean, "mean");
    let covariance = |step_size| {
        let covariance = gaussian.covariance(beta, step_size);
        pairs
            .iter()
            .map(|&(i, j)| covariance[i][j])
            .collect::<Vec<_>>()
    };
    assert_within_errors(covariances, &covariance(step_size), "covariance");

    // What the comparison can see: the step size in the variances, and the nudge.
    let variances = |values: &[f64]| {
        let variances = pairs.iter().zip(values).filter(|((i, j), _)| i == j);
        variances.map(|(_, &v)| v).collect::<Vec<_>>()
    };
    let measured = pairs.iter().zip(covariances).filter(|((i, j), _)| i == j);
    let measured: Vec<_> = measured.map(|(_, &m)| m).collect();
    assert_told_apart(&measured, &variances(&covariance(0.0)), "ε → 0");
    let free = off(means, &gaussian.mean(0, 0.0));
    assert!(free.iter().any(|&off| off > 10.0), "{free:?}");
}

#[test]
fn chains_are_reflected_at_the_ends_of_a_range() {
    // The drive −0.1 is beyond the end of the range, where clipped chains would collect.
    let (u, step_size, n_chains) = (-0.1, 0.002, 1024);
    for (activation, max) in [
        (Activation::HardSigmoid, 1.0),
        (Activation::ClippedRelu { max: 0.5 }, 0.5),
        (Activation::Relu, 10.0),
    ] {
        let network = network(&[1, 1], activation, SquaredError, &[1.0, 0.0]);
        let input = Setup::double().tensor(vec![u; n_chains], [n_chains, 1]);
        let clamped = network.energy.clamp(&input);
        let total = TotalEnergy::<_, SquaredError>::free(&network.energy, &clamped);
        let start = network.energy.rest(&input);
        let langevin = Langevin::new(step_size, TEMPERATURE, 2);
        let samples = chains(langevin, &total, start, 2000, 20, 60);

        let all = samples.iter().flatten().flatten();
        assert!(all.clone().all(|&s| (0.0..=max).contains(&s)));
        let at_an_end = all.filter(|&&s| s == 0.0 || s == max).count();
        assert_eq!(at_an_end, 0, "{activation:?}");

        let measured = chain_averages(&samples, |s| vec![s[0], s[0] * s[0]]);
        let measured = Measured::columns(&measured);
        let n = 10_000;
        let (mut sum, mut norm) = ([0.0; 2], 0.0);
        for i in 0..n {
            let s = max * (f64::from(i) + 0.5) / f64::from(n);
            let density = (-0.5 * (s - u) * (s - u) / TEMPERATURE).exp();
            sum = [sum[0] + density * s, sum[1] + density * s * s];
            norm += density;
        }
        let expected = sum.map(|sum| sum / norm);
        assert_within_errors(&measured, &expected, &format!("{activation:?}"));
    }
}

#[test]
fn the_expected_cost_falls_with_beta_at_the_rate_of_its_variance() {
    let (gaussian, network) = (Gaussian::new(), two_layers(Activation::Identity));
    let (beta, step_size, n_chains) = (0.02, 0.02, 2048);
    let batch = batch(&INPUT[..1], &TARGET[..1]);
    let energy = &network.energy;
    let clamped = energy.repeat(&energy.clamp(&batch.input), 3 * n_chains);
    let target = batch.target.repeat_dim(0, 3 * n_chains);
    let betas = [beta, -beta, 0.0].map(|beta| vec![beta; n_chains]).concat();
    let betas = Setup::double().tensor(betas, [3 * n_chains, 1]);
    let total = TotalEnergy::nudged(energy, &clamped, &network.cost, &target, betas);
    let start = energy.rest(&batch.input).repeat(3 * n_chains);
    let langevin = Langevin::new(step_size, TEMPERATURE, 3).with_copies(3);
    let samples = chains(langevin, &total, start, 800, 40, 40);

    let mean_cost = {
        let s = gaussian.covariance(0.0, step_size);
        let noise: f64 = (N_HIDDEN..s.len()).map(|i| s[i][i]).sum();
        0.5 * (noise + gaussian.error(0).iter().map(|e| e * e).sum::<f64>())
    };
    let averages = chain_averages(&samples, |s| {
        let errors = s[N_HIDDEN..].iter().zip(TARGET[0]);
        let cost = 0.5 * errors.map(|(s, y)| (s - y) * (s - y)).sum::<f64>();
        vec![cost, (cost - mean_cost) * (cost - mean_cost)]
    });
    let (nudged, free) = averages.split_at(2 * n_chains);
    let (plus, minus) = nudged.split_at(n_chains);
    let pairs = plus.iter().zip(minus).zip(free);
    let measured = pairs.map(|((plus, minus), free)| {
        let slope = (plus[0] - minus[0]) / (2.0 * beta);
        vec![slope, free[1] / TEMPERATURE]
    });
    let measured = Measured::columns(&measured.collect::<Vec<_>>());
    // The step size changes the variance by O(ε), and the slope by O(ε²).
    let rate = |step_size| gaussian.cost_variance(0, step_size) / TEMPERATURE;
    let expected = [-rate(0.0), rate(step_size)];
    assert_within_errors(&measured, &expected, "d/dβ E[C] and Var(C)/T");
    assert!((expected[0] + expected[1]).abs() < 0.02 * expected[1]);
    assert_told_apart(&measured, &negated(&expected), "flipped");
    assert_told_apart(&measured, &expected.map(|e| e * TEMPERATURE), "without 1/T");
}
