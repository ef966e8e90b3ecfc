//! Devices that are not ideal: where updates land, statistics, and runs that repeat.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use eqprop_core::activation::{Activation, Levels};
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Setup, config, digits, explained, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::{HardwareConfig, TrainingConfig};
use eqprop_train::estimator::{NonIdeal, StateDefects};
use eqprop_train::hardware::Hardware;
use eqprop_train::network::EquilibriumNetwork;

type Network = EquilibriumNetwork<eqprop_core::energy::HopfieldEnergy, eqprop_core::cost::AnyCost>;

/// 200-100-10: 21,000 weights, the first of 0.5/√200 at most.
fn network() -> Network {
    let gain = InitializerConfig::FanIn { gain: 0.5 };
    let hidden = Activation::HardSigmoid;
    let energy = HopfieldEnergyConfig::dense(&[200, 100, 10], hidden, Activation::Identity, gain);
    let cost = CostConfig::SquaredError.init(10, 10, &Device::flex());
    EquilibriumNetwork::new(energy.init(&Device::flex()), cost)
}

/// Every parameter moved by `by`.
fn moved(network: Network, by: f64) -> Network {
    struct Move(f64);

    impl ModuleMapper for Move {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            parameter.map(|value| value + self.0)
        }
    }

    network.map(&mut Move(by))
}

/// Result of an update by `by`: the first weights before and after it, and the biases after it.
struct Landed {
    before: Vec<f64>,
    after: Vec<f64>,
    bias: Vec<f64>,
}

impl Landed {
    fn changes(&self) -> Vec<f64> {
        let pairs = self.after.iter().zip(&self.before);
        pairs.map(|(after, before)| after - before).collect()
    }
}

fn land(config: HardwareConfig, seed: u64, by: f64) -> Landed {
    let network = network();
    let hardware = Hardware::new(config, seed, &network).expect("not ideal");
    let of = |network: &Network, ending: &str| {
        let lists = named_parameters(network).into_iter();
        let mut lists = lists.filter(|(path, _)| path.ends_with(ending));
        lists.next().expect("there is one").1
    };
    let before = of(&network, "weight");
    let after = hardware.update(network, |network| moved(network, by));
    let (after, bias) = (of(&after, "weight"), of(&after, "biases.0"));
    Landed {
        before,
        after,
        bias,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let center = mean(values);
    let squares = values.iter().map(|value| (value - center).powi(2));
    (squares.sum::<f64>() / values.len() as f64).sqrt()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

const ROUNDING: f64 = 1e-7;

#[test]
fn ups_and_downs_are_apart_by_the_asymmetry() {
    let config = HardwareConfig::new().with_update_asymmetry(0.3);
    for (by, expected) in [(0.01, 0.013), (-0.01, -0.007)] {
        let landed = land(config, 0, by);
        let changes = landed.changes();
        assert!(
            changes
                .iter()
                .all(|change| (change - expected).abs() < ROUNDING)
        );
        // Biases are ideal.
        assert!(landed.bias.iter().all(|bias| (bias - by).abs() < ROUNDING));
    }
}

#[test]
fn devices_follow_by_gains_of_their_own() {
    let config = HardwareConfig::new().with_mismatch(0.2);
    let changes = land(config, 3, 0.01).changes();
    // Of 20,000: 0.0014 in the mean and 0.001 in the deviation are one standard error.
    assert!(
        (mean(&changes) / 0.01 - 1.0).abs() < 0.006,
        "{}",
        mean(&changes)
    );
    assert!((deviation(&changes) / 0.01 - 0.2).abs() < 0.004);
    // The same ones in the next update, and others of another seed.
    let again = land(config, 3, -0.02).changes();
    let pairs = changes.iter().zip(&again);
    assert!(pairs.clone().all(|(a, b)| (b + 2.0 * a).abs() < 1e-6));
    let other = land(config, 4, 0.01).changes();
    let n_same = changes
        .iter()
        .zip(&other)
        .filter(|(a, b)| (**a - **b).abs() < 1e-6);
    assert!(n_same.count() < 200);
}

#[test]
fn writing_adds_noise_to_every_weight() {
    let config = HardwareConfig::new().with_update_noise(0.01);
    let landed = land(config, 0, 0.005);
    let (changes, unit) = (landed.changes(), largest(&landed.before));
    let expected = 0.01 * unit;
    // Within four standard errors, of the mean 0.7 % of the deviation and of that 0.5 %.
    assert!((mean(&changes) - 0.005).abs() < 0.03 * expected);
    assert!((deviation(&changes) / expected - 1.0).abs() < 0.02);
    // Another update has other noise.
    let network = network();
    let hardware = Hardware::new(config, 0, &network).expect("not ideal");
    let first = hardware.update(network.clone(), |network| network);
    let second = hardware.update(network.clone(), |network| network);
    hardware.resume(0);
    let again = hardware.update(network, |network| network);
    assert_ne!(named_parameters(&first), named_parameters(&second));
    assert_eq!(named_parameters(&first), named_parameters(&again));
}

#[test]
fn a_fraction_of_the_devices_is_stuck() {
    let config = HardwareConfig::new().with_stuck(0.25);
    let changes = land(config, 0, 0.01).changes();
    let n_stuck = changes.iter().filter(|change| **change == 0.0).count();
    let moved = changes.iter().filter(|change| **change != 0.0);
    assert!(moved.clone().all(|change| (change - 0.01).abs() < ROUNDING));
    // A standard error is 0.3 %.
    let fraction = n_stuck as f64 / changes.len() as f64;
    assert!((fraction - 0.25).abs() < 0.012, "{fraction}");
}

#[test]
fn weights_have_levels_and_rounding_is_right_in_the_mean() {
    let config = HardwareConfig::new()
        .with_weight_bits(Some(4))
        .with_weight_range(Some(2.0));
    let by = 0.0021;
    let landed = land(config, 0, by);
    // 15 levels from −2 to 2.
    let step = 2.0 * largest(&landed.before) / 7.0;
    for weight in &landed.after {
        let level = weight / step;
        assert!((level - level.round()).abs() < 1e-4, "{weight}");
    }
    let change = mean(&landed.changes());
    // The deviation of a rounding is at most half a step: of 20,000, 0.0035 steps.
    assert!((change - by).abs() < 0.014 * step, "{change}");
    assert!(by > 0.1 * step, "an effect to see");
    let far = land(config, 0, 1.0);
    let highest = 2.0 * largest(&far.before);
    let mut after = far.after.iter();
    assert!(after.all(|weight| (weight - highest).abs() < ROUNDING));
}

#[test]
fn weights_stay_within_their_range() {
    let config = HardwareConfig::new().with_weight_range(Some(1.5));
    for by in [1.0, -1.0] {
        let landed = land(config, 0, by);
        let limit = 1.5 * largest(&landed.before) * by;
        assert!(
            landed
                .after
                .iter()
                .all(|weight| (weight - limit).abs() < ROUNDING)
        );
        assert!(landed.bias.iter().all(|bias| *bias == by));
    }
}

fn trained(config: TrainingConfig, n_epochs: usize) -> Vec<(String, Vec<f64>)> {
    let mut training = training(config, &digits(80, 20));
    run(&mut training, n_epochs);
    named_parameters(training.learner())
}

/// Around the free equilibrium of a linear unit that nothing drives, `s ← dξ` after each step.
#[test]
fn states_are_disturbed_after_every_step() {
    let deviation = 0.2;
    let config = HopfieldEnergyConfig::dense(
        &[1, 3],
        Activation::Identity,
        Activation::Identity,
        InitializerConfig::Glorot,
    );
    let energy = config.init(&Device::flex());
    let input = Tensor::<2>::zeros([20_000, 1], &Device::flex());
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let defects = StateDefects {
        noise: deviation,
        ..StateDefects::default()
    };
    let noisy = NonIdeal::new(Scheme::Asynchronous, defects, 5);
    let after = |noisy: &NonIdeal<Scheme>, n_steps: usize| {
        let relaxation = Relaxation::steps(noisy.clone(), n_steps);
        let relaxed = relaxation.relax(&total, energy.rest(&input));
        eqprop_testing::flat(&relaxed.state)
    };
    let values = after(&noisy, 3);
    // Of 60,000: standard errors of 0.4 % and 0.3 % of the deviation.
    assert!(mean(&values).abs() < 0.016 * deviation, "{}", mean(&values));
    assert!((self::deviation(&values) / deviation - 1.0).abs() < 0.012);
    assert_eq!(values, after(&noisy, 3));
    assert_ne!(values, after(&noisy, 4));
    assert_ne!(values, after(&noisy.with_stream(1), 3));
}

/// Units of these defects, by asynchronous steps.
fn units(noise: f64, bits: Option<usize>, range: Option<f64>) -> NonIdeal<Scheme> {
    let levels = Levels { bits, range };
    NonIdeal::new(Scheme::Asynchronous, StateDefects { noise, levels }, 5)
}

/// The states of a smooth network after each of `n_steps` steps, with units of its own in each layer: sigmoids, and a
/// linear output.
fn course(dynamics: impl Dynamics, n_steps: usize) -> Vec<State> {
    let gain = InitializerConfig::FanIn { gain: 1.0 };
    let hidden = Activation::Sigmoid;
    let energy = HopfieldEnergyConfig::dense(&[64, 50, 10], hidden, Activation::Identity, gain);
    // The same weights in every call.
    let energy = eqprop_testing::network(&energy, &Setup::single(), 0.2, 7);
    let input = eqprop_testing::batch(200).input;
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let mut states = Vec::new();
    let relaxation = Relaxation::steps(dynamics, n_steps);
    relaxation.relax_observed(&total, energy.rest(&input), |step, state| {
        if step > 0 {
            states.push(state.clone());
        }
    });
    states
}

#[test]
fn states_have_levels_after_every_step() {
    for noise in [0.0, 0.1] {
        for state in course(units(noise, Some(3), Some(1.5)), 4) {
            // 8 levels from 0 to 1, and 7 from −1.5 to 1.5.
            for (layer, step) in [(0, 1.0 / 7.0), (1, 0.5)] {
                let values = eqprop_testing::values(state.layer(layer));
                assert!(values.iter().any(|value| *value != values[0]));
                for value in values {
                    let level = value / step;
                    assert!((level - level.round()).abs() < 1e-5, "{value}");
                }
            }
        }
    }
}

/// The noise first: with the same noise the one state is the other, rounded.
#[test]
fn what_noise_has_left_is_rounded() {
    let levels = Levels {
        bits: Some(3),
        range: Some(1.5),
    };
    let ideal = &course(Scheme::Asynchronous, 1)[0];
    let noisy = &course(units(0.1, None, None), 1)[0];
    let both = &course(units(0.1, levels.bits, levels.range), 1)[0];
    let mut far = 0;
    for (layer, activation) in [(0, Activation::Sigmoid), (1, Activation::Identity)] {
        let [ideal, noisy, both] = [ideal, noisy, both].map(|state| state.layer(layer));
        let round =
            |layer: &Tensor<2>| eqprop_testing::values(&activation.round(layer.clone(), levels));
        assert!(
            eqprop_testing::values(both) == round(noisy),
            "layer {layer}"
        );
        let pairs = round(noisy).into_iter().zip(round(ideal));
        far += pairs.filter(|(a, b)| a != b).count();
    }
    // Of 12,000: noise of a tenth moves many to another level.
    assert!(far > 1000, "{far}");
}

/// Noise wider than the levels leaves nothing that rounding could know: its error is uniform.
#[test]
fn rounding_has_the_error_of_a_uniform_number() {
    let noisy = &course(units(0.4, None, None), 1)[0];
    let both = &course(units(0.4, Some(6), Some(8.0)), 1)[0];
    let of = |state: &State| eqprop_testing::values(state.layer(1));
    // 63 levels from −8 to 8, which no unit comes near to.
    let step = 8.0 / 31.0;
    let pairs = of(both).into_iter().zip(of(noisy));
    let errors: Vec<f64> = pairs.map(|(a, b)| (a - b) / step).collect();
    assert!(largest(&errors) < 0.5001);
    // Of 2000 uniform numbers: standard errors of 0.0065 and of 1 % of 1/√12.
    assert!(mean(&errors).abs() < 0.026, "{}", mean(&errors));
    let expected = 12.0_f64.sqrt().recip();
    assert!((deviation(&errors) / expected - 1.0).abs() < 0.04);
}

#[test]
fn many_bits_are_as_good_as_all() {
    let apart = |bits: usize| {
        let ideal = course(Scheme::Asynchronous, 6);
        let found = course(units(0.0, Some(bits), Some(2.0)), 6);
        let (ideal, found) = (ideal.last().expect("six"), found.last().expect("six"));
        largest(&eqprop_testing::values(&found.max_distance(ideal)))
    };
    // Levels of the output are 4/2^bits apart, and each step amplifies what came before by less than ten.
    for bits in [4, 8, 12, 16] {
        let (found, spacing) = (apart(bits), 4.0 / 2f64.powi(bits as i32));
        assert!(
            found > 0.1 * spacing && found < 5.0 * spacing,
            "{bits}: {found}"
        );
    }
    // Nothing to round, and nothing to hold.
    let held = course(units(0.0, None, Some(50.0)), 6);
    let ideal = course(Scheme::Asynchronous, 6);
    let [held, ideal] = [held, ideal].map(|states| eqprop_testing::flat(&states[5]));
    assert_eq!(held, ideal);
}

/// A nudge that moves units by less than half a level moves none, so that nothing is learned.
#[test]
fn a_nudge_below_the_levels_is_lost() {
    let coarse = [
        ("hardware.state_bits", "2"),
        ("hardware.state_range", "1.0"),
        ("hidden_activation", "hard_sigmoid"),
    ];
    let weights = |beta: &str| {
        let config = with(
            config(),
            &[&coarse[..], &[("nudging", "one_sided"), ("beta", beta)]].concat(),
        );
        let mut training = training(config, &digits(80, 20));
        let before = named_parameters(training.learner());
        run(&mut training, 1);
        (before, named_parameters(training.learner()))
    };
    let (before, after) = weights("1e-4");
    assert_eq!(before, after);
    let (before, after) = weights("0.9");
    assert_ne!(before, after);
}

#[test]
fn ideal_hardware_changes_nothing() {
    assert!(HardwareConfig::new().holds_ideally());
    assert!(Hardware::new(HardwareConfig::new(), 0, &network()).is_none());
    let written = [
        ("hardware.update_noise", "0"),
        ("stuck", "0.0"),
        ("hardware.state_bits", "null"),
    ];
    assert!(HardwareConfig::new().state_defects().is_none());
    let few = HardwareConfig::new().with_state_bits(Some(4));
    assert!(few.holds_ideally() && few.state_defects().is_some());
    assert_eq!(trained(config(), 1), trained(with(config(), &written), 1));
    let noisy = with(config(), &[("hardware.update_noise", "0.001")]);
    assert_ne!(trained(config(), 1), trained(noisy, 1));
}

#[test]
fn a_run_on_hardware_goes_on_to_the_last_digit() {
    let all = [
        ("hardware.weight_bits", "6"),
        ("hardware.mismatch", "0.1"),
        ("hardware.stuck", "0.05"),
        ("hardware.update_asymmetry", "0.1"),
        ("hardware.update_noise", "0.001"),
        ("hardware.state_noise", "0.05"),
        ("hardware.state_bits", "6"),
        ("hardware.state_range", "2.0"),
    ];
    for momentum in ["0.0", "0.5"] {
        let config = with(with(config(), &all), &[("momentum", momentum)]);
        let dataset = digits(80, 20);
        let mut first = training(config.clone(), &dataset);
        run(&mut first, 1);
        let folder = tempfile::tempdir().expect("a folder");
        first.checkpoint().save(folder.path()).expect("written");
        let checkpoint = Checkpoint::load_latest(folder.path()).expect("read");
        let checkpoint = checkpoint.expect("there is one");
        let mut second = training(config.clone(), &dataset)
            .restore(checkpoint)
            .expect("of the same network");
        run(&mut second, 1);
        assert_eq!(named_parameters(second.learner()), trained(config, 2));
    }
}

#[test]
fn hardware_that_cannot_be_says_why() {
    let cases = [
        (
            "weight_bits",
            "1",
            "weight_bits must be 2 to 20, or null, but is 1",
        ),
        (
            "weight_range",
            "0.0",
            "weight_range must be a positive number",
        ),
        (
            "mismatch",
            "-0.1",
            "mismatch must be a number of at least 0",
        ),
        ("stuck", "1.5", "stuck must be from 0 to 1, but is 1.5"),
        (
            "update_asymmetry",
            "2.0",
            "update_asymmetry must be from -1 to 1",
        ),
        (
            "update_noise",
            "-1.0",
            "update_noise must be a number of at least 0",
        ),
        (
            "state_noise",
            "-1.0",
            "state_noise must be a number of at least 0",
        ),
        (
            "state_bits",
            "1",
            "state_bits must be 2 to 20, or null, but is 1",
        ),
        ("state_bits", "21", "state_bits must be 2 to 20"),
        ("state_range", "0", "state_range must be a positive number"),
        // The output is linear.
        (
            "state_bits",
            "4",
            "layer 2 has the activation Identity, which has none: set state_range, such as 2",
        ),
        ("weight_bits", "21", "2 to 20, or null, but is 21"),
        ("mismatch", "1e39", "mismatch must be"),
    ];
    for (key, value, expected) in cases {
        let error = with(config(), &[(key, value)])
            .validate()
            .expect_err(expected);
        let text = explained(&error);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn states_of_predictive_coding_have_levels_where_they_are_projected() {
    let predictive = |activation: &str, range: &str| {
        let model = [
            ("model", "predictive_coding"),
            ("hidden_activation", activation),
            ("beta", "0.02"),
            ("hardware.state_bits", "6"),
            ("hardware.state_range", range),
        ];
        with(config(), &model).validate()
    };
    // Its minima lie inside the range of tanh, and its states are not held there.
    let error = predictive("tanh", "null").expect_err("no range");
    assert!(explained(&error).contains("layer 1 has the activation Identity"));
    let error = predictive("hard_sigmoid", "null").expect_err("no range");
    assert!(explained(&error).contains("layer 2 has the activation Identity"));
    predictive("tanh", "2").expect("a range");
}
