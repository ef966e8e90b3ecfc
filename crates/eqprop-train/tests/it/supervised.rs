//! The learner under Burn's own `SupervisedTraining`, unchanged.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{AccuracyMetric, LossMetric, Metric, MetricDefinition};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use burn::train::{Learner, SupervisedTraining};
use eqprop_testing::{batch, config, digits, group_of, loader, named_parameters, with};
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::metric::{
    EnergyMetric, ResidualMetric, StepsMetric, UnconvergedMetric, UpdateRatioMetric,
};
use eqprop_train::training::{AnyLearner, evaluate};
use eqprop_train::update::UpdateMonitor;

type Model = AnyLearner<EquilibriumPropagation>;

const N_TRAIN: usize = 1000;
const N_VALID: usize = 200;
const EPOCHS: usize = 3;
const SHUFFLED: Order = Order::Shuffled { seed: 1 };
const WEIGHT: &str = "network.energy.Hopfield.connections.0.Dense.weight";

/// Shows nothing.
pub struct Silent;

impl MetricsRendererTraining for Silent {
    fn update_train(&mut self, _: MetricState) {}
    fn update_valid(&mut self, _: MetricState) {}
}

impl MetricsRendererEvaluation for Silent {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl TrainingProgressLogger for Silent {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
    fn update_epoch(&mut self, _: usize) {}
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

impl EvaluationProgressLogger for Silent {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

impl MetricsRenderer for Silent {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}

/// Learns the digits to some 92 % in three epochs.
fn learning() -> TrainingConfig {
    with(config(), &[("hidden", "[64]"), ("momentum", "0.5")])
}

fn model(config: &TrainingConfig) -> Model {
    let network = config.network(&Device::flex().autodiff());
    EquilibriumLearner::new(network, config.estimator())
}

/// With one learning rate per layer.
fn learner(config: &TrainingConfig, model: Model) -> Learner<Model> {
    let n_batches = N_TRAIN.div_ceil(config.batch_size);
    let rates = config.learning_rate(&model.network, n_batches);
    Learner::new(model, config.optimizer(), rates)
}

fn supervised(folder: &Path, train: Arc<dyn DataLoader<Batch>>) -> SupervisedTraining<Model> {
    let valid = loader(&digits(0, N_VALID).test, 50, Order::Sequential);
    SupervisedTraining::new(folder, train, Arc::new(valid))
        .renderer(Box::new(Silent))
        .with_application_logger(None)
        .with_default_checkpointers()
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(EPOCHS)
}

fn batches(batch_size: usize) -> BatchLoader {
    loader(&digits(N_TRAIN, 0).train, batch_size, SHUFFLED)
}

/// Accuracy on the validation examples in percent, computed without Burn's metrics.
fn accuracy(model: &Model) -> f64 {
    let valid = loader(&digits(0, N_VALID).test, 70, Order::Sequential);
    100.0 * (1.0 - evaluate(model, &valid).unwrap().error)
}

/// The lines of a metric's log: a number, and the count of examples behind it.
pub fn logged(folder: &Path, split: &str, epoch: usize, metric: &str) -> Vec<(f64, f64)> {
    let name = format!("{}.log", metric.replace(' ', "_"));
    let file = folder.join(split).join(format!("epoch-{epoch}")).join(name);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let lines = text.lines().filter_map(|line| line.split_once(','));
    let entries = lines.filter_map(|(value, count)| {
        let count = count.parse::<f64>().ok()?;
        Some((value.parse::<f64>().expect("a number"), count))
    });
    entries.collect()
}

fn weighted_mean(entries: &[(f64, f64)]) -> f64 {
    let n: f64 = entries.iter().map(|(_, count)| count).sum();
    entries
        .iter()
        .map(|(value, count)| value * count)
        .sum::<f64>()
        / n
}

#[test]
fn stochastic_gradient_descent_with_rates_per_layer_learns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = learning();
    let training = supervised(folder.path(), Arc::new(batches(config.batch_size)));
    let trained = training.launch(learner(&config, model(&config))).model;
    let found = accuracy(&trained);
    assert!(found > 80.0, "{found} %");

    // What Burn logged is what the model does.
    let entries = logged(folder.path(), "valid", EPOCHS, "Accuracy");
    assert_eq!(
        entries.iter().map(|(_, count)| count).sum::<f64>(),
        N_VALID as f64
    );
    assert!(
        (weighted_mean(&entries) - found).abs() < 1e-3,
        "{found}: {entries:?}"
    );
}

#[test]
fn adam_learns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = learning();
    let training = supervised(folder.path(), Arc::new(batches(config.batch_size)));
    let learner = Learner::new(model(&config), AdamConfig::new().init(), 3e-3);
    let found = accuracy(&training.launch(learner).model);
    assert!(found > 80.0, "{found} %");
}

#[test]
fn every_metric_is_logged_with_finite_numbers_under_accumulation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = learning();
    let monitor = UpdateMonitor::new(10);
    let ratio = UpdateRatioMetric::new(monitor.clone(), WEIGHT);
    let unconverged = UnconvergedMetric::new(1e-2);
    let names = [
        "Accuracy".to_string(),
        "Loss".to_string(),
        EnergyMetric::default().name().to_string(),
        ResidualMetric::default().name().to_string(),
        StepsMetric::default().name().to_string(),
        unconverged.name().to_string(),
        ratio.name().to_string(),
    ];
    // Sums of two batches of 4 are twice the mean of a batch of 8.
    let batch_size = config.batch_size / 2;
    let config = with(config, &[("learning_rates", "[0.05, 0.01]")]);
    let model = model(&config).with_update_monitor(monitor);
    let training = supervised(folder.path(), Arc::new(batches(batch_size)))
        .metrics((EnergyMetric::default(), ResidualMetric::default()))
        .metrics((StepsMetric::default(), unconverged))
        .metric_train_numeric(ratio)
        .grads_accumulation(2);
    let trained = training.launch(learner(&config, model)).model;
    let found = accuracy(&trained);
    assert!(found > 80.0, "{found} %");

    let (n_train, n_valid) = (N_TRAIN / batch_size, N_VALID / 50);
    for epoch in 1..=EPOCHS {
        for name in &names {
            let splits = if name.starts_with("Update") { 1 } else { 2 };
            for (split, n_batches) in [("train", n_train), ("valid", n_valid)].iter().take(splits) {
                let entries = logged(folder.path(), split, epoch, name);
                assert_eq!(entries.len(), *n_batches, "{name}, {split}");
                // Before the first update there is no ratio, which counts for nothing.
                let counted: Vec<_> = entries.into_iter().filter(|(_, n)| *n > 0.0).collect();
                assert!(counted.len() + 2 > *n_batches, "{name}, {split}");
                let finite = counted.iter().all(|(value, _)| value.is_finite());
                assert!(finite, "{name}, {split}, epoch {epoch}: {counted:?}");
            }
        }
    }
    let mean = |split, name: &str| weighted_mean(&logged(folder.path(), split, EPOCHS, name));
    assert!(mean("valid", "Loss") < mean("train", "Loss") * 2.0);
    assert_eq!(mean("train", &names[4]), config.phases.free_steps as f64);
    assert_eq!(mean("valid", &names[5]), 0.0);
    let ratio = mean("train", &names[6]);
    assert!((1e-5..1e-1).contains(&ratio), "{ratio}");
}

#[test]
fn metric_names_are_file_names_everywhere() {
    let monitor = UpdateMonitor::new(1);
    let names = [
        EnergyMetric::default().name(),
        ResidualMetric::default().name(),
        StepsMetric::default().name(),
        UnconvergedMetric::new(1e-2).name(),
        UpdateRatioMetric::new(monitor, WEIGHT).name(),
    ];
    for name in names {
        // Burn logs each metric to a file of its name; Windows refuses these characters.
        assert!(
            !name.contains(['<', '>', ':', '"', '/', '\\', '|', '?', '*']),
            "{name}"
        );
    }
}

#[test]
fn a_run_resumed_from_burns_checkpoint_ends_as_an_uninterrupted_one() {
    let config = learning();
    let initial = model(&config);
    let launch = |folder: &Path, n_epochs: usize, from: Option<usize>| {
        let batches = batches(config.batch_size);
        batches.set_epoch(from.unwrap_or(0) as u64);
        let mut training = supervised(folder, Arc::new(batches)).num_epochs(n_epochs);
        if let Some(epoch) = from {
            training = training.checkpoint(epoch);
        }
        training.launch(learner(&config, initial.clone())).model
    };
    let whole = tempfile::tempdir().expect("a temporary folder");
    let expected = named_parameters(&launch(whole.path(), 3, None));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let halfway = launch(folder.path(), 2, None);
    for name in ["model-2.bpk", "optim-2.bpk", "scheduler-2.bpk"] {
        assert!(
            folder.path().join("checkpoint").join(name).exists(),
            "{name}"
        );
    }
    assert_ne!(named_parameters(&halfway), expected);
    let first_epoch = folder.path().join("train/epoch-1/Loss.log");
    fs::remove_file(&first_epoch).expect("the log of the first epoch");
    let resumed = launch(folder.path(), 3, Some(2));
    assert_eq!(named_parameters(&resumed), expected);
    assert!(
        !first_epoch.exists(),
        "resuming trained the first epoch again"
    );
}

/// A user's own batcher, which knows nothing of this crate but `Batch::new`.
#[derive(Clone)]
struct DigitBatcher;

impl Batcher<(Vec<f32>, u8), Batch> for DigitBatcher {
    fn batch(&self, items: Vec<(Vec<f32>, u8)>, device: &Device) -> Batch {
        let n = items.len();
        let one_hot = |label: u8| (0..10).map(move |class| f32::from(u8::from(class == label)));
        let targets: Vec<f32> = items
            .iter()
            .flat_map(|(_, label)| one_hot(*label))
            .collect();
        let inputs: Vec<f32> = items.into_iter().flat_map(|(pixels, _)| pixels).collect();
        Batch::new(
            Tensor::from_data(TensorData::new(inputs, [n, 64]), device),
            Tensor::from_data(TensorData::new(targets, [n, 10]), device),
        )
    }
}

#[test]
fn burns_own_data_loader_feeds_the_learner() {
    let item = |examples: &Examples, i: usize| (examples.input(i).to_vec(), examples.labels[i]);
    let train = digits(N_TRAIN, 0).train;
    let items: Vec<_> = (0..train.len()).map(|i| item(&train, i)).collect();
    let config = learning();
    let batches = DataLoaderBuilder::new(DigitBatcher)
        .batch_size(config.batch_size)
        .shuffle(1)
        .num_workers(1)
        .build(InMemDataset::new(items));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let training = supervised(folder.path(), batches);
    let trained = training.launch(learner(&config, model(&config))).model;
    let found = accuracy(&trained);
    assert!(found > 80.0, "{found} %");
}

#[test]
fn a_learning_rate_of_0_leaves_exactly_its_layer_unchanged() {
    let squared_error = with(config(), &[("hidden", "[16, 12]")]);
    let cross_entropy = with(squared_error.clone(), &[("cost", "cross_entropy")]);
    for config in [squared_error, cross_entropy] {
        let n_layers = config.energy().layers.len();
        for frozen in 0..3 {
            let mut rates = vec![0.1; 3];
            rates[frozen] = 0.0;
            let mut config = config.clone();
            config.optimizer.learning_rates = rates;
            let mut learner = learner(&config, model(&config));
            let before = named_parameters(&learner.model());
            for _ in 0..2 {
                let output = learner.train_step(batch(8));
                learner.lr_step();
                learner.optimizer_step(output.grads);
            }
            let after = named_parameters(&learner.model());
            for ((path, before), (_, after)) in before.iter().zip(&after) {
                let stayed = before == after;
                assert_eq!(
                    stayed,
                    group_of(path, n_layers) == frozen,
                    "{path}, {frozen} frozen"
                );
            }
        }
    }
}
