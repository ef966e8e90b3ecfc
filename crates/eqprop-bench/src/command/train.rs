//! `eqprop train`.

mod progress;

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, bail};
use burn::module::Module;
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::data::Dataset;
use eqprop_train::error::TrainingError;
use eqprop_train::training::{ByPart, EpochRecord, Training};
use serde::Serialize;

use crate::chance;
use crate::cli::{TrainArguments, load_data};
use crate::device::{self, NamedDevice};
use crate::figure::{self, RelaxationCourse};
use crate::interrupt::Interrupt;
use crate::machine::quote;
use crate::output::{Measure, Report, held_out_errors, say, training_error};
use crate::run::{RunConfig, RunData, RunFolder, load_run_data};
use crate::tensorboard::{EventFile, Measured};
use progress::Display;

/// Number of test examples whose relaxation is drawn.
const N_DRAWN: usize = 5;
/// Epoch after which an error as by chance is told.
const DOUBTFUL: usize = 3;

/// The output of `train --json`, and the content of `summary.json`. Errors are shares of the examples or of
/// their labels, in [0, 1], or mean distances from quantities.
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::output::path")]
    run: std::path::PathBuf,
    version: &'static str,
    device: String,
    dataset: String,
    seed: u64,
    epochs: usize,
    finished: bool,
    validation_error: Option<f64>,
    best_validation_error: Option<f64>,
    test_error: Option<f64>,
    best_test_error: Option<f64>,
    train_error: Option<f64>,
    /// R² after the last epoch, where quantities are learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    r_squared: Option<ByPart>,
    /// Exact matches after the last epoch, where several labels are learned at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    exact_matches: Option<ByPart>,
    seconds: f64,
    samples_per_second: f64,
    /// Share of the training time outside the gradient estimator and the optimizer.
    overhead: f64,
}

/// Trains a network.
///
/// # Errors
/// If the configuration, the data, the device or the run folder cannot be used, or the cost becomes infinite.
/// Checkpoints of finished epochs are kept.
pub fn run(arguments: TrainArguments) -> Result<Report> {
    let started = if arguments.resume {
        resume(&arguments)?
    } else {
        start(&arguments)?
    };
    train(started, &arguments)
}

/// A run that is ready for training.
struct Started {
    folder: RunFolder,
    training: Training,
    device: NamedDevice,
    dataset: Dataset,
}

fn start(arguments: &TrainArguments) -> Result<Started> {
    let (name, mut config, read) = arguments.model.configure_with_data()?;
    config.epochs = arguments.epochs.unwrap_or(config.epochs);
    config.seed = arguments.seed.unwrap_or(config.seed);
    config.validate()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let data_dir = arguments.data.data_dir.as_deref();
    let dataset = load_data(&config, read, data_dir)?;
    let training = Training::new(config, &dataset, &device.device)?;
    // With the settings that the data decided.
    let config = training.config().clone();
    if let Some(Some(place)) = &arguments.tensorboard
        && EventFile::is_in(place)
    {
        bail!(
            "`{}` has the events of another run: name another folder with --tensorboard",
            place.display()
        );
    }
    // Last, so that nothing is left behind if something above fails.
    let folder = RunFolder::create(arguments.run.as_deref(), &name)?;
    let data = RunData::of(&dataset, data_dir);
    folder.write_config(&RunConfig::new(&device, Some(data), config))?;
    Ok(Started {
        folder,
        training,
        device,
        dataset,
    })
}

fn resume(arguments: &TrainArguments) -> Result<Started> {
    let path = arguments
        .run
        .as_deref()
        .expect("clap: --resume requires --run");
    let folder = RunFolder::open_to_write(path)?;
    let RunConfig {
        device,
        data,
        mut training,
        ..
    } = folder.config()?;
    if let Some(epochs) = arguments.epochs {
        training.epochs = epochs;
        training.validate()?;
    }
    let named = arguments.device.device.as_deref();
    let named = device::open(Some(named.unwrap_or(&device)))?;
    let checkpoint = Checkpoint::load_latest(folder.path())?;
    if let Some(checkpoint) = &checkpoint {
        checkpoint.check_continues(&training)?;
    }
    let data_dir = RunData::folder(data.as_ref(), arguments.data.data_dir.as_deref());
    let dataset = load_run_data(&training, data_dir.as_deref())?;
    let found = RunData::of(&dataset, data_dir.as_deref());
    if let Some(data) = data.filter(|data| data.fingerprint != found.fingerprint) {
        return Err(other_data(path, &data, &found));
    }
    // The recorded device is still the one on which the run was started.
    let mut config = RunConfig::new(&named, Some(found), training);
    config.device = device;
    let mut training = Training::new(config.training.clone(), &dataset, &named.device)?;
    match checkpoint {
        Some(checkpoint) => {
            let unfinished = checkpoint.state.unfinished.as_ref();
            let within = unfinished.map(|epoch| format!(" and {} updates", epoch.n_updates));
            training = training.restore(checkpoint)?;
            let n_epochs = training.records().len();
            let within = within.unwrap_or_default();
            say(format_args!("going on after {n_epochs} epochs{within}"));
        }
        None => say("there is no checkpoint yet: starting from the beginning"),
    }
    folder.write_config(&config)?;
    Ok(Started {
        folder,
        training,
        device: named,
        dataset,
    })
}

/// Explains why a run does not resume with other data, and how it would.
fn other_data(run: &Path, expected: &RunData, found: &RunData) -> Error {
    let place = |data: &RunData| match &data.folder {
        Some(folder) => format!(" in `{folder}`"),
        None => String::new(),
    };
    anyhow!(
        "these are not the data that the run began with: those{} had the SHA-256 {:.12}…, and these{} \
         have {:.12}…; were files added, removed or changed? Put them back, or name the place of its data \
         by --data-dir. To train on with these data, begin a new run with its weights: \
         `eqprop export {run} weights.safetensors`, `eqprop import weights.safetensors --run NEW`, \
         `eqprop train --resume --run NEW`",
        place(expected),
        expected.fingerprint,
        place(found),
        found.fingerprint,
        run = quote(run.as_os_str()),
    )
}

fn train(started: Started, arguments: &TrainArguments) -> Result<Report> {
    let Started {
        folder,
        mut training,
        device,
        dataset,
    } = started;
    let mut events = events(arguments, &folder)?;
    let interrupt = Interrupt::listen();
    let display = Display::new(&training);
    display.say(&format!(
        "{} parameters, {} training examples, device {}, run {}",
        training.learner().num_params(),
        training.n_examples(),
        device.name,
        folder.path().display()
    ));
    let chance = chance::error(&dataset.train);
    let is_chance = |record: &EpochRecord| chance::is_reached(record.train_error, chance);
    let mut cadence = arguments.checkpoint_every.clock(&training);
    while !training.is_finished() {
        let outcome = training.run_epoch(|progress| {
            display.update(&progress);
            if interrupt.is_set() || cadence.is_due(&progress) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let record = outcome.inspect_err(|_| display.finish());
        let record = record.map_err(|error| kept(error, &folder))?;
        // The checkpoint comes first: the other files can be made again from it.
        training.checkpoint().save(folder.path())?;
        cadence = arguments.checkpoint_every.clock(&training);
        if let Some(record) = &record {
            write_results(&folder, &training, &device, &dataset)?;
            if let Some(events) = &mut events {
                events.write(training.records(), measured)?;
            }
            display.epoch(record);
            if record.epoch == DOUBTFUL && is_chance(record) && !training.is_finished() {
                display.say(&format!("note: {}", chance::advice(training.config())));
            }
        }
        if interrupt.is_set() && !training.is_finished() {
            display.finish();
            return Err(interrupted(&folder, arguments));
        }
    }
    display.finish();
    let summary = write_results(&folder, &training, &device, &dataset)?;
    if let Some(events) = &mut events {
        // Epochs that a killed process measured but did not write.
        events.write(training.records(), measured)?;
    }
    let mut text = training.records().last().map_or(String::new(), |record| {
        let train_error = training_error(record);
        let lowest = lowest(training.records());
        format!("{}{lowest}, {train_error} ", held_out_errors(record))
    });
    text += &format!(
        "after {} epochs ({:.1} s, {:.0} samples/s)\nrun: {}",
        summary.epochs,
        summary.seconds,
        summary.samples_per_second,
        folder.path().display()
    );
    if training.records().last().is_some_and(is_chance) {
        text += &format!("\nnote: {}", chance::advice(training.config()));
    }
    Ok(Report::new(text, &summary))
}

/// Names the lowest held-out error, if it is not the last one.
fn lowest(records: &[EpochRecord]) -> String {
    let held_out = |record: &EpochRecord| record.validation_error.or(record.test_error);
    let errors = records
        .iter()
        .filter_map(|record| Some((record.epoch, held_out(record)?)));
    let lowest = errors.min_by(|(_, a), (_, b)| a.total_cmp(b));
    match (lowest, records.last()) {
        (Some((epoch, error)), Some(last)) if held_out(last).is_some_and(|last| error < last) => {
            let error = Measure::of_record(last).text(error);
            format!(" (lowest on the way: {error} in epoch {epoch})")
        }
        _ => String::new(),
    }
}

/// Opens the event file for TensorBoard, if one is requested or the run has one in its folder.
fn events(arguments: &TrainArguments, folder: &RunFolder) -> Result<Option<EventFile>> {
    let place = match &arguments.tensorboard {
        Some(named) => named.as_deref().unwrap_or(folder.path()),
        None if arguments.resume && EventFile::is_in(folder.path()) => folder.path(),
        None => return Ok(None),
    };
    EventFile::open(place).map(Some)
}

/// Explains why a training ended, and which checkpoint is left.
fn kept(error: TrainingError, folder: &RunFolder) -> Error {
    let error = Error::from(error);
    match Checkpoint::load_latest(folder.path()) {
        Ok(Some(checkpoint)) => {
            let n_epochs = checkpoint.state.records.len();
            let advice = format!("the checkpoint after {n_epochs} epochs is kept");
            anyhow!("{error:#}; {advice}")
        }
        _ => error,
    }
}

/// Reports the interruption, and a command that resumes the training.
fn interrupted(folder: &RunFolder, arguments: &TrainArguments) -> Error {
    let mut command = format!(
        "eqprop train --resume --run {}",
        quote(folder.path().as_os_str())
    );
    if let Some(folder) = &arguments.data.data_dir {
        command += &format!(" --data-dir {}", quote(folder.as_os_str()));
    }
    if let Some(device) = &arguments.device.device {
        command += &format!(" --device {}", quote(device.as_ref()));
    }
    if let Some(Some(folder)) = &arguments.tensorboard {
        command += &format!(" --tensorboard {}", quote(folder.as_os_str()));
    }
    anyhow!("interrupted; go on with `{command}`")
}

/// Writes all files except the checkpoint.
fn write_results(
    folder: &RunFolder,
    training: &Training,
    device: &NamedDevice,
    dataset: &Dataset,
) -> Result<Summary> {
    let records = training.records();
    folder.write_model(training.learner().clone().into_record())?;
    folder.write("metrics.csv", &metrics(records)?)?;
    folder.write("curves.svg", figure::curves(records)?.as_bytes())?;

    let test = figure::classes_in_turn(dataset.test.clone());
    let examples = test.take(N_DRAWN).in_memory()?;
    let (config, network) = (training.config(), training.learner().valid().network);
    let course = RelaxationCourse::follow(&network, config, &examples, &device.device);
    folder.write("relaxation.svg", course.chart()?.as_bytes())?;
    let learner = training.learner().valid();
    if let Some(fit) = figure::fit(&learner, &dataset.test, &device.device)? {
        folder.write("fit.svg", fit.as_bytes())?;
    }

    let summary = summarize(folder, training, device);
    folder.write("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

fn summarize(folder: &RunFolder, training: &Training, device: &NamedDevice) -> Summary {
    let records = training.records();
    let total = |part: fn(&EpochRecord) -> f64| records.iter().map(part).sum::<f64>();
    let seconds = total(|record| record.seconds);
    let inside = total(|record| record.seconds_estimating + record.seconds_optimizing);
    let last = records.last();
    let best =
        |error: fn(&EpochRecord) -> Option<f64>| records.iter().filter_map(error).reduce(f64::min);
    Summary {
        run: folder.path().to_path_buf(),
        version: env!("CARGO_PKG_VERSION"),
        device: device.name.clone(),
        dataset: training.config().data.dataset.to_string(),
        seed: training.config().seed,
        epochs: records.len(),
        finished: training.is_finished(),
        validation_error: last.and_then(|record| record.validation_error),
        best_validation_error: best(|record| record.validation_error),
        test_error: last.and_then(|record| record.test_error),
        best_test_error: best(|record| record.test_error),
        train_error: last.map(|record| record.train_error),
        r_squared: last.and_then(|record| record.r_squared),
        exact_matches: last.and_then(|record| record.exact_matches),
        seconds,
        samples_per_second: (records.len() * training.n_examples()) as f64 / seconds,
        overhead: 1.0 - inside / seconds,
    }
}

/// Returns the measurements of an epoch, by name.
fn measured(record: &EpochRecord) -> Measured {
    let numbers = [
        ("train_error", Some(record.train_error)),
        ("train_cost", Some(record.train_cost)),
        ("validation_error", record.validation_error),
        ("validation_cost", record.validation_cost),
        ("test_error", record.test_error),
        ("test_cost", record.test_cost),
        ("energy", record.energy),
        ("residual", Some(record.residual)),
        ("unconverged", Some(record.unconverged)),
        ("free_steps", Some(record.free_steps)),
        ("seconds", Some(record.seconds)),
        ("seconds_estimating", Some(record.seconds_estimating)),
        ("seconds_optimizing", Some(record.seconds_optimizing)),
    ];
    let beside = [
        ("r_squared", record.r_squared),
        ("exact_matches", record.exact_matches),
    ];
    let beside = beside.into_iter().filter_map(|(name, found)| {
        let found = found?;
        let parts = [
            ("train", found.train),
            ("validation", found.validation),
            ("test", found.test),
        ];
        Some(parts.map(|(part, number)| (format!("{part}_{name}"), number)))
    });
    let numbers = numbers.map(|(name, number)| (name.to_string(), number));
    let numbers = numbers.into_iter().chain(beside.flatten());
    let ratios = record.update_ratios.iter();
    let ratios = ratios.map(|(path, ratio)| (format!("update_ratio.{path}"), Some(*ratio)));
    numbers.chain(ratios).collect()
}

/// Writes one line per epoch.
fn metrics(records: &[EpochRecord]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        let (names, numbers): (Vec<_>, Vec<_>) = measured(record).into_iter().unzip();
        if record.epoch == records[0].epoch {
            writer.write_record(std::iter::once("epoch".to_string()).chain(names))?;
        }
        let cells = numbers.into_iter();
        let cells = cells.map(|number| number.map_or(String::new(), |number| number.to_string()));
        writer.write_record(std::iter::once(record.epoch.to_string()).chain(cells))?;
    }
    writer
        .into_inner()
        .context("a table in memory can always be written")
}
