//! Draws the pictures of a run.

use std::collections::HashSet;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation};
use eqprop_core::state::State;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::training::{AnyLearner, EpochRecord};

use crate::output::{Measure, an_example};
use crate::plot::{self, Panel, Scale, Series, Tile};

/// Draws error, cost, convergence and size of the updates against the epoch.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn curves(records: &[EpochRecord]) -> Result<String> {
    type Measured = fn(&EpochRecord) -> Option<f64>;

    let curve = |label: &str, value: &dyn Fn(&EpochRecord) -> Option<f64>| {
        let points = records.iter();
        let points = points.filter_map(|record| Some((record.epoch as f64, value(record)?)));
        Series::new(label, points)
    };
    // Quantities that this training does not measure have no curve.
    let curves = |values: &[(&str, Measured)]| {
        let curves = values.iter().map(|(label, value)| curve(label, value));
        let curves = curves.filter(|curve| !curve.points.is_empty());
        curves.collect::<Vec<_>>()
    };
    let panel = |title: &str, y_label: &str, y_scale, series| {
        Panel::new(title, ["epoch", y_label], [Scale::Linear, y_scale], series)
    };
    let weights = records.first().map(|record| &record.update_ratios);
    let weights = weights.into_iter().flatten().map(|(path, _)| path);
    let is_weight = |path: &&String| path.ends_with("weight") || path.ends_with("conductance");
    let ratios = weights.filter(is_weight).enumerate().map(|(index, path)| {
        let ratio = |record: &EpochRecord| {
            let found = record.update_ratios.iter().find(|(other, _)| other == path);
            Some(found.map_or(f64::NAN, |(_, ratio)| *ratio))
        };
        let label = match path.split_once(".feedback.") {
            Some((_, connection)) => {
                let connection = connection.split('.').next().map(str::parse::<usize>);
                let connection = connection.and_then(Result::ok).unwrap_or(index);
                format!("feedback {}", connection + 1)
            }
            None => format!("weights {}", index + 1),
        };
        curve(&label, &ratio)
    });
    let measure = records.first().map_or(Measure::Share, Measure::of_record);
    let errors: [(&str, Measured); 3] = match measure {
        Measure::Share | Measure::Labels => [
            ("training", |record| Some(100.0 * record.train_error)),
            ("validation", |record| {
                Some(100.0 * record.validation_error?)
            }),
            ("test", |record| Some(100.0 * record.test_error?)),
        ],
        Measure::Distance => [
            ("training", |record| Some(record.train_error)),
            ("validation", |record| record.validation_error),
            ("test", |record| record.test_error),
        ],
    };
    let errors = curves(&errors);
    let exact_matches = curves(&[
        ("training", |record| {
            Some(100.0 * record.exact_matches?.train?)
        }),
        ("validation", |record| {
            Some(100.0 * record.exact_matches?.validation?)
        }),
        ("test", |record| Some(100.0 * record.exact_matches?.test?)),
    ]);
    let r_squared = curves(&[
        ("training", |record| record.r_squared?.train),
        ("validation", |record| record.r_squared?.validation),
        ("test", |record| record.r_squared?.test),
    ]);
    let costs = curves(&[
        ("training", |record| Some(record.train_cost)),
        ("validation", |record| record.validation_cost),
        ("test", |record| record.test_cost),
    ]);
    let residual = curves(&[("training", |record| Some(record.residual))]);
    let (linear, log) = (Scale::Linear, Scale::Log);
    let errors = match measure {
        Measure::Share => vec![panel("Classification error", "error (%)", linear, errors)],
        Measure::Labels => vec![
            panel("Wrong labels", "label error (%)", linear, errors),
            panel(
                "Exact matches",
                "every label right (%)",
                linear,
                exact_matches,
            ),
        ],
        Measure::Distance => vec![
            panel("Mean error", "mean absolute error", log, errors),
            panel("Explained variance", "R²", linear, r_squared),
        ],
    };
    let others = [
        panel("Cost", "mean cost", log, costs),
        panel(
            "Residual after the free phase",
            "mean residual",
            log,
            residual,
        ),
        panel(
            "Relative size of an update",
            "|ΔW| / |W|",
            log,
            ratios.collect(),
        ),
    ];
    let panels: Vec<Panel> = errors.into_iter().chain(others).collect();
    Ok(plot::render(&panels, 2)?)
}

/// The most examples in a picture of the fit.
const MOST_FITTED: usize = 500;

/// Draws the predictions for the first of `examples` against their true values, for each quantity; `None` for
/// classes and labels.
///
/// # Errors
/// If the picture cannot be drawn, or inputs are in files and cannot be read.
pub fn fit<G>(
    learner: &AnyLearner<G>,
    examples: &Examples,
    device: &Device,
) -> Result<Option<String>>
where
    G: GradientEstimator<AnyField, AnyCost> + Clone,
{
    let examples = examples.clone().take(MOST_FITTED).in_memory()?;
    let Some(targets) = examples.targets.as_ref().filter(|_| !examples.is_empty()) else {
        return Ok(None);
    };
    let Some(quantities) = targets.kind.quantities() else {
        return Ok(None);
    };
    let output = learner
        .infer(&tensor(&examples, device))
        .state
        .output()
        .clone();
    let predicted: Vec<f64> = output.into_data().iter::<f64>().collect();
    let panel = |(quantity, name): (usize, &String)| {
        let of_each = |values: &[f64]| {
            let values = values.iter().skip(quantity).step_by(quantities.len());
            let values = values.map(|&value| quantities.value(quantity, value));
            values.collect::<Vec<f64>>()
        };
        let wanted: Vec<f64> = targets.values.iter().map(|&value| value.into()).collect();
        let (wanted, predicted) = (of_each(&wanted), of_each(&predicted));
        let low = wanted.iter().copied().fold(f64::INFINITY, f64::min);
        let high = wanted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A point that cannot be drawn stands between any two points, so that no line connects them.
        let points = wanted.into_iter().zip(predicted);
        let points = points.flat_map(|point| [point, (f64::NAN, f64::NAN)]);
        let series = vec![
            Series::new("test examples", points),
            Series::new("predicted as they are", [(low, low), (high, high)]),
        ];
        Panel::new(name, ["true", "predicted"], [Scale::Linear; 2], series)
    };
    let panels: Vec<Panel> = quantities.names.iter().enumerate().map(panel).collect();
    Ok(Some(plot::render(&panels, 2)?))
}

/// Returns the examples in an order that takes each class in turn if they lie class by class, otherwise as
/// they are: the first ones would all be of one class.
pub fn classes_in_turn(examples: Examples) -> Examples {
    let labels = &examples.labels;
    let n_classes = labels.iter().collect::<HashSet<_>>().len();
    if labels.is_empty() || labels.chunk_by(|a, b| a == b).count() > n_classes {
        return examples;
    }
    let mut n_before = [0_usize; 256];
    let mut turns = Vec::with_capacity(labels.len());
    for (index, &label) in labels.iter().enumerate() {
        let turn = &mut n_before[usize::from(label)];
        turns.push((*turn, index));
        *turn += 1;
    }
    turns.sort_unstable();
    let indices: Vec<usize> = turns.into_iter().map(|(_, index)| index).collect();
    examples.in_order(&indices)
}

/// The relaxation of some examples, step by step.
#[derive(Debug)]
pub struct RelaxationCourse {
    /// A description of each example.
    pub labels: Vec<String>,
    /// Energy of each example after each step; empty if the field has no energy.
    energy: Vec<Vec<f64>>,
    /// Largest change of any unit of each example in each step.
    change: Vec<Vec<f64>>,
    /// The state after each step.
    pub states: Vec<State>,
    /// Whether the units of the first layer are voltages, of either sign and any size.
    voltages: bool,
}

/// The most steps that are drawn: the pictures are about a thousand columns wide.
const MOST_STEPS: usize = 1000;
/// The most bytes of states that are kept for drawing.
const MOST_BYTES: usize = 1 << 30;

impl RelaxationCourse {
    /// Follows the free phase of `examples` as configured, for as many steps as can be drawn.
    pub fn follow(
        network: &EquilibriumNetwork<AnyField, AnyCost>,
        config: &TrainingConfig,
        examples: &Examples,
        device: &Device,
    ) -> Self {
        let (energy, input) = (&network.energy, &tensor(examples, device));
        let dynamics = config.estimator().free.dynamics;
        let units = energy.layers().iter().map(|layer| layer.n_units());
        let bytes = size_of::<f32>() * input.dims()[0] * units.sum::<usize>();
        let n_drawn = MOST_STEPS.min(MOST_BYTES / bytes.max(1)).max(1);
        let n_steps = config.phases.free_steps.min(n_drawn);
        let clamped = energy.clamp(input);
        let total = TotalEnergy::<AnyField, AnyCost>::free(energy, &clamped);
        let source = &config.data.dataset;
        let labels = (0..examples.len()).map(|i| an_example(source, examples, i));
        let mut course = Self {
            labels: labels.collect(),
            energy: Vec::new(),
            change: Vec::new(),
            states: Vec::new(),
            voltages: energy.layers()[0].activation.range()[0] < 0.0,
        };
        Relaxation::steps(dynamics, n_steps).relax_observed(
            &total,
            network.start(input, &clamped),
            |_, s| {
                course
                    .energy
                    .extend(energy.energy_of(&clamped, s).map(read));
                if let Some(before) = course.states.last() {
                    let residual = dynamics.residual(&total, before, s);
                    course.change.push(read(residual));
                }
                course.states.push(s.clone());
            },
        );
        course
    }

    /// Iterates over all numbers that are drawn as lines.
    pub fn numbers(&self) -> impl Iterator<Item = f64> {
        self.energy.iter().chain(&self.change).flatten().copied()
    }

    /// Draws the energy and the change of each example against the step.
    ///
    /// # Errors
    /// If the picture cannot be drawn.
    pub fn chart(&self) -> Result<String> {
        let lines = |rows: &[Vec<f64>], first_step: usize| {
            let line = |(index, label): (usize, &String)| {
                let rows = rows.iter().enumerate();
                let points = rows.map(|(step, row)| ((step + first_step) as f64, row[index]));
                Series::new(label, points)
            };
            let lines = self.labels.iter().enumerate().map(line);
            lines.collect::<Vec<_>>()
        };
        let panel = |title: &str, y_label: &str, y_scale, series| {
            Panel::new(title, ["step", y_label], [Scale::Linear, y_scale], series)
        };
        let energy = panel(
            "Energy in the free phase",
            "energy",
            Scale::Linear,
            lines(&self.energy, 0),
        );
        let residual = panel(
            "Residual",
            "largest change of a unit",
            Scale::Log,
            lines(&self.change, 1),
        );
        let panels = match self.energy.is_empty() {
            true => vec![residual],
            false => vec![energy, residual],
        };
        Ok(plot::render(&panels, 2)?)
    }

    /// Draws the output layer and the first hidden layer of each example after some of the steps.
    ///
    /// # Errors
    /// If the picture cannot be drawn.
    pub fn tiles(&self, inputs: &[Tile]) -> Result<String> {
        let last = self.states.len() - 1;
        let mut steps = vec![0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233];
        steps.retain(|&step| step < last);
        steps.push(last);
        let output = self.states[0].layers().len() - 1;
        let largest = self.voltages.then(|| self.largest_voltage());
        let mut rows = Vec::new();
        for (index, label) in self.labels.iter().enumerate() {
            for layer in [0, output].into_iter().take(1 + output.min(1)) {
                let is_output = layer == output;
                let unit = largest.filter(|_| !is_output);
                let name = match unit {
                    _ if is_output => "output".to_string(),
                    None => "hidden".to_string(),
                    Some(unit) => format!("hidden / {unit:.3}"),
                };
                let shown = steps.iter().map(|&step| {
                    let values = self.states[step].layer(layer).clone().narrow(0, index, 1);
                    let values = (values / unit.unwrap_or(1.0)).into_data();
                    let values: Vec<f32> = values.iter::<f32>().collect();
                    let n = values.len();
                    let width = if is_output { n } else { wide(n) };
                    Tile {
                        caption: format!("step {step}"),
                        height: n / width,
                        width,
                        values,
                    }
                });
                let row = std::iter::once(inputs[index].clone()).chain(shown);
                rows.push((format!("{label}, {name}"), row.collect()));
            }
        }
        let range = (if self.voltages { -1.0 } else { 0.0 }, 1.0);
        Ok(plot::render_tiles(
            "States in the free phase",
            &rows,
            range,
        )?)
    }

    /// Returns the largest magnitude in the first layer, at any step.
    fn largest_voltage(&self) -> f64 {
        let layers = self.states.iter().map(|state| state.layer(0));
        let largest = layers.map(|layer| layer.clone().abs().max().into_scalar::<f64>());
        largest.fold(f64::MIN_POSITIVE, f64::max)
    }
}

/// Converts examples in memory to inputs.
pub fn tensor(examples: &Examples, device: &Device) -> Tensor<2> {
    let shape = [examples.len(), examples.n_inputs()];
    Tensor::from_data(TensorData::new(examples.inputs.clone(), shape), device)
}

/// Returns the width of the rectangle of `n` units that is closest to a square.
fn wide(n: usize) -> usize {
    let height = (1..)
        .take_while(|height| height * height <= n)
        .filter(|height| n.is_multiple_of(*height));
    n / height.last().unwrap_or(1)
}

fn read(values: Tensor<1>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
