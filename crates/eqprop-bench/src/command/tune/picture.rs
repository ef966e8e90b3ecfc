//! Draws the effect of each parameter.

use anyhow::Result;
use eqprop_bench::tuning::{ParameterKind, Trial, Tuning, effects};

use crate::output::Measure;
use crate::plot::{self, Panel, Scale, Series};

/// Number of panels per row.
const COLUMNS: usize = 3;

/// Draws the error of each trial against each of its values, with one panel per parameter.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn effects_of(tuning: &Tuning) -> Result<String> {
    let plan = &tuning.plan;
    // An error of 0 cannot be drawn on a logarithmic scale.
    let least = tuning.least_error();
    let measure = Measure::of(&tuning.start.data.dataset);
    let (unit, percent) = measure.axis();
    let y_label = &format!("{}{percent}", measure.name_on("validation"));
    let shown = effects(tuning);
    let panels = tuning
        .space
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let dot = |trial: &Trial, rung: usize| {
                let error = trial.at(rung)?.error().max(least);
                Some((trial.values[index], unit * error))
            };
            let rungs = (0..plan.rungs.len()).map(|rung| {
                let dots = tuning.trials.iter().filter_map(|trial| dot(trial, rung));
                dots_of(format!("after {}", plan.length(rung)), dots)
            });
            let last = |trial: &Trial| {
                let error = trial.last()?.error().max(least);
                Some((trial.values[index], unit * error))
            };
            let marked = [
                ("the start", tuning.trials.first()),
                ("what was found", tuning.best()),
            ];
            let marked = marked
                .into_iter()
                .map(|(label, trial)| dots_of(label.to_string(), trial.and_then(last)));
            let explained = shown[index].map_or(String::new(), |part| {
                format!(" explains {:.0} %", 100.0 * part)
            });
            let panel = Panel::new(
                format!("{}{explained}", parameter.kind.name()),
                [label(parameter.kind), y_label],
                [Scale::Log, Scale::Log],
                rungs
                    .chain(marked)
                    .filter(|series| !series.points.is_empty())
                    .collect(),
            );
            match index {
                0 => panel,
                _ => panel.without_legend(),
            }
        });
    Ok(plot::render(&panels.collect::<Vec<_>>(), COLUMNS)?)
}

/// Returns the name of the horizontal axis.
fn label(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Beta => "nudging factor β",
        ParameterKind::FreeSteps => "free steps T",
        ParameterKind::NudgedSteps => "nudged steps K",
        ParameterKind::Rate => "learning rates, × those of the start",
        ParameterKind::RateRatio => "last layer's rate to the first's, × the start's",
        ParameterKind::Gain => "initial weights, × those of the start",
        ParameterKind::BatchSize => "examples per update",
    }
}

/// Draws dots without a line: each stands between gaps.
fn dots_of(label: String, dots: impl IntoIterator<Item = (f64, f64)>) -> Series {
    let gap = (f64::NAN, f64::NAN);
    Series::new(label, dots.into_iter().flat_map(|dot| [dot, gap]))
}
