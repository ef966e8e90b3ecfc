//! `eqprop bench`.

mod baseline;
mod progress;
mod relaxations;
mod results;
mod setting;

use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use eqprop_bench::timing;
use eqprop_train::panic;

use crate::cli::BenchArguments;
use crate::device;
use crate::interrupt::Interrupt;
use crate::machine::Machine;
use crate::output::Report;
use baseline::Baseline;
use progress::Display;
use results::{Measured, Results};
use setting::{Inputs, Setting, check_memory, distinct, examples, settings};

/// Times a training step of each method, for each preset, batch size and number of steps; or compares
/// relaxation dynamics.
///
/// # Errors
/// If a number is 0, a configuration cannot work, a method cannot run on one of the networks, or the device
/// cannot be used: all this before anything is timed. A measurement that is interrupted or that the device
/// ends is reported as far as it got; so is one that is slower than the baseline.
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
