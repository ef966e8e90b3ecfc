//! The theorem of equilibrium propagation (Scellier & Bengio 2017, theorem 1): as β goes to 0, the contrast
//! of two equilibria becomes the gradient of the cost of the relaxed network. The reference gradient is found
//! without any theory, by moving every parameter in turn and relaxing again from rest.
//!
//! For shrinking β, prints the errors of the one-sided and of the centered estimate relative to that
//! gradient, and the orders in β at which they vanish.
//!
//! `cargo run --release --example theorem`

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Distribution, FloatDType, TensorData};
use eqprop_train::prelude::*;

fn main() -> anyhow::Result<()> {
    let mut device = Device::default();
    // Differences of relaxations need more digits than f32 has.
    device.configure(FloatDType::F64)?;
    device.seed(0);

    let (sigmoid, weights) = (Activation::Sigmoid, InitializerConfig::Glorot);
    let config = HopfieldEnergyConfig::dense(&[6, 8, 6, 3], sigmoid, sigmoid, weights);
    let input = Tensor::random([4, 6], Distribution::Default, &device);
    let target = Tensor::random([4, 3], Distribution::Default, &device);
    let energy = config.init(&device);
    let relax = |energy: &HopfieldEnergy, beta: f64, start: State| {
        let clamped = energy.clamp(&input);
        let beta = Tensor::full([1, 1], beta, &device);
        let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, &target, beta);
        let relaxation = Relaxation::steps(Scheme::Asynchronous, 1000).with_tolerance(1e-13);
        relaxation.relax(&total, start).converged()
    };

    // The gradient by central differences of the whole procedure, from rest to the cost.
    let epsilon = 1e-4;
    let cost = |index, by| {
        let energy = energy.clone().map(&mut Shift { index, by });
        let state = relax(&energy, 0.0, energy.rest(&input))?;
        let cost = SquaredError.value(state.output(), &target);
        anyhow::Ok(cost.mean().into_scalar::<f64>())
    };
    let slope = |index| Ok((cost(index, epsilon)? - cost(index, -epsilon)?) / (2.0 * epsilon));
    let exact: anyhow::Result<Vec<f64>> = (0..energy.num_params()).map(slope).collect();
    let exact = exact?;
    let size = norm(&exact);
    println!("{} parameters, gradient of norm {size:.4}\n", exact.len());

    let free = relax(&energy, 0.0, energy.rest(&input))?;
    let relative_error = |first: f64, second: f64| {
        let a = relax(&energy, first, free.clone())?;
        let b = relax(&energy, second, free.clone())?;
        let gradients = energy.contrast(&energy.clamp(&input), &a, &b, 1.0 / (first - second));
        // In the order in which `Shift` counts the parameters.
        let estimate = gradients.to_vec(&energy).into_iter();
        let off: Vec<f64> = estimate.zip(&exact).map(|(a, b)| a - b).collect();
        anyhow::Ok(norm(&off) / size)
    };
    println!("{:>8} {:>14} {:>14}", "beta", "one-sided", "centered");
    let mut errors = Vec::new();
    for beta in [0.1, 0.03, 0.01, 0.003, 0.001] {
        let pair = [relative_error(beta, 0.0)?, relative_error(beta, -beta)?];
        println!("{beta:>8} {:>14.3e} {:>14.3e}", pair[0], pair[1]);
        errors.push(pair);
    }
    // The slope on logarithmic axes over the last decade of β; for larger β higher orders contribute.
    let order = |kind: usize| (errors[2][kind] / errors[4][kind]).log10();
    println!("{:>8} {:>14.2} {:>14.2}", "order", order(0), order(1));
    Ok(())
}

/// Adds `by` to the parameter with this `index` among the numbers of all parameters.
struct Shift {
    index: usize,
    by: f64,
}

impl ModuleMapper for Shift {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (shape, device) = (param.val().shape(), param.val().device());
        let mut numbers: Vec<f64> = param.val().into_data().iter().collect();
        if let Some(number) = numbers.get_mut(self.index) {
            *number += self.by;
        }
        // Wraps to past every end once the parameter has been moved.
        self.index = self.index.wrapping_sub(numbers.len());
        let data = TensorData::new(numbers, shape);
        Param::initialized(param.id, Tensor::from_data(data, &device))
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}
