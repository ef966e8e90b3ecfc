//! Reports on a training in progress.

use std::fs;

use anyhow::Result;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::Gradients;
use serde_json::{Map, Value, json};

use super::contrast;
use super::watched::Watched;

/// Number of test examples that are classified.
const N_JUDGED: usize = 500;

/// Returns the measurements of the training so far, the weights of the input, and the misclassified examples.
///
/// # Errors
/// If the table of measurements exists but cannot be read, or the examples cannot be read.
pub fn training(watched: &mut Watched) -> Result<Value> {
    if watched.mistakes.is_none() {
        watched.mistakes = Some(mistakes(watched)?);
    }
    let path = watched.folder.path().join("metrics.csv");
    let mut epochs = Vec::new();
    // An imported run has none.
    if let Ok(text) = fs::read(&path) {
        let mut table = csv::Reader::from_reader(&text[..]);
        let names = table.headers()?.clone();
        for row in table.records() {
            let row = row?;
            let cells = names.iter().zip(row.iter());
            let cells =
                cells.map(|(name, cell)| (name.to_string(), json!(cell.parse::<f64>().ok())));
            epochs.push(Value::Object(cells.collect::<Map<_, _>>()));
        }
    }
    Ok(json!({
        "written": watched.version(),
        "n_epochs": watched.run.config.epochs,
        "epochs": epochs,
        "filters": contrast::pictures(watched, &Gradients::new()),
        "mistakes": watched.mistakes,
    }))
}

/// Returns those of the first test examples that the network misclassifies.
fn mistakes(watched: &Watched) -> Result<Value> {
    let Some((examples, input)) = watched.first(N_JUDGED)? else {
        return Ok(Value::Null);
    };
    let learner = &watched.run.learner;
    let network = &learner.network;
    let state = learner.infer(&input).state;
    let scores = network.scores(&network.energy.clamp(&input), &state);
    let classes: Vec<i64> = scores.argmax(1).into_data().iter::<i64>().collect();
    let wrong = classes.iter().zip(&examples.labels).enumerate();
    let wrong: Vec<_> = wrong
        .filter(|&(_, (&found, &label))| found != i64::from(label))
        .collect();
    let shown = wrong.iter().take(watched.n_pictures()).map(|(index, (found, label))| {
        json!({ "index": index, "class": label, "found": found, "pixels": examples.input(*index) })
    });
    Ok(json!({
        "n_judged": examples.len(),
        "n_wrong": wrong.len(),
        "shown": shown.collect::<Vec<_>>(),
    }))
}
