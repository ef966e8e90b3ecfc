//! When a relaxation stops, and what it reports.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost};
use eqprop_core::energy::{Energy, HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::RelaxationError;
use eqprop_core::relaxation::{Dynamics, Outcome, Relaxation, Relaxed, Scheme, Stopping, Trace};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, assert_close, chain, distance, filled, network, values};

use crate::devices;

const FLOW: Scheme = Scheme::GradientFlow { step_size: 0.3 };

fn problem(activation: Activation, setup: &Setup) -> (HopfieldEnergy, Tensor<2>) {
    let energy = network(&chain(&[3, 5, 4, 2], activation), setup, 0.5, 1);
    (energy, Numbers(2).matrix(setup, [4, 3], 0.0, 1.0))
}

fn relax(
    energy: &HopfieldEnergy,
    input: &Tensor<2>,
    scheme: Scheme,
    stopping: Stopping,
) -> (Relaxed, Trace) {
    let clamped = energy.clamp(input);
    let total = TotalEnergy::<_, AnyCost>::free(energy, &clamped);
    let relaxation = Relaxation {
        dynamics: scheme,
        stopping,
    };
    relaxation.relax_traced(&total, energy.rest(input))
}

#[test]
fn a_relaxation_stops_at_the_first_check_within_the_tolerance() {
    for setup in devices::all() {
        let (energy, input) = problem(Activation::Sigmoid, &setup);
        for scheme in [Scheme::Asynchronous, Scheme::FixedPoint, FLOW] {
            // Ten times what one rounding of f32 makes of a residual of the flow.
            let tolerance = 2e-6;
            let stopping = Stopping::new(500)
                .with_tolerance(Some(tolerance))
                .with_check_every(7);
            let (relaxed, trace) = relax(&energy, &input, scheme, stopping);
            let info = relaxed.info();
            assert_eq!(info.outcome, Outcome::Converged);
            assert_eq!(info.n_steps % 7, 0);
            assert!(info.n_steps < 500 && info.residual <= tolerance);
            let checks = trace.residual.iter().skip(6).step_by(7);
            let within: Vec<bool> = checks.map(|residual| *residual <= tolerance).collect();
            assert_eq!(within.iter().position(|&yes| yes), Some(within.len() - 1));
            let state = relaxed.state.clone();
            let strict = relaxed.converged().expect("converged");
            assert_eq!(values(strict.output()), values(state.output()));
        }
    }
}

#[test]
fn without_enough_steps_the_error_names_steps_and_remedy() {
    let setup = Setup::double();
    let (energy, input) = problem(Activation::Sigmoid, &setup);
    let stopping = Stopping::new(2).with_tolerance(Some(1e-12));
    let (relaxed, _) = relax(&energy, &input, FLOW, stopping);
    let info = relaxed.info();
    assert_eq!((info.outcome, info.n_steps), (Outcome::MaxSteps, 2));
    assert!(info.residual > 1e-3);
    let error = relaxed.converged().expect_err("not converged");
    assert_eq!(
        error,
        RelaxationError::NotConverged {
            info,
            tolerance: 1e-12
        }
    );
    let text = error.to_string();
    assert!(
        text.starts_with("no equilibrium after 2 steps: residual "),
        "{text}"
    );
    assert!(text.contains("is above the tolerance 1e-12"), "{text}");
    assert!(
        text.contains("raise the number of steps or the tolerance"),
        "{text}"
    );

    // Without a tolerance nothing was asked for.
    let (relaxed, _) = relax(&energy, &input, FLOW, Stopping::new(2));
    assert_eq!(relaxed.info().outcome, Outcome::MaxSteps);
    assert!(relaxed.converged().is_ok());
}

#[test]
fn an_input_that_is_not_a_number_ends_the_relaxation_at_the_first_check() {
    for setup in devices::all() {
        for activation in [Activation::HardSigmoid, Activation::Relu, Activation::Tanh] {
            let (energy, input) = problem(activation, &setup);
            let hole = setup.tensor(vec![0.0, 0.0, f64::NAN, 0.0], [4, 1]);
            let stopping = Stopping::new(500).with_tolerance(Some(1e-3));
            for scheme in [Scheme::Asynchronous, FLOW] {
                let what = format!("{activation:?}, {scheme:?}, {}", setup.name);
                let (relaxed, _) =
                    relax(&energy, &(input.clone() + hole.clone()), scheme, stopping);
                let info = relaxed.info();
                assert_eq!(info.outcome, Outcome::NotFinite, "{what}");
                assert_eq!(info.n_steps, 10, "{what}");
                let error = relaxed.converged().expect_err("not finite");
                let text = error.to_string();
                assert!(
                    text.contains("infinite or not a number after 10 steps"),
                    "{text}"
                );
                assert!(text.contains("use a smaller step size"), "{text}");
            }
        }
    }
}

#[test]
fn an_energy_without_a_minimum_ends_as_not_finite() {
    for setup in devices::all() {
        let config = chain(&[1, 1, 1], Activation::Identity);
        // E = ½a² + ½b² − 10ab − …, and every sweep multiplies the state by 100.
        let energy = filled(config.init(&setup.device), &setup, |n| vec![10.0; n]);
        let stopping = Stopping::new(1000).with_tolerance(Some(1e-3));
        let (relaxed, _) = relax(&energy, &setup.number(1.0), Scheme::Asynchronous, stopping);
        let info = relaxed.info();
        assert_eq!(info.outcome, Outcome::NotFinite, "{}", setup.name);
        assert!(info.n_steps < 1000);
    }
}

#[test]
fn a_trace_has_an_energy_for_the_start_and_for_each_step_and_the_last_residual() {
    for setup in devices::all() {
        let (energy, input) = problem(Activation::Tanh, &setup);
        for scheme in [Scheme::Asynchronous, Scheme::FixedPoint, FLOW] {
            let (relaxed, trace) = relax(&energy, &input, scheme, Stopping::new(12));
            assert_eq!(relaxed.n_steps, 12);
            assert_eq!((trace.energy.len(), trace.residual.len()), (13, 12));
            let last = trace.residual[11];
            assert_eq!(last, relaxed.info().residual);
            assert_eq!(
                last,
                values(&relaxed.residual).into_iter().fold(0.0, f64::max)
            );
            // They are those of this course, from its start to its end.
            let clamped = energy.clamp(&input);
            let mean = |state| {
                let mean = energy.energy(&clamped, state).mean();
                mean.into_scalar::<f64>()
            };
            let ends = [mean(&energy.rest(&input)), mean(&relaxed.state)];
            let found = [trace.energy[0], trace.energy[12]];
            assert_close(&found, &ends, setup.tolerance, setup.name);
            assert!(ends[0] - ends[1] > 0.01);
            assert!(trace.residual[0] > 10.0 * last);
        }
    }
}

#[test]
fn the_residual_of_a_fixed_point_is_the_distance_to_the_response() {
    let setup = Setup::double();
    let (energy, input) = problem(Activation::Sigmoid, &setup);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let after = |n: usize, scheme| Relaxation::steps(scheme, n).relax(&total, energy.rest(&input));
    let before = after(3, Scheme::FixedPoint).state;
    let responses = (0..3).map(|layer| values(&total.minimize(layer, &before)));
    let distances = responses
        .zip(before.layers())
        .map(|(response, state)| distance(&response, &values(state)));
    let expected = distances.fold(0.0, f64::max);
    let found = after(4, Scheme::FixedPoint).info().residual;
    assert_close(&[found], &[expected], 1e-15, "fixed point");

    // The flow's residual does not shrink with its step: at a step of 0 it is the speed of the
    // state. Between steps of 1e-3 and 1e-4 it differs by some 1e-3 of itself.
    let [coarse, fine] =
        [1e-3, 1e-4].map(|step_size| after(1, Scheme::GradientFlow { step_size }).info().residual);
    assert!((coarse / fine - 1.0).abs() < 0.02, "{coarse} {fine}");
}

#[test]
fn stopping_and_step_size_have_ranges() {
    let text = |stopping: Stopping| stopping.validate().expect_err("out of range").to_string();
    assert_eq!(
        text(Stopping::new(0)),
        "max_steps must be at least 1, but is 0"
    );
    let never = Stopping::new(1).with_check_every(0);
    assert_eq!(text(never), "check_every must be at least 1, but is 0");
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("tolerance must be a positive number, but is {tolerance}");
        assert_eq!(
            text(Stopping::new(1).with_tolerance(Some(tolerance))),
            expected
        );
    }
    assert_eq!(
        Stopping::new(1).with_tolerance(Some(1e-6)).validate(),
        Ok(())
    );

    for step_size in [0.0, -0.1, 1.1, f64::NAN] {
        let error = Scheme::GradientFlow { step_size }
            .validate()
            .expect_err("out of range");
        let expected =
            format!("step_size must be greater than 0 and at most 1, but is {step_size}");
        assert_eq!(error.to_string(), expected);
    }
    for scheme in [
        Scheme::Asynchronous,
        Scheme::GradientFlow { step_size: 1.0 },
    ] {
        assert_eq!(scheme.validate(), Ok(()));
    }
}

/// User-defined dynamics without a step size: the residual is the change.
#[test]
fn the_residual_of_other_dynamics_is_the_change_of_a_step() {
    #[derive(Debug, Clone)]
    struct Half;

    impl Dynamics for Half {
        fn step<E: VectorField, C: Cost>(
            &mut self,
            total: &TotalEnergy<'_, E, C>,
            state: &mut State,
        ) {
            for layer in 0..state.layers().len() {
                let moved = total.descend(layer, state, 0.5);
                state.set(layer, moved);
            }
        }
    }

    for setup in devices::all() {
        let (energy, input) = problem(Activation::Sigmoid, &setup);
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let [before, after] = [2, 3].map(|n_steps| {
            let relaxation = Relaxation {
                dynamics: Half,
                stopping: Stopping::new(n_steps),
            };
            relaxation.relax(&total, energy.rest(&input))
        });
        let change = values(&after.state.max_distance(&before.state));
        let found = values(&after.residual);
        assert_close(&found, &change, setup.tolerance, setup.name);
        assert!(change.iter().all(|change| *change > 1e-3));
    }
}
