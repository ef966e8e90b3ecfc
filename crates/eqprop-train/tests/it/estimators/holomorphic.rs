//! Holomorphic equilibrium propagation: its order, and the continuation of the total energy.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling,
};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{
    HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::nudging::{Circle, Nudging};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Setup, distance, gradients_of, relative_error, values};
use eqprop_train::estimator::{EquilibriumPropagation, HolomorphicEquilibriumPropagation};
use eqprop_train::network::EquilibriumNetwork;

use super::{Problem, chain, phase};

const SQUARED_ERROR: CostConfig = CostConfig::SquaredError;

fn holomorphic(beta: f64, n_points: usize) -> HolomorphicEquilibriumPropagation {
    HolomorphicEquilibriumPropagation::new(Circle { beta, n_points }, phase(), phase())
}

/// Networks with a β at which centered equilibrium propagation is off by some 5 %.
fn problems() -> [(Problem, f64); 4] {
    use Activation::{Identity, Sigmoid, Tanh};
    [
        (Problem::dense(Tanh, Identity, SQUARED_ERROR), 0.26),
        (Problem::dense(Sigmoid, Sigmoid, SQUARED_ERROR), 0.16),
        (Problem::dense(Tanh, Tanh, SQUARED_ERROR), 0.19),
        (
            Problem::new(&convolution(Pooling::Average(2)), SQUARED_ERROR, 0.2),
            0.17,
        ),
    ]
}

/// 1×6×6 maps, a 3×3 kernel to 2×4×4 pooled to 2×2×2, and two outputs.
fn convolution(pooling: Pooling) -> HopfieldEnergyConfig {
    let initializer = InitializerConfig::Glorot;
    let kind = ConnectionKind::Convolution(ConvolutionConfig::new(3).with_pooling(pooling));
    let layers = vec![
        LayerConfig::new([2, 2, 2], Activation::Tanh),
        LayerConfig::new(2, Activation::Identity),
    ];
    let connection = |from, to, kind| ConnectionConfig {
        from,
        to,
        kind,
        initializer,
    };
    let connections = vec![
        connection(0, 1, kind),
        connection(1, 2, ConnectionKind::Dense),
    ];
    HopfieldEnergyConfig::new([1, 6, 6].into(), layers, connections)
}

fn real(nudging: Nudging) -> EquilibriumPropagation {
    EquilibriumPropagation::new(nudging, phase(), phase())
}

#[test]
fn one_and_two_points_are_one_sided_and_centered() {
    for (problem, beta) in problems() {
        let one_sided = problem.gradient(&real(Nudging::OneSided { beta }));
        let centered = problem.gradient(&real(Nudging::Centered { beta }));
        for (n_points, expected, other) in [(1, &one_sided, &centered), (2, &centered, &one_sided)]
        {
            let found = problem.gradient(&holomorphic(beta, n_points));
            // States relaxed to 1e-14, divided by β.
            let off = distance(&found, expected);
            assert!(off < 1e-12, "{n_points} points: {off:e}");
            assert!(distance(&found, other) > 1e-4);
        }
    }
}

/// Also on the way: complex states begin at the free equilibrium, without an imaginary part.
#[test]
fn one_and_two_points_take_the_steps_of_real_states() {
    let (problem, beta) = &problems()[0];
    let beta = *beta;
    for dynamics in [
        Scheme::Asynchronous,
        Scheme::FixedPoint,
        Scheme::GradientFlow { step_size: 0.5 },
    ] {
        for (n_points, nudging) in [
            (1, Nudging::OneSided { beta }),
            (2, Nudging::Centered { beta }),
        ] {
            for n_steps in 1..=3 {
                let nudged = || Relaxation::steps(dynamics, n_steps);
                let circle = Circle { beta, n_points };
                let complex = HolomorphicEquilibriumPropagation::new(circle, phase(), nudged());
                let complex = problem.estimate(&complex);
                let real = EquilibriumPropagation::new(nudging, phase(), nudged());
                let real = problem.estimate(&real);
                let what = format!("{dynamics:?}, {n_points} points, {n_steps} steps");
                let off = distance(
                    &gradients_of(&problem.network, &complex.gradients).concat(),
                    &gradients_of(&problem.network, &real.gradients).concat(),
                );
                assert!(off < 1e-12, "{what}: {off:e}");

                let [complex, real] = [complex, real].map(|e| e.second_phase.expect("states"));
                let n = real.state.batch_size();
                assert_eq!(complex.state.batch_size(), 2 * n);
                let parts = [0, n].map(|from| complex.state.narrow(from, n));
                let zero = real.state.map(Tensor::zeros_like);
                for (part, expected) in parts.iter().zip([&real.state, &zero]) {
                    let off = values(&part.max_distance(expected));
                    assert!(off.iter().all(|&off| off < 1e-13), "{what}: {off:?}");
                }
            }
        }
    }
}

/// The error of a finite nudge vanishes with the number of points, unlike with any real nudge.
#[test]
fn a_finite_nudge_becomes_exact_with_the_number_of_points() {
    for (index, (problem, beta)) in problems().into_iter().enumerate() {
        let exact = problem.exact();
        let off =
            |n_points| relative_error(&problem.gradient(&holomorphic(beta, n_points)), &exact);
        let errors = [2, 4, 6, 8, 16].map(off);
        let what = format!("problem {index}: {errors:?}");
        assert!((0.04..0.07).contains(&errors[0]), "{what}");
        assert!(errors[0] > 10.0 * errors[2], "{what}");
        for pair in errors.windows(2) {
            assert!(pair[0] > 3.0 * pair[1], "{what}");
        }
        // The exact gradient is known to 1e-9 or better.
        assert!(errors[4] < 1e-5, "{what}");

        // Two real pairs, at two thirds of the arithmetic, are better than four points.
        let pairs = Nudging::HigherOrder { beta, n_pairs: 2 };
        let two_pairs = relative_error(&problem.gradient(&real(pairs)), &exact);
        assert!(two_pairs < errors[1], "{two_pairs}, {what}");
    }
}

#[test]
fn n_points_have_order_n_in_beta() {
    let betas = [0.05, 0.1];
    for n_points in [1, 2, 3, 4, 5] {
        let (problem, _) = &problems()[0];
        let exact = problem.exact();
        let errors = betas
            .map(|beta| relative_error(&problem.gradient(&holomorphic(beta, n_points)), &exact));
        let order = (errors[1] / errors[0]).log2();
        // Orders are 1 apart; the next one adds some β² / R² = 1 %.
        assert!((order - n_points as f64).abs() < 0.1, "{order}: {errors:?}");
    }
}

#[test]
fn the_estimate_does_not_depend_on_the_dynamics() {
    for (problem, beta) in problems() {
        let circle = Circle { beta, n_points: 5 };
        let [first, others @ ..] = [
            Scheme::Asynchronous,
            Scheme::FixedPoint,
            Scheme::GradientFlow { step_size: 0.5 },
        ]
        .map(|dynamics| {
            let nudged = Relaxation::steps(dynamics, 2000).with_tolerance(1e-14);
            problem.gradient(&HolomorphicEquilibriumPropagation::new(
                circle,
                phase(),
                nudged,
            ))
        });
        for other in others {
            assert!(distance(&first, &other) < 1e-11);
        }
    }
}

/// The total energy at three complex nudging factors, one for each example, and its equilibrium.
fn with_complex<T>(
    problem: &Problem,
    beta: [[f64; 3]; 2],
    use_it: impl FnOnce(&TotalEnergy<'_, HopfieldEnergy, AnyCost>, &State) -> T,
) -> T {
    let EquilibriumNetwork { energy, cost, .. } = &problem.network;
    let clamped = energy.repeat(&energy.clamp(&problem.batch.input), 2);
    let beta = beta.map(|part| Setup::double().tensor(part.to_vec(), [3, 1]));
    let total = TotalEnergy::holomorphic(energy, &clamped, cost, &problem.batch.target, beta);
    let free = problem.free(&problem.network);
    let start = free.map(|s| Tensor::cat(vec![s.clone(), s.zeros_like()], 0));
    let relaxed = phase().relax(&total, start);
    use_it(&total, &relaxed.converged().expect("an equilibrium"))
}

/// `Re F` does not change to first order wherever a real or imaginary part moves, and so (Cauchy
/// and Riemann) neither does `Im F`.
#[test]
fn complex_equilibria_are_stationary_points_of_the_total_energy() {
    const EPSILON: f64 = 1e-5;
    for (problem, _) in problems() {
        let beta = [[0.1, -0.05, 0.0], [0.1, 0.1, 0.2]];
        let slopes = |total: &TotalEnergy<'_, HopfieldEnergy, AnyCost>, state: &State| {
            let mut slopes = Vec::new();
            for layer in 0..state.layers().len() {
                let [rows, n_units] = state.layer(layer).dims();
                for entry in 0..rows * n_units {
                    let at = |by: f64| {
                        let mut numbers = values(state.layer(layer));
                        numbers[entry] += by;
                        let mut moved = state.clone();
                        moved.set(layer, Setup::double().tensor(numbers, [rows, n_units]));
                        total.value(&moved).sum().into_scalar::<f64>()
                    };
                    slopes.push((at(EPSILON) - at(-EPSILON)) / (2.0 * EPSILON));
                }
            }
            slopes
        };
        let steepest = |slopes: Vec<f64>| slopes.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let at_equilibrium = with_complex(&problem, beta, |total, s| steepest(slopes(total, s)));
        // Truncation ε² = 1e-10 times third derivatives of up to some 1e4 near the ends of tanh.
        assert!(at_equilibrium < 1e-5, "{at_equilibrium:e}");
        // A little beside it, at β with a part of the other sign, it does change.
        for part in [0, 1] {
            let mut other = beta;
            other[part] = other[part].map(|b| -b);
            let beside = with_complex(&problem, beta, |_, state| {
                with_complex(&problem, other, |total, _| steepest(slopes(total, state)))
            });
            assert!(beside > 1e-2, "{beside:e}");
        }
    }
}

#[test]
fn on_real_states_the_total_energy_is_the_real_one_up_to_a_constant() {
    for (problem, _) in problems() {
        let EquilibriumNetwork { energy, cost, .. } = &problem.network;
        let betas = [0.2, -0.1, 0.3];
        let clamped = energy.clamp(&problem.batch.input);
        let target = &problem.batch.target;
        let total = TotalEnergy::nudged(
            energy,
            &clamped,
            cost,
            target,
            Setup::double().tensor(betas.to_vec(), [3, 1]),
        );
        let free = problem.free(&problem.network);
        let nudged = phase().relax(&total, free.clone()).state;
        let expected = values(&(total.value(&nudged) - total.value(&free)));
        let found = with_complex(&problem, [betas, [0.0; 3]], |total, state| {
            let rows = |s: &Tensor<2>| Tensor::cat(vec![s.clone(), s.zeros_like()], 0);
            let free = free.map(rows);
            values(&(total.value(state) - total.value(&free)))
        });
        assert!(distance(&found, &expected) < 1e-13);
        assert!(expected.iter().all(|f| f.abs() > 1e-4));
    }
}

#[test]
fn what_has_no_continuation_is_refused() {
    let refused = |circle: (f64, usize), config: &HopfieldEnergyConfig, cost: CostConfig| {
        let (beta, n_points) = circle;
        let error = holomorphic(beta, n_points).validate(config, cost).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    let tanh = chain(&[3, 4, 2], Activation::Tanh, Activation::Identity);
    let clipped = chain(&[3, 4, 2], Activation::Tanh, Activation::HardSigmoid);
    let average = convolution(Pooling::Average(2));
    let max = convolution(Pooling::Max(2));
    for (circle, config, cost, expected) in [
        ((0.3, 4), &tanh, SQUARED_ERROR, ""),
        ((0.3, 4), &average, SQUARED_ERROR, ""),
        (
            (-0.3, 4),
            &tanh,
            SQUARED_ERROR,
            "beta must be a positive number, but is -0.3",
        ),
        (
            (0.3, 0),
            &tanh,
            SQUARED_ERROR,
            "n_points must be at least 1, but is 0",
        ),
        (
            (0.3, 4),
            &tanh,
            CostConfig::CrossEntropy,
            "holomorphic equilibrium propagation needs the squared error, not CrossEntropy",
        ),
        (
            (0.3, 4),
            &clipped,
            SQUARED_ERROR,
            "holomorphic equilibrium propagation needs sigmoid, tanh or identity layers, but layer \
             2 has HardSigmoid",
        ),
        (
            (0.3, 4),
            &max,
            SQUARED_ERROR,
            "holomorphic equilibrium propagation cannot go through max pooling, which connection 0 \
             has; use average pooling",
        ),
    ] {
        assert_eq!(refused(circle, config, cost), expected);
    }
}

/// A network whose hidden layer is clipped.
fn clipped() -> Problem {
    Problem::dense(Activation::HardSigmoid, Activation::Identity, SQUARED_ERROR)
}

#[test]
#[should_panic(
    expected = "holomorphic equilibrium propagation needs sigmoid, tanh or identity layers, but \
                layer 1 has HardSigmoid"
)]
fn a_clipped_layer_is_refused_by_the_estimate_too() {
    clipped().gradient(&holomorphic(0.2, 4));
}

#[test]
#[should_panic(expected = "complex states need a holomorphic activation")]
fn a_clipped_layer_is_refused_by_the_total_energy_too() {
    with_complex(&clipped(), [[0.1; 3], [0.2; 3]], |_, _| ());
}

#[test]
#[should_panic(
    expected = "holomorphic equilibrium propagation cannot go through max pooling, which \
                connection 0 has; use average pooling"
)]
fn max_pooling_is_refused_by_the_estimate_too() {
    let max = convolution(Pooling::Max(2));
    Problem::new(&max, SQUARED_ERROR, 0.2).gradient(&holomorphic(0.2, 4));
}

#[test]
#[should_panic(expected = "n_points must be at least 1, but is 0")]
fn a_circle_without_points_is_refused_by_the_estimate_too() {
    let (problem, beta) = &problems()[0];
    problem.gradient(&holomorphic(*beta, 0));
}

#[test]
#[should_panic(expected = "a complex nudge needs a quadratic cost")]
fn the_cross_entropy_is_refused_by_the_estimate_too() {
    let (tanh, cost) = (Activation::Tanh, CostConfig::CrossEntropy);
    Problem::dense(tanh, tanh, cost).gradient(&holomorphic(0.2, 4));
}
