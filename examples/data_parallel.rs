//! Trains with Burn's `ExecutionStrategy::multi` on two workers, each with its own replica, half of the
//! examples and half of every mini-batch; and once more on one device with the whole mini-batches. Burn adds
//! up the gradients of the workers, so that both trainings agree up to rounding.
//!
//! A build with the backend `flex` alone has one device, which both workers share. On a machine with several
//! GPUs, list them instead. With several CUDA devices, `ExecutionStrategy::ddp` with `ReduceOperation::Mean`
//! reduces the gradients on all of them at once, and the learning rate stays the same: see
//! `eqprop_train::learner::distributed`.
//!
//! `cargo run --release --example data_parallel`

use std::sync::Arc;

use anyhow::Context;
use burn::module::{ModuleVisitor, Param};
use burn::train::{ExecutionStrategy, MultiDeviceOptim};
use eqprop_train::data::Examples;
use eqprop_train::prelude::*;
use eqprop_train::training::{AnyLearner, evaluate};

/// Number of examples per worker and step.
const BATCH: usize = 8;
const EPOCHS: usize = 3;
const RATE: f64 = 0.05;

type Model = AnyLearner<EquilibriumPropagation>;

fn main() -> anyhow::Result<()> {
    let device = Device::default();
    let digits = Dataset::load(DatasetKind::Digits, None)?;
    let (halves, whole) = halves_and_whole(&digits.train);
    let config = Preset::Digits.config();
    let network = config.network(&device.clone().autodiff());
    let start: Model = EquilibriumLearner::new(network, config.estimator());

    let worker = device.clone().autodiff();
    let train = |model: &Model, workers: usize, examples: &Examples| {
        let strategy = match workers {
            1 => ExecutionStrategy::single(worker.clone()),
            n => {
                ExecutionStrategy::multi(vec![worker.clone(); n], MultiDeviceOptim::OptimMainDevice)
            }
        };
        // A single worker takes the mini-batches of all workers; a sum of means over parts of a mini-batch is
        // the mean over all of it, times the number of parts.
        let (batch, rate) = (2 * BATCH / workers, RATE / workers as f64);
        let load = |examples| BatchLoader::new(examples, batch, Order::Sequential, &device);
        let (train, test) = (load(examples), load(&digits.test));
        let folder = std::env::temp_dir().join("eqprop-data-parallel");
        let training = SupervisedTraining::new(folder, Arc::new(train), Arc::new(test));
        let result = training
            .renderer(Box::new(EpochLines::new(std::io::sink())))
            .with_application_logger(None)
            .with_training_strategy(strategy.into())
            .launch(Learner::new(model.clone(), SgdConfig::new().init(), rate));
        match result.error {
            None => Ok(result.model.train()),
            Some(error) => Err(error).context(format!("training on {workers} workers")),
        }
    };

    let test = BatchLoader::new(&digits.test, 360, Order::Sequential, &device);
    let (mut one, mut two) = (start.clone(), start);
    let mut lines = Vec::new();
    for epoch in 1..=EPOCHS {
        one = train(&one, 1, &whole)?;
        two = train(&two, 2, &halves)?;
        let a = evaluate(&one, &test)?.cost;
        let b = evaluate(&two, &test)?.cost;
        let (a_numbers, b_numbers) = (numbers(&one), numbers(&two));
        let pairs = a_numbers.iter().zip(&b_numbers);
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        lines.push(format!("{epoch:5} {a:14.8} {b:14.8} {largest:30.1e}"));
    }
    println!("\nmean cost on the test examples, and the largest difference of a parameter:\n");
    println!(
        "epoch {:>14} {:>14} {:>30}",
        "one device", "two workers", "largest difference"
    );
    println!("{}", lines.join("\n"));
    Ok(())
}

/// Returns as many examples as fill whole mini-batches: with the first half for one worker and the second for
/// the other, and all of them in the order in which two workers see them.
fn halves_and_whole(examples: &Examples) -> (Examples, Examples) {
    let n_steps = examples.len() / (2 * BATCH);
    let halves = examples.clone().take(2 * BATCH * n_steps);
    let mut whole = halves.clone().take(0);
    let starts = (0..n_steps).flat_map(|step| [step * BATCH, (n_steps + step) * BATCH]);
    for i in starts.flat_map(|start| start..start + BATCH) {
        whole.inputs.extend_from_slice(halves.input(i));
        whole.labels.push(halves.labels[i]);
    }
    (halves, whole)
}

/// Returns all parameters in one list.
fn numbers(model: &Model) -> Vec<f64> {
    struct Numbers(Vec<f64>);

    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.extend(parameter.val().into_data().iter::<f64>());
        }
    }

    let mut numbers = Numbers(Vec::new());
    model.visit(&mut numbers);
    numbers.0
}
