//! Describes the result of a search.

use anyhow::Result;
use eqprop_bench::comparison::{Comparison, Verdict};
use eqprop_bench::tuning::{ParameterKind, Trial, effects, steps_of};
use eqprop_train::config::TrainingConfig;
use serde_json::{Value, json};

use super::confirm::SIDES;
use super::keeper::{EFFECTS, Keeper, TUNED};
use super::stored::Stored;
use crate::machine::quote;
use crate::output::{Measure, Report};
use crate::table::{heads, table};

/// Describes the length of trainings and the examples that judge them.
pub fn plan(stored: &Stored) -> String {
    let (plan, start) = (&stored.tuning.plan, &stored.tuning.start);
    let length = match (plan.epochs, plan.n_train) {
        (_, Some(n_train)) => {
            format!(
                "the first {} training examples once",
                n_train - plan.n_validation
            )
        }
        (1, None) => "1 epoch".to_string(),
        (epochs, None) => format!("{epochs} epochs"),
    };
    let shorter = match plan.epochs < start.epochs || plan.n_train.is_some() {
        true => format!(
            " (of {} that were asked for: more --minutes allow more)",
            start.epochs
        ),
        false => String::new(),
    };
    format!(
        "trainings of {length}{shorter}, judged by {} training examples that are held out",
        plan.n_validation
    )
}

/// Returns the whole report.
///
/// # Errors
/// Never in practice: the text is written to memory.
pub fn report(keeper: &Keeper) -> Result<Report> {
    let stored = &keeper.stored;
    let tuning = &stored.tuning;
    let n_whole = tuning
        .trials
        .iter()
        .filter(|trial| trial.at(tuning.plan.last_rung() - 1).is_some());
    let (n_whole, n_trials) = (n_whole.count(), tuning.trials.len());
    let Some(best) = tuning.best() else {
        let text = format!("no trial has been measured in {:.0} s", stored.seconds);
        return Ok(Report::new(text, &summary(keeper)));
    };
    let mut text = format!(
        "{n_trials} trials in {:.0} s, {n_whole} of them to the end: trial {} is the best\n\n",
        stored.seconds, best.number
    );
    text += &values(stored, best);
    text += &format!("\n{}\n", verdict(stored));
    let folder = keeper.folder.path();
    text += &format!(
        "\nto use it: eqprop train --config {}\n",
        quote(folder.join(TUNED).as_os_str())
    );
    let sets = sets(&tuning.start, &stored.tuned());
    if !sets.is_empty() {
        text += &format!("or add to your command:{sets}\n");
    }
    let (tuned, asked) = (stored.tuned().epochs, tuning.start.epochs);
    if tuned < asked {
        text += &format!(
            "found with {tuned} epochs; trained for all of the {asked}, it may err less: --epochs {asked}\n"
        );
    }
    text += &format!("what each value does: {}\n", folder.join(EFFECTS).display());
    Ok(Report::new(text, &summary(keeper)))
}

/// Lists the searched parameters with their values.
fn values(stored: &Stored, best: &Trial) -> String {
    let tuning = &stored.tuning;
    let mut rows = vec![heads(["", "start", "found", "searched", "explains"])];
    let effects = effects(tuning);
    let parameters = tuning
        .space
        .parameters
        .iter()
        .zip(&best.values)
        .zip(effects);
    rows.extend(parameters.map(|((parameter, value), explained)| {
        let number = |value: f64| match parameter.kind {
            ParameterKind::Rate | ParameterKind::RateRatio | ParameterKind::Gain => {
                format!("× {value}")
            }
            _ => value.to_string(),
        };
        vec![
            parameter.kind.name().to_string(),
            number(parameter.start),
            number(*value),
            format!("{:.3} to {:.3}", parameter.low, parameter.high).replace(".000", ""),
            explained.map_or("–".to_string(), |part| format!("{:.0} %", 100.0 * part)),
        ]
    }));
    let measure = Measure::of(&tuning.start.data.dataset);
    let error = |trial: Option<&Trial>| {
        let measured = trial.and_then(Trial::last);
        measured.map_or("–".to_string(), |measured| measure.text(measured.error()))
    };
    let line = |name: &str, start: String, found: String| {
        vec![name.to_string(), start, found, String::new(), String::new()]
    };
    let steps = [steps_of(&tuning.start), tuning.steps(best)];
    let [start, found] = steps.map(|steps| steps.to_string());
    rows.push(line("steps", start, found));
    let first = tuning.trials.first();
    let name = measure.name_on("validation");
    rows.push(line(&name, error(first), error(Some(best))));
    table(&rows)
}

/// Describes the result of the confirmation.
fn verdict(stored: &Stored) -> String {
    let tuning = &stored.tuning;
    let Some(best) = tuning.best().filter(|best| best.number > 0) else {
        return "nothing better than the start was found".to_string();
    };
    let Some(comparison) = stored.confirmed() else {
        return "not confirmed yet: chosen by the examples that are held out, of which the best of many has \
                had luck too"
            .to_string();
    };
    let [start, found] = [steps_of(&tuning.start), tuning.steps(best)];
    let steps = match found == start {
        true => String::new(),
        false => format!("; an example takes {found} steps instead of {start}"),
    };
    let differences = comparison.differences();
    let Some(difference) = differences.first() else {
        return String::new();
    };
    let judged = match comparison.plan.config.data.n_validation {
        0 => "test",
        _ => "validation",
    };
    let measure = Measure::of(&comparison.plan.config.data.dataset);
    let errors = SIDES.map(|side| mean_error(measure, comparison, side, &difference.seeds));
    let n_failed = comparison.seeds.len() - difference.seeds.len();
    let failed = match n_failed {
        0 => String::new(),
        n => format!(" ({n} more failed with one of the two)"),
    };
    let interval = difference.error.map_or(String::new(), |error| {
        // The difference of the result minus the start.
        let numbers = [-error.mean, -error.high, -error.low];
        let [mean, low, high] = numbers.map(|number| measure.difference(number));
        let points = match measure {
            Measure::Share | Measure::Labels => " points",
            Measure::Distance => "",
        };
        format!(" (difference {mean}{points}, 95 %: {low} to {high})")
    });
    let words = match difference.verdict {
        Verdict::FirstIsBetter => {
            "the start is better all the same: tuned.json holds it".to_string()
        }
        _ => format!("{}{steps}", measure.verdict(difference)),
    };
    format!(
        "confirmed with {} new seeds{failed}: {} {} at the start, {} as found{interval}\n{words}",
        difference.seeds.len(),
        measure.name_on(judged),
        errors[0],
        errors[1]
    )
}

/// Returns the mean error of an arm over these seeds.
fn mean_error(measure: Measure, comparison: &Comparison, side: &str, seeds: &[u64]) -> String {
    let errors: Vec<f64> = comparison
        .finished_of(side)
        .filter(|run| seeds.contains(&run.seed))
        .filter_map(|run| Some(run.epochs.last()?.held_out_error()))
        .collect();
    match errors.is_empty() {
        true => "–".to_string(),
        false => measure.text(errors.iter().sum::<f64>() / errors.len() as f64),
    }
}

/// Returns the options that turn one configuration into another.
fn sets(start: &TrainingConfig, tuned: &TrainingConfig) -> String {
    let phases = |config: &TrainingConfig| {
        let phases = config.phases;
        [
            ("beta", phases.nudging.beta().to_string()),
            ("free_steps", phases.free_steps.to_string()),
            ("nudged_steps", phases.nudged_steps.to_string()),
            ("batch_size", config.batch_size.to_string()),
            ("learning_rates", list(&config.optimizer.learning_rates)),
            ("gains", list(&config.network.gains)),
            (
                "initializer",
                serde_json::to_value(config.network.initializer).map_or(String::new(), |value| {
                    match value {
                        Value::String(word) => word,
                        other => other.to_string(),
                    }
                }),
            ),
        ]
    };
    let pairs = phases(start).into_iter().zip(phases(tuned));
    let changed = pairs.filter(|(before, after)| before != after);
    let sets = changed
        .map(|(_, (key, value))| format!(" --set {}", quote(format!("{key}={value}").as_ref())));
    let epochs = match start.epochs == tuned.epochs {
        true => String::new(),
        false => format!(" --epochs {}", tuned.epochs),
    };
    format!("{epochs}{}", sets.collect::<String>())
}

fn list(numbers: &[f64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Returns the report as JSON.
fn summary(keeper: &Keeper) -> Value {
    let stored = &keeper.stored;
    let tuning = &stored.tuning;
    let best = tuning.best();
    let names = tuning
        .space
        .parameters
        .iter()
        .map(|parameter| parameter.kind.name());
    let by_name = |values: &[f64]| -> Value {
        let pairs = names.clone().zip(values);
        let pairs = pairs.map(|(name, value)| (name.to_string(), json!(value)));
        Value::Object(pairs.collect())
    };
    let effects: Value = {
        let pairs = names.clone().zip(effects(tuning));
        Value::Object(
            pairs
                .map(|(name, part)| (name.to_string(), json!(part)))
                .collect(),
        )
    };
    let differences = stored.confirmed().map(Comparison::differences);
    let difference = differences.and_then(|found| found.into_iter().next());
    json!({
        "report": crate::output::text_of(keeper.folder.path()),
        "command": stored.command,
        "device": stored.device,
        "seconds": stored.seconds,
        "plan": tuning.plan,
        "guess": tuning.guess,
        "trials": tuning.trials.len(),
        "best": best.map(|best| best.number),
        "start": by_name(&tuning.space.start()),
        "found": best.map(|best| by_name(&best.values)),
        "steps": best.map(|best| json!([steps_of(&tuning.start), tuning.steps(best)])),
        "validation_error": best.and_then(Trial::last).map(|measured| measured.error()),
        "effects": effects,
        "confirmation": difference,
        "summaries": stored.confirmed().map(Comparison::summaries),
        "verdict": best.map(|_| verdict(stored)),
        "tuned": best.map(|_| stored.tuned()),
    })
}
