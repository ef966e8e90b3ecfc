//! The residual preset at reduced width, in `f64`.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, HopfieldEnergy, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{explained, parameters, values};
use eqprop_train::config::{HiddenLayer, TrainingConfig};
use eqprop_train::error::TrainingError;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::preset::Preset;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The preset with 2 to 4 maps a layer for 128 to 512.
fn narrow() -> TrainingConfig {
    let mut config = Preset::HopfieldResnet13.config();
    for layer in &mut config.network.hidden {
        let HiddenLayer::Convolution { channels, .. } = layer else {
            panic!("{layer:?} is not convolutional");
        };
        *channels = 2 + *channels / 256;
    }
    config
}

struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|value| value.cast(DType::F64))
    }
}

fn energy(config: &TrainingConfig) -> HopfieldEnergy {
    let EquilibriumNetwork { energy, .. } = config.network(&Device::flex());
    match energy.map(&mut Double) {
        AnyField::Hopfield(energy) => energy,
        other => panic!("{other} is not the preset's"),
    }
}

/// Two images of noise.
fn input() -> Tensor<2> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let n = 3 * 32 * 32;
    let pixels: Vec<f64> = (0..2 * n).map(|_| rng.random_range(-2.0..2.0)).collect();
    let data = TensorData::new(pixels, [2, n]);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

#[test]
fn no_two_layers_of_a_group_interact_though_even_and_odd_layers_do() {
    for config in [narrow(), Preset::HopfieldResnet13.config()] {
        let ends = config.energy().connections;
        let ends: Vec<_> = ends.iter().map(|c| (c.from, c.to)).collect();
        // Between layers of equal parity, 0 being the input.
        let skips = ends.iter().filter(|(from, to)| from % 2 == to % 2);
        assert_eq!(skips.count(), 4);
    }
    let energy = energy(&narrow());
    let groups = energy.groups();
    let mut layers = groups.concat();
    layers.sort_unstable();
    assert_eq!(layers, (0..9).collect::<Vec<_>>());
    for group in groups {
        for (from, to) in energy.ends() {
            let both = [from, to].map(|&layer| layer > 0 && group.contains(&(layer - 1)));
            assert_ne!(both, [true; 2], "{from} and {to} in {group:?}");
        }
    }
}

#[test]
fn layers_of_a_group_move_at_once_as_one_after_the_other() {
    let energy = energy(&narrow());
    let input = input();
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    // Away from rest, so that every layer would move with its neighbors.
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 2);
    let mut state = relaxation.relax(&total, energy.rest(&input)).state;
    for group in energy.groups() {
        let at_once: Vec<_> = group
            .iter()
            .map(|&layer| values(&total.minimize(layer, &state)))
            .collect();
        for &layer in group {
            state.set(layer, total.minimize(layer, &state));
        }
        let in_turn: Vec<_> = group.iter().map(|&l| values(state.layer(l))).collect();
        assert_eq!(at_once, in_turn, "{group:?}");
    }
}

#[test]
fn the_energy_falls_in_asynchronous_sweeps_of_the_free_and_the_nudged_phase() {
    let config = narrow();
    let energy = energy(&config);
    let input = input();
    let clamped = energy.clamp(&input);
    let descend = |total: &TotalEnergy<'_, _, _>, start: State, least: f64| {
        let relaxation = Relaxation::steps(Scheme::Asynchronous, 60);
        let (relaxed, trace) = relaxation.relax_traced(total, start);
        let energies = &trace.energy;
        // Thousands of terms of order 1 and roundings of 1e-16.
        for pair in energies.windows(2) {
            assert!(pair[1] <= pair[0] + 1e-10, "{pair:?}");
        }
        let fall = energies[0] - energies[energies.len() - 1];
        assert!(fall > least, "fell by {fall:e} only");
        relaxed.state
    };
    let free = TotalEnergy::free(&energy, &clamped);
    let free = descend(&free, energy.rest(&input), 1.0);
    let mut target = vec![0.0; 20];
    (target[3], target[17]) = (1.0, 1.0);
    let like = (&Device::flex(), DType::F64);
    let target = Tensor::from_data(TensorData::new(target, [2, 10]), like);
    for beta in [config.phases.nudging.beta(), -config.phases.nudging.beta()] {
        let cost = AnyCost::SquaredError(eqprop_core::cost::SquaredError);
        let beta = Tensor::full([1, 1], beta, like);
        let total = TotalEnergy::nudged(&energy, &clamped, &cost, &target, beta);
        descend(&total, free.clone(), 1e-6);
    }
}

#[test]
fn gains_go_with_the_connections_in_their_order() {
    let config = narrow();
    let connections = config.energy().connections;
    let gain = |from: usize, to: usize| {
        let found = connections.iter().find(|c| (c.from, c.to) == (from, to));
        match found.expect("a connection").initializer {
            InitializerConfig::FanIn { gain } => gain,
            InitializerConfig::Glorot => panic!("{from} -> {to} has no gain"),
        }
    };
    for layer in 0..8 {
        assert_eq!(gain(layer, layer + 1), 0.6);
    }
    assert_eq!(gain(8, 9), 0.8);
    for block in 0..4 {
        assert_eq!(gain(2 * block, 2 * block + 2), 0.7);
    }
    // The weights are drawn accordingly: uniform in ±gain/√n_in, n_in = 2·3·3 for the second.
    let largest = |config: &TrainingConfig| {
        let lists = parameters(&config.network(&Device::flex()));
        eqprop_testing::largest(&lists[1])
    };
    let bound = 0.6 / 18f64.sqrt();
    let found = largest(&config);
    assert!(found <= bound && found > 0.8 * bound, "{found}, {bound}");
    let mut doubled = config.clone();
    doubled.network.gains[1] = 1.2;
    assert!((largest(&doubled) / found - 2.0).abs() < 1e-6);
    // Without gains all have the initializer's.
    let mut none = config.clone();
    none.network.gains.clear();
    assert_eq!(
        none.energy().connections[1].initializer,
        none.network.initializer
    );
}

#[test]
fn gains_that_do_not_fit_are_refused() {
    let mut config = narrow();
    config.network.gains.pop();
    let error = config.validate().expect_err("one is missing");
    assert!(
        matches!(
            error,
            TrainingError::Gains {
                expected: 13,
                found: 12
            }
        ),
        "{error:?}"
    );
    config.network.gains.push(0.0);
    let message = explained(&config.validate().expect_err("not positive"));
    assert!(message.contains("gain"), "{message}");
}
