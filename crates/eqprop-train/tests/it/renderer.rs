//! Plain-terminal output of a Burn training.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use burn::module::Module;
use burn::tensor::Device;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{
    AccuracyMetric, LossMetric, Metric, MetricDefinition, MetricEntry, MetricId, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use burn::train::{Learner, SupervisedTraining};
use eqprop_testing::{config, digits, loader, with};
use eqprop_train::batch::Order;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::metric::ResidualMetric;
use eqprop_train::renderer::EpochLines;
use eqprop_train::training::{AnyLearner, evaluate};

/// A text that a training writes in its own thread.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic while writing").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// State of a metric that Burn reports after a batch, or at the end.
fn state(metric: &ResidualMetric, entry: NumericEntry) -> MetricState {
    let entry_of = MetricEntry {
        metric_id: MetricId::new(metric.name()),
        serialized_entry: SerializedEntry::new(String::new(), entry.serialize()),
    };
    MetricState::Numeric(entry_of, Some(entry))
}

/// The line of a split in which a metric said `entries`.
fn line(entries: &[NumericEntry]) -> String {
    let metric = ResidualMetric::default();
    let text = Text::default();
    let mut lines = EpochLines::new(text.clone());
    let definition = MetricDefinition::new(MetricId::new(metric.name()), &metric);
    lines.register_metric(definition);
    TrainingProgressLogger::start(&mut lines, 1, 1, None, None);
    lines.start_split("train", 3);
    for entry in entries {
        lines.update_train(state(&metric, entry.clone()));
    }
    lines.end_split();
    let bytes = text.0.lock().expect("no panic while writing").clone();
    String::from_utf8(bytes).expect("text")
}

fn of_batch(aggregated_value: f64, count: usize) -> NumericEntry {
    NumericEntry::Aggregated {
        aggregated_value,
        count,
    }
}

#[test]
fn what_was_not_measured_does_not_enter_a_mean() {
    let batches = [of_batch(f64::NAN, 0), of_batch(0.5, 1), of_batch(2.0, 2)];
    let expected = "epoch 1/1 train: Residual 1.5000\n";
    assert_eq!(line(&batches), expected);
    let with_end = [&batches[..], &[NumericEntry::Final(f64::NAN)]].concat();
    assert_eq!(line(&with_end), expected);
    let nothing = [of_batch(f64::NAN, 0), NumericEntry::Final(f64::NAN)];
    assert_eq!(line(&nothing), "epoch 1/1 train: \n");
    // But what was measured as not a number is shown.
    assert!(line(&[of_batch(0.5, 1), of_batch(f64::NAN, 1)]).contains("Residual NaN"));
}

#[test]
fn what_a_metric_says_of_the_whole_split_replaces_the_mean_of_its_batches() {
    let said = [of_batch(0.5, 8), of_batch(2.0, 8), NumericEntry::Final(3.0)];
    assert_eq!(line(&said), "epoch 1/1 train: Residual 3.0000\n");
}

#[test]
fn each_split_of_an_epoch_is_a_line_with_the_means_of_its_examples() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // So few steps that the residual is small, but not 0.
    let config = with(config(), &[("free_steps", "4")]);
    let data = digits(100, 75);
    let network = config.network(&Device::flex().autodiff());
    let model: AnyLearner<EquilibriumPropagation> =
        EquilibriumLearner::new(network, config.estimator());
    // Batches of 50 and 25: the mean over batches is not that over examples.
    let valid = loader(&data.test, 50, Order::Sequential);
    let train = loader(&data.train, 20, Order::Sequential);
    let text = Text::default();
    let rates = config.learning_rate(&model.network, 5);
    let trained = SupervisedTraining::new(folder.path(), Arc::new(train), Arc::new(valid))
        .renderer(Box::new(EpochLines::new(text.clone())))
        .with_application_logger(None)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_valid_numeric(ResidualMetric::default())
        .num_epochs(2)
        .launch(Learner::new(model, config.optimizer(), rates));
    let text = text.0.lock().expect("the training is over").clone();
    let text = String::from_utf8(text).expect("text");
    let lines: Vec<_> = text.lines().collect();
    let starts = ["1/2 train", "1/2 valid", "2/2 train", "2/2 valid"];
    assert_eq!(lines.len(), starts.len(), "{text}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&format!("epoch {start}: ")), "{text}");
    }

    let model = trained.model.train();
    let judged = evaluate(&model, &loader(&data.test, 75, Order::Sequential)).unwrap();
    let accuracy = format!("Accuracy {:.2} %", 100.0 * (1.0 - judged.error));
    let loss = format!("Loss {:.4}", judged.cost);
    assert!(judged.residual > 0.0 && judged.residual < 1e-3);
    let residual = format!("Residual {:.1e}", judged.residual);
    for part in [&accuracy, &loss, &residual] {
        assert!(lines[3].contains(part), "{part} is missing: {text}");
        assert!(!lines[1].contains(part), "nothing was learned: {text}");
    }
}
