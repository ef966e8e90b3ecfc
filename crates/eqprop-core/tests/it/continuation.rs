//! The total energy continued to complex states and nudging factors: a state is its real parts,
//! followed by its imaginary parts.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation::{self, Identity, Sigmoid, Tanh};
use eqprop_core::cost::{AnyCost, LinearCost, SquaredError};
use eqprop_core::energy::{
    HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::nudging::Circle;
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, assert_close, chain, connection, distance, network, values};

const BATCH: usize = 2;
/// Rounding errors divided by small numbers, and no more.
const EXACT: f64 = 1e-12;

/// Two hidden layers with a skip between input and output.
fn config([first, second, output]: [Activation; 3]) -> HopfieldEnergyConfig {
    let layers = vec![
        LayerConfig::new(3, first),
        LayerConfig::new(2, second),
        LayerConfig::new(3, output),
    ];
    let ends = [(0, 1), (1, 2), (2, 3), (0, 3), (1, 3)];
    let connections = ends.map(|(from, to)| connection(from, to));
    HopfieldEnergyConfig::new(2.into(), layers, connections.to_vec())
}

fn activations() -> [[Activation; 3]; 3] {
    [
        [Tanh, Sigmoid, Identity],
        [Sigmoid, Identity, Tanh],
        [Identity, Tanh, Sigmoid],
    ]
}

struct Problem {
    energy: HopfieldEnergy,
    input: Tensor<2>,
    target: Tensor<2>,
    state: State,
}

impl Problem {
    /// A state off the real axis, and away from the branch cut of the logarithm.
    fn new(activations: [Activation; 3]) -> Self {
        let setup = Setup::double();
        let config = config(activations);
        let energy = network(&config, &setup, 0.8, 1);
        let mut numbers = Numbers(2);
        let input = numbers.matrix(&setup, [BATCH, 2], -1.0, 1.0);
        let target = numbers.matrix(&setup, [BATCH, 3], -1.0, 1.0);
        let re = numbers.state(&config.layers, &setup, BATCH);
        let layers = re.layers().iter().map(|re| {
            let im = numbers.matrix(&setup, re.dims(), -0.4, 0.4);
            Tensor::cat(vec![re.clone(), im], 0)
        });
        let state = State::new(layers.collect());
        Self {
            energy,
            input,
            target,
            state,
        }
    }

    /// With `β = 0.4 − 0.3i` for one example and `−0.2 + 0.7i` for the other.
    fn with_total<T>(
        &self,
        measure: impl FnOnce(&TotalEnergy<'_, HopfieldEnergy, SquaredError>) -> T,
    ) -> T {
        self.with_beta([[0.4, -0.2], [-0.3, 0.7]], measure)
    }

    fn with_beta<T>(
        &self,
        beta: [[f64; BATCH]; 2],
        measure: impl FnOnce(&TotalEnergy<'_, HopfieldEnergy, SquaredError>) -> T,
    ) -> T {
        let clamped = self.energy.repeat(&self.energy.clamp(&self.input), 2);
        let beta = beta.map(|part| Setup::double().tensor(part.to_vec(), [BATCH, 1]));
        let (energy, target) = (&self.energy, &self.target);
        measure(&TotalEnergy::holomorphic(
            energy,
            &clamped,
            &SquaredError,
            target,
            beta,
        ))
    }
}

/// `state` with one unit moved.
fn moved(state: &State, layer: usize, entry: usize, by: f64) -> State {
    let mut numbers = values(state.layer(layer));
    numbers[entry] += by;
    let mut moved = state.clone();
    moved.set(
        layer,
        Setup::double().tensor(numbers, state.layer(layer).dims()),
    );
    moved
}

/// `Re F` is the real part of a holomorphic function: its slope along the real axis is `Re F′`, along
/// the imaginary axis `−Im F′`; and a velocity is `−F′`.
#[test]
fn the_velocity_is_minus_the_complex_slope_of_the_energy() {
    for activations in activations() {
        let problem = Problem::new(activations);
        let state = &problem.state;
        problem.with_total(|total| {
            let velocity = total.velocity(state);
            for layer in 0..3 {
                let n = values(state.layer(layer)).len();
                let slopes = (0..n).map(|entry| {
                    let at = |by| -> f64 {
                        values(&total.value(&moved(state, layer, entry, by)))
                            .iter()
                            .sum()
                    };
                    let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                    if entry < n / 2 { -slope } else { slope }
                });
                let slopes: Vec<f64> = slopes.collect();
                // The third derivative by 1e-10, and roundings divided by 1e-5.
                let what = format!("{activations:?}, layer {layer}");
                assert_close(&values(velocity.layer(layer)), &slopes, 1e-8, &what);
                assert!(
                    slopes.iter().all(|slope| slope.abs() > 1e-4),
                    "{what}: {slopes:?}"
                );
            }
        });
    }
}

/// On the real axis it is the energy of real states, up to a constant of each example.
#[test]
fn real_states_have_the_energy_that_they_had() {
    for activations in activations() {
        let problem = Problem::new(activations);
        let other = Problem::new(activations)
            .state
            .map(|layer| layer.clone() * 0.9);
        let states = [&problem.state, &other].map(|state| state.narrow(0, BATCH));
        let beta = [0.4, -0.2];
        let expected = states.clone().map(|state| {
            let clamped = problem.energy.clamp(&problem.input);
            let beta = Setup::double().tensor(beta.to_vec(), [BATCH, 1]);
            let (energy, target) = (&problem.energy, &problem.target);
            let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, target, beta);
            values(&total.value(&state))
        });
        let found = states.map(|state| {
            let layers = state.layers().iter();
            let layers = layers.map(|s| Tensor::cat(vec![s.clone(), s.zeros_like()], 0));
            let state = State::new(layers.collect());
            problem.with_beta([beta, [0.0; 2]], |total| values(&total.value(&state)))
        });
        let difference =
            |[a, b]: &[Vec<f64>; 2]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let [found, expected] = [difference(&found), difference(&expected)];
        assert_close(&found, &expected, EXACT, &format!("{activations:?}"));
        assert!(expected.iter().all(|difference| difference.abs() > 1e-2));
    }
}

/// If only one layer moves: the flow of a quadratic potential is a straight line, and the step of size
/// 1 of a layer before the output ends at the minimum.
#[test]
fn layers_move_to_where_the_energy_is_stationary() {
    for activations in activations() {
        let problem = Problem::new(activations);
        let state = &problem.state;
        problem.with_total(|total| {
            let velocity = total.velocity(state);
            for (layer, activation) in activations.into_iter().enumerate() {
                let what = format!("{activations:?}, layer {layer}");
                let before = values(state.layer(layer));
                let stay = values(&total.descend(layer, state, 0.0));
                assert_close(&stay, &before, EXACT, &what);
                if activation == Identity {
                    let found = values(&total.descend(layer, state, 0.3));
                    let speed = values(velocity.layer(layer));
                    let line = before.iter().zip(speed).map(|(s, v)| s + 0.3 * v);
                    assert_close(&found, &line.collect::<Vec<_>>(), EXACT, &what);
                }
                // A nudged output of another potential goes there in more than one step.
                if layer < 2 || activation == Identity {
                    let mut after = state.clone();
                    after.set(layer, total.minimize(layer, state));
                    assert!(
                        distance(&values(after.layer(layer)), &before) > 1e-2,
                        "{what}"
                    );
                    let rest = values(total.velocity(&after).layer(layer));
                    assert_close(&rest, &vec![0.0; rest.len()], EXACT, &what);
                }
                if layer < 2 {
                    let found = values(&total.descend(layer, state, 1.0));
                    let minimum = values(&total.minimize(layer, state));
                    assert_close(&found, &minimum, EXACT, &what);
                }
            }
        });
    }
}

#[test]
#[should_panic(expected = "a layer has HardSigmoid")]
fn a_clipped_layer_has_no_continuation() {
    let problem = Problem::new([Tanh, Activation::HardSigmoid, Tanh]);
    problem.with_total(|_| ());
}

/// A linear cost counts as quadratic: its force is the same everywhere.
#[test]
fn a_linear_cost_can_be_complex() {
    let problem = Problem::new([Tanh, Sigmoid, Identity]);
    let clamped = problem
        .energy
        .repeat(&problem.energy.clamp(&problem.input), 2);
    let setup = Setup::double();
    let speed = |beta: [f64; 2]| {
        let beta = beta.map(|part| setup.tensor(vec![part; BATCH], [BATCH, 1]));
        let (energy, target) = (&problem.energy, &problem.target);
        let total = TotalEnergy::holomorphic(energy, &clamped, &LinearCost, target, beta);
        values(total.velocity(&problem.state).output())
    };
    let [free, nudged] = [speed([0.0; 2]), speed([0.5, -0.3])];
    let change: Vec<f64> = nudged.iter().zip(free).map(|(a, b)| a - b).collect();
    let target = values(&problem.target);
    let parts = [-0.5, 0.3].into_iter();
    let expected = parts.flat_map(|part| target.iter().map(move |g| part * g));
    assert_close(&change, &expected.collect::<Vec<_>>(), EXACT, "force");
}

/// The estimate from `N` points is the slope at 0 of any polynomial of a degree up to `N`, and of no
/// other: `z^{N+1}` gets `β^N`.
#[test]
fn the_points_of_a_circle_give_the_slope_of_a_polynomial() {
    let beta = 0.7;
    for n_points in 1..=9 {
        let points = Circle { beta, n_points }.upper_half();
        assert_eq!(points.len(), n_points / 2 + 1);
        let slope = |power: usize| -> f64 {
            let terms = points.iter().map(|point| {
                let (radius, angle) = (point.re.hypot(point.im), point.im.atan2(point.re));
                assert!((radius - beta).abs() < EXACT && point.im >= 0.0);
                let (sin, cos) = (angle * power as f64).sin_cos();
                let [re, im] = point.weight;
                radius.powi(power as i32) * (re * cos - im * sin)
            });
            terms.sum()
        };
        for power in 1..=n_points + 1 {
            let expected = match power {
                1 => 1.0,
                power if power == n_points + 1 => beta.powi(n_points as i32),
                _ => 0.0,
            };
            let found = slope(power);
            assert!(
                (found - expected).abs() < EXACT,
                "{n_points} points, z^{power}: {found}"
            );
        }
        // A constant, such as the free equilibrium, cancels out but for a single point.
        let constant = if n_points == 1 { 1.0 / beta } else { 0.0 };
        assert!((slope(0) - constant).abs() < EXACT);
        // The ends are exactly real.
        assert!(points[0].im == 0.0 && points[0].re == beta);
        if n_points % 2 == 0 {
            let last = points[n_points / 2];
            assert!(last.im == 0.0 && last.re == -beta);
        }
    }
}

#[test]
fn a_circle_has_a_radius_and_a_point() {
    let circle = |beta, n_points| Circle { beta, n_points }.validate();
    assert!(circle(0.1, 1).is_ok());
    assert!(circle(0.1, 0).is_err());
    for beta in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(circle(beta, 4).is_err(), "{beta}");
    }
}

/// Weights scale the nudge of each example, and with it the step of the output: with that of a weight of 1,
/// a negative nudge as strong as this would throw the output back and forth ever farther.
#[test]
fn a_weighted_nudge_is_the_nudge_times_the_weight_in_complex_states_too() {
    let setup = &Setup::double();
    let config = chain(&[3, 4, 2], Activation::Tanh);
    let config = HopfieldEnergyConfig {
        layers: vec![config.layers[0], LayerConfig::new(2, Activation::Identity)],
        ..config
    };
    let energy = network(&config, setup, 0.5, 31);
    let input = Numbers(32).matrix(setup, [2, 3], 0.0, 1.0);
    let target = setup.one_hot(&[0, 1], 2);
    let clamped = energy.clamp(&input);
    let start = energy.start(&input, &clamped);
    let start = start.map(|s| Tensor::cat(vec![s.clone(), s.zeros_like()], 0));
    let clamped = energy.repeat(&clamped, 2);
    let weights = [0.2, 1.0];
    let parts = [-0.7, 0.1];
    let column = |part: f64, weights: [f64; 2]| {
        setup.tensor(weights.map(|weight| part * weight).to_vec(), [2, 1])
    };
    let ones = parts.map(|part| column(part, [1.0; 2]));
    let weighted = parts.map(|part| column(part, weights));
    let relax = |total: &TotalEnergy<'_, _, AnyCost>| {
        let relaxed = setup.free().relax(total, start.clone()).converged();
        values(relaxed.expect("it converges").output())
    };
    let plain = AnyCost::SquaredError(SquaredError);
    let cost = plain.clone().with_class_weights(weights.to_vec());
    let found = relax(&TotalEnergy::holomorphic(
        &energy, &clamped, &cost, &target, ones,
    ));
    let expected = relax(&TotalEnergy::holomorphic(
        &energy, &clamped, &plain, &target, weighted,
    ));
    assert_close(&found, &expected, 1e-9, "output");
}
