//! Fidelity of machines' estimates, as tables and as a picture.

use eqprop_bench::fidelity::{Draws, HardwareFidelity, HardwarePoint, Machine, NudgingKind};
use eqprop_train::config::HardwareConfig;
use serde_json::Value;

use super::results::Results;
use super::text::{NONE, exactness, kind_name, row, title};
use crate::plot::{Panel, Scale, Series};
use crate::table::{heads, table};

/// The ways to nudge that are measured.
const KINDS: [NudgingKind; 2] = [NudgingKind::OneSided, NudgingKind::Centered];

/// All tables.
pub fn render(results: &Results, found: &HardwareFidelity) -> String {
    let head = [title(results), exactness(&found.exactness), about(found)];
    let machines = found.machines.iter().map(of_machine);
    let parts = head.into_iter().chain(machines).chain([best(found)]);
    parts.collect::<Vec<_>>().join("\n")
}

/// Explains the columns, above the tables.
fn about(found: &HardwareFidelity) -> String {
    let n = found.machines.iter().map(|machine| machine.n_draws).max();
    let columns = match n {
        Some(n) if n > 1 => format!(
            "single: cosine of an estimate, mean ± deviation of {n}; mean: cosine of their mean;\nbias: how far their mean \
             is from the gradient, without what is left of chance;\nnoise: how far an estimate is from their mean; both \
             relative to the gradient"
        ),
        _ => "bias: how far an estimate is from the gradient, relative to it".to_string(),
    };
    let weights = |machine: &Machine| machine.hardware.weight_bits.is_some();
    let weights = match found.machines.iter().any(weights) {
        true => ";\nweights are rounded at random for each estimate",
        false => "",
    };
    format!(
        "Estimates by machines against the exact gradient of the ideal one, with the configured \
         steps\n{columns}{weights}\n"
    )
}

/// One machine against β.
fn of_machine(machine: &Machine) -> String {
    let has_chance = machine.n_draws > 1;
    let columns: &[&str] = match has_chance {
        true => &["single", "mean", "bias", "noise"],
        false => &["cosine", "bias"],
    };
    let mut rows = vec![heads(["β"])];
    for kind in KINDS {
        let mut named = columns.iter().map(ToString::to_string);
        rows[0].extend(
            named
                .next()
                .map(|first| format!("{}: {first}", kind_name(kind))),
        );
        rows[0].extend(named);
    }
    for point in &machine.points {
        let found = KINDS.into_iter().flat_map(|kind| match point.get(kind) {
            Some(draws) => cells(draws, has_chance),
            None => vec![NONE.to_string(); columns.len()],
        });
        rows.push(row(point.beta, found));
    }
    format!("{}\n{}", name(&machine.hardware), table(&rows))
}

fn cells(draws: &Draws, has_chance: bool) -> Vec<String> {
    let size = |value: f64| format!("{value:.2}");
    match has_chance {
        true => vec![
            single(draws, true),
            format!("{:.3}", draws.mean.whole.cosine),
            size(draws.bias),
            size(draws.noise),
        ],
        false => vec![single(draws, false), size(draws.bias)],
    }
}

/// Cosine of a single estimate.
fn single(draws: &Draws, has_chance: bool) -> String {
    match (draws.cosine.is_finite(), has_chance) {
        (false, _) => "diverges".to_string(),
        (true, true) => format!("{:.3} ± {:.3}", draws.cosine, draws.deviation),
        (true, false) => format!("{:.3}", draws.cosine),
    }
}

/// The β at which each machine is best.
fn best(found: &HardwareFidelity) -> String {
    let mut rows = vec![heads([
        "machine",
        "one-sided: β",
        "cosine",
        "centered: β",
        "cosine",
    ])];
    for machine in &found.machines {
        let cells = KINDS.into_iter().flat_map(|kind| match machine.best(kind) {
            Some((beta, draws)) => [beta.to_string(), single(draws, machine.n_draws > 1)],
            None => [NONE; 2].map(String::from),
        });
        rows.push(row(name(&machine.hardware), cells));
    }
    format!("The β at which a single estimate is best\n{}", table(&rows))
}

/// A machine by what is not ideal about it.
pub fn name(hardware: &HardwareConfig) -> String {
    let fields = |hardware: &HardwareConfig| {
        serde_json::to_value(hardware).expect("plain structs with text keys serialize")
    };
    let (fields, ideal) = (fields(hardware), fields(&HardwareConfig::new()));
    let named = fields.as_object().into_iter().flatten();
    let differing = named.filter(|(key, value)| ideal[*key] != **value);
    let named: Vec<_> = differing
        .map(|(key, value): (&String, &Value)| format!("{key}={value}"))
        .collect();
    match named.is_empty() {
        true => "ideal".to_string(),
        false => named.join(","),
    }
}

/// Cells of a point for one kind of nudging.
type Part = fn(&Draws) -> f64;

/// Cosines of single estimates and of their mean against β, a line for each machine.
pub fn panels(found: &HardwareFidelity) -> Vec<Panel> {
    let parts: [(&str, Part); 2] = [
        ("single estimate", |draws| draws.cosine),
        ("mean estimate", |draws| draws.mean.whole.cosine),
    ];
    let panel = |(what, part): (&str, Part), kind: NudgingKind| {
        let series = found.machines.iter().map(|machine| {
            let value = |point: &HardwarePoint| point.get(kind).map_or(f64::NAN, part);
            let points = machine.points.iter();
            let points = points.map(|point| (point.beta.abs(), value(point)));
            Series::new(name(&machine.hardware), points)
        });
        Panel::new(
            format!("Cosine of a {what}, {}", kind_name(kind)),
            ["|β|", "cosine"],
            [Scale::Log, Scale::Linear],
            series.collect(),
        )
    };
    let all = parts.into_iter();
    all.flat_map(|part| KINDS.map(|kind| panel(part, kind)))
        .collect()
}
