//! The pictures of an examination.

use anyhow::Result;
use eqprop_bench::fidelity::{
    Agreements, BetaPoint, EntryCourse, Fidelity, FittedOrder, NudgingKind, StepPoint,
    StepwiseLayer,
};

use super::results::Results;
use super::text::kind_name;
use crate::plot::{self, Panel, Scale, Series};

/// Steps of the comparison step by step that are shown at least.
const LEAST_SHOWN: usize = 12;

/// Every picture with its file name.
///
/// # Errors
/// If one cannot be drawn.
pub fn all(results: &Results) -> Result<Vec<(&'static str, String)>> {
    let fidelity = &results.fidelity;
    let pictures = [
        ("beta.svg", beta(fidelity), 2),
        ("steps.svg", steps(fidelity), 3),
        ("gdu.svg", stepwise(fidelity), 3),
        ("residual.svg", vec![residual(fidelity)], 1),
    ];
    let drawn = pictures
        .into_iter()
        .map(|(name, panels, columns)| Ok((name, plot::render(&panels, columns)?)));
    drawn.collect()
}

/// Error against β with its order, cosines against β, and units that cross a kink.
fn beta(fidelity: &Fidelity) -> Vec<Panel> {
    let points = &fidelity.beta.points;
    let panel = |title: String, y_label: &str, y_scale, series| Panel {
        title,
        x_label: "|β|".to_string(),
        y_label: y_label.to_string(),
        x_scale: Scale::Log,
        y_scale,
        series,
    };
    let curve = |label: String, value: &dyn Fn(&BetaPoint) -> Option<f64>| Series {
        label,
        points: points
            .iter()
            .map(|point| (point.beta.abs(), value(point).unwrap_or(f64::NAN)))
            .collect(),
    };
    let errors = NudgingKind::ALL.map(|kind| {
        let order = fidelity.beta.orders.get(kind);
        let order = order.and_then(|order: &FittedOrder| order.whole);
        let label = match order {
            Some(order) => format!("{}, order {order:.2}", kind_name(kind)),
            None => kind_name(kind).to_string(),
        };
        curve(label, &|point| {
            Some(point.estimates.get(kind)?.whole.relative_error)
        })
    });
    let mut panels = vec![panel(
        "Error of the whole gradient".to_string(),
        "‖ĝ − g‖/‖g‖",
        Scale::Log,
        errors.to_vec(),
    )];
    for kind in [NudgingKind::OneSided, NudgingKind::Centered] {
        let names = fidelity.parameters.iter().enumerate();
        let series = names.map(|(index, name)| {
            curve(name.clone(), &|point| {
                Some(point.estimates.get(kind)?.parameters[index].cosine)
            })
        });
        let title = format!("Cosine of each parameter, {}", kind_name(kind));
        panels.push(panel(title, "cosine", Scale::Linear, series.collect()));
    }
    if points.iter().any(|point| point.kinks.is_some()) {
        let n_layers = points
            .iter()
            .find_map(|point| Some(point.kinks.as_ref()?.layers.len()));
        let series = (0..n_layers.unwrap_or(0)).map(|layer| {
            curve(format!("layer {}", layer + 1), &|point| {
                Some(100.0 * point.kinks.as_ref()?.layers[layer])
            })
        });
        panels.push(panel(
            "Units that cross a kink between 0 and β".to_string(),
            "share (%)",
            Scale::Linear,
            series.collect(),
        ));
    }
    panels
}

/// Cosines against the steps of both phases: of each parameter for the configured nudging, then
/// the lowest for each kind.
fn steps(fidelity: &Fidelity) -> Vec<Panel> {
    let curves = &fidelity.steps;
    let kind = fidelity.recommendation.nudging;
    let k = curves.nudged_steps;
    let parts = [
        (&curves.free, "free steps T", "K converged".to_string()),
        (
            &curves.free_with_configured,
            "free steps T",
            format!("K = {k}"),
        ),
        (&curves.nudged, "nudged steps K", "T converged".to_string()),
    ];
    let panel = |title: String, x_label: &str, series| Panel {
        title,
        x_label: x_label.to_string(),
        y_label: "cosine".to_string(),
        x_scale: Scale::Log,
        y_scale: Scale::Linear,
        series,
    };
    let curve = |points: &[StepPoint], label, kind, cosine: &dyn Fn(&Agreements) -> f64| Series {
        label,
        points: points
            .iter()
            .map(|point| {
                let found = point.estimates.get(kind).map_or(f64::NAN, cosine);
                (point.steps as f64, found)
            })
            .collect(),
    };
    let by_parameter = parts.iter().map(|(points, x_label, what)| {
        let names = fidelity.parameters.iter().enumerate();
        let series = names.map(|(index, name)| {
            curve(points, name.clone(), kind, &|found| {
                found.parameters[index].cosine
            })
        });
        panel(
            format!("{}, {what}", kind_name(kind)),
            x_label,
            series.collect(),
        )
    });
    let by_kind = parts.iter().map(|(points, x_label, what)| {
        let series = NudgingKind::ALL.map(|kind| {
            let label = kind_name(kind).to_string();
            curve(points, label, kind, &Agreements::lowest_cosine)
        });
        panel(
            format!("Lowest of a parameter, {what}"),
            x_label,
            series.to_vec(),
        )
    });
    by_parameter.chain(by_kind).collect()
}

/// Equilibrium propagation as a line, backpropagation through time as dots on it: each mean and
/// each single entry relative to its own peak, because they differ in size. What follows after all
/// have died away is left out.
fn stepwise(fidelity: &Fidelity) -> Vec<Panel> {
    let found = &fidelity.stepwise;
    let layers = found.parameters.iter().chain(&found.states);
    let n_shown = layers
        .clone()
        .map(duration)
        .max()
        .unwrap_or(0)
        .max(LEAST_SHOWN);
    let panel = |layer: &StepwiseLayer| {
        let pair = |label: &str, course: &EntryCourse| {
            let scale = 1.0 / peak(course).max(f64::MIN_POSITIVE);
            let shown = |values: &[f64]| -> Vec<(f64, f64)> {
                let points = values.iter().enumerate().take(n_shown);
                points.map(|(t, value)| (t as f64, scale * value)).collect()
            };
            // Points with gaps between them are drawn as dots.
            let dots = shown(&course.bptt).into_iter();
            let dots = dots.flat_map(|point| [point, (f64::NAN, f64::NAN)]);
            [
                Series {
                    label: format!("EP, {label}"),
                    points: shown(&course.eqprop),
                },
                Series {
                    label: format!("BPTT, {label}"),
                    points: dots.collect(),
                },
            ]
        };
        let entries = layer.entries.iter();
        let entries =
            entries.flat_map(|entry| pair(&format!("no. {}", entry.index), &entry.course));
        Panel {
            title: format!(
                "{}, Σ|EP − BPTT|²/Σ|BPTT|² = {:.0e}",
                layer.name, layer.relative_mean_squared_error
            ),
            x_label: format!("step t, {}", found.dynamics),
            y_label: "change / largest change".to_string(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            series: pair("mean", &layer.mean)
                .into_iter()
                .chain(entries)
                .collect(),
        }
    };
    layers.map(panel).collect()
}

fn peak(course: &EntryCourse) -> f64 {
    course.bptt.iter().fold(0.0, |a, b| a.max(b.abs()))
}

/// The time after which no course of a layer is above a hundredth of its peak.
fn duration(layer: &StepwiseLayer) -> usize {
    let courses = layer.entries.iter().map(|entry| &entry.course);
    let courses = courses.chain([&layer.mean]);
    let last = courses.map(|course| {
        let seen = |value: &f64| value.abs() > 0.01 * peak(course);
        course.bptt.iter().rposition(seen).map_or(0, |t| t + 1)
    });
    last.max().unwrap_or(0)
}

/// The residual of the free phase against the step.
fn residual(fidelity: &Fidelity) -> Panel {
    let phase = &fidelity.free_phase;
    let curve =
        |label: &str, value: fn(&eqprop_bench::fidelity::ResidualQuantiles) -> f64| Series {
            label: label.to_string(),
            points: phase
                .residuals
                .iter()
                .map(|found| (found.step as f64, value(found)))
                .collect(),
        };
    Panel {
        title: format!(
            "Residual of the free phase, {}",
            fidelity.recommendation.dynamics
        ),
        x_label: "step".to_string(),
        y_label: "largest change of a unit".to_string(),
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        series: vec![
            curve("largest", |found| found.max),
            curve("90 %", |found| found.ninetieth),
            curve("median", |found| found.median),
            curve("10 %", |found| found.tenth),
            curve("smallest", |found| found.min),
        ],
    }
}
