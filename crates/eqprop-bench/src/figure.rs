//! The pictures of a run.

use anyhow::Result;
use burn::tensor::Tensor;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation};
use eqprop_core::state::State;
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::training::EpochRecord;

use crate::plot::{self, Panel, Scale, Series, Tile};

/// Error, cost, convergence and size of the updates against the epoch.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn curves(records: &[EpochRecord]) -> Result<String> {
    /// The curve of what only some trainings measure, if this one does.
    fn measured(
        records: &[EpochRecord],
        label: &str,
        value: impl Fn(&EpochRecord) -> Option<f64>,
    ) -> Option<Series> {
        let points = records
            .iter()
            .filter_map(|record| Some((record.epoch as f64, value(record)?)));
        let points: Vec<_> = points.collect();
        (!points.is_empty()).then(|| Series {
            label: label.to_string(),
            points,
        })
    }

    let curve = |label: &str, value: &dyn Fn(&EpochRecord) -> f64| Series {
        label: label.to_string(),
        points: records
            .iter()
            .map(|record| (record.epoch as f64, value(record)))
            .collect(),
    };
    let panel = |title: &str, y_label: &str, y_scale, series| Panel {
        title: title.to_string(),
        x_label: "epoch".to_string(),
        y_label: y_label.to_string(),
        x_scale: Scale::Linear,
        y_scale,
        series,
    };
    let weights: Vec<&String> = records
        .first()
        .map(|record| record.update_ratios.iter().map(|(path, _)| path).collect())
        .unwrap_or_default();
    let is_weight = |path: &&String| path.ends_with("weight") || path.ends_with("conductance");
    let weights = weights.into_iter().filter(is_weight);
    let ratios = weights.enumerate().map(|(index, path)| {
        let ratio = |record: &EpochRecord| {
            let found = record.update_ratios.iter().find(|(other, _)| other == path);
            found.map_or(f64::NAN, |(_, ratio)| *ratio)
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
    let percent = |share: f64| 100.0 * share;
    let mut errors = vec![curve("training", &|record| percent(record.train_error))];
    errors.extend(measured(records, "validation", |record| {
        record.validation_error.map(percent)
    }));
    errors.extend(measured(records, "test", |record| {
        record.test_error.map(percent)
    }));
    let mut costs = vec![curve("training", &|record| record.train_cost)];
    costs.extend(measured(records, "validation", |record| {
        record.validation_cost
    }));
    costs.extend(measured(records, "test", |record| record.test_cost));
    let panels = [
        panel("Classification error", "error (%)", Scale::Linear, errors),
        panel("Cost", "mean cost", Scale::Log, costs),
        panel(
            "Residual after the free phase",
            "mean residual",
            Scale::Log,
            vec![curve("training", &|record| record.residual)],
        ),
        panel(
            "Relative size of an update",
            "|ΔW| / |W|",
            Scale::Log,
            ratios.collect(),
        ),
    ];
    Ok(plot::render(&panels, 2)?)
}

/// How some examples relax, step by step.
#[derive(Debug)]
pub struct RelaxationCourse {
    /// Energy of each example after each step; empty if there is no energy.
    energy: Vec<Vec<f64>>,
    /// Largest change of any unit of each example in each step.
    change: Vec<Vec<f64>>,
    /// The state after each step.
    pub states: Vec<State>,
    /// Whether the units of the first layer are voltages of either sign, of any size.
    voltages: bool,
}

/// The most steps that are drawn: the pictures have some thousand columns.
const MOST_STEPS: usize = 1000;
/// The most bytes of states that are kept to be drawn.
const MOST_BYTES: usize = 1 << 30;

impl RelaxationCourse {
    /// Follows the free phase of `input`, by the dynamics of a configured one, for `n_steps` steps, or as many as can be drawn.
    pub fn follow(
        network: &EquilibriumNetwork<AnyField, AnyCost>,
        Relaxation { dynamics, .. }: Relaxation,
        input: &Tensor<2>,
        n_steps: usize,
    ) -> Self {
        let energy = &network.energy;
        let units = energy.layers().iter().map(|layer| layer.n_units());
        let bytes = size_of::<f32>() * input.dims()[0] * units.sum::<usize>();
        let n_steps = n_steps
            .min(MOST_STEPS)
            .min(MOST_BYTES / bytes.max(1))
            .max(1);
        let clamped = energy.clamp(input);
        let total = TotalEnergy::<AnyField, AnyCost>::free(energy, &clamped);
        let mut course = Self {
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

    /// Everything that is drawn in lines.
    pub fn numbers(&self) -> impl Iterator<Item = f64> {
        self.energy.iter().chain(&self.change).flatten().copied()
    }

    /// Energy and change of each example against the step.
    ///
    /// # Errors
    /// If the picture cannot be drawn.
    pub fn chart(&self, labels: &[String]) -> Result<String> {
        let lines = |rows: &[Vec<f64>], first_step: usize| {
            let line = |(index, label): (usize, &String)| Series {
                label: label.clone(),
                points: rows
                    .iter()
                    .enumerate()
                    .map(|(step, row)| ((step + first_step) as f64, row[index]))
                    .collect(),
            };
            let lines = labels.iter().enumerate().map(line);
            lines.collect::<Vec<_>>()
        };
        let panel = |title: &str, y_label: &str, y_scale, series| Panel {
            title: title.to_string(),
            x_label: "step".to_string(),
            y_label: y_label.to_string(),
            x_scale: Scale::Linear,
            y_scale,
            series,
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

    /// The output layer and the first hidden layer of each example after some of the steps.
    ///
    /// # Errors
    /// If the picture cannot be drawn.
    pub fn tiles(&self, labels: &[String], inputs: &[Tile]) -> Result<String> {
        let last = self.states.len() - 1;
        let mut steps = vec![0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233];
        steps.retain(|&step| step < last);
        steps.push(last);
        let output = self.states[0].layers().len() - 1;
        let largest = self.voltages.then(|| self.largest_voltage());
        let mut rows = Vec::new();
        for (index, label) in labels.iter().enumerate() {
            for layer in [0, output].into_iter().take(1 + output.min(1)) {
                let shown = steps.iter().map(|&step| {
                    let values = self.states[step].layer(layer).clone().narrow(0, index, 1);
                    let unit = largest.filter(|_| layer != output).unwrap_or(1.0);
                    let values = (values / unit).into_data();
                    let values: Vec<f32> = values.iter::<f32>().collect();
                    let width = if layer == output {
                        values.len()
                    } else {
                        wide(values.len())
                    };
                    Tile {
                        caption: format!("step {step}"),
                        height: values.len() / width,
                        width,
                        values,
                    }
                });
                let name = match largest {
                    _ if layer == output => "output".to_string(),
                    None => "hidden".to_string(),
                    Some(unit) => format!("hidden / {unit:.3}"),
                };
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

    /// The largest magnitude in the first layer, at any step.
    fn largest_voltage(&self) -> f64 {
        let layers = self.states.iter().map(|state| state.layer(0));
        let largest = layers.map(|layer| layer.clone().abs().max().into_scalar::<f64>());
        largest.fold(f64::MIN_POSITIVE, f64::max)
    }
}

/// The width of the rectangle of `n` units that is closest to a square.
fn wide(n: usize) -> usize {
    let height = (1..)
        .take_while(|height| height * height <= n)
        .filter(|height| n.is_multiple_of(*height));
    n / height.last().unwrap_or(1)
}

fn read(values: Tensor<1>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
