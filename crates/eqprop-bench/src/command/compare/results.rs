//! The results of a comparison as a table, as JSON and as CSV.

use anyhow::{Context, Result};
use eqprop_bench::comparison::{Arm, ArmCost, Comparison, MeanSpread, StoredComparison, Summary};
use eqprop_bench::method::Method;
use eqprop_bench::timing::StepCost;
use serde_json::{Value, json};

use crate::chance;
use crate::machine::Machine;
use crate::output::{Measure, percent, quantity};

/// The results of a comparison, and everything needed to repeat it.
#[derive(Debug)]
pub struct Results {
    /// The trainings and the cost of their steps.
    pub stored: StoredComparison,
    /// The machine on which it was measured.
    pub machine: Machine,
}

/// A column of the table: its name, and its cell for an arm.
type Column<'a> = (String, Box<dyn Fn(&Summary) -> String + 'a>);

impl Results {
    /// The trainings.
    pub fn comparison(&self) -> &Comparison {
        &self.stored.comparison
    }

    /// Returns the networks in the usual notation, such as 784-500-10.
    pub fn network(&self) -> String {
        let notations = distinct(
            self.comparison()
                .arms()
                .iter()
                .map(|arm| arm.config.notation()),
        );
        match notations.len() {
            0..=3 => notations.join(" and "),
            n => format!("{n} networks"),
        }
    }

    /// Whether arms differ only in their method.
    pub fn is_of_methods(&self) -> bool {
        let plan = &self.comparison().plan;
        plan.vary.is_empty() && plan.presets.is_empty()
    }

    /// Returns the columns of the table.
    fn columns(&self) -> Vec<Column<'_>> {
        let judge = self.judge();
        let measure = self.measure();
        let reach = match self.comparison().common_error() {
            Some(error) => format!("s to {} ({judge})", measure.text(error)),
            None => format!("s to a common error ({judge})"),
        };
        let arm = if self.is_of_methods() {
            "method"
        } else {
            "arm"
        };
        let mut columns: Vec<Column<'_>> = vec![(arm.into(), Box::new(|s| s.arm.clone()))];
        if measure == Measure::Distance {
            let r_squared = |summary: &Summary| spread(Measure::Distance, summary.r_squared);
            columns.push((format!("R² ({judge})"), Box::new(r_squared)));
        }
        if measure == Measure::Labels {
            let exact = |summary: &Summary| spread(Measure::Share, summary.exact_matches);
            columns.push((format!("exact matches ({judge})"), Box::new(exact)));
        }
        let name = measure.name();
        if self.has_validation() {
            columns.push((
                format!("validation {name}"),
                Box::new(move |s| spread(measure, s.validation_error)),
            ));
        }
        let others: [Column<'_>; 7] = [
            (
                format!("test {name}"),
                Box::new(move |s| spread(measure, s.test_error)),
            ),
            (
                format!("training {name}"),
                Box::new(move |s| spread(measure, s.train_error)),
            ),
            (
                "s/epoch".into(),
                Box::new(|s| number(s.seconds_per_epoch, 3)),
            ),
            (
                "× backprop".into(),
                Box::new(|s| number(s.ratio_to_backprop, 2)),
            ),
            (reach, Box::new(|s| number(s.seconds_to_common_error, 2))),
            (
                "ms/step".into(),
                Box::new(|s| number(self.step(s).map(|step| 1e3 * step.step.median), 3)),
            ),
            (
                "peak memory".into(),
                Box::new(|s| {
                    let memory = self.step(s).and_then(|step| step.peak_memory);
                    memory.map_or_else(missing, |bytes| format!("{:.2} MB", bytes as f64 / 1e6))
                }),
            ),
        ];
        // Without backprop among the methods, the ratio to it has nothing to say.
        let has_twin =
            self.is_of_methods() || self.comparison().plan.methods.contains(&Method::Backprop);
        let others = others
            .into_iter()
            .filter(|(name, _)| has_twin || name != "× backprop");
        columns.extend(others);
        columns
    }

    /// Names the arms that learn nothing, if any.
    pub fn unlearned(&self) -> String {
        let source = &self.comparison().plan.config.data.dataset;
        // Of classes that are equally frequent: of others the error of chance is lower.
        let chance = match source.n_classes() {
            0 => None,
            n => Some(1.0 - 1.0 / n as f64),
        };
        let summaries = self.comparison().summaries();
        let are_unlearned = summaries.iter().filter(|summary| {
            let error = summary.train_error.as_ref();
            error.is_some_and(|error| chance::is_reached(error.mean, chance))
        });
        let arms: Vec<&str> = are_unlearned.map(|summary| &*summary.arm).collect();
        match &arms[..] {
            [] => String::new(),
            arms => format!(
                "\nnote: nothing is learned by {}: the training error is that of naming one class each time. With \
                 settings that do not suit it, a method says little about itself; see `eqprop tune`",
                arms.join(" and ")
            ),
        }
    }

    /// Returns the measure of errors.
    pub fn measure(&self) -> Measure {
        Measure::of(&self.comparison().plan.config.data.dataset)
    }

    /// Whether training examples are held out for validation.
    pub fn has_validation(&self) -> bool {
        self.comparison().plan.config.data.n_validation > 0
    }

    /// Returns the name of the examples whose error compares trainings.
    pub fn judge(&self) -> &'static str {
        if self.has_validation() {
            "validation"
        } else {
            "test"
        }
    }

    /// Returns the error of an arm that is compared with others.
    pub fn judged(&self, summary: &Summary) -> Option<MeanSpread> {
        match self.has_validation() {
            true => summary.validation_error,
            false => summary.test_error,
        }
    }

    /// Returns the cost of a step of an arm.
    pub fn cost(&self, arm: &str) -> Option<&ArmCost> {
        let mut steps = self.stored.steps.iter();
        steps.find(|step| step.arm == arm)
    }

    fn step(&self, summary: &Summary) -> Option<&StepCost> {
        self.cost(&summary.arm).map(|step| &step.cost)
    }

    /// Returns the head of the table and one row per arm.
    pub fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let columns = self.columns();
        let rows = self.comparison().summaries();
        let rows = rows.iter();
        let rows = rows.map(|summary| columns.iter().map(|(_, cell)| cell(summary)).collect());
        let rows = rows.collect();
        (columns.into_iter().map(|(name, _)| name).collect(), rows)
    }

    /// Returns the table as text.
    pub fn table(&self) -> String {
        let (head, rows) = self.rows();
        format!("{}\n\n{}", self.title(), columns_of(&head, &rows))
    }

    /// Describes the trainings in one line.
    pub fn title(&self) -> String {
        let Comparison { plan, seeds, .. } = self.comparison();
        let arms = self.comparison().arms();
        let epochs = distinct(arms.iter().map(|arm| arm.config.epochs.to_string()));
        let presets = if plan.presets.len() > 1 {
            "presets"
        } else {
            "preset"
        };
        format!(
            "{} on {} ({presets} {}), {} epochs, {} seed{}",
            self.network(),
            plan.config.data.dataset,
            self.stored.preset,
            epochs.join(" or "),
            seeds.len(),
            if seeds.len() == 1 { "" } else { "s" }
        )
    }

    /// Returns everything. Errors are shares in [0, 1]; times are in seconds, memory in bytes.
    pub fn to_json(&self) -> Value {
        let comparison = self.comparison();
        let derived = json!({
            "machine": self.machine,
            "network": self.network(),
            "arms": comparison.arms().iter().map(arm).collect::<Vec<_>>(),
            "summary": comparison.summaries(),
            "differences": comparison.differences(),
            "common_error": comparison.common_error(),
            "missing": comparison.missing(),
        });
        let mut all = serde_json::to_value(&self.stored).expect("plain structs with text keys");
        if let (Value::Object(all), Value::Object(mut derived)) = (&mut all, derived) {
            all.append(&mut derived);
        }
        all
    }

    /// Writes one line per epoch of each run.
    ///
    /// # Errors
    /// Never in practice: the text is written to memory.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let measure = self.measure();
        let beside = match measure {
            Measure::Share => &[][..],
            Measure::Labels => &[
                "validation_exact_matches",
                "test_exact_matches",
                "train_exact_matches",
            ],
            Measure::Distance => &["validation_r_squared", "test_r_squared", "train_r_squared"],
        };
        let names = [
            "method",
            "seed",
            "epoch",
            "validation_error",
            "test_error",
            "train_error",
            "validation_cost",
            "test_cost",
            "train_cost",
            "residual",
            "free_steps",
            "seconds",
            "seconds_since_start",
            "arm",
        ];
        writer.write_record(names.iter().chain(beside))?;
        for run in &self.comparison().runs {
            let mut since_start = 0.0;
            for record in &run.epochs {
                since_start += record.seconds;
                let mut row = vec![
                    run.method.to_string(),
                    run.seed.to_string(),
                    record.epoch.to_string(),
                ];
                let cell = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
                row.extend(
                    [
                        record.validation_error,
                        record.test_error,
                        Some(record.train_error),
                        record.validation_cost,
                        record.test_cost,
                        Some(record.train_cost),
                        Some(record.residual),
                        Some(record.free_steps),
                        Some(record.seconds),
                        Some(since_start),
                    ]
                    .map(cell),
                );
                row.push(run.arm.clone());
                if measure != Measure::Share {
                    let found = record.r_squared.or(record.exact_matches);
                    let found = found.unwrap_or_default();
                    row.extend([found.validation, found.test, found.train].map(cell));
                }
                writer.write_record(&row)?;
            }
        }
        writer
            .into_inner()
            .context("a table in memory can always be written")
    }
}

/// Describes an arm and its network.
fn arm(arm: &Arm) -> Value {
    let mut told = serde_json::to_value(arm).expect("plain structs with text keys");
    told["network"] = arm.config.notation().into();
    told
}

/// Returns the texts without repetitions.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct = Vec::new();
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct
}

/// Formats rows under a head, in columns: numbers aligned right, text aligned left.
pub fn columns_of(head: &[String], rows: &[Vec<String>]) -> String {
    let length = |text: &String| text.chars().count();
    let widths = head.iter().enumerate();
    let widths = widths.map(|(i, name)| {
        rows.iter()
            .map(|row| length(&row[i]))
            .fold(length(name), usize::max)
    });
    let widths: Vec<usize> = widths.collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).enumerate();
        let padded = cells.map(|(i, (cell, &width))| match i {
            i if i == 0 || head[i] == "verdict" => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    let lines = [line(head)]
        .into_iter()
        .chain(rows.iter().map(|row| line(row)));
    lines.collect::<Vec<_>>().join("\n")
}

fn missing() -> String {
    "–".to_string()
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(missing, |value| format!("{value:.decimals$}"))
}

/// Formats an error with its spread; shares are in percent.
pub fn spread(measure: Measure, value: Option<MeanSpread>) -> String {
    let Some(MeanSpread { mean, deviation }) = value else {
        return missing();
    };
    match (measure, deviation) {
        (Measure::Share | Measure::Labels, None) => percent(mean),
        (Measure::Share | Measure::Labels, Some(deviation)) => {
            format!("{:.2} ± {:.2} %", 100.0 * mean, 100.0 * deviation)
        }
        (Measure::Distance, None) => quantity(mean),
        (Measure::Distance, Some(deviation)) => {
            format!("{} ± {}", quantity(mean), rounded(deviation))
        }
    }
}

/// Formats a spread with its two significant digits.
fn rounded(deviation: f64) -> String {
    let decimals = 1.0 - deviation.log10().floor();
    match decimals {
        0.0..=6.0 => format!("{deviation:.0$}", decimals as usize),
        _ => quantity(deviation),
    }
}
