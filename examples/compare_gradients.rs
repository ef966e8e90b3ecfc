//! Compares estimates of the gradient of one mini-batch with the exact gradient, for every parameter: the
//! cosine between the two, and the relative error. The estimates are equilibrium propagation with one or two
//! signs of β and with a smaller β and longer phases; backpropagation through time; recurrent
//! backpropagation; and backpropagation in the feedforward twin.
//!
//! `cargo run --release --example compare_gradients`

use std::ops::ControlFlow;

use anyhow::Context;
use eqprop_bench::fidelity;
use eqprop_bench::method::Method;
use eqprop_train::prelude::*;

fn main() -> anyhow::Result<()> {
    let device = Device::default();
    let config = Preset::Digits.config().with_override("epochs", "1")?;
    let digits = Dataset::load(&config.data.dataset, None)?;
    let mut training = Training::new(config.clone(), &digits, &device)?;
    training.run_epoch(|_| ControlFlow::Continue(()))?;
    let network = &training.learner().network;
    let loader = BatchLoader::new(&digits.test, 100, Order::Sequential, &device);
    let batch = loader.iter().next().context("the test split is empty")??;

    let gradient = |method: Method, config: &TrainingConfig| {
        let estimate = method.estimator(config)?.estimate(network, &batch, None);
        anyhow::Ok(estimate.gradients)
    };
    let config = config.with_override("free_steps", "30")?;
    let careful = config.clone().with_override("beta", "0.05")?;
    let careful = careful.with_override("nudged_steps", "30")?;
    let exact = gradient(Method::Exact, &careful)?;

    println!(
        "{}, after one epoch; cosine and relative error\n",
        config.notation()
    );
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
        let comparison = fidelity::compare(network, &gradient(method, config)?, &exact);
        println!("{name}");
        for (parameter, agreement) in comparison.parameters {
            let fidelity::Agreement {
                cosine,
                relative_error,
            } = agreement;
            println!("{parameter:>50} {cosine:>11.6} {relative_error:>9.1e}");
        }
    }
    Ok(())
}
