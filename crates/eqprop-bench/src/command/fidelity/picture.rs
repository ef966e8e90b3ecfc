//! The pictures of an examination.

use anyhow::Result;
use eqprop_bench::fidelity::{
    Agreements, BetaPoint, EntryCourse, Fidelity, NudgingKind, ResidualQuantiles, StepPoint,
    StepwiseLayer,
};

use super::hardware;
use super::results::{Found, Results};
use super::text::kind_name;
use crate::plot::{self, Panel, Scale, Series};

/// The fewest steps shown of the step-by-step comparison.
const LEAST_SHOWN: usize = 12;

/// Draws every picture; returns each with its file name.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn all(results: &Results) -> Result<Vec<(&'static str, String)>> {
    let pictures = match &results.found {
        Found::Ideal(found) => vec![
            ("beta.svg", beta(found), 2),
            ("steps.svg", steps(found), 3),
            ("gdu.svg", stepwise(found), 3),
            ("residual.svg", vec![residual(found)], 1),
        ],
        Found::Machines(found) => vec![("hardware.svg", hardware::panels(found), 2)],
    };
    let drawn = pictures
        .into_iter()
        .map(|(name, panels, columns)| Ok((name, plot::render(&panels, columns)?)));
    drawn.collect()
}

/// Draws the error against β with its order, the cosines against β, and the share of units that cross a kink.
fn beta(fidelity: &Fidelity) -> Vec<Panel> {
    let points = &fidelity.beta.points;
    let panel = |title: &str, y_label: &str, y_scale, series| {
        Panel::new(title, ["|β|", y_label], [Scale::Log, y_scale], series)
    };
    let curve = |label: &str, value: &dyn Fn(&BetaPoint) -> Option<f64>| {
        let found = |point: &BetaPoint| value(point).unwrap_or(f64::NAN);
        let points = points.iter().map(|point| (point.beta.abs(), found(point)));
        Series::new(label, points)
    };
    let errors = NudgingKind::ALL.map(|kind| {
        let order = fidelity.beta.orders.get(kind).and_then(|order| order.whole);
        let order = order.map_or(String::new(), |order| format!(", order {order:.2}"));
        curve(&format!("{}{order}", kind_name(kind)), &|point| {
            Some(point.estimates.get(kind)?.whole.relative_error)
        })
    });
    let mut panels = vec![panel(
        "Error of the whole gradient",
        "‖ĝ − g‖/‖g‖",
        Scale::Log,
        errors.to_vec(),
    )];
    for kind in [NudgingKind::OneSided, NudgingKind::Centered] {
        let names = fidelity.parameters.iter().enumerate();
        let series = names.map(|(index, name)| {
            curve(name, &|point| {
                Some(point.estimates.get(kind)?.parameters[index].cosine)
            })
        });
        let title = format!("Cosine of each parameter, {}", kind_name(kind));
        panels.push(panel(&title, "cosine", Scale::Linear, series.collect()));
    }
    let mut kinks = points.iter().filter_map(|point| point.kinks.as_ref());
    if let Some(kinks) = kinks.next() {
        let series = (0..kinks.layers.len()).map(|layer| {
            curve(&format!("layer {}", layer + 1), &|point| {
                Some(100.0 * point.kinks.as_ref()?.layers[layer])
            })
        });
        panels.push(panel(
            "Units that cross a kink between 0 and β",
            "share (%)",
            Scale::Linear,
            series.collect(),
        ));
    }
    panels
}

/// Draws the cosines against the steps of both phases: of each parameter for the configured nudging, then the
/// lowest for each kind of nudging.
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
    let panel = |title: String, x_label: &str, series| {
        Panel::new(
            title,
            [x_label, "cosine"],
            [Scale::Log, Scale::Linear],
            series,
        )
    };
    let curve = |points: &[StepPoint], label: &str, kind, cosine: &dyn Fn(&Agreements) -> f64| {
        let found = |point: &StepPoint| point.estimates.get(kind).map_or(f64::NAN, cosine);
        let points = points
            .iter()
            .map(|point| (point.steps as f64, found(point)));
        Series::new(label, points)
    };
    let by_parameter = parts.iter().map(|(points, x_label, what)| {
        let names = fidelity.parameters.iter().enumerate();
        let series = names.map(|(index, name)| {
            curve(points, name, kind, &|found| found.parameters[index].cosine)
        });
        let title = format!("{}, {what}", kind_name(kind));
        panel(title, x_label, series.collect())
    });
    let by_kind = parts.iter().map(|(points, x_label, what)| {
        let series = NudgingKind::ALL
            .map(|kind| curve(points, kind_name(kind), kind, &Agreements::lowest_cosine));
        let title = format!("Lowest of a parameter, {what}");
        panel(title, x_label, series.to_vec())
    });
    by_parameter.chain(by_kind).collect()
}

/// Draws equilibrium propagation as a line and backpropagation through time as dots on it: each mean and each
/// single entry is scaled by its own peak, because their sizes differ. The part after all curves have decayed
/// is left out.
fn stepwise(fidelity: &Fidelity) -> Vec<Panel> {
    let found = &fidelity.stepwise;
    let layers = found.parameters.iter().chain(&found.states);
    let n_shown = layers.clone().map(duration).fold(LEAST_SHOWN, usize::max);
    let x_label = format!("step t, {}", found.dynamics);
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
                Series::new(format!("EP, {label}"), shown(&course.eqprop)),
                Series::new(format!("BPTT, {label}"), dots),
            ]
        };
        let entries = layer.entries.iter();
        let entries =
            entries.flat_map(|entry| pair(&format!("no. {}", entry.index), &entry.course));
        let series = pair("mean", &layer.mean).into_iter().chain(entries);
        Panel::new(
            format!(
                "{}, Σ|EP − BPTT|²/Σ|BPTT|² = {:.0e}",
                layer.name, layer.relative_mean_squared_error
            ),
            [&x_label, "change / largest change"],
            [Scale::Linear; 2],
            series.collect(),
        )
    };
    layers.map(panel).collect()
}

fn peak(course: &EntryCourse) -> f64 {
    course.bptt.iter().fold(0.0, |a, b| a.max(b.abs()))
}

/// Returns the time after which no course of a layer exceeds a hundredth of its peak.
fn duration(layer: &StepwiseLayer) -> usize {
    let courses = layer.entries.iter().map(|entry| &entry.course);
    let courses = courses.chain([&layer.mean]);
    let last = courses.map(|course| {
        let seen = |value: &f64| value.abs() > 0.01 * peak(course);
        course.bptt.iter().rposition(seen).map_or(0, |t| t + 1)
    });
    last.max().unwrap_or(0)
}

/// Draws the residual of the free phase against the step.
fn residual(fidelity: &Fidelity) -> Panel {
    let curve = |label: &str, value: fn(&ResidualQuantiles) -> f64| {
        let residuals = fidelity.free_phase.residuals.iter();
        let points = residuals.map(|found| (found.step as f64, value(found)));
        Series::new(label, points)
    };
    let dynamics = fidelity.recommendation.dynamics;
    Panel::new(
        format!("Residual of the free phase, {dynamics}"),
        ["step", "largest change of a unit"],
        [Scale::Linear, Scale::Log],
        vec![
            curve("largest", |found| found.max),
            curve("90 %", |found| found.ninetieth),
            curve("median", |found| found.median),
            curve("10 %", |found| found.tenth),
            curve("smallest", |found| found.min),
        ],
    )
}
