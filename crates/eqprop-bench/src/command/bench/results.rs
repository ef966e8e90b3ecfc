//! The measurements as a table and as JSON.

use eqprop_bench::method::Method;
use eqprop_bench::timing::{MemoryGrowth, StepCost};
use eqprop_train::preset::Preset;
use serde::Serialize;

use super::baseline::Baseline;
use super::setting::{Inputs, Setting};
use crate::machine::{Machine, threads};
use crate::output::Report;
use crate::table::{heads, table};

/// The columns of the table: milliseconds, except for the last four.
const HEADS: [&str; 11] = [
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

/// All measurements.
#[derive(Debug)]
pub struct Results {
    machine: Machine,
    rounds: usize,
    /// One entry per setting.
    pub measured: Vec<Measured>,
    /// The baseline to compare with.
    baseline: Option<Baseline>,
}

/// The costs of all methods on one setting.
#[derive(Debug)]
pub struct Measured {
    setting: Setting,
    inputs: Inputs,
    costs: Vec<StepCost>,
}

/// One method on one setting, for JSON. Times are in seconds, memory is in bytes.
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

/// The growth of a method's memory, for JSON.
#[derive(Debug, Serialize)]
struct GrowthRow {
    preset: &'static str,
    batch_size: usize,
    method: Method,
    #[serde(flatten)]
    growth: MemoryGrowth,
}

/// The output of `bench --json`.
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

    fn rows<'a>(&'a self, baseline: Option<&'a Baseline>) -> impl Iterator<Item = Row<'a>> {
        let Self {
            setting,
            inputs,
            costs,
        } = self;
        let mut methods = costs.iter();
        let backprop = methods.find(|cost| cost.method == Method::Backprop);
        costs.iter().map(move |cost| {
            let ratio = backprop.map(|backprop| cost.step.median / backprop.step.median);
            Row {
                preset: setting.preset.name(),
                inputs: *inputs,
                nudged_steps: setting.config.phases.nudged_steps,
                cost,
                ratio_to_backprop: ratio,
                ratio_to_baseline: baseline
                    .and_then(|baseline| baseline.ratio(setting, *inputs, cost, ratio)),
            }
        })
    }
}

impl Row<'_> {
    /// Returns the cells under [`HEADS`].
    fn cells(&self) -> Vec<String> {
        let StepCost {
            method,
            step,
            phases,
            samples_per_second,
            peak_memory,
            ..
        } = self.cost;
        let megabytes = peak_memory.map(|bytes| bytes as f64 / 1e6);
        let measured = |value: Option<f64>| value.map_or("-".to_string(), significant);
        vec![
            method.to_string(),
            milliseconds(step.median),
            format!("{}-{}", milliseconds(step.low), milliseconds(step.high)),
            milliseconds(phases.free_phase.median),
            milliseconds(phases.second_phase.median),
            milliseconds(phases.gradient.median),
            milliseconds(phases.optimizer.median),
            format!("{samples_per_second:.0}"),
            measured(self.ratio_to_backprop),
            measured(self.ratio_to_baseline),
            measured(megabytes),
        ]
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

    /// Lists the steps that have become slower than in the baseline; `None` if there are none.
    pub fn slower(&self) -> Option<String> {
        let rows = self.measured.iter().flat_map(|measured| {
            let rows = measured.rows(self.baseline.as_ref());
            rows.map(|row| (&measured.setting, row))
        });
        let slower = rows.filter_map(|(setting, row)| {
            let ratio = row.ratio_to_baseline?;
            let text = format!("{} on {setting}: {}", row.cost.method, significant(ratio));
            Baseline::is_slower(ratio).then_some(text)
        });
        let slower: Vec<String> = slower.collect();
        let text = slower.join("; ");
        (!slower.is_empty()).then(|| format!("slower than the baseline, by these factors: {text}"))
    }

    /// Returns the results as text and as JSON.
    pub fn report(&self) -> Report {
        let baseline = self.baseline.as_ref();
        let measured = self.measured.iter();
        let document = Document {
            version: self.machine.eqprop,
            device: &self.machine.device,
            threads: threads(),
            rounds: self.rounds,
            machine: &self.machine,
            results: measured.flat_map(|one| one.rows(baseline)).collect(),
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
            let mut rows = vec![heads(HEADS)];
            rows.extend(measured.rows(self.baseline.as_ref()).map(|row| row.cells()));
            text += &format!("\n{setting} ({network}), {inputs}\n{}", table(&rows));
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
            let found = if row.growth.is_flat() {
                format!("flat ({share})")
            } else {
                let line = r_squared.map_or(String::new(), |share| format!(", R² {share:.4}"));
                let kilobytes = significant(bytes_per_step / 1e3);
                format!("{kilobytes} kB per step ({share}{line})")
            };
            text += &format!("  {}: {found}\n", row.method);
        }
        text
    }

    /// Returns the growth for each preset, batch size and method that was measured with several numbers of
    /// steps.
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

/// Formats seconds as milliseconds; a dash stands for a phase that does not exist.
pub(super) fn milliseconds(seconds: f64) -> String {
    if seconds == 0.0 {
        "-".to_string()
    } else {
        significant(1e3 * seconds)
    }
}

/// Formats a number with three significant digits, without rounding digits before the decimal point.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}
