//! The second phase carries error derivatives: each step of the nudged phase moves every layer by the
//! derivative that backpropagation through the same number of steps finds for it,
//!
//! ```text
//! (s_{t+1} − s_t) / (ε β)  →  −∂C(s_T)/∂u_{T−t}   as β → 0,   s = σ(u)
//! ```
//!
//! (Scellier & Bengio 2017, abstract; Ernoult et al. 2019, theorem 1). The left side is computed from two
//! relaxations, the right side by Burn's autodiff through `t` free steps from the equilibrium.
//!
//! For each step and layer, prints the norm of the nudged velocity and its relative distance to the
//! derivative by autodiff: the error enters at the output and moves down one layer per step.
//!
//! `cargo run --release --example error_derivatives`

use burn::tensor::{Distribution, FloatDType};
use eqprop_train::prelude::*;

const SIZES: [usize; 5] = [20, 16, 16, 16, 5];
const STEPS: usize = 12;
const STEP_SIZE: f64 = 0.5;
const BETA: f64 = 1e-4;

fn main() -> anyhow::Result<()> {
    let mut device = Device::default();
    // The limit β → 0 needs more digits than f32 has.
    device.configure(FloatDType::F64)?;
    device.seed(2);

    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 1.2 };
    let energy = HopfieldEnergyConfig::dense(&SIZES, hidden, output, weights).init(&device);
    let input = Tensor::random([8, SIZES[0]], Distribution::Default, &device);
    let target = Tensor::random([8, 5], Distribution::Default, &device);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let to_equilibrium = Relaxation::steps(Scheme::Asynchronous, 5000).with_tolerance(1e-14);
    let free = to_equilibrium
        .relax(&total, energy.rest(&input))
        .converged()?;

    // The velocities of the nudged phase: central differences in β, of the steps in between.
    let flow = Scheme::GradientFlow {
        step_size: STEP_SIZE,
    };
    let path = |beta: f64| {
        let mut path = Vec::new();
        let beta = Tensor::full([1, 1], beta, &device);
        let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
        Relaxation::steps(flow, STEPS)
            .relax_observed(&total, free.clone(), |_, state| path.push(state.clone()));
        path
    };
    let (up, down) = (path(BETA), path(-BETA));
    let velocity = |step: usize, layer: usize| {
        let moved =
            |path: &[State]| path[step + 1].layer(layer).clone() - path[step].layer(layer).clone();
        (moved(&up) - moved(&down)) / (2.0 * BETA * STEP_SIZE)
    };

    // The derivatives of the cost after `n_steps` free steps with respect to the drives before them.
    let layers = energy.layers();
    let derivatives = |n_steps: usize| {
        let drive = |layer| energy.drive(layer, &clamped, &free);
        let drives: Vec<Tensor<2>> = (0..layers.len())
            .map(|layer| drive(layer).autodiff().require_grad())
            .collect();
        let values = layers.iter().zip(&drives);
        let start = values.map(|(layer, drive)| layer.activation.apply(drive.clone()));
        let mut state = State::new(start.collect());
        if n_steps > 0 {
            state = Relaxation::steps(flow, n_steps).relax(&total, state).state;
        }
        let gradients = SquaredError.value(state.output(), &target).sum().backward();
        let zeros = |drive: &Tensor<2>| drive.clone().without_autodiff().zeros_like();
        let gradient = |drive: &Tensor<2>| drive.grad(&gradients).unwrap_or_else(|| zeros(drive));
        drives.iter().map(gradient).collect::<Vec<_>>()
    };

    println!("norm of the velocity (relative distance to autodiff's error derivative)\n");
    print!("{:>4}", "step");
    for layer in (1..=layers.len()).rev() {
        let name = if layer == layers.len() {
            "output".into()
        } else {
            format!("hidden {layer}")
        };
        print!(" {name:>20}");
    }
    println!();
    for step in 0..STEPS {
        print!("{step:>4}");
        let derivatives = derivatives(step);
        for layer in (0..layers.len()).rev() {
            let (found, derivative) = (velocity(step, layer), derivatives[layer].clone());
            // Descent: the velocity is minus the derivative.
            let (size, off) = (norm(&found), norm(&(found + derivative.clone())));
            // There is nothing to compare with where no error has arrived yet.
            let relative = match norm(&derivative) {
                0.0 => String::new(),
                derivative => format!("({:.0e})", off / derivative),
            };
            print!(" {size:>10.5} {relative:>9}");
        }
        println!();
    }
    Ok(())
}

fn norm(tensor: &Tensor<2>) -> f64 {
    tensor.clone().square().sum().sqrt().into_scalar::<f64>()
}
