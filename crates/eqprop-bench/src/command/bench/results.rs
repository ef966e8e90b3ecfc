//! What was measured, as a table and as JSON.

use eqprop_bench::method::Method;
use eqprop_bench::timing::{MemoryGrowth, StepCost};
use eqprop_train::preset::Preset;
use serde::Serialize;

use super::baseline::Baseline;
use super::setting::{Inputs, Setting};
use crate::machine::{Machine, threads};
use crate::output::Report;

/// The columns of a table: milliseconds, but for the last four.
const HEADER: [&str; 11] = [
    "method",
    "ms/step",
    "quartiles",
    "free",
    "second",
    "gradient",
    "optimizer",
    "samples/s",
    "x backprop",
    "x baseline",
    "peak MB",
];

/// Everything that was measured.
#[derive(Debug)]
pub struct Results {
    machine: Machine,
    rounds: usize,
    /// One entry per setting.
    pub measured: Vec<Measured>,
    /// What to compare with.
    baseline: Option<Baseline>,
}

/// All methods on one setting.
#[derive(Debug)]
pub struct Measured {
    setting: Setting,
    inputs: Inputs,
    costs: Vec<StepCost>,
}

/// A method on one setting, in JSON. Times are in seconds, memory is in bytes.
#[derive(Debug, Serialize)]
struct Row<'a> {
    preset: &'static str,
    inputs: Inputs,
    nudged_steps: usize,
    #[serde(flatten)]
    cost: &'a StepCost,
    ratio_to_backprop: Option<f64>,
    ratio_to_baseline: Option<f64>,
}

/// The growth of a method's memory, in JSON.
#[derive(Debug, Serialize)]
struct GrowthRow {
    preset: &'static str,
    batch_size: usize,
    method: Method,
    #[serde(flatten)]
    growth: MemoryGrowth,
}

/// What `bench --json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    version: &'static str,
    device: &'a str,
    threads: usize,
    rounds: usize,
    machine: &'a Machine,
    results: Vec<Row<'a>>,
    memory_growth: Vec<GrowthRow>,
}

impl Measured {
    pub fn new(setting: &Setting, inputs: Inputs, costs: Vec<StepCost>) -> Self {
        let setting = setting.clone();
        Self {
            setting,
            inputs,
            costs,
        }
    }

    /// How many times as long as backprop's a step takes, if both were measured.
    fn ratio_to_backprop(&self, cost: &StepCost) -> Option<f64> {
        let mut costs = self.costs.iter();
        let backprop = costs.find(|cost| cost.method == Method::Backprop)?;
        Some(cost.step.median / backprop.step.median)
    }

    /// See [`Baseline::ratio`].
    fn ratio_to_baseline(&self, baseline: Option<&Baseline>, cost: &StepCost) -> Option<f64> {
        let to_backprop = self.ratio_to_backprop(cost);
        baseline?.ratio(&self.setting, self.inputs, cost, to_backprop)
    }

    fn table(&self, baseline: Option<&Baseline>) -> String {
        let mut rows = vec![HEADER.map(String::from)];
        for cost in &self.costs {
            let phases = &cost.phases;
            let ratio = self.ratio_to_backprop(cost).map(significant);
            let to_baseline = self.ratio_to_baseline(baseline, cost).map(significant);
            let megabytes = cost
                .peak_memory
                .map(|bytes| significant(bytes as f64 / 1e6));
            let absent = || "-".to_string();
            rows.push([
                cost.method.to_string(),
                milliseconds(cost.step.median),
                format!(
                    "{}-{}",
                    milliseconds(cost.step.low),
                    milliseconds(cost.step.high)
                ),
                milliseconds(phases.free_phase.median),
                milliseconds(phases.second_phase.median),
                milliseconds(phases.gradient.median),
                milliseconds(phases.optimizer.median),
                format!("{:.0}", cost.samples_per_second),
                ratio.unwrap_or_else(absent),
                to_baseline.unwrap_or_else(absent),
                megabytes.unwrap_or_else(absent),
            ]);
        }
        align(&rows)
    }
}

impl Results {
    pub fn new(machine: Machine, rounds: usize, baseline: Option<Baseline>) -> Self {
        Self {
            machine,
            rounds,
            measured: Vec::new(),
            baseline,
        }
    }

    /// What has become slower than in the baseline, if anything has.
    pub fn slower(&self) -> Option<String> {
        let costs = self.measured.iter().flat_map(|measured| {
            measured.costs.iter().filter_map(move |cost| {
                let ratio = measured.ratio_to_baseline(self.baseline.as_ref(), cost)?;
                let setting = &measured.setting;
                let text = format!("{} on {setting}: {}", cost.method, significant(ratio));
                Baseline::is_slower(ratio).then_some(text)
            })
        });
        let slower: Vec<String> = costs.collect();
        let text = || {
            format!(
                "slower than the baseline, by these factors: {}",
                slower.join("; ")
            )
        };
        (!slower.is_empty()).then(text)
    }

    /// The results in both forms.
    pub fn report(&self) -> Report {
        let measured = self.measured.iter();
        let results = measured.flat_map(|measured| {
            measured.costs.iter().map(|cost| Row {
                preset: measured.setting.preset.name(),
                inputs: measured.inputs,
                nudged_steps: measured.setting.config.phases.nudged_steps,
                cost,
                ratio_to_backprop: measured.ratio_to_backprop(cost),
                ratio_to_baseline: measured.ratio_to_baseline(self.baseline.as_ref(), cost),
            })
        });
        let document = Document {
            version: self.machine.eqprop,
            device: &self.machine.device,
            threads: threads(),
            rounds: self.rounds,
            machine: &self.machine,
            results: results.collect(),
            memory_growth: self.memory_growth(),
        };
        Report::new(self.text(&document.memory_growth), &document)
    }

    fn text(&self, growth: &[GrowthRow]) -> String {
        let Machine {
            device, processor, ..
        } = &self.machine;
        let mut text = format!(
            "device {device}, {} threads, {processor}; medians of {} rounds\n",
            threads(),
            self.rounds
        );
        for measured in &self.measured {
            let config = &measured.setting.config;
            let (network, setting) = (config.notation(), &measured.setting);
            let inputs = match measured.inputs {
                Inputs::Examples => config.data.dataset.to_string(),
                Inputs::Random => "random inputs".to_string(),
            };
            let table = measured.table(self.baseline.as_ref());
            text += &format!("\n{setting} ({network}), {inputs}\n{table}");
        }
        let mut heading = None;
        for row in growth {
            let MemoryGrowth {
                fewest_steps,
                most_steps,
                bytes_per_step,
                growth,
                r_squared,
            } = row.growth;
            let title = format!(
                "{}, batch {}: peak memory from {fewest_steps} to {most_steps} steps",
                row.preset, row.batch_size
            );
            if heading.as_ref() != Some(&title) {
                text += &format!("\n{title}\n");
                heading = Some(title);
            }
            let share = format!("{:+.1} %", 100.0 * growth);
            text += &if row.growth.is_flat() {
                format!("  {}: flat ({share})\n", row.method)
            } else {
                let line = r_squared.map_or(String::new(), |share| format!(", R² {share:.4}"));
                let kilobytes = significant(bytes_per_step / 1e3);
                format!(
                    "  {}: {kilobytes} kB per step ({share}{line})\n",
                    row.method
                )
            };
        }
        text
    }

    /// For each preset, batch size and method that was measured with several numbers of steps.
    fn memory_growth(&self) -> Vec<GrowthRow> {
        let measured = self.measured.iter();
        let costs: Vec<(Preset, &StepCost)> = measured
            .flat_map(|measured| {
                let costs = measured.costs.iter();
                costs.map(|cost| (measured.setting.preset, cost))
            })
            .collect();
        let key = |&(preset, cost): &(Preset, &StepCost)| (preset, cost.batch_size, cost.method);
        let mut rows: Vec<GrowthRow> = Vec::new();
        for (index, first) in costs.iter().enumerate() {
            if costs[..index].iter().any(|cost| key(cost) == key(first)) {
                continue;
            }
            let same = costs.iter().filter(|cost| key(cost) == key(first));
            let peaks: Vec<(usize, usize)> = same
                .filter_map(|(_, cost)| Some((cost.free_steps, cost.peak_memory?)))
                .collect();
            let (preset, batch_size, method) = key(first);
            rows.extend(MemoryGrowth::of(&peaks).map(|growth| GrowthRow {
                preset: preset.name(),
                batch_size,
                method,
                growth,
            }));
        }
        rows
    }
}

/// Seconds in milliseconds; a dash for a phase that there is not.
pub(super) fn milliseconds(seconds: f64) -> String {
    if seconds == 0.0 {
        "-".to_string()
    } else {
        significant(1e3 * seconds)
    }
}

/// A number with three significant digits, but none in place of digits before the point.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// The rows with columns of equal width: the first to the left, numbers to the right.
pub(super) fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            text += &match column {
                0 => format!("  {cell:width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}
