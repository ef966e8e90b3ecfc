//! Trains a predictive coding network by equilibrium propagation and by backpropagation (Kerjan, Scellier &
//! Høier 2026, <https://arxiv.org/abs/2606.03584>).
//!
//! The free equilibrium of its energy `E = ½ Σ_k |h_k − f_k(h_{k−1})|²` is one forward pass, so that both
//! methods train the same function. They start from the same weights and see the same digits in the same
//! order. Prints the accuracy of both, and the cosine between their gradients for every layer, before and
//! after the training; with as many nudged steps as layers they agree.
//!
//! `cargo run --release --example predictive_coding`

use eqprop_bench::baseline::FeedforwardBackprop;
use eqprop_bench::fidelity;
use eqprop_core::cost::AnyCost;
use eqprop_train::prelude::*;

type Network = EquilibriumNetwork<AnyField, AnyCost>;

const OVERRIDES: [(&str, &str); 5] = [
    ("dataset", "digits"),
    ("hidden", "[128, 64]"),
    ("batch_size", "16"),
    ("learning_rates", "[0.01, 0.01, 0.01]"),
    ("epochs", "10"),
];

fn main() -> anyhow::Result<()> {
    let mut config = Preset::PcnMnist.config();
    for (key, value) in OVERRIDES {
        config = config.with_override(key, value)?;
    }
    let (digits, device) = (Dataset::load(DatasetKind::Digits, None)?, Device::default());
    let batches = BatchLoader::new(&digits.train, 256, Order::Sequential, &device);
    let batch = batches.iter().next().expect("there are digits")?;

    let names: Vec<_> = (1..=config.optimizer.learning_rates.len())
        .map(|layer| format!("layer {layer}"))
        .collect();
    println!(
        "{}, {} nudged steps, beta = {}\n",
        config.notation(),
        config.phases.nudged_steps,
        config.phases.nudging.beta()
    );
    println!("cosine with backpropagation     {}", names.join("  "));
    for n_steps in 1..=config.phases.nudged_steps {
        let fewer = config.with_override("nudged_steps", &n_steps.to_string())?;
        let cosines = cosines(&fewer, &config.network(&device), &batch);
        println!(
            "{n_steps} steps, before the training     {}",
            cosines.join("  ")
        );
    }

    let mut eqprop = Training::new(config.clone(), &digits, &device)?;
    let mut backprop =
        Training::with_estimator(config.clone(), FeedforwardBackprop, &digits, &device)?;
    let mut accuracy = Vec::new();
    while !eqprop.is_finished() {
        let go_on = |_| std::ops::ControlFlow::Continue(());
        let records = [eqprop.run_epoch(go_on)?, backprop.run_epoch(go_on)?];
        accuracy.push(records.map(|record| {
            let record = record.expect("nothing interrupts it");
            100.0 * (1.0 - record.held_out_error())
        }));
    }
    let trained = cosines(&config, &eqprop.learner().network, &batch);
    println!(
        "{} steps, after the training      {}\n",
        config.phases.nudged_steps,
        trained.join("  ")
    );

    println!("epoch   accuracy by eqprop   by backpropagation");
    for (epoch, [eqprop, backprop]) in accuracy.iter().enumerate() {
        println!("{:>5} {eqprop:>18.1} % {backprop:>18.1} %", epoch + 1);
    }
    Ok(())
}

/// Returns the cosine between the two gradients of each weight matrix; 0 where no signal has arrived yet.
fn cosines(config: &TrainingConfig, network: &Network, batch: &Batch) -> Vec<String> {
    let estimate = config.estimator().estimate(network, batch, None).gradients;
    let exact = FeedforwardBackprop.estimate(network, batch, None).gradients;
    let comparison = fidelity::compare(network, &estimate, &exact);
    let parameters = comparison.parameters.iter();
    let weights = parameters.filter(|(path, _)| path.ends_with("weight"));
    let cosine =
        |(_, agreement): &(String, fidelity::Agreement)| format!("{:>7.5}", agreement.cosine);
    weights.map(cosine).collect()
}
