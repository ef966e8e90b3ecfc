//! `eqprop evaluate`.

use anyhow::Result;
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::training::evaluate;
use serde_json::json;

use crate::cli::EvaluateArguments;
use crate::output::{Report, check_finite, percent, text_of};
use crate::run::RunFolder;

/// Measures the error of a trained network on all test examples.
///
/// # Errors
/// If the run, the data or the device cannot be used, or the network computes nothing finite.
pub fn run(arguments: EvaluateArguments) -> Result<Report> {
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let dataset = run.load_data(arguments.data.data_dir.as_deref())?;
    let loader = BatchLoader::new(&dataset.test, 500, Order::Sequential, &run.device.device);
    let result = evaluate(&run.learner, &loader);
    check_finite("mean cost or residual", [result.cost, result.residual])?;
    let text = format!(
        "test error {} on {} examples of {}; mean cost {:.5}, mean residual {:.2e}",
        percent(result.error),
        result.n_examples,
        run.config.data.dataset,
        result.cost,
        result.residual
    );
    let report = json!({
        "run": text_of(&arguments.run),
        "dataset": run.config.data.dataset.to_string(),
        "device": run.device.name,
        "test_error": result.error,
        "test_cost": result.cost,
        "residual": result.residual,
        "n_examples": result.n_examples,
    });
    Ok(Report::new(text, &report))
}
