//! Memory that a training keeps from one update to the next.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::{Learner, SupervisedTraining};
use eqprop_bench::memory::peak_of;
use eqprop_testing::{digits, loader, run, training};
use eqprop_train::batch::Order;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::preset::Preset;
use eqprop_train::renderer::EpochLines;

/// Number of updates in an epoch of [`dataset`].
const UPDATES: usize = 100;

/// Number of epochs of a long training; for longer tests by hand: EQPROP_EPOCHS=1000.
fn many() -> usize {
    let asked = std::env::var("EQPROP_EPOCHS").ok();
    asked.and_then(|number| number.parse().ok()).unwrap_or(20)
}

/// Bytes that these additional epochs may hold beyond a single one: buffers, and the records of each epoch.
/// Four leaves per update would be some 5 kB, and 500 kB per epoch.
fn slack(epochs: usize) -> f64 {
    4e5 + 4e3 * epochs as f64
}

fn config(epochs: usize) -> TrainingConfig {
    let mut config = Preset::Digits.config();
    config.network.hidden = vec![8.into()];
    (config.batch_size, config.epochs) = (1, epochs);
    config
}

fn dataset() -> Dataset {
    digits(UPDATES, 10)
}

/// Trains with every kind of loop, briefly and for long.
pub fn leave_nothing_behind() {
    for (name, train) in [
        ("the program's loop", by_training as fn(usize)),
        ("Burn's SupervisedTraining", by_burn),
        ("a loop of one's own", by_hand),
    ] {
        train(1);
        let [short, long] = [1, 1 + many()].map(|epochs| peak_of(|| train(epochs)).1 as f64);
        println!(
            "{name}: {short} bytes, and {long} with {} epochs more",
            many()
        );
        assert!(short > 1e4, "{name}: the allocator counts {short} bytes");
        assert!(
            long - short < slack(many()),
            "{name}: {short} bytes, and then {long}"
        );
    }
}

fn by_training(epochs: usize) {
    run(&mut training(config(epochs), &dataset()), epochs);
}

fn by_burn(epochs: usize) {
    let config = config(epochs);
    let network = config.network(&Device::flex().autodiff());
    let model = EquilibriumLearner::new(network, config.estimator());
    let rates = config.learning_rate(&model.network, UPDATES);
    let learner = Learner::new(model, config.optimizer(), rates);
    let Dataset { train, test, .. } = dataset();
    let batches = |examples, size| -> Arc<dyn DataLoader<_>> {
        Arc::new(loader(examples, size, Order::Sequential))
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    SupervisedTraining::new(folder.path(), batches(&train, 1), batches(&test, 10))
        .renderer(Box::new(EpochLines::new(std::io::sink())))
        .with_application_logger(None)
        .metrics((LossMetric::new(),))
        .num_epochs(epochs)
        .launch(learner);
}

fn by_hand(epochs: usize) {
    let config = config(epochs);
    let mut network = config.network(&Device::flex().autodiff());
    let (mut optimizer, estimator) = (config.optimizer(), config.estimator());
    let train = loader(&dataset().train, 1, Order::Sequential);
    for epoch in 0..epochs as u64 {
        for batch in train.batches(epoch, 0) {
            let gradients = estimator
                .estimate(&network, &batch.unwrap(), None)
                .gradients;
            network = optimizer.step(0.01, network, gradients);
        }
    }
    assert_eq!(network.num_params(), 64 * 8 + 8 * 10 + 8 + 10);
}
