//! Contrastive Hebbian learning as the limit β → ∞ of equilibrium propagation (Scellier & Bengio 2017, §4.1):
//! the nudge becomes a clamp, and the contrast is that of the clamped and the free phase,
//!
//! ```text
//! ΔW_ij ∝ ρ_i^∞ ρ_j^∞ − ρ_i⁰ ρ_j⁰ = −dJ/dW_ij,   J = E(s^∞) − E(s⁰)
//! ```
//!
//! For growing β, prints the distance of the nudged equilibrium from the one with its output clamped, the
//! rise `F(s^β) − E(s⁰)`, which ends at `J` and falls below `β C(s⁰)` on the way, and the cosines of the
//! estimate with the gradient of the cost and with the contrastive Hebbian update.
//!
//! `cargo run --release --example contrastive_hebbian`

use burn::tensor::{Distribution, FloatDType};
use eqprop_core::relaxation::Dynamics;
use eqprop_train::prelude::*;

/// Minimizes one layer after the other, except the output, which stays as it is.
#[derive(Debug, Clone)]
struct HiddenLayers;

impl Dynamics for HiddenLayers {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        for layer in 0..state.layers().len() - 1 {
            state.set(layer, total.minimize(layer, state));
        }
    }
}

fn main() -> anyhow::Result<()> {
    let mut device = Device::default();
    device.configure(FloatDType::F64)?;
    device.seed(0);

    let (hidden, output) = (Activation::Sigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 1.0 };
    let energy =
        HopfieldEnergyConfig::dense(&[20, 16, 16, 5], hidden, output, weights).init(&device);
    let input = Tensor::random([8, 20], Distribution::Default, &device);
    let target = Tensor::random([8, 5], Distribution::Default, &device);
    let clamped = energy.clamp(&input);
    let nudged = |beta: f64| {
        let beta = Tensor::full([1, 1], beta, &device);
        TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta)
    };
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 5000).with_tolerance(1e-13);
    let free = relaxation
        .relax(&nudged(0.0), energy.rest(&input))
        .converged()?;

    // The phase with the output clamped to the target.
    let mut start = free.clone();
    start.set(2, target.clone());
    let hidden_layers = Relaxation::steps(HiddenLayers, 5000).with_tolerance(1e-13);
    let taught = hidden_layers.relax(&nudged(0.0), start).converged()?;

    let mean = |values: Tensor<1>| values.mean().into_scalar::<f64>();
    let contrast = |first: &State, second: &State, scale: f64| {
        let gradients = energy.contrast(&energy.clamp(&input), first, second, scale);
        gradients.to_vec(&energy)
    };
    let hebbian = contrast(&taught, &free, 1.0);
    let near = |beta| relaxation.relax(&nudged(beta), free.clone()).converged();
    let gradient = contrast(&near(1e-4)?, &near(-1e-4)?, 1.0 / 2e-4);
    let cost = mean(SquaredError.value(free.output(), &target));
    let objective = mean(energy.energy(&clamped, &taught) - energy.energy(&clamped, &free));

    println!("cost {cost:.4}, contrastive objective J = {objective:.4}");
    println!(
        "cosine of the gradient of the cost and of J: {:.4}\n",
        cosine(&gradient, &hebbian)
    );
    println!(
        "{:>8} {:>12} {:>12} {:>12} {:>12}",
        "beta", "to clamped", "rise of F", "cos with dC", "cos with dJ"
    );
    for exponent in -3..=5 {
        let beta = 10f64.powi(exponent);
        let state = near(beta)?;
        let distance = state.max_distance(&taught).max().into_scalar::<f64>();
        let rise = mean(nudged(beta).value(&state) - energy.energy(&clamped, &free));
        let estimate = contrast(&state, &free, 1.0 / beta);
        println!(
            "{beta:>8} {distance:>12.2e} {rise:>12.6} {:>12.6} {:>12.6}",
            cosine(&estimate, &gradient),
            cosine(&estimate, &hebbian)
        );
    }
    Ok(())
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
