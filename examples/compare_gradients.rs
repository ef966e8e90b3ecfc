//! Holds estimates of the gradient of one batch against the exact one, in every layer: the cosine
//! between the two, and the ratio of their norms. Equilibrium propagation with one or two signs of
//! β and with a smaller β and longer phases; backpropagation through time, recurrent
//! backpropagation, and what backpropagation finds in the feedforward twin.
//!
//! `cargo run --release --example compare_gradients`

use std::ops::ControlFlow;

use anyhow::Context;
use burn::data::dataloader::DataLoader;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use eqprop_bench::method::Method;
use eqprop_train::prelude::*;

fn main() -> anyhow::Result<()> {
    let device = Device::default();
    let config = Preset::Digits.config().with_override("epochs", "1")?;
    let digits = Dataset::load(config.dataset, None)?;
    let mut training = Training::new(config.clone(), &digits, &device)?;
    training.run_epoch(|_| ControlFlow::Continue(()))?;
    let network = &training.learner().network;
    let loader = BatchLoader::new(&digits.test, 100, Order::Sequential, &device);
    let batch = loader.iter().next().context("the test split is empty")??;

    let gradient = |method: Method, config: &TrainingConfig| {
        let estimate = method.estimator(config)?.estimate(network, &batch, None);
        anyhow::Ok(by_parameter(network, &estimate.gradients))
    };
    let config = config.with_override("free_steps", "30")?;
    let careful = config.clone().with_override("beta", "0.05")?;
    let careful = careful.with_override("nudged_steps", "30")?;
    let exact = gradient(Method::Exact, &careful)?;

    println!(
        "{}, after one epoch; cosine and ratio of norms\n",
        config.notation()
    );
    let names: Vec<_> = exact
        .iter()
        .map(|(name, _)| format!("{name:>19}"))
        .collect();
    println!("{:36} {}", "", names.join(" "));
    let lines = [
        ("equilibrium propagation, β = 0.5", Method::Pep, &config),
        ("equilibrium propagation, β = −0.5", Method::Nep, &config),
        ("equilibrium propagation, β = ±0.5", Method::Cep, &config),
        ("the same, β = ±0.05, 30 steps", Method::Cep, &careful),
        ("through time, 30 steps", Method::Bptt, &config),
        ("through the last 6 steps", Method::Tbp, &config),
        ("recurrent backprop, 6 steps", Method::Rbp, &config),
        ("recurrent backprop, 30 steps", Method::Rbp, &careful),
        (
            "backprop in the feedforward twin",
            Method::Backprop,
            &config,
        ),
    ];
    for (name, method, config) in lines {
        let estimate = gradient(method, config)?;
        let pairs = estimate.iter().zip(&exact);
        let columns = pairs.map(|((_, estimate), (_, exact))| {
            let (size, exact_size) = (dot(estimate, estimate).sqrt(), dot(exact, exact).sqrt());
            let cosine = dot(estimate, exact) / (size * exact_size);
            format!("{cosine:>11.6} {:>7.3}", size / exact_size)
        });
        let columns: Vec<_> = columns.collect();
        println!("{name:36} {}", columns.join(" "));
    }
    Ok(())
}

/// The gradient of every parameter, with a short name.
fn by_parameter<M: Module>(module: &M, gradients: &GradientsParams) -> Vec<(String, Vec<f64>)> {
    struct List<'a> {
        gradients: &'a GradientsParams,
        path: Vec<String>,
        found: Vec<(String, Vec<f64>)>,
    }

    impl ModuleVisitor for List<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let Some(gradient) = self.gradients.get::<D>(parameter.id) else {
                return;
            };
            // The path ends in connections.0.Dense.weight, or in biases.0.
            let is_bias = self.path.iter().any(|part| part == "biases");
            let mut numbers = self
                .path
                .iter()
                .filter_map(|part| part.parse::<usize>().ok());
            let layer = 1 + numbers.next().unwrap_or_default();
            let kind = if is_bias { "biases" } else { "weights" };
            let numbers = gradient.into_data().iter::<f64>().collect();
            self.found.push((format!("{kind} {layer}"), numbers));
        }
    }

    let mut list = List {
        gradients,
        path: Vec::new(),
        found: Vec::new(),
    };
    module.visit(&mut list);
    list.found
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
