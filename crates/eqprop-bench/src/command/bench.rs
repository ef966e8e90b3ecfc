//! `eqprop bench`.

mod baseline;
mod progress;
mod relaxations;
mod results;

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result, bail};
use eqprop_bench::timing;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use eqprop_train::panic;
use eqprop_train::preset::Preset;

use crate::cli::{BenchArguments, Override};
use crate::device;
use crate::interrupt::Interrupt;
use crate::machine::Machine;
use crate::output::Report;
use baseline::Baseline;
use progress::Display;
use results::{Inputs, Measured, Results};

/// A network to time, with one batch size and one number of steps.
#[derive(Debug, Clone)]
struct Setting {
    preset: Preset,
    config: TrainingConfig,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (preset, phases) = (self.preset.name(), &self.config.phases);
        let (batch_size, free, nudged) = (
            self.config.batch_size,
            phases.free_steps,
            phases.nudged_steps,
        );
        write!(f, "{preset}, batch {batch_size}, {free} + {nudged} steps")
    }
}

/// Times a training step of each method, for each preset, batch size and number of steps; or
/// compares relaxations.
///
/// # Errors
/// If a number is 0, a configuration cannot work, a method cannot run one of the networks, or the
/// device cannot be used: before anything is timed. An interrupted measurement, or one that the
/// device ends, is reported as far as it got; so is one that is slower than the baseline.
pub fn run(arguments: BenchArguments) -> Result<Report> {
    if arguments.relaxations {
        return relaxations::run(&arguments);
    }
    let methods = distinct(&arguments.methods);
    let settings = settings(&arguments)?;
    for setting in &settings {
        for method in &methods {
            let estimator = method.estimator(&setting.config);
            estimator.with_context(|| format!("cannot time {method} on {setting}"))?;
        }
    }
    let baseline = arguments.baseline.as_deref().map(Baseline::read);
    let baseline = baseline.transpose()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let machine = Machine::look(&device.name);
    for setting in &settings {
        check_memory(setting, machine.memory)?;
    }

    let interrupt = Interrupt::listen();
    let mut results = Results::new(machine, arguments.rounds, baseline);
    for (index, setting) in settings.iter().enumerate() {
        let examples = examples(setting, arguments.data_dir.as_deref())?;
        let display = Display::new(setting, methods.len());
        let measured = panic::catch(|| {
            let (config, rounds) = (&setting.config, arguments.rounds);
            let (examples, device) = (examples.as_ref(), &device.device);
            timing::measure_observed(config, &methods, rounds, examples, device, |progress| {
                display.update(&progress);
                if interrupt.is_set() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        display.finish();
        let failure = match measured {
            Ok(measured) => match measured? {
                Some(costs) => {
                    let inputs = Inputs::of(examples.as_ref());
                    results.measured.push(Measured::new(setting, inputs, costs));
                    continue;
                }
                None => "interrupted".to_string(),
            },
            Err(message) => format!("{setting}: {message}"),
        };
        let rest: Vec<String> = settings[index..].iter().map(Setting::to_string).collect();
        let failure = format!("{failure}; not measured: {}", rest.join("; "));
        if results.measured.is_empty() {
            bail!(failure);
        }
        return Ok(results.report().with_failure(Some(failure)));
    }
    Ok(results.report().with_failure(results.slower()))
}

/// Examples to time a setting on, or `None` if its data are not at hand, or fewer than a batch; what
/// the user says where to find must be there.
fn examples(setting: &Setting, data_dir: Option<&Path>) -> Result<Option<Examples>> {
    match setting.config.load_data(data_dir) {
        Ok(dataset) if dataset.train.len() < setting.config.batch_size => Ok(None),
        Ok(dataset) => Ok(Some(dataset.train.take(setting.config.batch_size))),
        Err(error) if data_dir.is_some() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Every preset with every batch size and every number of steps.
fn settings(arguments: &BenchArguments) -> Result<Vec<Setting>> {
    at_least_one("--rounds", &[arguments.rounds])?;
    at_least_one("--batch", &arguments.batch)?;
    at_least_one("--steps", &arguments.steps)?;
    let mut settings = Vec::new();
    for preset in distinct(&arguments.preset) {
        // With a tolerance the number of steps would depend on the input; --set brings it back.
        let mut config = preset.config();
        config.phases.tolerance = None;
        let config = Override::apply(&arguments.overrides, config)?;
        for batch_size in or_default(&arguments.batch, config.batch_size) {
            for free_steps in or_default(&arguments.steps, config.phases.free_steps) {
                let mut config = config.clone();
                (config.batch_size, config.phases.free_steps) = (batch_size, free_steps);
                let valid = config.validate();
                valid.with_context(|| format!("preset {}", preset.name()))?;
                settings.push(Setting { preset, config });
            }
        }
    }
    Ok(settings)
}

/// The values without repetitions, in their order.
fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(value) {
            distinct.push(*value);
        }
    }
    distinct
}

fn or_default(values: &[usize], default: usize) -> Vec<usize> {
    if values.is_empty() {
        vec![default]
    } else {
        distinct(values)
    }
}

fn at_least_one(option: &str, values: &[usize]) -> Result<()> {
    if values.contains(&0) {
        bail!("{option} must be at least 1, but is 0");
    }
    Ok(())
}

/// Refuses a batch whose inputs and states alone are more than the machine has memory for: an
/// allocation that fails ends a program without an explanation.
fn check_memory(setting: &Setting, memory: u64) -> Result<()> {
    let config = &setting.config;
    let units: usize = config
        .energy()
        .layers
        .iter()
        .map(|layer| layer.n_units())
        .sum();
    let per_example = (config.energy().input.n_units() + units) * size_of::<f32>();
    let bytes = config.batch_size as f64 * per_example as f64;
    if bytes > memory as f64 {
        bail!(
            "{setting}: a batch takes {:.1} GB, but the machine has {:.1} GB of memory; lower \
             --batch",
            bytes / 1e9,
            memory as f64 / 1e9
        );
    }
    Ok(())
}
