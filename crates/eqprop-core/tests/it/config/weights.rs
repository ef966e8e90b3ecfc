//! Initial weights.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig,
};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig};
use eqprop_testing::{joined, parameters};

use crate::devices;

/// Seeds a device whose random numbers all threads share, and keeps other tests from drawing
/// until the guard is dropped.
fn seeded(device: &Device, seed: u64) -> MutexGuard<'static, ()> {
    static RANDOM: Mutex<()> = Mutex::new(());
    let guard = RANDOM.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    guard
}

/// A connection from 20 to 30 units, with weights from `initializer`.
fn wide(initializer: InitializerConfig, device: &Device) -> HopfieldEnergy {
    let tanh = Activation::Tanh;
    HopfieldEnergyConfig::dense(&[20, 30], tanh, tanh, initializer).init(device)
}

/// A convolution from 6 to 8 channels with a kernel of 4, with weights from `initializer`.
fn deep(initializer: InitializerConfig, device: &Device) -> HopfieldEnergy {
    let kind = ConnectionKind::Convolution(ConvolutionConfig::new(4));
    let layer = LayerConfig::new([8, 2, 3], Activation::Tanh);
    let connection = ConnectionConfig {
        initializer,
        ..joined(0, 1, kind)
    };
    HopfieldEnergyConfig::new([6, 5, 6].into(), vec![layer], vec![connection]).init(device)
}

/// Asserts that the weights are uniform in `±bound` and the biases 0.
fn assert_uniform(network: &HopfieldEnergy, bound: f64, n_biases: usize, what: &str) {
    let [weight, bias] = parameters(network).try_into().expect("a weight and a bias");
    let largest = weight.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
    // One rounding of f32 above; the largest of 600 is this close but once in e^12.
    assert!(
        largest <= bound * 1.000_001,
        "{what}: {largest} over {bound}"
    );
    assert!(
        largest > bound * 0.98,
        "{what}: {largest} far below {bound}"
    );
    // The variance of a uniform distribution, with a standard error of 4 %.
    let variance = weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64;
    assert!((variance * 3.0 / bound.powi(2) - 1.0).abs() < 0.2, "{what}");
    assert_eq!(bias, vec![0.0; n_biases], "{what}");
}

#[test]
fn initial_weights_fill_the_bounds_of_their_distribution_and_biases_are_zero() {
    let [glorot, fan_in] = [
        InitializerConfig::Glorot,
        InitializerConfig::FanIn { gain: 0.5 },
    ];
    for setup in devices::all() {
        let _guard = seeded(&setup.device, 1);
        for (initializer, bound) in [
            (glorot, (6.0_f64 / 50.0).sqrt()),
            (fan_in, 0.5 / 20f64.sqrt()),
        ] {
            let what = format!("dense, {initializer:?}, {}", setup.name);
            assert_uniform(&wide(initializer, &setup.device), bound, 30, &what);
        }
        // A unit is driven through 6·4² weights, and drives through 8·4².
        for (initializer, bound) in [
            (glorot, (6.0_f64 / (14.0 * 16.0)).sqrt()),
            (fan_in, 0.5 / 96f64.sqrt()),
        ] {
            let what = format!("convolution, {initializer:?}, {}", setup.name);
            assert_uniform(&deep(initializer, &setup.device), bound, 8, &what);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    for setup in devices::all() {
        let weights = |seed| {
            let _guard = seeded(&setup.device, seed);
            parameters(&wide(InitializerConfig::Glorot, &setup.device))
        };
        let first = weights(7);
        assert_eq!(weights(7), first, "{}", setup.name);
        assert_ne!(weights(8), first, "{}", setup.name);
    }
}

/// The bounds that the names of the distributions stand for, for code that draws the weights of a layer
/// by hand.
#[test]
fn a_bound_follows_from_the_units_on_both_sides() {
    let glorot = InitializerConfig::Glorot.bound(7, 17);
    assert!((glorot - 0.5).abs() < 1e-15, "√(6/24): {glorot}");
    let fan_in = InitializerConfig::FanIn { gain: 0.6 }.bound(9, 17);
    assert!((fan_in - 0.2).abs() < 1e-15, "0.6/√9: {fan_in}");
}
