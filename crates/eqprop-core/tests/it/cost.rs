//! Values, minimizers and allowed nudging factors of the costs.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig, CrossEntropyConfig, LinearCost, SquaredError};
use eqprop_core::error::ConfigError;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Nudging;
use eqprop_testing::{ACTIVATIONS, Numbers, Setup, assert_close, cost, distance, filled, values};

use crate::devices;

const BETAS: [f64; 4] = [-0.5, 0.3, 1.0, 10.0];
const SHAPE: [usize; 2] = [20, 4];

#[test]
fn the_squared_error_is_half_the_squared_distance() {
    for setup in devices::all() {
        let output = setup.tensor(vec![0.5, 1.0, -1.0, 2.0], [2, 2]);
        let target = setup.tensor(vec![1.0, 0.0, 0.0, 2.0], [2, 2]);
        // ½(0.25 + 1), ½(1 + 0)
        let found = values(&SquaredError.value(&output, &target));
        assert_close(&found, &[0.625, 0.5], setup.tolerance, setup.name);
    }
}

#[test]
fn the_cross_entropy_is_minus_the_log_probability_of_the_label() {
    let (n_units, labels) = (3, [1, 0]);
    let weight = [0.5, -1.0, 2.0, 0.25, 1.5, -0.75];
    let bias = [0.1, -0.2];
    let output = [0.3, 0.9, 0.1, 0.7, 0.2, 0.8];
    let expected = [0, 1].map(|example| {
        let logit = |class: usize| -> f64 {
            let units = 0..n_units;
            let sum = units.map(|unit| output[example * 3 + unit] * weight[unit * 2 + class]);
            sum.sum::<f64>() + bias[class]
        };
        (logit(0).exp() + logit(1).exp()).ln() - logit(labels[example])
    });
    for setup in devices::all() {
        let cost = CrossEntropyConfig::new(n_units, 2).init(&setup.device);
        let cost = filled(cost, &setup, |n| {
            if n == 2 {
                bias.to_vec()
            } else {
                weight.to_vec()
            }
        });
        let output = setup.tensor(output.to_vec(), [2, 3]);
        let target = setup.one_hot(&labels, 2);
        let found = values(&cost.value(&output, &target));
        assert_close(&found, &expected, setup.tolerance, setup.name);
    }
}

/// `C = ⟨g, s⟩`, and a nudge by it is the force `−βg` for every activation.
#[test]
fn a_linear_cost_is_a_constant_force() {
    for setup in devices::all() {
        let slope = setup.tensor(vec![0.5, -1.0, 2.0, 0.25], [2, 2]);
        let output = setup.tensor(vec![0.4, 0.1, 0.3, -0.2], [2, 2]);
        let drive = setup.tensor(vec![0.2, 0.9, 0.1, 0.6], [2, 2]);
        let beta = setup.tensor(vec![0.5, -0.4], [2, 1]);
        let close = |found: &[f64], expected: &[f64], what: &str| {
            assert_close(found, expected, setup.tolerance, what);
        };
        // 0.2 − 0.1, 0.6 − 0.05
        close(
            &values(&LinearCost.value(&output, &slope)),
            &[0.1, 0.55],
            "C",
        );
        for activation in ACTIVATIONS {
            let nudge = LinearCost.nudge(&slope, beta.clone(), activation);
            let force = [-0.25, 0.5, 0.8, 0.1];
            close(&values(&LinearCost.force(&nudge, &output)), &force, "force");
            let nudged = values(&LinearCost.nudged_value(&nudge, &output));
            close(&nudged, &[0.05, -0.22], "βC");
            let found = LinearCost.minimize(&nudge, activation, drive.clone(), &output);
            let pushed = setup.tensor(vec![-0.05, 1.4, 0.9, 0.7], [2, 2]);
            let what = format!("{activation:?}");
            close(&values(&found), &values(&activation.apply(pushed)), &what);
            assert!(LinearCost.check_beta(-1e3, activation).is_ok());
        }
    }
}

/// The point of `[low, high]` with the least `½s² − drive·s + β·½(s − y)²`: an end, or the bottom
/// of the parabola if it has one there.
fn minimizer(drive: f64, y: f64, beta: f64, [low, high]: [f64; 2]) -> f64 {
    let bottom = (drive + beta * y) / (1.0 + beta);
    let candidates = [low, high, bottom];
    let feasible = candidates
        .into_iter()
        .filter(|s| s.is_finite() && (low..=high).contains(s));
    let energy = |s: f64| 0.5 * s * s - drive * s + beta * 0.5 * (s - y).powi(2);
    let least = feasible.min_by(|a, b| energy(*a).total_cmp(&energy(*b)));
    least.expect("some point is feasible")
}

#[test]
fn the_squared_error_has_its_exact_minimizer_where_the_potential_is_quadratic() {
    const UNBOUNDED: f64 = f64::INFINITY;
    for setup in devices::all() {
        let mut numbers = Numbers(1);
        let n = SHAPE[0] * SHAPE[1];
        let drives = numbers.list(n, -2.0, 3.0);
        let targets = numbers.list(n, 0.0, 1.0);
        let tensor = |list: &[f64]| setup.tensor::<2>(list.to_vec(), SHAPE);
        for (activation, range) in [
            (Activation::HardSigmoid, [0.0, 1.0]),
            (Activation::Relu, [0.0, UNBOUNDED]),
            (Activation::ClippedRelu { max: 0.7 }, [0.0, 0.7]),
            (Activation::Identity, [-UNBOUNDED, UNBOUNDED]),
        ] {
            let concave: &[f64] = if range[1] == UNBOUNDED {
                &[]
            } else {
                &[-1.0, -3.0]
            };
            for &beta in BETAS.iter().chain(concave) {
                let target = tensor(&targets);
                let nudge = SquaredError.nudge(&target, setup.number(beta), activation);
                let output = numbers.inside(activation, &setup, SHAPE);
                let found = SquaredError.minimize(&nudge, activation, tensor(&drives), &output);
                let units = drives.iter().zip(&targets);
                let expected: Vec<f64> = units
                    .map(|(drive, y)| minimizer(*drive, *y, beta, range))
                    .collect();
                let what = format!("{activation:?}, beta {beta}, {}", setup.name);
                assert_close(&values(&found), &expected, setup.tolerance, &what);
            }
        }
    }
}

/// `G(s) − drive·s + βC(s)` of each example.
fn layer_energy<C: Cost>(
    cost: &C,
    nudge: &C::Nudge,
    activation: Activation,
    drive: &Tensor<2>,
    output: &Tensor<2>,
) -> Vec<f64> {
    let work = (output.clone() * drive.clone())
        .sum_dim(1)
        .squeeze_dim::<1>(1);
    let potential = activation.potential(output.clone());
    values(&(potential - work + cost.nudged_value(nudge, output)))
}

/// Follows `minimize` for `n_steps`, asserts that no step raises the layer's energy, and returns the
/// largest error of the stationarity condition `s = σ(drive − β ∂C/∂s)`.
fn follow(cost: &AnyCost, activation: Activation, beta: f64, n_steps: usize) -> f64 {
    let setup = Setup::double();
    let mut numbers = Numbers(2);
    let drive = numbers.matrix(&setup, SHAPE, -1.0, 2.0);
    let target = setup.one_hot(&[0, 1, 2, 3].repeat(SHAPE[0] / 4), SHAPE[1]);
    let nudge = cost.nudge(&target, setup.number(beta), activation);
    let mut output = numbers.inside(activation, &setup, SHAPE);
    let energy = |output: &Tensor<2>| layer_energy(cost, &nudge, activation, &drive, output);
    let mut before = energy(&output);
    for step in 0..n_steps {
        output = cost.minimize(&nudge, activation, drive.clone(), &output);
        let after = energy(&output);
        for (before, after) in before.iter().zip(&after) {
            // Energies are of order 10 at most; the first steps lower them by 0.01 and more.
            assert!(
                *after <= before + 1e-13,
                "{activation:?}, beta {beta}, step {step}: {before} to {after}"
            );
        }
        before = after;
    }
    let stationary = activation.apply(drive.clone() + cost.force(&nudge, &output));
    distance(&values(&stationary), &values(&output))
}

#[test]
fn squared_error_steps_never_raise_the_energy_and_end_where_it_is_stationary() {
    let cost = AnyCost::SquaredError(SquaredError);
    for activation in ACTIVATIONS {
        for beta in BETAS {
            // Each step leaves at most γ/(1 + γ) of the distance, γ = max(β, 0), and half of it
            // at β = −½: after 400 steps 1e-16.
            let rest = follow(&cost, activation, beta, 400);
            assert!(rest < 1e-12, "{activation:?}, beta {beta}: {rest:e}");
        }
        if activation.max().is_finite() {
            follow(&cost, activation, -3.0, 400);
        }
    }
}

/// Weights in ±2 are far beyond where a plain fixed-point step would still lower the energy.
#[test]
fn cross_entropy_steps_never_raise_the_energy_and_end_where_it_is_stationary() {
    let cost = cost(CostConfig::CrossEntropy, SHAPE[1], &Setup::double(), 2.0, 3);
    for activation in ACTIVATIONS {
        for beta in [-0.5, 0.3, 1.0, 3.0] {
            let rest = follow(&cost, activation, beta, 4000);
            assert!(rest < 1e-12, "{activation:?}, beta {beta}: {rest:e}");
        }
    }
}

#[test]
fn beta_of_minus_one_or_less_is_refused_by_the_squared_error_on_an_unbounded_output() {
    for beta in [-1.0, -2.0] {
        let nudging = Nudging::OneSided { beta };
        for output in [Activation::Identity, Activation::Relu] {
            let error = nudging
                .validate(&SquaredError, output)
                .expect_err("unbounded");
            assert_eq!(error, ConfigError::Unbounded { beta });
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("beta = {beta} is refused")),
                "{text}"
            );
            assert!(text.contains("E + beta C falls without bound"), "{text}");
            assert!(
                text.contains("use beta > -1, or a bounded output activation"),
                "{text}"
            );
        }
        for output in ACTIVATIONS.into_iter().filter(|a| a.max().is_finite()) {
            assert_eq!(nudging.validate(&SquaredError, output), Ok(()));
        }
    }
    // The negative phase of a nudging with two signs counts.
    for nudging in [
        Nudging::Centered { beta: 1.0 },
        Nudging::RandomSign { beta: 1.5 },
    ] {
        let beta = -nudging.beta();
        let found = nudging.validate(&SquaredError, Activation::Identity);
        assert_eq!(found, Err(ConfigError::Unbounded { beta }));
    }
    let cost = cost(CostConfig::CrossEntropy, 4, &Setup::double(), 1.0, 4);
    for nudging in [
        Nudging::OneSided { beta: -2.0 },
        Nudging::Centered { beta: 5.0 },
    ] {
        assert_eq!(nudging.validate(&cost, Activation::Identity), Ok(()));
    }
}

#[test]
fn beta_must_be_a_number_other_than_zero_and_positive_where_both_signs_are_used() {
    let refused = |nudging: Nudging| {
        let error = nudging
            .validate(&SquaredError, Activation::Tanh)
            .expect_err("out of range");
        error.to_string()
    };
    let one_sided = |beta| refused(Nudging::OneSided { beta });
    assert_eq!(
        one_sided(0.0),
        "beta must be a number other than 0, but is 0"
    );
    assert_eq!(
        one_sided(f64::NAN),
        "beta must be a number other than 0, but is NaN"
    );
    assert_eq!(
        one_sided(f64::INFINITY),
        "beta must be a number other than 0, but is inf"
    );
    for beta in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("beta must be a positive number, but is {beta}");
        assert_eq!(refused(Nudging::Centered { beta }), expected);
        assert_eq!(refused(Nudging::RandomSign { beta }), expected);
    }
    for nudging in [
        Nudging::OneSided { beta: -0.5 },
        Nudging::OneSided { beta: 10.0 },
        Nudging::Centered { beta: 0.5 },
        Nudging::RandomSign { beta: 0.5 },
    ] {
        assert_eq!(
            nudging.validate(&SquaredError, Activation::Identity),
            Ok(())
        );
    }
}

/// Values, forces and gradients of a batch are those of each example by itself, times the weight of its
/// class.
#[test]
fn weights_of_classes_multiply_what_each_example_costs() {
    let setup = Setup::double();
    let (weights, classes) = ([3.0, 0.5, 0.0], [0, 1, 2, 0]);
    let of_each = classes.map(|class| weights[class]);
    let output = Numbers(5).matrix(&setup, [4, 3], -1.0, 1.0);
    let target = setup.one_hot(&classes, 3);
    let beta = 0.7;
    for which in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let plain = cost(which, 3, &setup, 1.0, 9);
        let weighted = plain.clone().with_class_weights(weights.to_vec());
        let force = |cost: &AnyCost, beta: f64, output: &Tensor<2>, target: &Tensor<2>| {
            let beta = setup.tensor(vec![beta; output.dims()[0]], [output.dims()[0], 1]);
            let nudge = cost.nudge(target, beta, Activation::Identity);
            values(&cost.force(&nudge, output))
        };
        let (mut costs, mut forces) = (Vec::new(), Vec::new());
        let mut gradients: Vec<f64> = Vec::new();
        for (example, weight) in of_each.into_iter().enumerate() {
            let row = |all: &Tensor<2>| all.clone().narrow(0, example, 1);
            let (output, target) = (row(&output), row(&target));
            costs.push(weight * values(&plain.value(&output, &target))[0]);
            forces.extend(force(&plain, beta * weight, &output, &target));
            let mut own = Gradients::new();
            plain.gradients(&output, &target, &mut own);
            let own = own.to_vec(&plain);
            gradients.resize(own.len(), 0.0);
            let pairs = gradients.iter_mut().zip(own);
            pairs.for_each(|(sum, own)| *sum += weight * own / 4.0);
        }
        assert_close(
            &values(&weighted.value(&output, &target)),
            &costs,
            1e-12,
            "value",
        );
        assert_close(
            &force(&weighted, beta, &output, &target),
            &forces,
            1e-12,
            "force",
        );
        let mut found = Gradients::new();
        weighted.gradients(&output, &target, &mut found);
        assert_close(&found.to_vec(&weighted), &gradients, 1e-12, "gradient");
        assert_eq!(gradients.is_empty(), which == CostConfig::SquaredError);
        let scores = |cost: &AnyCost| values(&cost.scores(&output, &output));
        assert_eq!(scores(&weighted), scores(&plain));
    }
    // Three times −0.4 goes too far where −0.4 does not.
    let weighted = AnyCost::SquaredError(SquaredError).with_class_weights(weights.to_vec());
    assert!(weighted.check_beta(-0.4, Activation::Identity).is_err());
    assert!(weighted.check_beta(-0.3, Activation::Identity).is_ok());
}
