//! `eqprop compare`.

mod page;
mod progress;
mod results;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eqprop_bench::comparison::{Comparison, Event};
use eqprop_bench::timing;
use eqprop_train::file::write_atomically;

use crate::cli::CompareArguments;
use crate::device;
use crate::interrupt::Interrupt;
use crate::output::{Report, say};
use progress::Display;
use results::Results;

/// Timed rounds of single training steps.
const ROUNDS: usize = 9;
/// A report in the making is written at most this often.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Trains the network by each method and reports how they compare.
///
/// # Errors
/// If the configuration, a method, the data, the device or the report folder cannot be used. An
/// interrupted comparison is reported as far as it got.
pub fn run(arguments: CompareArguments) -> Result<Report> {
    let (name, mut config) = arguments.model.configure()?;
    config.epochs = arguments.epochs.unwrap_or(config.epochs);
    config.seed = arguments.seed;
    let mut comparison = Comparison::new(config, arguments.methods, arguments.seeds)?;
    let device = device::open(arguments.device.device.as_deref())?;
    let config = &comparison.config;
    let dataset = config.load_data(arguments.data.data_dir.as_deref())?;
    if let Some(folder) = &arguments.report {
        prepare(folder)?;
    }

    let display = Display::new(&comparison, &dataset);
    display.say("timing a training step of each method");
    let examples = Some(&dataset.train);
    let methods = &comparison.methods;
    let steps = timing::measure(config, methods, ROUNDS, examples, &device.device)?;
    let mut results = Results::new(name, comparison.clone(), steps, &device.name);

    let interrupt = Interrupt::listen();
    let mut last_write = Instant::now();
    let mut write_error = None;
    let flow = comparison.train(&dataset, &device.device, |event| {
        if let Event::Epoch { comparison, .. } = &event
            && let Some(folder) = &arguments.report
            && last_write.elapsed() >= WRITE_EVERY
        {
            results.comparison = (*comparison).clone();
            write_error = write(folder, &results).err();
            last_write = Instant::now();
        }
        display.show(&event);
        if interrupt.is_set() || write_error.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    display.finish();
    results.comparison = comparison;
    if let Some(error) = write_error {
        say(format_args!("{}", results.table()));
        return Err(error);
    }
    let mut text = results.table();
    if let Some(folder) = &arguments.report {
        write(folder, &results)?;
        text += &format!("\nreport: {}", folder.join("report.html").display());
    }
    let missing = results.comparison.missing();
    let failure = (!missing.is_empty()).then(|| {
        let why = if flow.is_break() {
            "interrupted"
        } else {
            "not all trainings finished"
        };
        format!("{why}; missing: {}", missing.join("; "))
    });
    Ok(Report::new(text, &results.to_json()).with_failure(failure))
}

/// Makes the folder, and tries whether it can be written to: not after an hour of training.
fn prepare(folder: &Path) -> Result<()> {
    let writable =
        std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop));
    writable.with_context(|| {
        format!(
            "cannot write to the report folder `{}`: check its permissions, or name another with \
             --report",
            folder.display()
        )
    })
}

fn write(folder: &Path, results: &Results) -> Result<()> {
    let files = [
        (
            "results.json",
            serde_json::to_vec_pretty(&results.to_json())?,
        ),
        ("results.csv", results.csv()?),
        ("report.html", page::render(results)?.into_bytes()),
    ];
    for (name, bytes) in files {
        let path = folder.join(name);
        write_atomically(&path, &bytes)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
