//! The results as tables.

use eqprop_bench::fidelity::{
    Agreements, ByNudging, Candidate, Fidelity, FittedOrder, Limit, NudgingKind, StepPoint,
};

use super::results::Results;
use crate::output::percent;

/// What is said in a column without a value.
const NONE: &str = "–";

/// All tables.
pub fn render(results: &Results) -> String {
    let parts = [
        title(results),
        exactness(&results.fidelity),
        betas(&results.fidelity),
        parameters(results),
        steps(&results.fidelity),
        stepwise(&results.fidelity),
        free_phase(&results.fidelity),
        recommendation(&results.fidelity),
    ];
    parts.join("\n")
}

fn title(results: &Results) -> String {
    let Results {
        training, machine, ..
    } = results;
    let trained = match (results.epochs, results.test_error) {
        (None, _) => String::new(),
        (Some(n), Some(error)) => {
            format!(
                ", trained for {}, test error {}",
                count(n, "epoch"),
                percent(error)
            )
        }
        (Some(_), None) => ", not trained".to_string(),
    };
    format!(
        "{} ({}){trained}\n{} of {}, {} on {}; {}, β = {}, {} + {} steps, {}\n",
        results.network,
        results.training.notation(),
        match results.batches {
            1 => "1 batch".to_string(),
            n => format!("{n} batches"),
        },
        count(results.batch_size, "example"),
        results.fidelity.precision.name(),
        machine.device,
        kind_name(results.fidelity.recommendation.nudging),
        training.phases.nudging.beta(),
        training.phases.free_steps,
        training.phases.nudged_steps,
        results.fidelity.recommendation.dynamics,
    )
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The name of a kind of nudging.
pub fn kind_name(kind: NudgingKind) -> &'static str {
    match kind {
        NudgingKind::OneSided => "one-sided",
        NudgingKind::RandomSign => "random sign",
        NudgingKind::Centered => "centered",
    }
}

fn exactness(fidelity: &Fidelity) -> String {
    let exactness = &fidelity.exactness;
    let solved = match exactness.solve_difference {
        Some(difference) => format!("; a linear solve differs by {difference:.0e}"),
        None => String::new(),
    };
    format!(
        "Exact gradient: residual {:.0e} of the free equilibrium after at most {} steps, {:.0e} of \
         the\ncostate{solved}. {} of the examples make up half of it.\nBelow, a cosine is the lowest and an error the largest of the \
         batches.\n",
        exactness.free_residual,
        exactness.free_steps,
        exactness.costate_residual,
        percent(exactness.half),
    )
}

fn betas(fidelity: &Fidelity) -> String {
    let curve = &fidelity.beta;
    let has_kinks = curve.points.iter().any(|point| point.kinks.is_some());
    let mut head = vec!["β", "one-sided", "random sign", "centered"];
    if has_kinks {
        head.extend(["across kinks: 0 to β", "−β to β"]);
    }
    let mut rows: Vec<Vec<String>> = curve
        .points
        .iter()
        .map(|point| {
            let mut row = vec![point.beta.to_string()];
            row.extend(each(&point.estimates, |found| {
                format!("{:.1e}", found.whole.relative_error)
            }));
            if let Some(kinks) = &point.kinks {
                row.push(percent(kinks.one_sided));
                row.push(kinks.centered.map_or(NONE.into(), percent));
            }
            row
        })
        .collect();
    let mut orders = vec!["order".to_string()];
    orders.extend(each(&curve.orders, |order: &FittedOrder| {
        order
            .whole
            .map_or(NONE.into(), |order| format!("{order:.2}"))
    }));
    orders.resize(head.len(), String::new());
    rows.push(orders);
    format!(
        "Error ‖ĝ − g‖/‖g‖ of the whole gradient, all phases converged{}\n{}",
        if has_kinks {
            "; share of units that cross a kink"
        } else {
            ""
        },
        table(&head, &rows)
    )
}

/// The cell of each kind of nudging.
fn each<T>(values: &ByNudging<T>, cell: impl Fn(&T) -> String) -> [String; 3] {
    NudgingKind::ALL.map(|kind| values.get(kind).map_or(NONE.into(), &cell))
}

fn parameters(results: &Results) -> String {
    let fidelity = &results.fidelity;
    let beta = results.training.phases.nudging.beta();
    let points = fidelity.beta.points.iter();
    let Some(point) = points.into_iter().find(|point| point.beta == beta) else {
        return String::new();
    };
    let configured = &fidelity.recommendation.configured.agreements;
    let rows = fidelity.parameters.iter().enumerate().map(|(index, name)| {
        let cosine = |found: &Agreements| cosine(found.parameters[index].cosine);
        let mut row = vec![name.clone()];
        row.extend(each(&point.estimates, cosine));
        row.push(cosine(configured));
        row
    });
    let head = ["", "one-sided", "random sign", "centered", "as configured"];
    format!(
        "Cosine of each parameter at β = {beta}, all phases converged; and with the configured \
         steps\n{}",
        table(&head, &rows.collect::<Vec<_>>())
    )
}

fn steps(fidelity: &Fidelity) -> String {
    let curves = &fidelity.steps;
    let lowest = |point: &StepPoint| each(&point.estimates, |found| cosine(found.lowest_cosine()));
    let shown = |point: &StepPoint, configured| point.steps <= 2 * configured;
    let pairs = curves.free.iter().zip(&curves.free_with_configured);
    let pairs = pairs.filter(|(point, _)| shown(point, fidelity.free_phase.free_steps));
    let free = pairs.map(|(converged, configured)| {
        let mut row = vec![converged.steps.to_string()];
        row.extend(lowest(converged));
        row.extend(lowest(configured));
        row
    });
    let points = curves.nudged.iter();
    let points = points.filter(|point| shown(point, curves.nudged_steps));
    let nudged = points.map(|point| {
        let mut row = vec![point.steps.to_string()];
        row.extend(lowest(point));
        row
    });
    let k = curves.nudged_steps;
    let (converged, configured) = ("one-sided, K → ∞", format!("one-sided, K = {k}"));
    let kinds = ["random sign", "centered"];
    let head = [
        "T",
        converged,
        kinds[0],
        kinds[1],
        &configured,
        kinds[0],
        kinds[1],
    ];
    format!(
        "Lowest cosine of a parameter at β = {}, against the free steps T\n{}\n... and against the \
         nudged steps K, free phase converged\n{}",
        curves.beta,
        table(&head, &free.collect::<Vec<_>>()),
        table(
            &["K", "one-sided", kinds[0], kinds[1]],
            &nudged.collect::<Vec<_>>()
        ),
    )
}

fn stepwise(fidelity: &Fidelity) -> String {
    let stepwise = &fidelity.stepwise;
    let cells = stepwise.parameters.iter().chain(&stepwise.states);
    let cells = cells.map(|layer| {
        let error = layer.relative_mean_squared_error;
        vec![layer.name.clone(), format!("{error:.1e}")]
    });
    format!(
        "Step by step against backpropagation through time, {}, β = {}, {} steps:\nΣ|EP − \
         BPTT|²/Σ|BPTT|²; a unit moved by {:.0e} in the last steps of the free phase\n{}",
        stepwise.dynamics,
        stepwise.beta,
        stepwise.n_steps,
        stepwise.drift,
        table(&["", "error"], &cells.collect::<Vec<_>>()),
    )
}

fn free_phase(fidelity: &Fidelity) -> String {
    let phase = &fidelity.free_phase;
    let steps = fidelity.steps.free.iter().map(|point| point.steps);
    let shown = steps.filter(|&step| step <= 2 * phase.free_steps);
    let rows = shown.filter_map(|step| {
        let found = phase.residuals.iter().find(|found| found.step == step)?;
        let values = [
            found.min,
            found.tenth,
            found.median,
            found.ninetieth,
            found.max,
        ];
        let mut row = vec![step.to_string()];
        row.extend(values.map(|value| format!("{value:.1e}")));
        Some(row)
    });
    format!(
        "Residual of the free phase; {} of the examples are within {:.0e} after {} steps\n{}",
        percent(phase.converged),
        phase.tolerance,
        phase.free_steps,
        table(
            &["step", "min", "10 %", "50 %", "90 %", "max"],
            &rows.collect::<Vec<_>>()
        )
    )
}

fn recommendation(fidelity: &Fidelity) -> String {
    let found = &fidelity.recommendation;
    let name = kind_name(found.nudging);
    let row = |what: &str, candidate: &Candidate| {
        vec![
            what.to_string(),
            candidate.free_steps.to_string(),
            candidate.nudged_steps.to_string(),
            candidate.beta.to_string(),
            candidate.cost.to_string(),
            cosine(candidate.agreements.lowest_cosine()),
        ]
    };
    let mut rows = vec![row("configured", &found.configured)];
    rows.extend(found.enough.iter().map(|enough| row("enough", enough)));
    rows.extend(found.best.iter().map(|best| row("best found", best)));
    let limit = match found.limit {
        None => "",
        Some(Limit::Steps) => {
            "Nothing searched is enough: the phases need more steps than that to converge.\n"
        }
        Some(Limit::Kinks) => {
            "Nothing searched is enough, not even with converged phases: units cross kinks of \
             their\nactivation. A smaller β, or a smooth activation, brings it closer.\n"
        }
        Some(Limit::Beta) => {
            "Nothing searched is enough, not even with converged phases: the error is that of \
             β.\nA smaller β, or centered nudging, brings it closer.\n"
        }
    };
    format!(
        "Cosine of at least {} in every parameter on every batch, {name}\n{}{limit}",
        found.bound,
        table(&["", "T", "K", "β", "steps", "lowest cosine"], &rows)
    )
}

fn cosine(value: f64) -> String {
    format!("{value:.5}")
}

/// Columns aligned to the right, but for the first.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let length = |text: &str| text.chars().count();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| length(&row[column]));
        cells.fold(length(head[column]), usize::max)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, &width))| match i {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("  {}\n", line.trim_end())
    };
    let rows = rows.iter().map(|row| {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        line(&cells)
    });
    std::iter::once(line(head)).chain(rows).collect()
}
