//! The report as one self-contained page.

use anyhow::Result;
use eqprop_bench::comparison::{Arm, ArmCost, Run};
use eqprop_bench::method::Method;
use indicatif::HumanBytes;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::differences;
use super::results::{Results, spread};
use crate::machine::Machine;
use crate::output::Measure;
use crate::plot::{self, Band, Bar, Panel, Scale, Series};

const STYLE: &str = "
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 62rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 1rem 0 0.3rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #ddd; }
p.lead { font-size: 1.1rem; }
p.missing { border-left: 4px solid #d55e00; padding: 0.3rem 0.8rem; background: #fdf3ec; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
th, td { padding: 0.25rem 0.7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 2px solid #555; }
th:first-child, td:first-child { text-align: left; }
table.differences th:last-child, table.differences td:last-child { text-align: left;
  white-space: normal; min-width: 13rem; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.facts td:first-child { white-space: nowrap; color: #555; }
div.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr));
  gap: 1rem; }
figure { margin: 0; break-inside: avoid; }
figure svg { width: 100%; height: auto; }
figcaption { font-size: 0.85rem; color: #555; }
code { background: #f3f3f3; padding: 0.1rem 0.3rem; overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0 0 0.4rem 1.2rem; }
@media print { body { font-size: 10pt; max-width: none; padding: 0; }
  h2 { break-after: avoid; } }
";

/// Renders the page.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn render(results: &Results) -> Result<String> {
    let comparison = results.comparison();
    let missing = comparison.missing();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Equilibrium propagation compared: " (results.title()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Equilibrium propagation, compared" }
                p { (results.title()) }
                @if let Some(finding) = finding(results) { p.lead { (finding) } }
                @for sentence in differences::sentences(results) { p.lead { (sentence) } }
                @if !missing.is_empty() {
                    p.missing {
                        "This report is not complete. Missing: " (missing.join("; ")) "."
                    }
                }
                h2 { "Results" }
                div.wide { (table(&results.rows(), "results")) }
                @if let Some(rows) = differences::rows(results) {
                    h2 { "Differences" }
                    div.wide { (table(&rows, "differences")) }
                    (about_differences(results))
                }
                h2 { "Error" }
                div.figures { (curves(results)?) }
                h2 { "Cost" }
                div.figures { (costs(&results.stored.steps)?) }
                h2 { "What the columns say" }
                (legend(results))
                h2 { "How to repeat it" }
                p { code { (results.stored.command) } }
                (facts(&machine(&results.machine)?))
                h2 { "Configuration" }
                p {
                    "Seeds " (list(&comparison.seeds)) ", each of them in place of "
                    code { "seed" } "."
                }
                @if !results.is_of_methods() { (arms(results)) }
                (facts(&serde_json::to_value(&comparison.plan.config)?))
            }
        }
    };
    Ok(page.into_string())
}

/// Returns the result in a sentence, if equilibrium propagation and another method have finished.
fn finding(results: &Results) -> Option<String> {
    let summaries = results.comparison().summaries();
    let ended = |wanted: Method| {
        let mut finished = summaries.iter().filter(|summary| summary.n_finished > 0);
        finished.find(|summary| summary.method == wanted)
    };
    if !results.is_of_methods() {
        return None;
    }
    let eqprop = ended(Method::Eqprop)?;
    let measure = results.measure();
    let mut text = format!(
        "Equilibrium propagation ends at a {} of {}",
        measure.name_on("test"),
        spread(measure, eqprop.test_error)
    );
    let others = [
        (Method::Bptt, "backpropagation through time"),
        (Method::Backprop, "backprop in the feedforward twin"),
    ];
    for (method, name) in others {
        if let Some(other) = ended(method) {
            text += &format!(", {name} at {}", spread(measure, other.test_error));
        }
    }
    if let Some(ratio) = eqprop.ratio_to_backprop {
        text += &format!("; an epoch takes {ratio:.2} times backprop's");
    }
    Some(text + ".")
}

fn table((head, rows): &(Vec<String>, Vec<Vec<String>>), class: &str) -> Markup {
    html! {
        table class=(class) {
            thead { tr { @for name in head { th { (name) } } } }
            tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
        }
    }
}

/// Explains the table of differences.
fn about_differences(results: &Results) -> Markup {
    let n_arms = results.comparison().arms().len();
    if results.measure() == Measure::Distance {
        return html! {
            p {
                "The mean error of the first on the " (results.judge()) " examples less that of the second after the last \
                 epoch, in the unit of what is learned, mean over the seeds that both have finished, with its interval of \
                 95 % by Student's t on the pairs. A verdict names the better one only if the test speaks for it at 5 %"
                @if n_arms > 2 {
                    ", for all " (n_arms * (n_arms - 1) / 2) " pairs together (Holm); "
                    code { "differences.csv" } " has them all"
                }
                "."
            }
        };
    }
    html! {
        p {
            "The " (results.judge()) " " (results.measure().name()) " of the first less that of the second after the last epoch, in points of a \
             percent, mean over the seeds that both have finished, with its interval of 95 % by Student's t on the pairs. \
             Right only in one: the " (what_is_right(results.measure())) " that only the network of the first classified \
             rightly, and only that of the second, over all seeds, with McNemar's test. A verdict names the better one only if both tests speak for it at \
             5 %"
            @if n_arms > 2 {
                ", for all " (n_arms * (n_arms - 1) / 2) " pairs together (Holm); "
                code { "differences.csv" } " has them all"
            }
            "."
        }
    }
}

/// Returns the name of the things that are right or wrong.
fn what_is_right(measure: Measure) -> &'static str {
    match measure {
        Measure::Labels => "labels of examples",
        Measure::Share | Measure::Distance => "examples",
    }
}

/// Describes each arm, if there are several presets or settings; the configuration below is that of the first
/// arm.
fn arms(results: &Results) -> Markup {
    let arms = results.comparison().arms();
    html! {
        div.wide {
            table.facts {
                @for arm in arms {
                    tr {
                        td { (arm.name) }
                        td {
                            @if let Some(preset) = &arm.preset { "preset " (preset) ", " }
                            "method " (arm.method) ", " (arm.config.notation())
                            @for (key, value) in &arm.values { ", " (key) " = " (value) }
                        }
                    }
                }
            }
        }
        p { "All the rest of the first, without what is varied:" }
    }
}

/// Draws the error against epoch and against time, as the mean over the finished seeds.
fn curves(results: &Results) -> Result<Markup> {
    let comparison = results.comparison();
    let drawn = drawn(results);
    let measure = results.measure();
    let (unit, percent) = measure.axis();
    let y_label = &format!("{}{percent}", measure.name());
    let x_seconds = |runs: &[&Run], epoch: usize| {
        mean(runs, |run| {
            run.epochs[..=epoch]
                .iter()
                .map(|record| record.seconds)
                .sum()
        })
    };
    let x_epoch = |_: &[&Run], epoch: usize| (epoch + 1) as f64;
    let panel = |title: &str,
                 x_label: &str,
                 x: &dyn Fn(&[&Run], usize) -> f64,
                 y: &dyn Fn(&Run, usize) -> f64| {
        let (mut series, mut bands) = (Vec::new(), Vec::new());
        for arm in &drawn {
            let runs: Vec<&Run> = comparison.finished_of(&arm.name).collect();
            let n_epochs = if runs.is_empty() {
                0
            } else {
                arm.config.epochs
            };
            let at = |epoch: usize| (x(&runs, epoch), unit * mean(&runs, |run| y(run, epoch)));
            series.push(Series {
                label: arm.name.clone(),
                points: (0..n_epochs).map(at).collect(),
            });
            let band = (0..n_epochs).map(|epoch| {
                let errors = runs.iter().map(|run| unit * y(run, epoch));
                let ends = errors.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), error| {
                    (low.min(error), high.max(error))
                });
                (x(&runs, epoch), ends.0, ends.1)
            });
            let band: Band = band.collect();
            bands.push(if runs.len() > 1 { band } else { Band::new() });
        }
        let scales = [Scale::Linear, Scale::Log];
        let panel = Panel::new(title, [x_label, y_label], scales, series);
        plot::render_with_bands(&[panel], &[bands], 1)
    };
    // Errors that are not measured are not drawn.
    let test = |run: &Run, epoch: usize| run.epochs[epoch].test_error.unwrap_or(f64::NAN);
    let judged = |run: &Run, epoch: usize| run.epochs[epoch].held_out_error();
    let train = |run: &Run, epoch: usize| run.epochs[epoch].train_error;
    let judge = if results.has_validation() {
        "Validation error"
    } else {
        "Test error"
    };
    let against_time = format!("{judge} against time");
    let n_left_out = comparison.arms().len() - drawn.len();
    Ok(html! {
        @if n_left_out > 0 {
            p { "Of the " (drawn.len()) " arms with the lowest errors; " (n_left_out) " others are not drawn." }
        }
        (figure(&panel(judge, "epoch", &x_epoch, &judged)?, "Mean over the seeds; the shade goes from the lowest of them to the highest."))
        (figure(
            &panel(&against_time, "seconds of training", &x_seconds, &judged)?,
            "Training alone, without the evaluation; they took turns epoch by epoch.",
        ))
        @if results.has_validation() {
            (figure(&panel("Test error", "epoch", &x_epoch, &test)?, "Mean over the seeds; the shade goes from the lowest of them to the highest."))
        }
        (figure(
            &panel("Training error", "epoch", &x_epoch, &train)?,
            "Each example is judged before its update.",
        ))
    })
}

/// Returns the arms whose curves are drawn: as many as there are colors, with the lowest errors.
fn drawn(results: &Results) -> Vec<&Arm> {
    const MOST: usize = 7;
    let summaries = results.comparison().summaries();
    let errors = summaries.iter().map(|summary| {
        results
            .judged(summary)
            .map_or(f64::INFINITY, |error| error.mean)
    });
    let mut ranked: Vec<(usize, f64)> = errors.enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    ranked.truncate(MOST);
    // In the order of the comparison.
    ranked.sort_by_key(|(place, _)| *place);
    let arms = results.comparison().arms();
    ranked.into_iter().map(|(place, _)| &arms[place]).collect()
}

fn mean(runs: &[&Run], value: impl Fn(&Run) -> f64) -> f64 {
    runs.iter().map(|run| value(run)).sum::<f64>() / runs.len() as f64
}

/// Draws the time and the memory of a training step.
fn costs(steps: &[ArmCost]) -> Result<Markup> {
    let times: Vec<Bar> = steps
        .iter()
        .map(|ArmCost { arm, cost: step }| Bar {
            label: arm.clone(),
            parts: [
                step.phases.free_phase,
                step.phases.second_phase,
                step.phases.gradient,
                step.phases.optimizer,
            ]
            .map(|phase| 1e3 * phase.median)
            .to_vec(),
            value: format!("{:.3}", 1e3 * step.step.median),
        })
        .collect();
    let parts = ["free phase", "second phase", "gradient", "optimizer"];
    let time = plot::render_bars("Time of a training step", "milliseconds", &parts, &times)?;
    let memory: Vec<Bar> = steps
        .iter()
        .filter_map(|ArmCost { arm, cost }| cost.peak_memory.map(|bytes| (arm, bytes as f64 / 1e6)))
        .map(|(arm, megabytes)| Bar {
            label: arm.clone(),
            parts: vec![megabytes],
            value: format!("{megabytes:.2}"),
        })
        .collect();
    let memory_title = "Peak memory of a training step";
    Ok(html! {
        (figure(
            &time,
            "Medians. At the bar's end the whole step, which holds a little more than its phases.",
        ))
        @if !memory.is_empty() {
            (figure(
                &plot::render_bars(memory_title, "megabytes", &["memory"], &memory)?,
                "The most that was allocated at once beyond parameters, optimizer and data.",
            ))
        }
    })
}

fn figure(svg: &str, caption: &str) -> Markup {
    // An SVG inside a page has no XML declaration.
    let svg = svg.find("<svg").map_or(svg, |start| &svg[start..]);
    html! {
        figure {
            (PreEscaped(svg))
            figcaption { (caption) }
        }
    }
}

fn legend(results: &Results) -> Markup {
    let plan = &results.comparison().plan;
    let config = &plan.config;
    html! {
        dl {
            dt { "method" }
            dd {
                ul {
                    @for method in &plan.methods {
                        li { code { (method) } " – " (method.about()) }
                    }
                }
                "All start from the same weights, see the same examples in the same order and use \
                 the same optimizer and learning rates, which the preset chose for equilibrium \
                 propagation"
                @if !results.is_of_methods() { ", but for what is varied" }
                "."
            }
            dt {
                @if results.has_validation() { "validation error, " }
                "test error, training error"
            }
            dd {
                @if results.measure() == Measure::Distance {
                    "Mean absolute errors, in the unit of what is learned; R² is the share of its variance that is \
                     explained. "
                }
                @if results.measure() == Measure::Labels {
                    "Shares of the labels that are wrong, of all examples; exact matches are the share of the examples of \
                     which every label is right. "
                }
                "After the last of " (config.epochs) " epochs, mean ± standard deviation of the \
                 sample over the seeds. Training examples are judged before their update."
                @if results.has_validation() {
                    " The " (config.data.n_validation) " validation examples are the last of the \
                     training set, and not trained on."
                }
            }
            dt { "s/epoch, × backprop" }
            dd {
                "Median over epochs and seeds of an epoch's training time; median of its ratios to \
                 the same epoch of backprop."
            }
            dt { "s to an error" }
            dd {
                "Training time until the lowest " (results.judge()) " error that every run reached, \
                 mean over the seeds."
            }
            dt { "ms/step, peak memory" }
            dd {
                "Median time of one training step with its optimizer, on the first examples of the \
                 training set, and the memory it takes beyond what is held between steps."
            }
        }
    }
}

/// Describes the machine, with its memory in readable units.
fn machine(machine: &Machine) -> Result<Value> {
    let mut object = serde_json::to_value(machine)?;
    object["memory"] = HumanBytes(machine.memory).to_string().into();
    Ok(object)
}

/// Renders the fields of an object as a table.
fn facts(object: &Value) -> Markup {
    html! {
        div.wide {
            table.facts {
                @for (key, value) in object.as_object().into_iter().flatten() {
                    tr {
                        td { (key) }
                        td { (value.as_str().map_or_else(|| value.to_string(), str::to_string)) }
                    }
                }
            }
        }
    }
}

fn list(seeds: &[u64]) -> String {
    let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
    seeds.join(", ")
}
