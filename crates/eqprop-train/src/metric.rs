//! Burn metrics of a relaxation, to register in addition to accuracy and loss.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorReadError};
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    AccuracyInput, Adaptor, HammingScoreInput, LossInput, Metric, MetricAttributes, MetricMetadata,
    MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry, TopKAccuracyInput,
};

use crate::learner::EquilibriumOutput;
use crate::sequence::SequencePrediction;
use crate::update::UpdateMonitor;

/// Energy of each example, `[batch]`, if there is an energy.
#[derive(Debug, Clone)]
pub struct EnergyInput(pub Option<Tensor<1>>);

/// Residual of each example, `[batch]`.
#[derive(Debug, Clone)]
pub struct ResidualInput(pub Tensor<1>);

/// Number of steps of the free phase, and number of examples.
#[derive(Debug, Clone)]
pub struct StepsInput {
    /// Number of steps taken.
    pub n_steps: usize,
    /// Number of examples that took them.
    pub n_examples: usize,
}

/// Residual of the echo of each example, `[batch]`, if there was an echo.
#[derive(Debug, Clone)]
pub struct EchoInput(pub Option<Tensor<1>>);

impl Adaptor<EchoInput> for SequencePrediction {
    fn adapt(&self) -> EchoInput {
        EchoInput(self.residual.clone())
    }
}

impl Adaptor<LossInput> for SequencePrediction {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.cost.clone())
    }
}

impl Adaptor<AccuracyInput> for SequencePrediction {
    fn adapt(&self) -> AccuracyInput {
        let labels = self.target.clone().argmax(1).squeeze_dim(1);
        AccuracyInput::new(self.scores.clone(), labels)
    }
}

impl Adaptor<TopKAccuracyInput> for SequencePrediction {
    fn adapt(&self) -> TopKAccuracyInput {
        let labels = self.target.clone().argmax(1).squeeze_dim(1);
        TopKAccuracyInput::new(self.scores.clone(), labels)
    }
}

impl Adaptor<EnergyInput> for EquilibriumOutput {
    fn adapt(&self) -> EnergyInput {
        EnergyInput(self.energy.clone())
    }
}

impl Adaptor<ResidualInput> for EquilibriumOutput {
    fn adapt(&self) -> ResidualInput {
        ResidualInput(self.residual.clone())
    }
}

impl Adaptor<StepsInput> for EquilibriumOutput {
    fn adapt(&self) -> StepsInput {
        StepsInput {
            n_steps: self.n_steps,
            n_examples: self.residual.dims()[0],
        }
    }
}

impl Adaptor<LossInput> for EquilibriumOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.cost.clone())
    }
}

impl Adaptor<AccuracyInput> for EquilibriumOutput {
    fn adapt(&self) -> AccuracyInput {
        let labels = self.target.clone().argmax(1).squeeze_dim(1);
        AccuracyInput::new(self.scores.clone(), labels)
    }
}

impl Adaptor<TopKAccuracyInput> for EquilibriumOutput {
    fn adapt(&self) -> TopKAccuracyInput {
        let labels = self.target.clone().argmax(1).squeeze_dim(1);
        TopKAccuracyInput::new(self.scores.clone(), labels)
    }
}

/// Adapts multiple labels, for a metric with the threshold ½ and without a sigmoid.
impl Adaptor<HammingScoreInput> for EquilibriumOutput {
    fn adapt(&self) -> HammingScoreInput {
        HammingScoreInput::new(self.output.clone(), self.target.clone().int())
    }
}

/// Mean energy `E` at the free equilibrium.
#[derive(Clone, Default)]
pub struct EnergyMetric {
    state: NumericMetricState,
}

/// Mean residual at the end of the free phase.
#[derive(Clone, Default)]
pub struct ResidualMetric {
    state: NumericMetricState,
}

/// Number of steps of the free phase; below the limit if a tolerance stopped it.
#[derive(Clone, Default)]
pub struct StepsMetric {
    state: NumericMetricState,
}

/// Percentage of the examples whose free phase ended with a residual above a threshold, or not
/// finite.
#[derive(Clone)]
pub struct UnconvergedMetric {
    threshold: f64,
    state: NumericMetricState,
}

impl UnconvergedMetric {
    /// Creates a metric that counts examples with a residual above `threshold`.
    pub fn new(threshold: f64) -> Self {
        Self {
            threshold,
            state: NumericMetricState::default(),
        }
    }
}

/// Mean distance by which [echoes](eqprop_core::sequence::Echo::residual) missed the start of their
/// trajectories: the error that rounding, chaos and ε cause in the gradient.
#[derive(Clone, Default)]
pub struct EchoResidualMetric {
    state: NumericMetricState,
}

/// Ratio `‖ΔW‖/‖W‖` of one parameter, as last measured by an [`UpdateMonitor`].
#[derive(Clone)]
pub struct UpdateRatioMetric {
    monitor: UpdateMonitor,
    path: String,
    state: NumericMetricState,
}

impl UpdateRatioMetric {
    /// Creates the metric of the parameter at `path`, such as `network.energy.connections.0.Dense.weight`.
    pub fn new(monitor: UpdateMonitor, path: impl Into<String>) -> Self {
        Self {
            monitor,
            path: path.into(),
            state: NumericMetricState::default(),
        }
    }
}

fn name(name: impl Into<String>) -> MetricName {
    Arc::new(name.into())
}

/// Implements a numeric metric whose state is the mean of one number per batch, weighted by the
/// number of examples. `$measure` returns that number and the number of examples.
macro_rules! mean_metric {
    ($metric:ty, $input:ty, $name:expr, $unit:expr, $measure:expr) => {
        impl Metric for $metric {
            type Input = $input;

            fn name(&self) -> MetricName {
                let name_of: fn(&Self) -> MetricName = $name;
                name_of(self)
            }

            fn attributes(&self) -> MetricAttributes {
                NumericAttributes {
                    unit: $unit,
                    higher_is_better: false,
                }
                .into()
            }

            fn update(
                &mut self,
                item: &$input,
                _metadata: &MetricMetadata,
            ) -> Result<SerializedEntry, TensorReadError> {
                type Measure<M, I> = fn(&M, &I) -> Result<(f64, usize), TensorReadError>;
                let measure: Measure<Self, $input> = $measure;
                let (value, n_examples) = measure(self, item)?;
                self.state.update(value, n_examples);
                Ok(self.state.compute_update(format(self.name(), $unit)))
            }

            fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
                Ok(self.state.compute_final(format(self.name(), $unit)))
            }

            fn clear(&mut self) {
                self.state.reset();
            }
        }

        impl Numeric for $metric {
            fn value(&self) -> Option<NumericEntry> {
                Some(self.state.current_value())
            }

            fn running_value(&self) -> Option<NumericEntry> {
                Some(self.state.running_value())
            }

            fn final_value(&self) -> NumericEntry {
                self.state.final_value()
            }
        }
    };
}

fn format(name: MetricName, unit: Option<String>) -> FormatOptions {
    let options = FormatOptions::new(name).precision(4);
    match unit {
        Some(unit) => options.unit(&unit),
        None => options,
    }
}

fn mean(values: &Tensor<1>) -> Result<(f64, usize), TensorReadError> {
    let [n_examples] = values.dims();
    Ok((values.clone().mean().try_into_scalar::<f64>()?, n_examples))
}

mean_metric!(
    EnergyMetric,
    EnergyInput,
    |_| name("Energy"),
    None,
    // A field without an energy must not contribute to the mean.
    |_, input| input.0.as_ref().map_or(Ok((f64::NAN, 0)), mean)
);

mean_metric!(
    ResidualMetric,
    ResidualInput,
    |_| name("Residual"),
    None,
    |_, input| mean(&input.0)
);

mean_metric!(
    EchoResidualMetric,
    EchoInput,
    |_| name("Echo residual"),
    None,
    // A prediction has no echo, and must not contribute to the mean.
    |_, input| input.0.as_ref().map_or(Ok((f64::NAN, 0)), mean)
);

mean_metric!(
    StepsMetric,
    StepsInput,
    |_| name("Free steps"),
    None,
    |_, input| Ok((input.n_steps as f64, input.n_examples))
);

mean_metric!(
    UnconvergedMetric,
    ResidualInput,
    |metric| name(format!("Unconverged above {:e}", metric.threshold)),
    Some("%".to_string()),
    |metric, input| {
        // Count those within the threshold, because NaN compares as false.
        let within = input.0.clone().lower_equal_elem(metric.threshold).float();
        let (share, n_examples) = mean(&within)?;
        Ok((100.0 * (1.0 - share), n_examples))
    }
);

mean_metric!(
    UpdateRatioMetric,
    (),
    |metric| name(format!("Update ratio {}", metric.path)),
    None,
    |metric, _| {
        let latest = metric.monitor.latest();
        let ratio = latest.into_iter().find(|(path, _)| *path == metric.path);
        // Before the first update there is no ratio, which must not contribute to the mean.
        Ok(ratio.map_or((f64::NAN, 0), |(_, ratio)| (ratio, 1)))
    }
);
