//! How close the gradient is to the exact one: the orders in β, the identity with backpropagation through
//! time, and recommendations that hold.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use eqprop_bench::baseline::ImplicitExact;
use eqprop_bench::fidelity::{
    Fidelity, FidelityConfig, FidelityError, HardwareFidelity, HardwareFidelityConfig, Limit,
    Machines, NudgingKind, Precision, StepwiseLayer,
};
use eqprop_core::connection::Connection;
use eqprop_core::energy::AnyField;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{Network, digits, run, training, with};
use eqprop_train::batch::Batch;
use eqprop_train::config::{HardwareConfig, TrainingConfig};
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::preset::Preset;

const SIGMOID: [(&str, &str); 2] = [
    ("hidden_activation", "sigmoid"),
    ("output_activation", "sigmoid"),
];

/// The preset for the digits with some fields replaced.
fn config(overrides: &[(&str, &str)]) -> TrainingConfig {
    with(Preset::Digits.config(), overrides)
}

/// The network of a configuration after an epoch of training on 400 digits, and a mini-batch of them.
fn trained(config: &TrainingConfig, batch: usize) -> (Network, Batch) {
    let mut config = config.clone();
    config.data.n_train = Some(400);
    let mut training = training(config, &digits(usize::MAX, usize::MAX));
    run(&mut training, 1);
    let network = training.learner().valid().network;
    (network, eqprop_testing::batch(batch))
}

fn examine(config: &TrainingConfig, examination: &FidelityConfig) -> Fidelity {
    let (network, batch) = trained(config, 40);
    let examined = examination.examine(&network, &config.estimator(), &[batch], |_| {});
    examined.expect("the network has equilibria")
}

/// Settings of a quick examination: two nudging factors, few steps.
fn quick() -> FidelityConfig {
    FidelityConfig::new()
        .with_betas(vec![0.05])
        .with_stepwise_steps(5)
}

#[test]
fn the_error_of_a_smooth_network_has_order_one_and_two_in_beta() {
    let found = examine(&config(&SIGMOID), &FidelityConfig::new());
    let orders = &found.beta.orders;
    let order = |order: &Option<f64>| order.expect("enough points");
    // Orders 1 and 2 are 1 apart; the largest errors looked at, 0.3, are not quite small.
    for (name, found) in found.parameters.iter().zip(&orders.one_sided.parameters) {
        assert!((order(found) - 1.0).abs() < 0.1, "{name}: {found:?}");
    }
    let centered = orders.centered.as_ref().expect("both signs are allowed");
    for (name, found) in found.parameters.iter().zip(&centered.parameters) {
        assert!((order(found) - 2.0).abs() < 0.2, "{name}: {found:?}");
    }
    assert!((order(&orders.one_sided.whole) - 1.0).abs() < 0.1);
    assert!((order(&centered.whole) - 2.0).abs() < 0.2);
    // A gradient of the wrong sign would be off by 2 at every β.
    let first = &found.beta.points[0];
    assert!(first.estimates.one_sided.whole.relative_error < 0.01);
    assert!(first.kinks.is_none());
}

#[test]
fn the_exact_gradient_is_exact() {
    let readout = [
        ("cost", "cross_entropy"),
        ("hidden", "[64, 32]"),
        ("learning_rates", "[0.1, 0.1, 0.1]"),
    ];
    for overrides in [&SIGMOID[..], &[], &readout] {
        let config = config(overrides);
        let found = examine(&config, &quick()).exactness;
        // Converged to 1e-13, and responses to that of order 10 at most.
        assert!(found.free_residual <= 1e-13, "{found:?}");
        assert!(found.costate_residual <= 1e-13, "{found:?}");
        let difference = found.solve_difference.expect("a small network");
        assert!(difference < 1e-11, "{overrides:?}: {found:?}");
        assert!(found.half > 0.0 && found.half <= 0.5, "{found:?}");
    }
}

#[test]
fn single_precision_sees_what_is_larger_than_its_rounding() {
    let config = config(&SIGMOID);
    let examination = FidelityConfig::new()
        .with_betas(vec![0.01, 0.02, 0.05, 0.1, 0.2])
        .with_precision(Some(Precision::Single));
    let found = examine(&config, &examination);
    assert_eq!(found.precision, Precision::Single);
    // Rounding of 6e-8, in sums of a hundred terms.
    assert!(
        found.exactness.free_residual <= 3e-6,
        "{:?}",
        found.exactness
    );
    let difference = found.exactness.solve_difference.expect("small");
    assert!(difference < 1e-4, "{difference}");
    let order = found.beta.orders.one_sided.whole.expect("enough points");
    assert!((order - 1.0).abs() < 0.1, "{order}");
    for layer in found
        .stepwise
        .parameters
        .iter()
        .chain(&found.stepwise.states)
    {
        assert!(layer.relative_mean_squared_error < 1e-2, "{}", layer.name);
    }
    let double = examine(&config, &examination.with_precision(None));
    assert_eq!(double.precision, Precision::Double);
    let [a, b] = [&found, &double].map(|found| {
        let point = found.beta.points.last().expect("five points");
        point.estimates.one_sided.whole.relative_error
    });
    assert!(a != b && (a - b).abs() < 1e-3 * b, "{a} {b}");
}

#[test]
fn converged_centered_estimates_point_along_the_exact_gradient() {
    for (overrides, bound) in [(&SIGMOID[..], 0.999), (&[], 0.99)] {
        let beta = ("beta", "0.1");
        let overrides = [overrides, &[beta]].concat();
        let found = examine(&config(&overrides), &quick());
        let point = found.beta.points.iter().find(|point| point.beta == 0.1);
        let point = point.expect("the configured β is looked at");
        let centered = point.estimates.centered.as_ref().expect("both signs");
        assert!(centered.lowest_cosine() > bound, "{centered:?}");
        // As does the estimator itself, which takes 15 + 6 asynchronous steps.
        let configured = &found.recommendation.configured;
        assert_eq!((configured.free_steps, configured.nudged_steps), (15, 6));
        assert!(
            configured.agreements.lowest_cosine() > bound,
            "{configured:?}"
        );
        // Enough steps lead where relaxing to convergence does.
        let last = found.steps.nudged.last().expect("some steps");
        let last = last.estimates.centered.as_ref().expect("both signs");
        let change = last.whole.relative_error - centered.whole.relative_error;
        assert!(change.abs() < 1e-3 * centered.whole.relative_error);
    }
}

#[test]
fn each_nudged_step_makes_the_update_of_backpropagation_through_time() {
    let deep = ("hidden", "[48, 48, 48]");
    let rates = ("learning_rates", "[0.1, 0.05, 0.02, 0.01]");
    let flow = ("dynamics", "gradient_flow");
    let cross_entropy = ("cost", "cross_entropy");
    let cases = [
        SIGMOID.to_vec(),
        vec![],
        vec![deep, rates],
        [&SIGMOID[..], &[deep, rates, flow]].concat(),
        vec![flow],
        vec![cross_entropy, flow],
    ];
    for overrides in cases {
        let config = config(&overrides);
        let relative_errors = |beta: f64| {
            let stepwise = quick()
                .with_stepwise_beta(Some(beta))
                .with_stepwise_steps(15);
            let found = examine(&config, &stepwise).stepwise;
            assert!(found.drift < 1e-11, "{overrides:?}: {}", found.drift);
            let layers = found.parameters.into_iter().chain(found.states);
            layers.collect::<Vec<StepwiseLayer>>()
        };
        for layer in relative_errors(1e-3) {
            let error = layer.relative_mean_squared_error;
            // 1 if there were no update, 4 if it had the wrong sign.
            assert!(error < 1e-2, "{overrides:?}, {}: {error}", layer.name);
            assert_eq!(layer.mean.eqprop.len(), 15);
            let [entry, _] = &layer.entries[..] else {
                panic!("two entries are followed");
            };
            let pairs = entry.course.eqprop.iter().zip(&entry.course.bptt);
            let peak = entry.course.bptt.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(
                apart < 0.1 * peak,
                "{overrides:?}, {}: {entry:?}",
                layer.name
            );
        }
        // It is a limit: at a large β the two differ.
        let worst = relative_errors(0.5).into_iter();
        let worst = worst.map(|layer| layer.relative_mean_squared_error);
        assert!(worst.fold(0.0, f64::max) > 0.02, "{overrides:?}");
    }
}

#[test]
fn the_updates_of_all_steps_add_up_to_the_exact_gradient() {
    let config = config(&SIGMOID);
    let (network, batch) = trained(&config, 40);
    let examination = quick().with_stepwise_steps(60);
    let examined = examination.examine(
        &network,
        &config.estimator(),
        std::slice::from_ref(&batch),
        |_| {},
    );
    let stepwise = examined.expect("the network has equilibria").stepwise;

    let precision = Precision::of(&Device::flex());
    assert_eq!(precision, Precision::Double);
    let (network, batch) = (precision.network(network), precision.batch(&batch));
    let free = Relaxation::steps(Scheme::Asynchronous, 200);
    let exact = ImplicitExact { free }.estimate(&network, &batch, None);
    let AnyField::Hopfield(energy) = &network.energy else {
        panic!("a Hopfield network")
    };
    let Connection::Dense(dense) = &energy.connections[1] else {
        panic!("a dense network")
    };
    let gradient = exact
        .gradients
        .get::<2>(dense.weight.id)
        .expect("a gradient");
    let gradient: Vec<f64> = gradient.into_data().iter::<f64>().collect();
    let layer = &stepwise.parameters[1];
    assert_eq!(layer.name, "weights 2");
    for entry in &layer.entries {
        let [eqprop, bptt] =
            [&entry.course.eqprop, &entry.course.bptt].map(|course| course.iter().sum::<f64>());
        let exact = gradient[entry.index];
        // After 60 steps of a contraction by about a half only rounding errors are left.
        assert!((bptt - exact).abs() < 1e-9 * exact.abs(), "{bptt} {exact}");
        // The nudged phase is off by the order of β = 0.0001.
        assert!(
            (eqprop - exact).abs() < 0.02 * exact.abs(),
            "{eqprop} {exact}"
        );
    }
}

#[test]
fn a_recommendation_reaches_its_bound_in_the_estimator_itself() {
    let kinds = ["centered", "one_sided", "random_sign"];
    let dynamics = ["asynchronous", "gradient_flow", "fixed_point"];
    for (kind, dynamics) in kinds.into_iter().zip(dynamics) {
        let overrides = [("nudging", kind), ("dynamics", dynamics), ("beta", "0.2")];
        let config = config(&overrides);
        let examination = FidelityConfig::new()
            .with_bound(0.995)
            .with_stepwise_steps(1);
        let found = examine(&config, &examination).recommendation;
        let enough = found.enough.expect("some choice is enough");
        assert!(found.best.is_none() && found.limit.is_none());
        let n_phases = if kind == "centered" { 2 } else { 1 };
        assert_eq!(
            enough.cost,
            enough.free_steps + n_phases * enough.nudged_steps
        );

        let [free, nudged] = [enough.free_steps, enough.nudged_steps].map(|n| n.to_string());
        let changes = [
            ("free_steps", free),
            ("nudged_steps", nudged),
            ("beta", enough.beta.to_string()),
        ];
        let changes = changes.iter().map(|(key, value)| (*key, value.as_str()));
        let config = config.with_overrides(changes).expect("numbers");
        // The network was trained with the other steps: only the estimator changes.
        let (network, batch) = trained(&self::config(&overrides), 40);
        let again =
            quick()
                .with_bound(0.995)
                .examine(&network, &config.estimator(), &[batch], |_| {});
        let configured = again.expect("it relaxes").recommendation.configured;
        assert_eq!(configured.cost, enough.cost);
        let [again, cosine] = [&configured, &enough].map(|c| c.agreements.lowest_cosine());
        assert!(cosine >= 0.995, "{kind}: {enough:?}");
        assert!((again - cosine).abs() < 1e-9, "{kind}: {again} {cosine}");
    }
}

#[test]
fn what_is_not_enough_is_reported_with_its_limit() {
    let one_sided = ("nudging", "one_sided");
    let beta = ("beta", "0.5");
    let slow = [
        one_sided,
        ("dynamics", "gradient_flow"),
        ("step_size", "0.01"),
        ("beta", "0.1"),
    ];
    let cases: [(Vec<_>, Limit); 3] = [
        ([&SIGMOID[..], &[one_sided, beta]].concat(), Limit::Beta),
        (vec![one_sided, beta], Limit::Kinks),
        (slow.to_vec(), Limit::Steps),
    ];
    for (overrides, limit) in cases {
        let config = config(&overrides);
        let bound = if limit == Limit::Steps { 0.9 } else { 0.99999 };
        let examination = FidelityConfig::new()
            .with_betas(Vec::new())
            .with_bound(bound)
            .with_stepwise_steps(1);
        let found = examine(&config, &examination).recommendation;
        assert_eq!(found.limit, Some(limit), "{overrides:?}");
        assert!(found.enough.is_none());
        let best = found.best.expect("something was searched");
        assert!(best.agreements.lowest_cosine() < bound);
    }
}

#[test]
fn units_cross_more_kinks_the_larger_beta_is() {
    let found = examine(&config(&[]), &FidelityConfig::new());
    let kinks: Vec<_> = found.beta.points.iter().map(|p| p.kinks.as_ref()).collect();
    let kinks: Option<Vec<_>> = kinks.into_iter().collect();
    let kinks = kinks.expect("hard sigmoids have kinks");
    let shares: Vec<f64> = kinks.iter().map(|kinks| kinks.one_sided).collect();
    assert!(shares.is_sorted(), "{shares:?}");
    // At most 5 of 5120 hidden units lie within 0.001 of a kink, some percent within 1.
    assert!(
        shares[0] < 1e-3 && shares[shares.len() - 1] > 3e-3,
        "{shares:?}"
    );
    let configured = kinks[8];
    assert!(configured.centered > Some(configured.one_sided));
    // The output has no kinks: 128 of 138 units are hidden.
    assert_eq!(configured.layers[1], 0.0);
    let whole = configured.layers[0] * 128.0 / 138.0;
    assert!((configured.one_sided - whole).abs() < 1e-12);
}

#[test]
fn a_beta_that_the_energy_refuses_is_left_out() {
    // The energy of a linear output has no lower bound at β ≤ −1.
    let examination = quick().with_betas(vec![0.5, 2.0]);
    let found = examine(&config(&[]), &examination);
    let betas: Vec<f64> = found.beta.points.iter().map(|point| point.beta).collect();
    assert_eq!(betas, [0.5, 2.0]);
    assert!(found.beta.points[0].estimates.centered.is_some());
    assert!(found.beta.points[1].estimates.centered.is_none());
    let negative = config(&[("nudging", "one_sided"), ("beta", "-0.5")]);
    let found = examine(&negative, &examination);
    let betas: Vec<f64> = found.beta.points.iter().map(|point| point.beta).collect();
    assert_eq!(betas, [-0.5]);
    let cosine = found.beta.points[0].estimates.one_sided.lowest_cosine();
    assert!(cosine > 0.9, "{cosine}");
}

#[test]
fn the_residual_of_the_free_phase_falls_to_the_tolerance() {
    let found = examine(&config(&[]), &quick()).free_phase;
    assert_eq!(found.residuals.len(), 60);
    for point in &found.residuals {
        let values = [
            point.min,
            point.tenth,
            point.median,
            point.ninetieth,
            point.max,
        ];
        assert!(values.is_sorted(), "{point:?}");
    }
    assert!(found.residuals[0].min > 0.1);
    assert!(found.residuals[14].max < 1e-3);
    assert_eq!((found.free_steps, found.converged), (15, 1.0));
    let found = examine(&config(&[("free_steps", "1")]), &quick()).free_phase;
    assert_eq!(found.converged, 0.0);
    let loose = config(&[("free_steps", "1"), ("tolerance", "10")]);
    assert_eq!(examine(&loose, &quick()).free_phase.converged, 1.0);
}

#[test]
fn the_worst_of_several_batches_is_reported() {
    let config = config(&[]);
    let (network, batch) = trained(&config, 40);
    let part = |tensor: &Tensor<2>, start| tensor.clone().narrow(0, start, 20);
    let parts =
        [0, 20].map(|start| Batch::new(part(&batch.input, start), part(&batch.target, start)));
    let lowest = |batches: &[Batch]| {
        let mut n_calls = 0;
        let found = quick().examine(&network, &config.estimator(), batches, |progress| {
            assert_eq!(progress.done, n_calls);
            assert!(progress.done < progress.total);
            n_calls += 1;
        });
        let found = found.expect("it relaxes");
        let point = &found.beta.points[1];
        point.estimates.one_sided.lowest_cosine()
    };
    let [a, b] = [&parts[..1], &parts[1..]].map(lowest);
    assert_ne!(a, b);
    assert_eq!(lowest(&parts), a.min(b));
}

#[test]
fn what_cannot_be_examined_is_refused() {
    let config = config(&[]);
    let (network, batch) = trained(&config, 4);
    let examine = |examination: FidelityConfig, network: &Network, batches: &[Batch]| {
        let found = examination.examine(network, &config.estimator(), batches, |_| {});
        found.expect_err("it cannot be examined")
    };
    let error = examine(quick(), &network, &[]);
    assert_eq!(error, FidelityError::NoExamples);
    for (examination, field) in [
        (quick().with_bound(1.0), "bound"),
        (quick().with_bound(f64::NAN), "bound"),
        (quick().with_betas(vec![0.0]), "betas"),
        (quick().with_stepwise_beta(Some(-1.0)), "stepwise_beta"),
        (quick().with_stepwise_steps(0), "stepwise_steps"),
    ] {
        let error = examine(examination, &network, std::slice::from_ref(&batch)).to_string();
        assert!(error.contains(field), "{error}");
    }

    struct Fill;
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, old: Param<Tensor<D>>) -> Param<Tensor<D>> {
            old.map(|tensor| tensor.full_like(f64::NAN))
        }
    }
    let broken = network.map(&mut Fill);
    let error = examine(quick(), &broken, &[batch]);
    assert!(matches!(error, FidelityError::NotFinite { .. }), "{error}");
}

/// A smooth network whose phases converge.
fn converged() -> TrainingConfig {
    let steps = [("free_steps", "60"), ("nudged_steps", "60")];
    config(&[&SIGMOID[..], &steps].concat())
}

/// Machines with an ideal one before them.
fn machines(betas: &[f64], n_draws: usize, settings: &[HardwareConfig]) -> HardwareFidelity {
    let config = converged();
    let (network, batch) = trained(&config, 40);
    let machines = Machines {
        settings,
        initial: &config.network(&Device::flex()),
        seed: 3,
    };
    let examination = HardwareFidelityConfig::new()
        .with_betas(betas.to_vec())
        .with_n_draws(n_draws);
    let found = examination.examine(&network, &config.estimator(), &machines, &[batch], |_| {});
    found.expect("the machines can be built")
}

const BOTH: [NudgingKind; 2] = [NudgingKind::OneSided, NudgingKind::Centered];

#[test]
fn an_ideal_machine_has_the_errors_of_the_ideal_estimate() {
    let settings = [
        HardwareConfig::new().with_state_bits(Some(20)),
        // What acts on updates has no part in it.
        HardwareConfig::new().with_mismatch(0.5),
    ];
    let found = machines(&[0.05, 0.5], 2, &settings);
    let config = converged();
    let (network, batch) = trained(&config, 40);
    let examination = quick().with_betas(vec![0.05, 0.5]);
    let ideal = examination
        .examine(&network, &config.estimator(), &[batch], |_| {})
        .expect("the network has equilibria");
    let [first, many_bits, mismatched] = &found.machines[..] else {
        panic!("three machines: {}", found.machines.len());
    };
    assert_eq!(first.points, mismatched.points);
    for (at, point) in first.points.iter().enumerate() {
        let expected = &ideal.beta.points[at];
        assert_eq!(point.beta, expected.beta);
        for kind in BOTH {
            let draws = point.get(kind).expect("both signs are allowed");
            let expected = expected.estimates.get(kind).expect("as here").whole;
            // What 60 steps leave of the residual, against errors of some percent.
            let error = expected.relative_error;
            assert!(
                (draws.bias / error - 1.0).abs() < 1e-3,
                "{kind:?}: {draws:?}, {error}"
            );
            assert!((draws.cosine - expected.cosine).abs() < 1e-5);
            assert_eq!((draws.deviation, draws.noise), (0.0, 0.0));
            // A million levels, divided by β.
            let of_many = many_bits.points[at].get(kind).expect("both").cosine;
            assert!((of_many - draws.cosine).abs() < 1e-3, "{kind:?}: {of_many}");
        }
    }
    // The opposite of the gradient would have a bias of 2.
    assert!(first.points[0].one_sided.bias < 0.2);
    assert_eq!((first.n_draws, many_bits.n_draws), (1, 1));
}

#[test]
fn noise_is_divided_by_beta_and_averages_out() {
    let settings = [0.01, 0.02].map(|noise| HardwareConfig::new().with_state_noise(noise));
    let found = machines(&[0.05, 0.1, 0.5], 20, &settings);
    let [ideal, less, more] = &found.machines[..] else {
        panic!("three machines: {}", found.machines.len());
    };
    assert_eq!((less.n_draws, less.points.len()), (20, 3));
    let noise = |point: usize, kind| less.points[point].get(kind).expect("both").noise;
    for kind in BOTH {
        // 1/β: 2 and 5 times as much, and a standard error of its deviation of a few percent.
        for (at, ratio) in [(0, 2.0), (2, 0.2)] {
            let found = noise(at, kind) / noise(1, kind);
            assert!(
                (found / ratio - 1.0).abs() < 0.25,
                "{kind:?}: {found}, {ratio}"
            );
        }
        for at in 0..3 {
            let draws = less.points[at].get(kind).expect("both");
            let twice = more.points[at].get(kind).expect("both").noise / draws.noise;
            assert!((twice - 2.0).abs() < 0.3, "{kind:?}: {twice}");
            assert!(draws.cosine < draws.mean.whole.cosine, "{draws:?}");
            let ideal = ideal.points[at].get(kind).expect("both");
            assert!(draws.cosine < ideal.cosine);
            // The mean of 20 is off by the noise over √20, which the bias is without.
            let squares = [draws.mean.whole.relative_error, draws.bias, draws.noise];
            let [of_mean, bias, noise] = squares.map(|size| size * size);
            let expected = of_mean - noise / 20.0;
            assert!(
                (bias - expected.max(0.0)).abs() < 1e-9 * of_mean,
                "{draws:?}"
            );
        }
    }
    // ±β are twice as far apart as 0 and β.
    for at in 0..3 {
        let ratio = noise(at, NudgingKind::OneSided) / noise(at, NudgingKind::Centered);
        assert!((ratio - 2.0).abs() < 0.4, "{ratio}");
    }
    // And so the best β is larger than without noise.
    for kind in BOTH {
        let best = |machine: &eqprop_bench::fidelity::Machine| machine.best(kind).expect("one").0;
        assert!(best(more) > best(ideal), "{kind:?}");
    }
}

#[test]
fn weights_are_brought_to_what_a_machine_can_hold() {
    let settings = [
        HardwareConfig::new().with_weight_range(Some(1e3)),
        HardwareConfig::new().with_weight_range(Some(0.3)),
        HardwareConfig::new().with_weight_bits(Some(10)),
        HardwareConfig::new().with_weight_bits(Some(3)),
    ];
    let found = machines(&[0.5], 5, &settings);
    let draws: Vec<_> = found
        .machines
        .iter()
        .filter_map(|machine| machine.points[0].centered.as_ref())
        .collect();
    let [ideal, wide, narrow, many, few] = draws[..] else {
        panic!("five machines: {}", draws.len());
    };
    assert_eq!(ideal, wide);
    assert!(
        narrow.bias > 2.0 * ideal.bias && narrow.noise == 0.0,
        "{narrow:?}"
    );
    // Rounded anew for each estimate.
    assert!(
        many.noise > 0.0 && many.cosine > 0.98 * ideal.cosine,
        "{many:?}"
    );
    assert!(
        few.noise > 5.0 * many.noise && few.cosine < many.cosine,
        "{few:?}"
    );
}

#[test]
fn machines_that_cannot_be_measured_are_refused() {
    let config = config(&[]);
    let (network, batch) = trained(&config, 10);
    let refused = |hardware: HardwareConfig, n_draws: usize| {
        let machines = Machines {
            settings: &[hardware],
            initial: &network.clone(),
            seed: 0,
        };
        let examination = HardwareFidelityConfig::new().with_n_draws(n_draws);
        let batches = [batch.clone()];
        let found = examination.examine(&network, &config.estimator(), &machines, &batches, |_| {});
        found.expect_err("refused").to_string()
    };
    let few = HardwareConfig::new().with_state_bits(Some(4));
    assert!(refused(few, 2).contains("layer 2 has the activation Identity"));
    let wrong = HardwareConfig::new().with_state_noise(-1.0);
    assert!(refused(wrong, 2).contains("state_noise must be a number of at least 0"));
    assert!(refused(HardwareConfig::new(), 1).contains("n_draws must be at least 2, but is 1"));
}
