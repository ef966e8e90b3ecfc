//! Layers with connections within them: an unlayered network is one of them.

use eqprop_core::activation::Activation;
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{ACTIVATIONS, Numbers, Setup, assert_close, filled, graph, values};

const N_UNITS: usize = 4;
const BATCH: usize = 50;

/// One layer whose units all have `coupling` to each other, `W + Wᵀ`, with an input of one value to
/// each. `W` is not symmetric.
fn coupled(activation: Activation, coupling: f64, seed: u64) -> HopfieldEnergy {
    let setup = Setup::double();
    let config = graph(&[1, N_UNITS], activation, &[(0, 1), (1, 1)]);
    let mut numbers = Numbers(seed);
    filled(config.init(&setup.device), &setup, |n| match n {
        16 => (0..16)
            .map(|entry| match (entry / N_UNITS).cmp(&(entry % N_UNITS)) {
                std::cmp::Ordering::Less => 1.5 * coupling,
                std::cmp::Ordering::Equal => 3.0,
                std::cmp::Ordering::Greater => -0.5 * coupling,
            })
            .collect(),
        n => numbers.list(n, -1.0, 1.0),
    })
}

/// The largest rise of the energy from any of 50 random states in any of ten steps.
fn largest_rise(energy: &HopfieldEnergy, scheme: Scheme, seed: u64) -> f64 {
    let setup = Setup::double();
    let mut numbers = Numbers(seed);
    let input = numbers.matrix(&setup, [BATCH, 1], -1.0, 1.0);
    let start = numbers.state(energy.layers(), &setup, BATCH);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(energy, &clamped);
    let mut before: Option<Vec<f64>> = None;
    let mut rise = f64::NEG_INFINITY;
    Relaxation::steps(scheme, 10).relax_observed(&total, start, |_, state| {
        let after = values(&total.value(state));
        if let Some(before) = before.replace(after.clone()) {
            for (before, after) in before.iter().zip(&after) {
                rise = rise.max(after - before);
            }
        }
    });
    rise
}

/// Equal couplings `c` of `n` units have eigenvalues `(n − 1)c` and `−c`.
#[test]
fn the_update_of_a_layer_that_feeds_itself_does_not_raise_the_energy_without_strong_inhibition() {
    for activation in ACTIVATIONS {
        for coupling in [-1.0 / 3.0, -0.2, 0.3, 0.9] {
            for seed in 0..10 {
                let energy = coupled(activation, coupling, seed);
                let rise = largest_rise(&energy, Scheme::Asynchronous, seed);
                // Linear units with an eigenvalue above 1 grow, and with them what is rounded.
                let grown = if activation.max().is_finite() {
                    1.0
                } else {
                    1e6
                };
                let what = format!("{activation:?}, {coupling}: {rise:e}");
                assert!(rise <= 1e-13 * grown, "{what}");
            }
        }
    }
}

#[test]
fn strong_inhibition_within_a_layer_can_raise_the_energy_and_gradient_flow_does_not() {
    for activation in [
        Activation::HardSigmoid,
        Activation::Sigmoid,
        Activation::Tanh,
    ] {
        let rise = |scheme, seed| largest_rise(&coupled(activation, -1.0, seed), scheme, seed);
        let seeds = 0..10;
        let largest = seeds.clone().map(|seed| rise(Scheme::Asynchronous, seed));
        let largest = largest.fold(0.0, f64::max);
        assert!(largest > 0.01, "{activation:?}: {largest:e}");
        // An eigenvalue of −3 makes a curvature of 4 in the geometry of the potential.
        let scheme = Scheme::GradientFlow { step_size: 0.25 };
        for seed in seeds {
            let rise = rise(scheme, seed);
            assert!(rise <= 1e-13, "{activation:?}: {rise:e}");
        }
    }
}

#[test]
fn units_that_inhibit_each_other_may_switch_on_and_off_together() {
    let setup = Setup::double();
    let config = graph(&[1, 2], Activation::HardSigmoid, &[(0, 1), (1, 1)]);
    // Both are driven by 1 and inhibited by twice the other.
    let energy = filled(config.init(&setup.device), &setup, |n| match n {
        4 => vec![0.0, -2.0, 0.0, 0.0],
        _ => vec![0.5; n],
    });
    let clamped = energy.clamp(&setup.number(1.0));
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let after = |scheme, n_steps| {
        let start = State::new(vec![setup.tensor(vec![0.0; 2], [1, 2])]);
        let relaxed = Relaxation::steps(scheme, n_steps).relax(&total, start);
        values(relaxed.state.output())
    };
    for n_steps in [2, 4, 100] {
        assert_eq!(after(Scheme::Asynchronous, n_steps), [0.0; 2]);
        assert_eq!(after(Scheme::Asynchronous, n_steps + 1), [1.0; 2]);
    }
    // From a symmetric start to the symmetric equilibrium, s = 1 − 2s.
    let scheme = Scheme::GradientFlow { step_size: 0.25 };
    assert_close(&after(scheme, 200), &[1.0 / 3.0; 2], 1e-12, "flow");
}
