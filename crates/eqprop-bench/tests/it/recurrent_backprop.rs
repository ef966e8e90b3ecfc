//! Recurrent backpropagation against the exact gradient, and the residual and sweeps that it reports.

use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::relaxation::{Outcome, Relaxation, Scheme, Stopping};
use eqprop_train::estimator::GradientEstimator;

use eqprop_bench::baseline::{ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    Graph, Setup, assert_agrees, filled, flat, gradients_of, relative_error, values,
};

use crate::exact;
use crate::reference::Reference;

fn recurrent_backprop(setup: &Setup, costate: Stopping) -> RecurrentBackprop {
    RecurrentBackprop {
        free: setup.free(),
        costate,
    }
}

/// Sweeps until the largest change in one is at most `tolerance`.
fn until(tolerance: f64) -> Stopping {
    Stopping {
        tolerance: Some(tolerance),
        ..Stopping::new(2000)
    }
}

/// Relative error against the linear solve. After a sweep that changes at most `t`, the error is some ten
/// times `t` in networks that respond tenfold.
fn tolerance(setup: &Setup) -> f64 {
    setup.choose(1e-12, 1e-5)
}

#[test]
fn a_converged_costate_gives_the_exact_gradient() {
    for setup in &Setup::both() {
        let stopping = until(setup.rest());
        let iterated = recurrent_backprop(setup, stopping);
        let solved = ImplicitExact { free: setup.free() };
        for reference in Reference::all(setup) {
            let what = format!("{}, {}", reference.file, setup.name);
            let Reference {
                network,
                batch,
                start,
                ..
            } = reference;
            let iterated = iterated.estimate(&network, &batch, start.clone());
            let solved = solved.estimate(&network, &batch, start);

            let found = gradients_of(&network, &iterated.gradients);
            let expected = gradients_of(&network, &solved.gradients);
            assert_agrees(&found, &expected, tolerance(setup), &what);
            assert_agrees(&found, &reference.exact, exact::tolerance(setup), &what);

            let iterated = iterated.second_phase.expect("a costate");
            let solved = solved.second_phase.expect("a costate");
            let (found, expected) = (flat(&iterated.state), flat(&solved.state));
            let off = relative_error(&found, &expected);
            assert!(off <= tolerance(setup), "{what}: costate off by {off:e}");

            let info = iterated.info();
            assert_eq!(info.outcome, Outcome::Converged, "{what}");
            assert_eq!(iterated.tolerance, stopping.tolerance);
            assert!(info.residual <= setup.rest(), "{what}: {info:?}");
            // It stops at the first check that it passes.
            assert!(
                info.n_steps < 2000 && info.n_steps % stopping.check_every == 0,
                "{info:?}"
            );
        }
    }
}

#[test]
fn too_few_sweeps_leave_an_error_and_say_so() {
    let setup = &Setup::double();
    for reference in Reference::all_with_response(setup) {
        let Reference {
            file,
            network,
            batch,
            start,
            exact,
        } = reference;
        let after = |n_sweeps: usize| {
            let stopping = Stopping {
                max_steps: n_sweeps,
                ..until(1e-10)
            };
            let estimator = recurrent_backprop(setup, stopping);
            let estimate = estimator.estimate(&network, &batch, start.clone());
            let costate = estimate.second_phase.expect("a costate");
            let found = gradients_of(&network, &estimate.gradients);
            (relative_error(&found.concat(), &exact.concat()), costate)
        };
        let (mut errors, mut before) = (Vec::new(), None);
        for n_sweeps in 1..=6 {
            let (error, costate) = after(n_sweeps);
            let info = costate.info();
            assert_eq!(
                (info.outcome, info.n_steps),
                (Outcome::MaxSteps, n_sweeps),
                "{file}"
            );
            assert!(info.residual > 1e-10, "{file}: {info:?}");
            // The residual is what the last sweep changed.
            if let Some(before) = before.replace(costate.state.clone()) {
                let changed = values(&costate.state.max_distance(&before));
                assert_eq!(
                    values(&costate.residual),
                    changed,
                    "{file}, {n_sweeps} sweeps"
                );
            }
            errors.push(error);
        }
        // Two sweeps cannot be mistaken for a solution, and each further one helps.
        assert!(errors[1] > 1e-3, "{file}: {errors:?}");
        assert!(
            errors.windows(2).all(|pair| pair[1] < pair[0]),
            "{file}: {errors:?}"
        );
        let (error, costate) = after(2000);
        assert!(error < 1e-8, "{file}: {error:e}");
        assert_eq!(costate.info().outcome, Outcome::Converged, "{file}");
    }
}

/// Two linear units joined by a weight of 1.5 have no equilibrium: each sweep multiplies the costate by 2.25.
#[test]
fn a_costate_that_diverges_is_given_up() {
    let graph = Graph {
        sizes: &[1, 1, 1],
        ends: &[(0, 1), (1, 2)],
        hidden: Activation::Identity,
        output: Activation::Identity,
        cost: CostConfig::SquaredError,
    };
    let setup = &Setup::double();
    let network = filled(graph.network(setup, 1.0, 1), setup, |n| vec![1.5; n]);
    let estimator = RecurrentBackprop {
        free: Relaxation::steps(Scheme::Asynchronous, 3),
        costate: until(1e-10),
    };
    let estimate = estimator.estimate(&network, &graph.batch(setup, 2, 2), None);
    let info = estimate.second_phase.expect("a costate").info();
    assert_eq!(info.outcome, Outcome::NotFinite);
    // 2.25^n overflows after some 875 sweeps; 2000 were allowed.
    assert!((800..1000).contains(&info.n_steps), "{info:?}");
}
