//! `eqprop evaluate`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::data::Reading;
use eqprop_train::file::write_atomically;
use eqprop_train::training::{Classified, LabelCounts, evaluate_classes};
use serde_json::{Value, json};

use crate::cli::EvaluateArguments;
use crate::output::{Measure, Report, check_finite, error_text, percent, quantity, text_of};
use crate::progress::Bar;
use crate::run::RunFolder;
use crate::table::{heads, table};

/// Number of examples per batch.
const BATCH: usize = 500;
/// Number of classes in the text; those that are found worst, of more.
const CLASSES: usize = 20;
/// Number of confusions in the text.
const CONFUSIONS: usize = 5;

/// Measures the error of a trained network on all test examples, or on the first ones, and for classes and labels
/// on each of them.
///
/// # Errors
/// If the run, the data or the device cannot be used, the network's results are not finite, or the list of mistakes
/// cannot be written.
pub fn run(arguments: EvaluateArguments) -> Result<Report> {
    if arguments.max_test == Some(0) {
        bail!("--max-test must be at least 1, but is 0");
    }
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let source = &run.config.data.dataset;
    if arguments.mistakes.is_some() && source.target_kind().is_some() {
        bail!("--mistakes is for classes, but `{source}` has other targets");
    }
    let reading = run.read_data(arguments.data.data_dir.as_deref())?;
    let test = reading
        .dataset
        .test
        .clone()
        .take(arguments.max_test.unwrap_or(usize::MAX));
    let loader = BatchLoader::new(&test, BATCH, Order::Sequential, &run.device.device);
    let bar = Bar::new(test.len(), "{pos}/{len} examples  {eta} left");
    let mut n_begun = 0;
    let outcome = evaluate_classes(&run.learner, &loader, || {
        bar.move_to(n_begun);
        n_begun += BATCH;
        ControlFlow::Continue(())
    });
    bar.finish();
    let ControlFlow::Continue((result, classified)) = outcome? else {
        unreachable!("nothing breaks it")
    };
    check_finite("mean cost or residual", [result.cost, result.residual])?;
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
        let labels: Vec<_> = names.iter().map(String::as_str).zip(&sums.counts).collect();
        text += &format!("\n\n{}", counts_text("label", &labels));
        report["labels"] = counts_json(&labels);
        report["test_exact_matches"] = json!(beside);
    }
    if !classified.is_empty() {
        let counts = LabelCounts::of_classes(test.n_classes, &classified);
        let names = (0..counts.len()).map(|class| match source.class_name(class) {
            Some(name) => name.to_string(),
            None => class.to_string(),
        });
        let names: Vec<String> = names.collect();
        let classes: Vec<_> = names.iter().map(String::as_str).zip(&counts).collect();
        let confusions = Confusion::all(&classified);
        text += &format!("\n\n{}", classes_text(&classes, &confusions));
        report["classes"] = counts_json(&classes);
        let described = confusions.iter().map(|confusion| {
            json!({
                "class": names[confusion.class],
                "found": names[confusion.found],
                "examples": confusion.n_examples,
            })
        });
        report["confusions"] = described.collect();
        if let Some(path) = &arguments.mistakes {
            let (list, n) = mistakes(&reading, &classified, &names)?;
            write_atomically(path, &list)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            text += &format!("\n\nwrote {n} mistakes to {}", path.display());
            report["mistakes"] = json!(text_of(path));
        }
    }
    Ok(Report::new(text, &report))
}

/// Lists the examples that are taken for another class, as CSV; also returns their number.
fn mistakes(
    reading: &Reading,
    classified: &[Classified],
    names: &[String],
) -> Result<(Vec<u8>, usize)> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["example", "file", "class", "found"])?;
    let mut n = 0;
    let examples = reading.test_rows.iter().zip(classified).enumerate();
    for (index, (row, &Classified { class, found })) in examples {
        if class != found {
            let file = reading.test_files.get(index);
            let file = file.map(|file| file.to_string_lossy().into_owned());
            let number = (row + 1).to_string();
            let cells = [
                &number,
                &file.unwrap_or_default(),
                &names[class],
                &names[found],
            ];
            writer.write_record(cells)?;
            n += 1;
        }
    }
    Ok((writer.into_inner()?, n))
}

/// The examples of a class that were taken for another.
struct Confusion {
    class: usize,
    found: usize,
    n_examples: usize,
}

impl Confusion {
    /// Counts all confusions, the most frequent first.
    fn all(classified: &[Classified]) -> Vec<Self> {
        let mut numbers = BTreeMap::<_, usize>::new();
        for &Classified { class, found } in classified {
            if class != found {
                *numbers.entry((class, found)).or_default() += 1;
            }
        }
        let all = numbers
            .into_iter()
            .map(|((class, found), n_examples)| Self {
                class,
                found,
                n_examples,
            });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|confusion| Reverse(confusion.n_examples));
        all
    }
}

/// Returns the table of classes, or of the worst, and the most frequent confusions.
fn classes_text(classes: &[(&str, &LabelCounts)], confusions: &[Confusion]) -> String {
    let mut shown = classes.to_vec();
    if classes.len() > CLASSES {
        // A class that is never found is the worst; one without examples says nothing.
        shown.retain(|(_, counts)| counts.n_examples() > 0);
        let recall = |counts: &LabelCounts| counts.recall().unwrap_or_default();
        shown.sort_by(|(_, a), (_, b)| recall(a).total_cmp(&recall(b)));
        shown.truncate(CLASSES);
    }
    let mut text = counts_text("class", &shown);
    if shown.len() < classes.len() {
        text += &format!(
            "\n\nthe {} classes of {} with the lowest recall",
            shown.len(),
            classes.len()
        );
    }
    if !confusions.is_empty() {
        let named = confusions.iter().take(CONFUSIONS).map(|confusion| {
            let [class, found] = [confusion.class, confusion.found].map(|index| classes[index].0);
            format!("{class} as {found} ({})", confusion.n_examples)
        });
        let named: Vec<_> = named.collect();
        text += &format!("\n\nmost often taken for another: {}", named.join(", "));
    }
    text
}

/// Returns a table of labels or classes.
fn counts_text(of: &str, named: &[(&str, &LabelCounts)]) -> String {
    let mut rows = vec![heads([of, "examples", "precision", "recall", "F1"])];
    rows.extend(named.iter().map(|(name, counts)| {
        let shares = [counts.precision(), counts.recall(), counts.f1()];
        let shares = shares.map(|share| share.map_or("–".to_string(), percent));
        let mut row = vec![name.to_string(), counts.n_examples().to_string()];
        row.extend(shares);
        row
    }));
    table(&rows).trim_end().to_string()
}

/// Describes labels or classes for programs.
fn counts_json(named: &[(&str, &LabelCounts)]) -> Value {
    let described = named.iter().map(|(name, counts)| {
        json!({
            "name": name,
            "examples": counts.n_examples(),
            "precision": counts.precision(),
            "recall": counts.recall(),
            "f1": counts.f1(),
        })
    });
    described.collect()
}
