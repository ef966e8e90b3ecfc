//! `eqprop compare`.

mod data;
mod design;
mod differences;
mod estimate;
mod keeper;
mod page;
mod progress;
mod results;

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use eqprop_bench::comparison::{ArmCost, Checkpoints, Comparison, Event, StoredComparison};
use eqprop_bench::timing::{self, Timed};
use eqprop_train::file::remove_temporary;
use eqprop_train::panic;

use crate::cli::CompareArguments;
use crate::device::{self, NamedDevice};
use crate::interrupt::Interrupt;
use crate::machine::{Machine, command_line, quote};
use crate::output::Report;
use crate::report_folder::ReportFolder;
use data::ArmData;
use keeper::Keeper;
use progress::Display;
use results::Results;

/// Number of timed rounds for single training steps.
const ROUNDS: usize = 9;
const SEEDS: usize = 3;

/// Everything needed to train a comparison.
struct Prepared {
    folder: ReportFolder,
    results: Results,
    device: NamedDevice,
    data: ArmData,
}

/// Trains each arm with each seed, and reports how the arms compare.
///
/// # Errors
/// If a configuration, a method, the data, the device or the report folder cannot be used. A comparison that
/// is interrupted or cannot be written is reported as far as it got.
pub fn run(arguments: CompareArguments) -> Result<Report> {
    let Prepared {
        folder,
        mut results,
        device,
        data,
    } = if arguments.resume {
        resume(&arguments)?
    } else {
        start(&arguments)?
    };
    // From here on the comparison can be resumed.
    keeper::write_state(&folder, &results)?;

    let interrupt = Interrupt::listen();
    let go_on = || match interrupt.is_set() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let display = Display::new(results.comparison(), &data);
    display.say(&format!("results are kept in {}", folder.path().display()));
    time_steps(&mut results, &data, &device, &display, go_on)?;
    let n_left = results.comparison().n_left();
    if let Some(time) = estimate::remaining(&results, &data).filter(|_| n_left > 0) {
        let (time, plural) = (estimate::words(time), if n_left == 1 { "" } else { "s" });
        display.say(&format!("{n_left} training{plural} will take about {time}"));
    }

    let mut checkpoints = Checkpoints::new(keeper::checkpoints(&folder));
    if let Some(milliseconds) = arguments.save_every {
        checkpoints = checkpoints.every(Duration::from_millis(milliseconds));
    }
    let mut comparison = results.comparison().clone();
    let mut keeper = Keeper::new(&folder, &checkpoints, results);
    let mut is_unsaved = false;
    let outcome = if interrupt.is_set() {
        Ok(ControlFlow::Break(()))
    } else {
        comparison.train(
            |arm| data.of(arm),
            &device.device,
            Some(&checkpoints),
            |event| {
                display.show(&event);
                let unwritten = match &event {
                    Event::Batch { .. } => None,
                    Event::Epoch {
                        run, comparison, ..
                    } => keeper.keep(run, comparison),
                    // Reported only once: the next failure will hardly be different.
                    Event::Unsaved { .. } if std::mem::replace(&mut is_unsaved, true) => None,
                    Event::Unsaved { error } => Some(describe(*error)),
                };
                if let Some(error) = unwritten {
                    display.say(&format!("{error:#}; the training goes on"));
                }
                go_on()
            },
        )
    };
    display.finish();

    let is_empty = comparison.runs.iter().all(|run| run.epochs.is_empty());
    let (is_interrupted, error) = match outcome {
        Err(error) if is_empty => return Err(error.into()),
        Err(error) => (false, Some(describe(&error))),
        Ok(flow) => (flow.is_break(), None),
    };
    let (results, place, unwritten) = keeper.finish(comparison);
    let mut text = results.table() + &differences::text(&results) + &results.unlearned();
    let mut failures = Vec::new();
    if let Some(place) = &place {
        text += &format!("\nreport: {}", place.join(keeper::PAGE).display());
    }
    if let Some(error) = unwritten {
        failures.push(match &place {
            Some(place) => format!("{error:#}; everything is in `{}` instead", place.display()),
            None => format!("{error:#}"),
        });
    }
    failures.extend(error.map(|error| error.to_string()));
    let missing = results.comparison().missing();
    if !missing.is_empty() {
        let why = if is_interrupted {
            "interrupted"
        } else {
            "not all trainings finished"
        };
        failures.push(format!("{why}; missing: {}", missing.join("; ")));
    }
    if let Some(place) = place.filter(|_| is_interrupted && !missing.is_empty()) {
        let command = resume_command(&place, &arguments);
        failures.push(format!("go on with `{command}`"));
    }
    let failure = (!failures.is_empty()).then(|| failures.join("; "));
    Ok(Report::new(text, &results.to_json()).with_failure(failure))
}

/// Prepares a new comparison.
fn start(arguments: &CompareArguments) -> Result<Prepared> {
    let (name, plan, read) = design::plan(arguments)?;
    let comparison = Comparison::of(plan, arguments.seeds.unwrap_or(SEEDS))?;
    let device = device::open(arguments.device.device.as_deref())?;
    let data_dir = arguments.data.data_dir.as_deref();
    let data = ArmData::load(comparison.arms(), read.as_ref(), data_dir)?;
    comparison.try_out(|arm| data.of(arm), &device.device)?;
    // Last, so that nothing is left behind if something above fails.
    let folder = match &arguments.report {
        None => ReportFolder::make(&keeper::name(&name))?,
        Some(path) => {
            check_unused(path)?;
            let folder = ReportFolder::prepare(path)?;
            // Another process may have written there before this one held the lock.
            check_unused(path)?;
            folder
        }
    };
    let stored = StoredComparison::new(
        comparison,
        name,
        device.name.clone(),
        data.fingerprint(),
        command_line(),
    );
    Ok(Prepared {
        folder,
        results: Results {
            stored,
            machine: Machine::look(&device.name),
        },
        device,
        data,
    })
}

/// Prepares the comparison of an earlier process to be resumed.
fn resume(arguments: &CompareArguments) -> Result<Prepared> {
    let path = arguments
        .report
        .as_deref()
        .expect("clap: --resume requires --report");
    let file = path.join(keeper::STATE);
    if !file.is_file() {
        bail!(
            "`{}` holds no comparison: it has no {}; `eqprop compare --report DIR` makes one",
            path.display(),
            keeper::STATE
        );
    }
    let folder = ReportFolder::lock(path)?;
    remove_temporary(path);
    let text = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let stored = StoredComparison::from_json(&text);
    let mut stored = stored.with_context(|| format!("cannot go on with `{}`", file.display()))?;

    let before = stored.comparison.clone();
    let more = design::addition(arguments, &before.plan.config)?;
    stored = stored.extended(arguments.epochs, arguments.seeds, &more)?;
    if (&before.plan, &before.seeds) != (&stored.comparison.plan, &stored.comparison.seeds) {
        stored.command = format!("{} && {}", stored.command, command_line());
    }
    let added = more.presets.iter().map(|preset| &preset.name);
    let added = added.filter(|name| before.plan.presets.iter().all(|there| there.name != **name));
    stored.preset = added.fold(stored.preset, |presets, name| format!("{presets}, {name}"));
    let name = arguments.device.device.as_deref();
    let device = device::open(Some(name.unwrap_or(&stored.device)))?;
    stored.device.clone_from(&device.name);
    let data_dir = arguments.data.data_dir.as_deref();
    let data = ArmData::load(stored.comparison.arms(), None, data_dir)?;
    if data.fingerprint() != stored.data {
        bail!(
            "the data is not that of the comparison in `{}`: name the folder of that with --data-dir, \
             or start a new comparison",
            path.display()
        );
    }
    Ok(Prepared {
        folder,
        results: Results {
            machine: Machine::look(&device.name),
            stored,
        },
        device,
        data,
    })
}

/// Returns an error with all its causes.
fn describe(error: &dyn std::error::Error) -> Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        text += &format!(": {reason}");
        source = reason.source();
    }
    Error::msg(text)
}

/// Refuses a folder that already holds a comparison.
fn check_unused(path: &Path) -> Result<()> {
    let mut files = keeper::FILES.iter().map(|name| path.join(name));
    if let Some(file) = files.find(|file| file.exists()) {
        bail!(
            "`{}` is there already and is not overwritten: name another folder with --report, or go on \
             with the comparison in this one with --resume",
            file.display()
        );
    }
    Ok(())
}

/// Times a training step of each arm that has not been timed.
fn time_steps(
    results: &mut Results,
    data: &ArmData,
    device: &NamedDevice,
    display: &Display,
    mut go_on: impl FnMut() -> ControlFlow<()>,
) -> Result<()> {
    let what = if results.is_of_methods() {
        "method"
    } else {
        "arm"
    };
    let StoredComparison {
        comparison, steps, ..
    } = &mut results.stored;
    let arms = comparison.arms().iter();
    let new: Vec<_> = arms
        .filter(|arm| steps.iter().all(|step| step.arm != arm.name))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    display.say(&format!("timing a training step of each {what}"));
    let timed = new.iter().map(|arm| Timed {
        config: &arm.config,
        method: arm.method,
        options: &arm.options,
        examples: Some(&data.of(arm).train),
    });
    let timed: Vec<Timed<'_>> = timed.collect();
    // A device that runs out of memory panics.
    let measured =
        panic::catch(|| timing::measure_trainings(&timed, ROUNDS, &device.device, |_| go_on()));
    match measured {
        Ok(measured) => {
            let costs = measured?.into_iter().flatten();
            steps.extend(new.iter().zip(costs).map(|(arm, cost)| ArmCost {
                arm: arm.name.clone(),
                cost,
            }));
        }
        Err(message) => display.say(&format!("no step is timed: {message}")),
    }
    steps.sort_by_key(|step| {
        let mut arms = comparison.arms().iter();
        arms.position(|arm| arm.name == step.arm)
    });
    Ok(())
}

/// Returns the command that resumes the comparison in `folder`.
fn resume_command(folder: &Path, arguments: &CompareArguments) -> String {
    let mut command = format!(
        "eqprop compare --resume --report {}",
        quote(folder.as_os_str())
    );
    if let Some(data_dir) = &arguments.data.data_dir {
        command += &format!(" --data-dir {}", quote(data_dir.as_os_str()));
    }
    if let Some(device) = &arguments.device.device {
        command += &format!(" --device {}", quote(OsStr::new(device)));
    }
    command
}
