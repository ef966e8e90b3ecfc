//! Which states an estimate takes for samples, what its readout learns from, and its signs.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, CrossEntropyConfig, SquaredError};
use eqprop_core::nudging::Nudging;
use eqprop_testing::{distance, gradients_of};
use eqprop_train::estimator::stochastic::Sampling;
use eqprop_train::estimator::{EquilibriumPropagation, Estimate, GradientEstimator};

use super::gaussian::{Gaussian, N_HIDDEN, N_IN, N_OUT};
use super::{INPUT, TARGET, TEMPERATURE, batch, free_phase, network, stochastic, two_layers};

/// After a burn-in of 4, every third: what one sample each at steps 7 and 10 has in the mean.
#[test]
fn samples_are_the_states_at_the_multiples_of_the_thinning_after_the_burn_in() {
    let network = two_layers(Activation::HardSigmoid);
    let batch = batch(&INPUT, &TARGET);
    let estimate = |burn_in, n_samples, thinning| {
        let sampling = Sampling::new(TEMPERATURE)
            .with_burn_in(burn_in)
            .with_n_samples(n_samples)
            .with_thinning(thinning);
        let estimator = stochastic(Nudging::Centered { beta: 0.1 }, sampling);
        gradients_of(
            &network,
            &estimator.estimate(&network, &batch, None).gradients,
        )
        .concat()
    };
    let at = |step: usize| estimate(step - 1, 1, 1);
    let found = estimate(4, 2, 3);
    let mean = at(7).into_iter().zip(at(10)).map(|(a, b)| (a + b) / 2.0);
    // Rounding of numbers of order 1, divided by β.
    assert!(distance(&found, &mean.collect::<Vec<_>>()) < 1e-12);
    for step in [4, 5, 8, 10] {
        assert!(distance(&at(7), &at(step)) > 1e-3, "{step}");
    }
}

/// Signs and noise have the same streams: of one seed they would be the same numbers.
#[test]
fn random_signs_are_those_of_the_complement_of_the_seed() {
    let network = two_layers(Activation::HardSigmoid);
    let batch = batch(&INPUT, &TARGET);
    let nudging = Nudging::RandomSign { beta: 0.1 };
    // Whether β was positive: the first states of the second phase then have the lower cost.
    let signs = |estimator: &dyn Fn() -> Estimate| -> Vec<bool> {
        let signs = (0..24).map(|_| {
            let estimate = estimator();
            let nudged = estimate.second_phase.expect("nudged states").state;
            let nudged = nudged.narrow(0, INPUT.len());
            let cost = SquaredError.value(nudged.output(), &batch.target);
            (cost - estimate.cost).sum().into_scalar::<f64>() < 0.0
        });
        signs.collect()
    };
    // So cold that the noise is of order 1e-5, beside β.
    let cold = Sampling::new(1e-10)
        .with_n_chains(1)
        .with_burn_in(30)
        .with_n_samples(1)
        .with_thinning(1);
    let of_seed = |seed| {
        let estimator = EquilibriumPropagation::new(nudging, free_phase(), free_phase());
        let estimator = estimator.with_seed(seed);
        signs(&|| estimator.estimate(&network, &batch, None))
    };
    for (estimator, seed) in [
        (stochastic(nudging, cold), 0u64),
        (stochastic(nudging, cold).with_seed(5), 5),
    ] {
        let found = signs(&|| estimator.estimate(&network, &batch, None));
        assert_eq!(found, of_seed(!seed));
        assert_ne!(found, of_seed(seed));
    }
}

/// So cold that samples are equilibria: those at β = 0 are the free one. Where there are none, the
/// mean over β and −β has the error of second order that is documented.
#[test]
fn without_temperature_a_readout_learns_at_the_free_equilibrium() {
    let device = Device::flex();
    let cost = || CrossEntropyConfig::new(N_OUT, 2).init(&device);
    let readout = [0.7, -0.4, 0.2, 0.9, 0.1, -0.3];
    let numbers = [&Gaussian::new().0.concat()[..], &readout].concat();
    let sizes = [N_IN, N_HIDDEN, N_OUT];
    let network = network(&sizes, Activation::Identity, cost(), &numbers);
    let batch = batch(&INPUT, &[[1.0, 0.0], [0.0, 1.0]]);
    let off = |nudging| {
        let phase = free_phase;
        let expected = EquilibriumPropagation::new(nudging, phase(), phase());
        let expected = gradients_of(
            &network,
            &expected.estimate(&network, &batch, None).gradients,
        )
        .concat();
        let sampling = Sampling::new(1e-12).with_burn_in(600);
        let estimate = stochastic(nudging, sampling).estimate(&network, &batch, None);
        let n_energy = expected.len() - readout.len();
        distance(
            &gradients_of(&network, &estimate.gradients).concat()[n_energy..],
            &expected[n_energy..],
        )
    };
    // Samples' deviations are of order √T = 1e-6.
    for beta in [0.1, 0.5, -0.1] {
        let off = off(Nudging::OneSided { beta });
        assert!(off < 1e-5, "β = {beta}: {off:e}");
    }
    let [coarse, fine] = [0.2, 0.1].map(|beta| off(Nudging::Centered { beta }));
    let order = (coarse / fine).log2();
    assert!((order - 2.0).abs() < 0.1, "{order}: {coarse:e}, {fine:e}");
}
