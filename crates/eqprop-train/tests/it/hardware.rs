//! Devices that are not ideal: where updates land, statistics, and runs that repeat.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::{HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{config, digits, explained, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::{HardwareConfig, TrainingConfig};
use eqprop_train::estimator::Noisy;
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
    let noisy = Noisy::new(Scheme::Asynchronous, deviation, 5);
    let after = |noisy: &Noisy<Scheme>, n_steps: usize| {
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

#[test]
fn ideal_hardware_changes_nothing() {
    assert!(HardwareConfig::new().holds_ideally());
    assert!(Hardware::new(HardwareConfig::new(), 0, &network()).is_none());
    let written = [("hardware.update_noise", "0"), ("stuck", "0.0")];
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
