//! A Hopfield network of five hidden layers, with and without nudges of its hidden layers.
//!
//! In a deep network little of a nudge of the output arrives at the first layer. Here every hidden layer has a readout
//! of its own, whose cross-entropy nudges it too (Lin, Bal & Sengupta 2025, <https://arxiv.org/abs/2508.15989>). Prints, for
//! weights of these costs, the norm of the gradient of the first layer's weights relative to that of the last layer's,
//! before the training and after it, the cosine between the estimate and the exact gradient of the first layer before
//! the training, and the test error, which is that of the output.
//!
//! `cargo run --release --example intermediate`

use std::ops::ControlFlow;

use eqprop_bench::baseline::RecurrentBackprop;
use eqprop_bench::fidelity;
use eqprop_core::cost::AnyCost;
use eqprop_core::relaxation::Stopping;
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::gradient_vectors;
use eqprop_train::prelude::*;

type Network = EquilibriumNetwork<AnyField, AnyCost>;

const N_HIDDEN: usize = 5;
const EPOCHS: usize = 8;
const SEEDS: u64 = 3;

/// 64-64-64-64-64-64-10, with the same learning rate in all layers.
fn config(gain: f64, weight: f64, seed: u64) -> TrainingConfig {
    let mut config = Preset::Digits.config();
    config.network.hidden = vec![64.into(); N_HIDDEN];
    config.network.initializer = InitializerConfig::FanIn { gain };
    config.network.intermediate.layers = (1..=N_HIDDEN).collect();
    config.network.intermediate.weight = weight;
    (config.phases.free_steps, config.phases.nudged_steps) = (60, 20);
    config.optimizer.learning_rates = vec![0.05; N_HIDDEN + 1];
    config.epochs = EPOCHS;
    config.seed = seed;
    config
}

fn main() -> anyhow::Result<()> {
    let (digits, device) = (Dataset::load(DatasetKind::Digits, None)?, Device::default());
    let batches = BatchLoader::new(&digits.train, 128, Order::Sequential, &device);
    let batch = batches.iter().next().expect("there are digits")?;
    println!(
        "                       first / last gradient                 test error after {EPOCHS} epochs"
    );
    println!("  gain   weight      before      after     cosine     of {SEEDS} seeds");
    for gain in [0.5, 1.0] {
        for weight in [0.0, 0.01, 0.1, 1.0] {
            let mut rows = Vec::new();
            for seed in 0..SEEDS {
                let config = config(gain, weight, seed);
                let mut training = Training::new(config.clone(), &digits, &device)?;
                let before = ratio(&config, &training.learner().network, &batch);
                let cosine = cosine(&config, &training.learner().network, &batch);
                let error = train(&mut training)?;
                let after = ratio(&config, &training.learner().network, &batch);
                rows.push([before, after, cosine, error]);
            }
            let mean = |column: usize| {
                let sum: f64 = rows.iter().map(|row| row[column]).sum();
                sum / SEEDS as f64
            };
            let errors: Vec<_> = rows.iter().map(|row| format!("{:.1} %", row[3])).collect();
            println!(
                "{gain:>6} {weight:>8} {:>11.5} {:>10.5} {:>10.4}     {}",
                mean(0),
                mean(1),
                mean(2),
                errors.join(", ")
            );
        }
    }
    Ok(())
}

/// The test error in percent; not a number if the training diverges.
fn train(training: &mut Training) -> anyhow::Result<f64> {
    loop {
        match training.run_epoch(|_| ControlFlow::Continue(())) {
            Err(TrainingError::Diverged { .. }) => return Ok(f64::NAN),
            record => {
                let record = record?.expect("nothing interrupts it");
                if training.is_finished() {
                    return Ok(100.0 * record.held_out_error());
                }
            }
        }
    }
}

/// The norm of the gradient of the first weights, relative to that of the last.
fn ratio(config: &TrainingConfig, network: &Network, batch: &Batch) -> f64 {
    let estimate = config.estimator().estimate(network, batch, None).gradients;
    let gradients = gradient_vectors(&network.energy, &estimate).into_iter();
    let norms = gradients.filter_map(|(parameter, gradient)| {
        let gradient = gradient.filter(|_| parameter.rank == 2)?;
        Some(gradient.square().sum().sqrt().into_scalar::<f64>())
    });
    let norms: Vec<f64> = norms.collect();
    norms[0] / norms[N_HIDDEN]
}

/// The cosine between the estimate for the first weights and their exact gradient.
fn cosine(config: &TrainingConfig, network: &Network, batch: &Batch) -> f64 {
    let estimate = config.estimator().estimate(network, batch, None).gradients;
    let exact = RecurrentBackprop {
        free: config.phases.free(),
        costate: Stopping::new(60),
    };
    let exact = exact.estimate(network, batch, None).gradients;
    let parameters = fidelity::compare(network, &estimate, &exact).parameters;
    parameters[0].1.cosine
}
