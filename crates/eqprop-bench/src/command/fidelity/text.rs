//! The results as tables.

use std::fmt::Display;

use eqprop_bench::fidelity::{
    Agreements, ByNudging, Candidate, Exactness, Fidelity, FittedOrder, Limit, NudgingKind,
    StepPoint,
};

use super::results::Results;
use crate::output::{Measure, error_text, percent};
use crate::table::{heads, table};

/// Placeholder in a column without a value.
pub const NONE: &str = "–";

/// All tables of an ideal machine.
pub fn render(results: &Results, found: &Fidelity) -> String {
    let parts = [
        title(results),
        exactness(&found.exactness),
        no_gradient(found),
        betas(found),
        parameters(found, results.training.phases.nudging.beta()),
        steps(found),
        stepwise(found),
        free_phase(found),
        recommendation(found),
    ];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

/// Title: the examined network, and how it was examined.
pub fn title(results: &Results) -> String {
    let Results {
        training, machine, ..
    } = results;
    let trained = match (results.epochs, results.test_error) {
        (None, _) => String::new(),
        (Some(n), Some(error)) => {
            let measure = Measure::of(&training.data.dataset);
            let (epochs, error) = (count(n, "epoch"), error_text(measure, error, None));
            format!(", trained for {epochs}, test {error}")
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
        results.found.precision().name(),
        machine.device,
        kind_name(training.phases.nudging.into()),
        training.phases.nudging.beta(),
        training.phases.free_steps,
        training.phases.nudged_steps,
        training.phases.dynamics,
    )
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Returns the name of a kind of nudging.
pub fn kind_name(kind: NudgingKind) -> &'static str {
    match kind {
        NudgingKind::OneSided => "one-sided",
        NudgingKind::RandomSign => "random sign",
        NudgingKind::Centered => "centered",
    }
}

/// How exact the gradient is that estimates are compared with.
pub fn exactness(exactness: &Exactness) -> String {
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

/// Warns where the exact gradient is zero, which nothing can be compared with.
fn no_gradient(fidelity: &Fidelity) -> String {
    let mut points = fidelity.beta.points.iter();
    let is_zero = points.all(|point| {
        let error = point.estimates.one_sided.whole.relative_error;
        error == 0.0 || !error.is_finite()
    });
    match is_zero {
        true => "The exact gradient is zero: no unit moves when the output is nudged, as where all units are at an end \
                 of their range.\nThe tables below say nothing. Smaller inputs or weights help: --set normalize=true, \
                 smaller gains, smaller learning_rates.\n"
            .to_string(),
        false => String::new(),
    }
}

fn betas(fidelity: &Fidelity) -> String {
    let curve = &fidelity.beta;
    let has_kinks = curve.points.iter().any(|point| point.kinks.is_some());
    let mut rows = vec![heads(["β", "one-sided", "random sign", "centered"])];
    if has_kinks {
        rows[0].extend(heads(["across kinks: 0 to β", "−β to β"]));
    }
    let n_columns = rows[0].len();
    for point in &curve.points {
        let error = |found: &Agreements| format!("{:.1e}", found.whole.relative_error);
        let mut cells = row(point.beta, each(&point.estimates, error));
        if let Some(kinks) = &point.kinks {
            cells.push(percent(kinks.one_sided));
            cells.push(kinks.centered.map_or(NONE.into(), percent));
        }
        rows.push(cells);
    }
    let order = |order: f64| format!("{order:.2}");
    let order = |found: &FittedOrder| found.whole.map_or(NONE.into(), order);
    let mut orders = row("order", each(&curve.orders, order));
    orders.resize(n_columns, String::new());
    rows.push(orders);
    format!(
        "Error ‖ĝ − g‖/‖g‖ of the whole gradient, all phases converged{}\n{}",
        if has_kinks {
            "; share of units that cross a kink"
        } else {
            ""
        },
        table(&rows)
    )
}

/// A row of a table.
pub fn row(what: impl Display, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(what.to_string()).chain(cells).collect()
}

/// Returns one cell per kind of nudging.
fn each<T>(values: &ByNudging<T>, cell: impl Fn(&T) -> String) -> [String; 3] {
    NudgingKind::ALL.map(|kind| values.get(kind).map_or(NONE.into(), &cell))
}

fn parameters(fidelity: &Fidelity, beta: f64) -> String {
    let points = fidelity.beta.points.iter();
    let Some(point) = points.into_iter().find(|point| point.beta == beta) else {
        return String::new();
    };
    let configured = &fidelity.recommendation.configured.agreements;
    let mut rows = vec![heads([
        "",
        "one-sided",
        "random sign",
        "centered",
        "as configured",
    ])];
    for (index, name) in fidelity.parameters.iter().enumerate() {
        let cosine = |found: &Agreements| cosine(found.parameters[index].cosine);
        let kinds = each(&point.estimates, cosine);
        rows.push(row(name, kinds.into_iter().chain([cosine(configured)])));
    }
    format!(
        "Cosine of each parameter at β = {beta}, all phases converged; and with the configured \
         steps\n{}",
        table(&rows)
    )
}

fn steps(fidelity: &Fidelity) -> String {
    let curves = &fidelity.steps;
    let lowest = |point: &StepPoint| each(&point.estimates, |found| cosine(found.lowest_cosine()));
    let shown = |point: &StepPoint, configured| point.steps <= 2 * configured;
    let k = curves.nudged_steps;
    let as_configured = format!("one-sided, K = {k}");
    let mut free = vec![heads([
        "T",
        "one-sided, K → ∞",
        "random sign",
        "centered",
        &as_configured,
        "random sign",
        "centered",
    ])];
    for (converged, configured) in curves.free.iter().zip(&curves.free_with_configured) {
        if shown(converged, fidelity.free_phase.free_steps) {
            let cells = lowest(converged).into_iter().chain(lowest(configured));
            free.push(row(converged.steps, cells));
        }
    }
    let mut nudged = vec![heads(["K", "one-sided", "random sign", "centered"])];
    let points = curves.nudged.iter().filter(|point| shown(point, k));
    nudged.extend(points.map(|point| row(point.steps, lowest(point))));
    format!(
        "Lowest cosine of a parameter at β = {}, against the free steps T\n{}\n... and against the \
         nudged steps K, free phase converged\n{}",
        curves.beta,
        table(&free),
        table(&nudged),
    )
}

fn stepwise(fidelity: &Fidelity) -> String {
    let stepwise = &fidelity.stepwise;
    let mut rows = vec![heads(["", "error"])];
    for layer in stepwise.parameters.iter().chain(&stepwise.states) {
        let error = layer.relative_mean_squared_error;
        rows.push(row(&layer.name, [format!("{error:.1e}")]));
    }
    format!(
        "Step by step against backpropagation through time, {}, β = {}, {} steps:\nΣ|EP − \
         BPTT|²/Σ|BPTT|²; a unit moved by {:.0e} in the last steps of the free phase\n{}",
        stepwise.dynamics,
        stepwise.beta,
        stepwise.n_steps,
        stepwise.drift,
        table(&rows),
    )
}

fn free_phase(fidelity: &Fidelity) -> String {
    let phase = &fidelity.free_phase;
    let steps = fidelity.steps.free.iter().map(|point| point.steps);
    let shown = steps.filter(|&step| step <= 2 * phase.free_steps);
    let mut rows = vec![heads(["step", "min", "10 %", "50 %", "90 %", "max"])];
    rows.extend(shown.filter_map(|step| {
        let found = phase.residuals.iter().find(|found| found.step == step)?;
        let values = [
            found.min,
            found.tenth,
            found.median,
            found.ninetieth,
            found.max,
        ];
        Some(row(step, values.map(|value| format!("{value:.1e}"))))
    }));
    format!(
        "Residual of the free phase; {} of the examples are within {:.0e} after {} steps\n{}",
        percent(phase.converged),
        phase.tolerance,
        phase.free_steps,
        table(&rows)
    )
}

fn recommendation(fidelity: &Fidelity) -> String {
    let found = &fidelity.recommendation;
    let name = kind_name(found.nudging);
    let mut rows = vec![heads(["", "T", "K", "β", "steps", "lowest cosine"])];
    let mut add = |what: &str, candidate: &Candidate| {
        let Candidate {
            free_steps,
            nudged_steps,
            beta,
            cost,
            agreements,
        } = candidate;
        let numbers: [&dyn Display; 4] = [free_steps, nudged_steps, beta, cost];
        let cells = numbers.map(ToString::to_string).into_iter();
        let cosine = cosine(agreements.lowest_cosine());
        rows.push(row(what, cells.chain([cosine])));
    };
    add("configured", &found.configured);
    found.enough.iter().for_each(|enough| add("enough", enough));
    found.best.iter().for_each(|best| add("best found", best));
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
        table(&rows)
    )
}

fn cosine(value: f64) -> String {
    format!("{value:.5}")
}
