//! Kernels for GPUs against the plain operations in `f64`.

use eqprop_core::activation::Activation;
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{Numbers, Setup, assert_close, graph, network, values};
use proptest::prelude::*;

use super::random::{Case, any_case, any_network, assert_same_on};
use super::{Output, SCHEMES};
use crate::devices;

/// Small enough for one launch, and too large: with skips, from one layer to itself, to an output of a few
/// units and to one of many.
fn networks() -> Vec<HopfieldEnergyConfig> {
    let hard = Activation::HardSigmoid;
    let bounded = Activation::ClippedRelu { max: 0.7 };
    let skips = [(0, 1), (1, 2), (2, 3), (1, 3), (2, 2), (0, 3)];
    vec![
        graph(&[5, 70, 10], hard, &[(0, 1), (1, 2)]),
        graph(&[4, 50, 9, 3], bounded, &skips),
        graph(&[5, 300, 10], Activation::Tanh, &[(0, 1), (1, 2)]),
        graph(&[4, 130, 9], bounded, &[(0, 1), (1, 2), (1, 1)]),
        graph(&[7, 230, 170, 10], hard, &[(0, 1), (1, 2), (2, 3)]),
        graph(&[4, 210, 190, 3], bounded, &skips),
        graph(&[4, 190, 220], Activation::Sigmoid, &[(0, 1), (1, 2)]),
    ]
}

#[test]
fn a_relaxation_by_kernels_is_the_plain_one() {
    for gpu in devices::gpus() {
        for config in networks() {
            for scheme in SCHEMES {
                for (output, batch) in [
                    (Output::Free, 1),
                    (Output::Nudged, 21),
                    (Output::Clamped, 2),
                ] {
                    let case = Case {
                        config: config.clone(),
                        is_untied: batch == 21,
                        scheme,
                        output,
                        cost: CostConfig::SquaredError,
                        batch,
                        n_steps: 5,
                        density: 0.5,
                        seed: 3,
                    };
                    assert_same_on(&gpu, &case);
                }
            }
        }
    }
}

#[test]
fn a_relaxation_by_kernels_stops_at_its_tolerance_and_sees_what_is_not_a_number() {
    for gpu in devices::gpus() {
        for sizes in [[5, 70, 3], [5, 250, 140]] {
            let config = graph(&sizes, Activation::HardSigmoid, &[(0, 1), (1, 2)]);
            let relaxed = |setup: &Setup, spoiled: bool| {
                let energy = network(&config, setup, 0.04, 3);
                let mut numbers = Numbers(4).list(45, 0.0, 1.0);
                if spoiled {
                    numbers[7] = f64::NAN;
                }
                let input = setup.tensor(numbers, [9, 5]);
                let clamped = energy.clamp(&input);
                let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
                let relaxation = Relaxation::steps(Scheme::Asynchronous, 60);
                let mut relaxation = relaxation.with_tolerance(1e-4);
                relaxation.stopping.check_every = 3;
                relaxation.relax(&total, energy.rest(&input))
            };
            let (found, expected) = (relaxed(&gpu, false), relaxed(&Setup::double(), false));
            assert_eq!(found.n_steps, expected.n_steps);
            assert!(found.n_steps < 60);
            assert_close(
                &values(&found.residual),
                &values(&expected.residual),
                1e-5,
                gpu.name,
            );
            let spoiled = relaxed(&gpu, true);
            let residual = values(&spoiled.residual);
            assert!(residual[0].is_finite() && residual[1].is_nan() && residual[2].is_finite());
            assert_eq!(spoiled.n_steps, 3, "it does not recover");
        }
    }
}

/// On CUDA most tensors have such rows, elsewhere they are columns of wider ones.
#[test]
fn rows_with_room_between_them_are_read_as_they_lie() {
    for gpu in devices::gpus() {
        for sizes in [[5, 70, 3], [5, 250, 140]] {
            let config = graph(&sizes, Activation::HardSigmoid, &[(0, 1), (1, 2)]);
            let n = sizes[2];
            let relaxed = |setup: &Setup, scheme, stepwise| {
                let energy = network(&config, setup, 0.1, 3);
                let mut numbers = Numbers(4);
                let mut columns = |n: usize| {
                    let wide = numbers.matrix(setup, [6, n + 3], 0.0, 1.0);
                    wide.slice([0..6, 2..n + 2])
                };
                let (input, target, beta) = (columns(5), columns(n), columns(1));
                let clamped = energy.clamp(&input);
                let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
                let relaxation = Relaxation::steps(scheme, 5);
                let start = energy.rest(&input);
                let found = match stepwise {
                    true => relaxation.relax_observed(&total, start, |_, _| {}),
                    false => relaxation.relax(&total, start),
                };
                super::list(&found)
            };
            for scheme in SCHEMES {
                let (found, expected) = (
                    relaxed(&gpu, scheme, false),
                    relaxed(&Setup::double(), scheme, true),
                );
                assert_close(
                    &found,
                    &expected,
                    2e-5,
                    &format!("{}, {scheme:?}", gpu.name),
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_relaxation_of_any_dense_network_by_kernels_is_the_plain_one(case in any_case(any_network())) {
        for gpu in devices::gpus() {
            assert_same_on(&gpu, &case);
        }
    }
}
