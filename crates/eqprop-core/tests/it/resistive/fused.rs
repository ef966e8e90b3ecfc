//! Relaxations as one computation against the same relaxations step by step.

use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Relaxed, Scheme};
use eqprop_testing::{Numbers, Setup, assert_close, distance};

use super::{BATCH, Circuit};
use crate::fused::list;

#[derive(Debug, Clone, Copy)]
enum Output {
    Free,
    Nudged,
    Clamped,
}

fn relaxed(sizes: &[usize], setup: &Setup, scheme: Scheme, output: Output, fused: bool) -> Relaxed {
    let Circuit { network, input } = Circuit::new(sizes, setup, 1);
    let mut numbers = Numbers(2);
    let clamped = network.clamp(&input);
    let start = numbers.state(network.layers(), setup, BATCH);
    let target = numbers.matrix(setup, start.output().dims(), -1.0, 1.0);
    let beta = numbers.matrix(setup, [BATCH, 1], -0.7, 0.9);
    let total = match output {
        Output::Free => TotalEnergy::free(&network, &clamped),
        Output::Nudged => TotalEnergy::nudged(&network, &clamped, &SquaredError, &target, beta),
        Output::Clamped => TotalEnergy::output_clamped(&network, &clamped, target),
    };
    let relaxation = Relaxation::steps(scheme, 7);
    match fused {
        true => relaxation.relax(&total, start),
        false => relaxation.relax_observed(&total, start, |_, _| {}),
    }
}

#[test]
fn a_fused_relaxation_is_the_same_relaxation() {
    let single = Setup::single();
    let double = Setup::double();
    let mut n_fused = 0;
    // Layers of an odd number of diodes; as many outputs as examples, and one.
    for sizes in [&[4, 31, 3][..], &[4, 40, 17, 1], &[5, 2, 21, 30]] {
        for scheme in [
            Scheme::Asynchronous,
            Scheme::FixedPoint,
            Scheme::GradientFlow { step_size: 0.4 },
        ] {
            for output in [Output::Free, Output::Nudged, Output::Clamped] {
                let what = format!("{sizes:?}, {scheme:?}, {output:?}");
                let of = |setup, fused| list(&relaxed(sizes, setup, scheme, output, fused));
                let (fused, stepwise) = (of(&single, true), of(&single, false));
                // Means of voltages of order 1 in f32, seven times over.
                assert_close(&fused, &stepwise, 5e-6, &what);
                assert_close(&fused, &of(&double, false), 5e-6, &what);
                n_fused += usize::from(distance(&fused, &stepwise) > 0.0);
            }
        }
    }
    // The comparison is one: rounding differs somewhere.
    assert!(n_fused > 0);
}
