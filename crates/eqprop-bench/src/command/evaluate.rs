//! `eqprop evaluate`.

use std::ops::ControlFlow;

use anyhow::{Result, bail};
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::training::evaluate_observed;
use serde_json::json;

use crate::cli::EvaluateArguments;
use crate::output::{Measure, Report, check_finite, error_text, percent, quantity, text_of};
use crate::progress::Bar;
use crate::run::RunFolder;

/// Number of examples per batch.
const BATCH: usize = 500;

/// Measures the error of a trained network on all test examples, or on the first ones.
///
/// # Errors
/// If the run, the data or the device cannot be used, or the network's results are not finite.
pub fn run(arguments: EvaluateArguments) -> Result<Report> {
    if arguments.max_test == Some(0) {
        bail!("--max-test must be at least 1, but is 0");
    }
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let dataset = run.load_data(arguments.data.data_dir.as_deref())?;
    let test = dataset.test.take(arguments.max_test.unwrap_or(usize::MAX));
    let loader = BatchLoader::new(&test, BATCH, Order::Sequential, &run.device.device);
    let bar = Bar::new(test.len(), "{pos}/{len} examples  {eta} left");
    let mut n_begun = 0;
    let outcome = evaluate_observed(&run.learner, &loader, || {
        bar.move_to(n_begun);
        n_begun += BATCH;
        ControlFlow::Continue(())
    });
    bar.finish();
    let ControlFlow::Continue(result) = outcome? else {
        unreachable!("nothing breaks it")
    };
    check_finite("mean cost or residual", [result.cost, result.residual])?;
    let source = &run.config.data.dataset;
    let beside = result.r_squared().or_else(|| result.exact_matches());
    let mut text = format!(
        "test {} on {} examples of {source}; mean cost {:.5}, mean residual {:.2e}",
        error_text(Measure::of(source), result.error, beside),
        result.n_examples,
        result.cost,
        result.residual
    );
    let mut report = json!({
        "run": text_of(&arguments.run),
        "dataset": run.config.data.dataset.to_string(),
        "device": run.device.name,
        "test_error": result.error,
        "test_cost": result.cost,
        "residual": result.residual,
        "n_examples": result.n_examples,
    });
    if let Some(quantities) = source.quantities() {
        let fits = quantities.names.iter().zip(&result.quantities);
        let fits = fits.map(|(name, fit)| {
            let r_squared = fit
                .r_squared
                .map_or("–".into(), |found| format!("{found:.4}"));
            text += &format!(
                "\n{name}: mean error {}, R² {r_squared}",
                quantity(fit.mean_error)
            );
            json!({ "name": name, "mean_error": fit.mean_error, "r_squared": fit.r_squared })
        });
        report["quantities"] = fits.collect();
        report["test_r_squared"] = json!(beside);
    }
    if let Some((names, sums)) = source.labels().zip(result.labels.as_ref()) {
        text += &format!("\n\n{:24} examples  precision    recall        F1", "label");
        let labels = names.iter().zip(&sums.counts).map(|(name, counts)| {
            let shares = [counts.precision(), counts.recall(), counts.f1()];
            let [precision, recall, f1] =
                shares.map(|share| share.map_or("–".to_string(), percent));
            let n = counts.n_examples();
            text += &format!("\n{name:24} {n:>8} {precision:>10} {recall:>9} {f1:>9}");
            let [precision, recall, f1] = shares;
            json!({
                "name": name,
                "examples": n,
                "precision": precision,
                "recall": recall,
                "f1": f1,
            })
        });
        report["labels"] = labels.collect();
        report["test_exact_matches"] = json!(beside);
    }
    Ok(Report::new(text, &report))
}
