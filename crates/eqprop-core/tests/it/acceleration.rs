//! Anderson acceleration and the adaptive flow: faster to the same equilibria, and safe.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, SquaredError};
use eqprop_core::energy::{
    CustomEnergy, EnergyFunction, HopfieldEnergy, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{AdaptiveFlow, Anderson, Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    ACTIVATIONS, Numbers, Setup, assert_close, chain, distance, filled, flat, network, values,
};

use crate::devices;

const ANDERSON: Scheme = Scheme::Anderson {
    history: 5,
    mixing: 1.0,
};
const FLOW: Scheme = Scheme::AdaptiveFlow { error: 0.8 };
const BATCH: usize = 6;

/// Three hidden layers whose units drive each other strongly, and a batch.
fn deep(activation: Activation, scale: f64, setup: &Setup) -> (HopfieldEnergy, Tensor<2>) {
    let energy = network(&chain(&[4, 16, 16, 16, 3], activation), setup, scale, 3);
    (energy, Numbers(4).matrix(setup, [BATCH, 4], 0.0, 1.0))
}

/// The number of steps until every example is within `residual` of its response to its drives.
fn steps_to<E: VectorField, C: Cost>(
    residual: f64,
    dynamics: impl Dynamics,
    total: &TotalEnergy<'_, E, C>,
    start: State,
) -> usize {
    let mut reached = None;
    Relaxation::steps(dynamics, 2000).relax_observed(total, start, |step, state| {
        let largest = values(&total.residual(state))
            .into_iter()
            .fold(0.0, f64::max);
        if largest <= residual {
            reached.get_or_insert(step);
        }
    });
    reached.expect("an equilibrium")
}

/// Every state of a relaxation, the start first.
fn course<E: VectorField, C: Cost>(
    dynamics: impl Dynamics,
    n_steps: usize,
    total: &TotalEnergy<'_, E, C>,
    start: State,
) -> Vec<State> {
    let mut states = Vec::new();
    Relaxation::steps(dynamics, n_steps).relax_observed(total, start, |_, state| {
        states.push(state.clone());
    });
    states
}

#[test]
fn anderson_takes_at_most_half_the_steps_of_the_scheme_that_it_accelerates() {
    let setup = Setup::double();
    let cases = [
        (Scheme::Asynchronous, Activation::HardSigmoid, 0.4),
        (Scheme::Asynchronous, Activation::Sigmoid, 0.4),
        (Scheme::Asynchronous, Activation::Tanh, 0.2),
        (Scheme::FixedPoint, Activation::HardSigmoid, 0.25),
        (Scheme::FixedPoint, Activation::Sigmoid, 0.25),
        (Scheme::FixedPoint, Activation::Tanh, 0.2),
    ];
    for (base, activation, scale) in cases {
        let (energy, input) = deep(activation, scale, &setup);
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let plain = steps_to(1e-10, base, &total, energy.rest(&input));
        let anderson = Anderson::new(base, 5, 1.0);
        let found = steps_to(1e-10, anderson, &total, energy.rest(&input));
        assert!(
            2 * found <= plain,
            "{base:?}, {activation:?}: {found} and {plain}"
        );
    }
}

/// Walker & Ni (2011), corollary 2.10: on a linear map the method is that of generalized minimal
/// residuals, which ends after as many steps as there are unknowns.
#[test]
fn on_a_linear_network_anderson_ends_after_as_many_steps_as_there_are_units() {
    let setup = Setup::double();
    let energy = network(&chain(&[2, 1, 1, 1], Activation::Identity), &setup, 0.6, 1);
    let input = Numbers(2).matrix(&setup, [BATCH, 2], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let last = |dynamics: Anderson<Scheme>| {
        // Three differences need four steps; the fifth is the extrapolation by them.
        let states = course(dynamics, 5, &total, energy.rest(&input));
        let residual = total.residual(&states[5]);
        values(&residual).into_iter().fold(0.0, f64::max)
    };
    let base = Scheme::FixedPoint;
    let plain = course(base, 5, &total, energy.rest(&input));
    let plain = values(&total.residual(&plain[5]))
        .into_iter()
        .fold(0.0, f64::max);
    for mixing in [1.0, 0.5] {
        // What the regularization of 1e-6 leaves of residuals of order 1.
        assert!(last(Anderson::new(base, 5, mixing)) < 1e-5);
        // With too short a history it takes longer.
        assert!(last(Anderson::new(base, 1, mixing)) > 1e-4);
    }
    assert!(plain > 1e-2);
}

/// No two finite drives have the same sigmoid, so that a state that stays was taken back.
#[test]
fn an_example_whose_residual_rose_goes_back_and_takes_the_plain_step() {
    let setup = Setup::double();
    let (mut n_back, mut n_plain, mut n_steps) = (0, 0, 0);
    for scale in [0.4, 0.8, 1.2] {
        let (energy, input) = deep(Activation::Sigmoid, scale, &setup);
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let sweep = |state: &State| {
            let mut next = state.clone();
            Scheme::Asynchronous.step(&total, &mut next);
            next
        };
        let states = course(ANDERSON, 300, &total, energy.rest(&input));
        for example in 0..BATCH {
            let of = |state: &State| flat(&state.narrow(example, 1));
            for three in states.windows(3) {
                let [before, state, after] = [0, 1, 2].map(|index| of(&three[index]));
                let plain = of(&sweep(&three[1]));
                if distance(&plain, &state) < 1e-9 {
                    break;
                }
                n_steps += 1;
                let is_plain = distance(&after, &plain) < 1e-14;
                n_plain += usize::from(is_plain);
                if before == state {
                    n_back += 1;
                    assert!(is_plain, "scale {scale}, example {example}");
                }
            }
        }
        // However strong the weights are, it gets there.
        let residual = values(&total.residual(&states[300]));
        assert!(residual.iter().all(|&r| r < 1e-9), "{scale}: {residual:?}");
    }
    // It happens, and it is not the rule.
    assert!(
        n_back >= 3 && 3 * n_plain < n_steps,
        "{n_back}, {n_plain} of {n_steps}"
    );
}

/// `E = ½s² + x cos(3s)`: the plain step goes to `3x sin(3s)`, and for large x there is chaos.
#[derive(Module, Debug)]
struct Waves;

impl EnergyFunction for Waves {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let s = state.output().clone();
        let waves = input.clone() * (s.clone() * 3.0).cos();
        (s.clone() * s * 0.5 + waves).squeeze_dim(1)
    }
}

/// For one unit `|f|` is the residual, so that each decision can be seen.
#[test]
fn an_extrapolated_step_is_kept_where_it_lowers_the_square_by_a_fiftieth() {
    const N: usize = 2000;
    let setup = Setup::double();
    let energy = CustomEnergy::new(Waves, [LayerConfig::new(1, Activation::Identity)]);
    let input = Numbers(1).matrix(&setup, [N, 1], 0.0, 1.0);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let mut state = State::new(vec![Numbers(2).matrix(&setup, [N, 1], -1.0, 1.0)]);
    let mut anderson = Anderson::new(Scheme::FixedPoint, 2, 1.0);
    let mut lowest = vec![f64::INFINITY; N];
    // The first step is plain, and so is the second, which knows of one state only.
    let mut is_plain = vec![true; N];
    let (mut n_kept, mut n_back, mut n_near) = (0, 0, 0);
    for step in 0..40 {
        let before = state.clone();
        anderson.step(&total, &mut state);
        let residual = values(&anderson.residual(&total, &before, &state));
        let stayed = values(before.output())
            .into_iter()
            .zip(values(state.output()));
        for (example, (before, after)) in stayed.enumerate() {
            let square = residual[example] * residual[example];
            let stayed = before == after;
            if !is_plain[example] && !stayed {
                let wanted = 0.98 * lowest[example];
                assert!(square <= wanted, "step {step}: {square:e} of {wanted:e}");
                n_kept += 1;
                n_near += usize::from(square > 0.9 * lowest[example]);
            }
            n_back += usize::from(stayed && square > 0.0);
            is_plain[example] = step == 0 || stayed;
            lowest[example] = lowest[example].min(square);
        }
    }
    assert!(
        n_kept > N && n_back > N && n_near > 10,
        "{n_kept}, {n_back}, {n_near}"
    );
}

#[test]
fn the_adaptive_flow_never_raises_the_energy_of_an_example() {
    let setup = Setup::double();
    let mut raised_by_euler = 0;
    for activation in ACTIVATIONS {
        for (scale, beta) in [(0.1, 0.5), (0.25, 0.0), (0.6, 0.5), (0.6, -0.5)] {
            if !activation.max().is_finite() && scale > 0.25 {
                continue; // no minimum
            }
            let (energy, input) = deep(activation, scale, &setup);
            let clamped = energy.clamp(&input);
            let target = Numbers(5).matrix(&setup, [BATCH, 3], 0.0, 1.0);
            let beta = setup.number(beta);
            let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
            let rises = |dynamics: Scheme| {
                let states = course(dynamics, 150, &total, energy.rest(&input));
                let energies: Vec<_> = states.iter().map(|s| values(&total.value(s))).collect();
                let steps = energies
                    .windows(2)
                    .flat_map(|pair| pair[0].iter().zip(&pair[1]));
                // Energies of order 10 are known to 1e-14.
                steps
                    .filter(|(before, after)| *after > &(*before + 1e-13))
                    .count()
            };
            assert_eq!(rises(FLOW), 0, "{activation:?}, scale {scale}");
            raised_by_euler += rises(Scheme::GradientFlow { step_size: 1.0 });
        }
    }
    // Where the steps are not controlled it happens all the time.
    assert!(raised_by_euler > 100, "{raised_by_euler}");
}

/// `E = −xs`, whose velocity is x everywhere.
#[derive(Module, Debug)]
struct Slope;

impl EnergyFunction for Slope {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        (input.clone() * state.output().clone())
            .neg()
            .squeeze_dim(1)
    }
}

#[test]
fn where_the_velocity_stays_the_step_doubles_up_to_its_longest() {
    for setup in devices::all() {
        let energy = CustomEnergy::new(Slope, [LayerConfig::new(1, Activation::Identity)]);
        // Powers of 2, so that the velocity is without rounding.
        let input = setup.tensor(vec![1.0, -2.0], [2, 1]);
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let states = course(FLOW, 7, &total, energy.rest(&input));
        let found: Vec<f64> = states.iter().flat_map(flat).collect();
        // Steps of ½, 1, 2, 4, 8 and 10.
        let expected = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 25.5, 35.5];
        let expected: Vec<f64> = expected.iter().flat_map(|s| [*s, -2.0 * s]).collect();
        assert_close(&found, &expected, 0.0, setup.name);
    }
}

#[test]
fn the_velocity_of_the_flow_is_minus_the_slope_of_the_energy() {
    let setup = Setup::double();
    let epsilon = 1e-6;
    for activation in ACTIVATIONS {
        if activation == Activation::Softmax {
            continue; // its slope is known but for a constant
        }
        let (energy, input) = deep(activation, 0.3, &setup);
        let clamped = energy.clamp(&input);
        let target = Numbers(5).matrix(&setup, [BATCH, 3], 0.0, 1.0);
        let beta = setup.number(0.7);
        let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
        let state = Numbers(6).state(energy.layers(), &setup, BATCH);
        let velocity = total.velocity(&state);
        for layer in 0..energy.layers().len() {
            let unit = Tensor::zeros_like(state.layer(layer));
            let unit = unit.slice_assign(
                [0..BATCH, 1..2],
                setup.tensor(vec![epsilon; BATCH], [BATCH, 1]),
            );
            let moved = |sign: f64| {
                let mut moved = state.clone();
                moved.set(layer, state.layer(layer).clone() + unit.clone() * sign);
                total.value(&moved)
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * epsilon);
            let found = velocity.layer(layer).clone().narrow(1, 1, 1);
            // Third derivatives of order 100 at ε² and rounding of 1e-15 / ε.
            assert_close(
                &values(&found.neg()),
                &values(&slope),
                1e-8,
                &format!("{activation:?}, layer {layer}"),
            );
        }
        // And along it the flow goes as `descend` does.
        let followed = total.follow(&state, &velocity, &setup.number(0.3));
        let descended = (0..energy.layers().len()).map(|layer| total.descend(layer, &state, 0.3));
        let descended = State::new(descended.collect());
        assert_close(
            &flat(&followed),
            &flat(&descended),
            1e-13,
            &format!("{activation:?}"),
        );
    }
}

#[test]
fn a_step_is_taken_back_exactly_where_its_relative_error_is_above_the_bound() {
    let setup = Setup::double();
    // E = ½a² − wab + ½b² − xa − xb from 0: v = (x, x) along a direction of curvature 1 − w, so that
    // a step of size ½ has the relative error ¼(1 − w).
    let config = chain(&[1, 1, 1], Activation::Identity).init(&setup.device);
    for (weight, is_kept) in [(-1.1, true), (-1.3, false)] {
        let mut lists = [vec![1.0], vec![weight], vec![0.0], vec![1.0]].into_iter();
        let energy = filled(config.clone(), &setup, |_| {
            lists.next().expect("a list each")
        });
        let input = setup.number(1.0);
        let clamped = energy.clamp(&input);
        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let error = 0.25 * 2.2;
        let states = course(AdaptiveFlow::new(error), 2, &total, energy.rest(&input));
        let expected = if is_kept { [0.5, 0.5] } else { [0.0, 0.0] };
        assert_close(&flat(&states[1]), &expected, 1e-14, "first step");
        // The next step size is 0.9 · error/e times as large.
        let curvature = 1.0 - weight;
        let step = 0.5 * 0.9 * error / (0.25 * curvature);
        let next = expected[0] + step * (1.0 - curvature * expected[0]);
        assert_close(&flat(&states[2]), &[next, next], 1e-12, "second step");
    }
}

#[test]
fn their_residuals_are_those_of_a_plain_step() {
    let setup = Setup::double();
    let (energy, input) = deep(Activation::Sigmoid, 0.4, &setup);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let states = |dynamics| course(dynamics, 4, &total, energy.rest(&input));
    let relaxed = |dynamics| Relaxation::steps(dynamics, 4).relax(&total, energy.rest(&input));
    // Of the flow: that of the fixed point at the last state.
    let expected = total.residual(&states(FLOW)[4]);
    assert_close(
        &values(&relaxed(FLOW).residual),
        &values(&expected),
        1e-14,
        "flow",
    );
    // Both say of themselves in a trace what they say at the end.
    for dynamics in [FLOW, ANDERSON] {
        let relaxation = Relaxation::steps(dynamics, 2);
        let (relaxed, trace) = relaxation.relax_traced(&total, energy.rest(&input));
        assert_close(
            &[trace.residual[1]],
            &[relaxed.info().residual],
            1e-14,
            "trace",
        );
    }
    // Two steps of Anderson are plain: there is no difference to extrapolate by.
    let plain = Relaxation::steps(Scheme::Asynchronous, 2).relax(&total, energy.rest(&input));
    let found = Relaxation::steps(ANDERSON, 2).relax(&total, energy.rest(&input));
    assert_eq!(flat(&found.state), flat(&plain.state));
    assert_close(
        &values(&found.residual),
        &values(&plain.residual),
        1e-15,
        "Anderson",
    );
}

#[test]
fn a_relaxation_begins_with_nothing_remembered() {
    let setup = Setup::double();
    let (energy, input) = deep(Activation::Sigmoid, 0.4, &setup);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let mut used = Anderson::new(Scheme::Asynchronous, 3, 1.0);
    let mut state = energy.rest(&input);
    for _ in 0..4 {
        used.step(&total, &mut state);
    }
    let fresh = Anderson::new(Scheme::Asynchronous, 3, 1.0);
    let [used, fresh] = [used, fresh].map(|dynamics| {
        let relaxed = Relaxation::steps(dynamics, 5).relax(&total, energy.rest(&input));
        flat(&relaxed.state)
    });
    assert_eq!(used, fresh);
}

#[test]
fn an_output_that_is_held_stays_and_the_others_relax_to_it() {
    let setup = Setup::double();
    let (energy, input) = deep(Activation::HardSigmoid, 0.4, &setup);
    let clamped = energy.clamp(&input);
    let output = Numbers(7).matrix(&setup, [BATCH, 3], -1.0, 2.0);
    let total = TotalEnergy::<_, AnyCost>::output_clamped(&energy, &clamped, output.clone());
    let relax = |dynamics| {
        let relaxation = Relaxation::steps(dynamics, 1000).with_tolerance(1e-12);
        let relaxed = relaxation.relax(&total, energy.rest(&input));
        relaxed.converged().expect("an equilibrium")
    };
    let expected = relax(Scheme::Asynchronous);
    for dynamics in [ANDERSON, FLOW] {
        let found = relax(dynamics);
        assert_close(
            &flat(&found),
            &flat(&expected),
            1e-10,
            &format!("{dynamics:?}"),
        );
        assert_eq!(values(found.output()), values(&output));
    }
}

#[test]
fn their_options_have_ranges() {
    let text = |scheme: Scheme| scheme.validate().expect_err("out of range").to_string();
    let anderson = |history, mixing| Scheme::Anderson { history, mixing };
    for history in [0, 9] {
        let expected = format!("history must be 1 to 8, but is {history}");
        assert_eq!(text(anderson(history, 1.0)), expected);
    }
    for mixing in [0.0, -0.5, 1.1, f64::NAN] {
        let expected = format!("mixing must be greater than 0 and at most 1, but is {mixing}");
        assert_eq!(text(anderson(5, mixing)), expected);
    }
    for error in [0.0, 1.0, f64::NAN] {
        let expected =
            format!("adaptive_flow error must be greater than 0 and less than 1, but is {error}");
        assert_eq!(text(Scheme::AdaptiveFlow { error }), expected);
    }
    for scheme in [ANDERSON, FLOW, anderson(1, 0.5), anderson(8, 1.0)] {
        assert_eq!(scheme.validate(), Ok(()));
    }
}
