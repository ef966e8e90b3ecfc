//! An earlier measurement to compare with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use eqprop_bench::timing::StepCost;
use serde::Deserialize;

use super::setting::{Inputs, Setting};

/// The ratio to the baseline from which a step counts as slower: a shared machine varies by less.
const SLOWER: f64 = 1.3;

/// Earlier output of `bench --json`.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    results: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    preset: String,
    inputs: Inputs,
    method: String,
    batch_size: usize,
    free_steps: usize,
    nudged_steps: usize,
    step: Median,
    ratio_to_backprop: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Median {
    median: f64,
}

impl Baseline {
    /// Reads a baseline from a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not output of `bench --json`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read the baseline {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is no baseline: write one by `eqprop bench --json > FILE`",
                path.display()
            )
        })
    }

    /// Returns the ratio of a step's time to the baseline, in units of backprop's step where both have
    /// measured it, so that another machine matters less; `None` if the baseline does not contain the step.
    pub fn ratio(
        &self,
        setting: &Setting,
        inputs: Inputs,
        cost: &StepCost,
        to_backprop: Option<f64>,
    ) -> Option<f64> {
        let row = self.results.iter().find(|row| {
            row.preset == setting.preset.name()
                && row.inputs == inputs
                && row.method == cost.method.to_string()
                && row.batch_size == cost.batch_size
                && row.free_steps == cost.free_steps
                && row.nudged_steps == setting.config.phases.nudged_steps
        })?;
        Some(match (to_backprop, row.ratio_to_backprop) {
            (Some(now), Some(before)) => now / before,
            _ => cost.step.median / row.step.median,
        })
    }

    /// Whether a ratio means that a step has become slower.
    pub fn is_slower(ratio: f64) -> bool {
        ratio > SLOWER
    }
}
