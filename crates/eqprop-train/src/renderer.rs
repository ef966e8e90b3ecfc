//! Plain-terminal output of a Burn training: a line for each half of an epoch.

use std::io::Write;

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

/// A renderer that prints the mean of every numeric metric at the end of each training and validation split:
///
/// ```text
/// epoch 1/6 train: Accuracy 87.96 %, Loss 0.2110
/// epoch 1/6 valid: Accuracy 94.17 %, Loss 0.1352
/// ```
///
/// Burn's own renderer for a plain terminal prints a line per batch, without the metrics. Errors in
/// writing the output are ignored, and the training continues.
#[derive(Debug)]
pub struct EpochLines<W> {
    out: W,
    epoch: usize,
    n_epochs: usize,
    split: String,
    metrics: Vec<Mean>,
}

/// Mean of a metric over the batches so far, weighted by their sizes.
#[derive(Debug)]
struct Mean {
    definition: MetricDefinition,
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.count += weight;
    }
}

impl EpochLines<std::io::Stdout> {
    /// Creates a renderer that writes to standard output.
    pub fn stdout() -> Self {
        Self::new(std::io::stdout())
    }
}

impl<W: Write> EpochLines<W> {
    /// Creates a renderer that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            epoch: 1,
            n_epochs: 0,
            split: String::new(),
            metrics: Vec::new(),
        }
    }

    fn print(&mut self, line: &str) {
        // A closed pipe should not end a training.
        let _ = writeln!(self.out, "{line}");
    }

    fn restart(&mut self, split: &str) {
        self.split = split.to_string();
        for mean in &mut self.metrics {
            (mean.sum, mean.count) = (0.0, 0.0);
        }
    }

    fn update(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return;
        };
        let Some(mean) = self.find(&entry.metric_id) else {
            return;
        };
        match value {
            // A metric without a measurement reports NaN for no examples.
            NumericEntry::Aggregated { count: 0, .. } => {}
            NumericEntry::Aggregated {
                aggregated_value,
                count,
            } => mean.add(aggregated_value, count as f64),
            NumericEntry::Value(value) => mean.add(value, 1.0),
            // Value of the metric for the whole split, NaN if it never measured anything.
            NumericEntry::Final(value) if value.is_nan() => {}
            NumericEntry::Final(value) => (mean.sum, mean.count) = (value, 1.0),
        }
    }

    fn find(&mut self, id: &MetricId) -> Option<&mut Mean> {
        let mut metrics = self.metrics.iter_mut();
        metrics.find(|mean| mean.definition.metric_id == *id)
    }

    /// Formats the metrics measured since the start of the split.
    fn means(&self) -> String {
        let measured = self.metrics.iter().filter(|mean| mean.count > 0.0);
        let means = measured.map(|mean| {
            let value = mean.sum / mean.count;
            let unit = match &mean.definition.attributes {
                MetricAttributes::Numeric(attributes) => attributes.unit.as_deref(),
                MetricAttributes::None => None,
            };
            let name = &mean.definition.name;
            match unit {
                Some("%") => format!("{name} {value:.2} %"),
                Some(unit) => format!("{name} {} {unit}", digits(value)),
                None => format!("{name} {}", digits(value)),
            }
        });
        means.collect::<Vec<_>>().join(", ")
    }
}

/// Formats a number with four decimals, or a small one with an exponent.
fn digits(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        format!("{value:.1e}")
    } else {
        format!("{value:.4}")
    }
}

impl<W: Write + Send + Sync> MetricsRendererTraining for EpochLines<W> {
    fn update_train(&mut self, state: MetricState) {
        self.update(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.update(state);
    }
}

impl<W: Write + Send + Sync> MetricsRendererEvaluation for EpochLines<W> {
    fn update_test(&mut self, _name: EvaluationName, state: MetricState) {
        self.update(state);
    }
}

impl<W: Write + Send> TrainingProgressLogger for EpochLines<W> {
    fn start(&mut self, n_epochs: usize, first: usize, _: Option<usize>, _: Option<&str>) {
        (self.n_epochs, self.epoch) = (n_epochs, first);
    }

    fn start_split(&mut self, split: &str, _n_items: usize) {
        self.restart(split);
    }

    fn update_split(&mut self, _n_done: usize) {}

    fn end_split(&mut self) {
        let (epoch, n_epochs) = (self.epoch, self.n_epochs);
        let line = format!("epoch {epoch}/{n_epochs} {}: {}", self.split, self.means());
        self.print(&line);
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
    }

    fn end(&mut self) {}

    // Burn reports each batch as an event.
    fn log_event_training(&mut self, _event: String) {}
}

impl<W: Write + Send> EvaluationProgressLogger for EpochLines<W> {
    fn start_global_progress(&mut self, _n_tests: usize) {}

    fn start_test(&mut self, name: &str, _n_items: usize) {
        self.restart(name);
    }

    fn update_test_progress(&mut self, _n_done: usize) {}

    fn end_test(&mut self) {
        let line = format!("{}: {}", self.split, self.means());
        self.print(&line);
    }

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

impl<W: Write + Send + Sync> MetricsRenderer for EpochLines<W> {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        if self.find(&definition.metric_id).is_none() {
            self.metrics.push(Mean {
                definition,
                sum: 0.0,
                count: 0.0,
            });
        }
    }
}
