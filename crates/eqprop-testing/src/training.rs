//! Short trainings on the bundled digits.

use core::ops::ControlFlow;

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::nudging::Nudging;
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::{
    DataConfig, NetworkConfig, OptimizerConfig, PhaseConfig, TrainingConfig,
};
use eqprop_train::data::{Dataset, DatasetKind, Examples};
use eqprop_train::training::Training;

/// Returns 64-16-10 with enough steps for a converged free phase; it learns within a few epochs.
pub fn config() -> TrainingConfig {
    let (free_steps, nudged_steps) = (15, 6);
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        NetworkConfig::new(vec![16.into()])
            .with_output_activation(Activation::Identity)
            .with_initializer(InitializerConfig::FanIn { gain: 0.5 }),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, free_steps, nudged_steps),
        OptimizerConfig::new(vec![0.1, 0.02]),
        8,
        4,
    )
}

/// Returns a configuration with fields replaced by name.
pub fn with(config: TrainingConfig, overrides: &[(&str, &str)]) -> TrainingConfig {
    let changed = config.with_overrides(overrides.iter().copied());
    changed.unwrap_or_else(|error| panic!("{}", explained(&error)))
}

/// Returns the digits, cut to the first `n_train` and `n_test` examples.
pub fn digits(n_train: usize, n_test: usize) -> Dataset {
    let digits = Dataset::load(DatasetKind::Digits, None).expect("the digits are built in");
    let (train, test) = (digits.train.take(n_train), digits.test.take(n_test));
    Dataset::new(digits.kind, train, test)
}

/// Returns the batches of some examples.
pub fn loader(examples: &Examples, batch_size: usize, order: Order) -> BatchLoader {
    BatchLoader::new(examples, batch_size, order, &Device::flex())
}

/// Returns the first `n` digits as one batch.
pub fn batch(n: usize) -> Batch {
    let batches = loader(&digits(n, 0).train, n, Order::Sequential);
    let batch = batches.iter().next().expect("one batch");
    batch.expect("in memory")
}

/// Creates a training that has not begun.
pub fn training(config: TrainingConfig, dataset: &Dataset) -> Training {
    Training::new(config, dataset, &Device::flex()).expect("a configuration that works")
}

/// Trains for `n_epochs`.
pub fn run(training: &mut Training, n_epochs: usize) {
    for _ in 0..n_epochs {
        let record = training.run_epoch(|_| ControlFlow::Continue(()));
        record.expect("finite").expect("nothing breaks it");
    }
}

/// Returns an error with all its causes, as a program prints it.
pub fn explained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
