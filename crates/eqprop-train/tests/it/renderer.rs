//! What a Burn training prints.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{Learner, SupervisedTraining};
use eqprop_train::batch::Order;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::metric::ResidualMetric;
use eqprop_train::renderer::EpochLines;
use eqprop_train::training::{AnyLearner, evaluate};

use crate::setup::{config, digits, loader, with};

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
    let trained = SupervisedTraining::new(folder.path(), Arc::new(train), Arc::new(valid))
        .renderer(Box::new(EpochLines::new(text.clone())))
        .with_application_logger(None)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_valid_numeric(ResidualMetric::default())
        .num_epochs(2)
        .launch(Learner::new(
            model,
            config.optimizer(),
            config.learning_rate(5),
        ));
    let text = text.0.lock().expect("the training is over").clone();
    let text = String::from_utf8(text).expect("text");
    let lines: Vec<_> = text.lines().collect();
    let starts = ["1/2 train", "1/2 valid", "2/2 train", "2/2 valid"];
    assert_eq!(lines.len(), starts.len(), "{text}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&format!("epoch {start}: ")), "{text}");
    }

    let model = trained.model.train();
    let judged = evaluate(&model, &loader(&data.test, 75, Order::Sequential));
    let accuracy = format!("Accuracy {:.2} %", 100.0 * (1.0 - judged.error));
    let loss = format!("Loss {:.4}", judged.cost);
    assert!(judged.residual > 0.0 && judged.residual < 1e-3);
    let residual = format!("Residual {:.1e}", judged.residual);
    for part in [&accuracy, &loss, &residual] {
        assert!(lines[3].contains(part), "{part} is missing: {text}");
        assert!(!lines[1].contains(part), "nothing was learned: {text}");
    }
}
