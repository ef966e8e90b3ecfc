//! Learning along the nudged path, as in spike-timing-dependent plasticity. A synapse that follows the rates
//! of its two ends,
//!
//! ```text
//! dW_ij = ρ_i dρ_j + ρ_j dρ_i
//! ```
//!
//! (Scellier & Bengio 2017, eqs. 11 to 14), has changed at the end of the path by the contrast of its end
//! points, `ρ_i^β ρ_j^β − ρ_i⁰ ρ_j⁰`: the update of equilibrium propagation times β. In discrete steps, an
//! update that uses the rates before each step has an error of the order of the step size; one that uses the
//! rates halfway through the step is exact for any step size.
//!
//! Prints both errors relative to the contrast, and the cosine of the update that uses the rates before each
//! step with the descent direction of the cost.
//!
//! `cargo run --release --example stdp`

use burn::module::Param;
use burn::tensor::{Distribution, FloatDType};
use eqprop_core::gradients::{GradientVisitor, Gradients};
use eqprop_train::prelude::*;

const BETA: f64 = 0.5;
const DURATION: f64 = 8.0;

fn main() -> anyhow::Result<()> {
    let mut device = Device::default();
    device.configure(FloatDType::F64)?;
    device.seed(0);

    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
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
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 5000).with_tolerance(1e-14);
    let rest = energy.rest(&input);
    let free = relaxation.relax(&nudged(0.0), rest).converged()?;

    // The reference: the gradient of the cost, from a small β.
    let near = |beta| relaxation.relax(&nudged(beta), free.clone()).converged();
    let gradient = energy.contrast(
        &energy.clamp(&input),
        &near(1e-4)?,
        &near(-1e-4)?,
        1.0 / 2e-4,
    );
    let gradient = weights_of(&energy, &gradient);

    println!(
        "{:>9} {:>6} {:>16} {:>16} {:>10}",
        "step size", "steps", "rates before", "rates halfway", "cosine"
    );
    for n_steps in [16, 32, 64, 128, 256, 512, 1024] {
        let step_size = DURATION / n_steps as f64;
        let mut before: Option<State> = None;
        let mut euler: Vec<_> = gradient.iter().map(Tensor::zeros_like).collect();
        let mut halfway = euler.clone();
        let flow = Relaxation::steps(Scheme::GradientFlow { step_size }, n_steps);
        let last = flow.relax_observed(&nudged(BETA), free.clone(), |_, after| {
            if let Some(before) = before.replace(after.clone()) {
                for (synapse, &(i, j)) in energy.ends().iter().enumerate() {
                    let rate = |state: &State, layer: usize| match layer {
                        0 => input.clone(),
                        free => state.layer(free - 1).clone(),
                    };
                    let step = |layer| rate(after, layer) - rate(&before, layer);
                    let mean = |layer| (rate(after, layer) + rate(&before, layer)) / 2.0;
                    euler[synapse] = euler[synapse].clone()
                        + rate(&before, i).transpose().matmul(step(j))
                        + step(i).transpose().matmul(rate(&before, j));
                    halfway[synapse] = halfway[synapse].clone()
                        + mean(i).transpose().matmul(step(j))
                        + step(i).transpose().matmul(mean(j));
                }
            }
        });
        // −∂E/∂W = ρ_i ρ_j, summed over the batch as above.
        let batch = input.dims()[0] as f64;
        let contrast = energy.contrast(&energy.clamp(&input), &last.state, &free, -batch);
        let contrast = weights_of(&energy, &contrast);
        let off = |sum: &[Tensor<2>]| {
            let pairs = sum.iter().zip(&contrast);
            let off: Vec<_> = pairs.map(|(a, b)| a.clone() - b.clone()).collect();
            norm(&off) / norm(&contrast)
        };
        println!(
            "{step_size:>9.4} {n_steps:>6} {:>16.2e} {:>16.2e} {:>10.4}",
            off(&euler),
            off(&halfway),
            -dot(&euler, &gradient) / (norm(&euler) * norm(&gradient))
        );
    }
    Ok(())
}

/// Returns the gradient of each connection's weights, which come before the biases.
fn weights_of(energy: &HopfieldEnergy, gradients: &Gradients) -> Vec<Tensor<2>> {
    struct Matrices(Vec<Tensor<2>>);
    impl GradientVisitor for Matrices {
        fn visit<const D: usize>(&mut self, _: &Param<Tensor<D>>, gradient: Tensor<D>) {
            if let [n_in, n_out] = gradient.dims()[..] {
                self.0.push(gradient.reshape([n_in, n_out]));
            }
        }
    }
    let mut matrices = Matrices(Vec::new());
    gradients.visit(energy, &mut matrices);
    matrices.0
}

fn dot(a: &[Tensor<2>], b: &[Tensor<2>]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| a.clone() * b.clone());
    products.map(|p| p.sum().into_scalar::<f64>()).sum()
}

fn norm(a: &[Tensor<2>]) -> f64 {
    dot(a, a).sqrt()
}
