//! Backpropagation through time, whole and truncated, against the exact gradient.

use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::estimator::{Estimate, GradientEstimator};

use eqprop_bench::baseline::Bptt;
use eqprop_testing::{Lists, Setup, assert_agrees, gradients_of, relative_error, values};

use crate::exact;
use crate::reference::Reference;

const SCHEMES: [Scheme; 3] = [
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.5 },
];

/// Number of steps after which every network here is at rest, with every scheme.
const LONG: usize = 1000;

fn gradient(reference: &Reference, estimator: &Bptt, start: Option<State>) -> Lists {
    let Reference { network, batch, .. } = reference;
    let estimate = estimator.estimate(network, batch, start);
    assert!(estimate.second_phase.is_none());
    gradients_of(network, &estimate.gradients)
}

/// The state of `reference` after `n_steps` from its start.
fn relaxed(reference: &Reference, scheme: Scheme, n_steps: usize) -> State {
    let Reference {
        network,
        batch,
        start,
        ..
    } = reference;
    let clamped = network.energy.clamp(&batch.input);
    let total = TotalEnergy::<_, AnyCost>::free(&network.energy, &clamped);
    let start = start
        .clone()
        .unwrap_or_else(|| network.energy.rest(&batch.input));
    Relaxation::steps(scheme, n_steps)
        .relax(&total, start)
        .state
}

/// Checks that each error is less than half the one before, down to rounding, and the last less than a
/// thousandth of the first.
fn assert_falls(errors: &[f64], what: &str) {
    let falls = |pair: &[f64]| pair[1] < (0.5 * pair[0]).max(1e-13);
    assert!(errors.windows(2).all(falls), "{what}: {errors:?}");
    assert!(
        errors[errors.len() - 1] < 1e-3 * errors[0],
        "{what}: {errors:?}"
    );
}

#[test]
fn a_long_free_phase_gives_the_exact_gradient() {
    for setup in &Setup::both() {
        for reference in Reference::all(setup) {
            for scheme in SCHEMES {
                let what = format!("{}, {}, {scheme:?}", reference.file, setup.name);
                let estimator = Bptt::new(Relaxation::steps(scheme, LONG));
                let found = gradient(&reference, &estimator, reference.start.clone());
                assert_agrees(&found, &reference.exact, exact::tolerance(setup), &what);
            }
        }
    }
}

/// The weights of an extrapolation are treated as constants, which is valid at an equilibrium.
#[test]
fn through_accelerated_steps_it_gives_the_exact_gradient_too() {
    let anderson = Scheme::Anderson {
        history: 5,
        mixing: 1.0,
    };
    for reference in Reference::all_with_response(&Setup::double()) {
        let estimator = Bptt::new(Relaxation::steps(anderson, 100));
        let found = gradient(&reference, &estimator, reference.start.clone());
        let error = relative_error(&found.concat(), &reference.exact.concat());
        assert!(error < 1e-9, "{}: {error:e}", reference.file);
    }
}

#[test]
fn its_error_falls_with_the_steps() {
    for reference in Reference::all_with_response(&Setup::double()) {
        for scheme in SCHEMES {
            let error = |n_steps: usize| {
                let estimator = Bptt::new(Relaxation::steps(scheme, n_steps));
                let found = gradient(&reference, &estimator, reference.start.clone());
                relative_error(&found.concat(), &reference.exact.concat())
            };
            let errors = [20, 40, 80, 160].map(error);
            assert_falls(&errors, &format!("{}, {scheme:?}", reference.file));
        }
    }
}

#[test]
fn truncated_its_error_falls_with_the_steps_that_it_goes_through() {
    for reference in Reference::all_with_response(&Setup::double()) {
        for scheme in SCHEMES {
            let what = format!("{}, {scheme:?}", reference.file);
            let free = || Relaxation::steps(scheme, LONG);
            let through = |n_steps: usize| {
                let estimator = Bptt::truncated(free(), n_steps);
                gradient(&reference, &estimator, reference.start.clone())
            };
            let error =
                |n_steps| relative_error(&through(n_steps).concat(), &reference.exact.concat());
            assert_falls(&[1, 10, 40, 160].map(error), &what);
            let tolerance = exact::tolerance(&Setup::double());
            assert_agrees(&through(LONG), &reference.exact, tolerance, &what);
        }
    }
}

/// Through `K` steps after `T`, it is backpropagation through a free phase of `K` steps from the state after
/// `T`, and its state is the one after `T + K`.
#[test]
fn truncated_it_is_backpropagation_through_the_last_steps() {
    let (before, through) = (7, 5);
    for reference in Reference::all(&Setup::double()) {
        let Reference {
            file,
            network,
            batch,
            start,
            ..
        } = &reference;
        for scheme in SCHEMES {
            let what = format!("{file}, {scheme:?}");
            let steps = |n_steps| Relaxation::steps(scheme, n_steps);
            let truncated = Bptt::truncated(steps(before), through);
            let truncated = truncated.estimate(network, batch, start.clone());
            let middle = relaxed(&reference, scheme, before);
            let last = Bptt::new(steps(through)).estimate(network, batch, Some(middle));
            let whole = Bptt::new(steps(before + through));
            let whole = whole.estimate(network, batch, start.clone());

            let found = gradients_of(network, &truncated.gradients);
            assert_eq!(found, gradients_of(network, &last.gradients), "{what}");
            assert_eq!(truncated.free.n_steps, before + through, "{what}");
            assert_eq!(values(&truncated.cost), values(&whole.cost), "{what}");
            let energy = |estimate: &Estimate| estimate.energy.as_ref().map(values);
            assert_eq!(energy(&truncated), energy(&whole), "{what}");
            assert_eq!(
                values(&truncated.free.residual),
                values(&whole.free.residual)
            );
            // The contribution of the first steps is not lost in rounding.
            let apart = relative_error(
                &found.concat(),
                &gradients_of(network, &whole.gradients).concat(),
            );
            assert!(apart > 1e-6, "{what}: {apart:e}");
        }
    }
}

/// The gradient is zero and not missing: an optimizer must be given all gradients.
#[test]
fn layers_that_one_step_does_not_reach_get_a_gradient_of_zero() {
    let reference = &Reference::all(&Setup::double())[0];
    let free = Relaxation::steps(Scheme::FixedPoint, LONG);
    let found = gradient(reference, &Bptt::truncated(free, 1), None);
    let is_zero = found.iter().map(|list| list.iter().all(|g| *g == 0.0));
    // Weights into the hidden layer and the output, then their biases.
    assert_eq!(is_zero.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
#[should_panic(expected = "n_steps must be at least 1, but is 0")]
fn truncated_to_no_step_it_is_refused() {
    Bptt::truncated(Setup::double().free(), 0);
}
