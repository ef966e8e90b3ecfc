//! `eqprop train`.

mod progress;

use std::ops::ControlFlow;

use anyhow::{Context, Error, Result, anyhow, bail};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, DatasetKind};
use eqprop_train::training::{EpochRecord, Training};
use serde::Serialize;

use crate::cli::TrainArguments;
use crate::device::{self, NamedDevice};
use crate::figure::{self, Course};
use crate::interrupt::Interrupt;
use crate::output::{Report, percent, say};
use crate::run::{RunConfig, RunFolder};
use progress::Display;

/// Test examples whose relaxation is drawn.
const N_DRAWN: usize = 5;

/// What `train --json` prints and `summary.json` holds. Errors are shares, in [0, 1].
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::output::path")]
    run: std::path::PathBuf,
    version: &'static str,
    device: String,
    dataset: DatasetKind,
    seed: u64,
    epochs: usize,
    finished: bool,
    test_error: Option<f64>,
    best_test_error: Option<f64>,
    train_error: Option<f64>,
    seconds: f64,
    samples_per_second: f64,
    /// Share of the training time outside the gradient estimator and the optimizer.
    overhead: f64,
}

/// Trains a network.
///
/// # Errors
/// If the configuration, the data, the device or the run folder cannot be used, or the cost
/// becomes infinite. Checkpoints of finished epochs are kept.
pub fn run(arguments: TrainArguments) -> Result<Report> {
    let (folder, training, device, dataset) = if arguments.resume {
        resume(&arguments)?
    } else {
        start(&arguments)?
    };
    train(&folder, training, &device, &dataset)
}

type Started = (RunFolder, Training, NamedDevice, Dataset);

fn start(arguments: &TrainArguments) -> Result<Started> {
    let (name, mut config) = arguments.model.configure()?;
    config.epochs = arguments.epochs.unwrap_or(config.epochs);
    config.seed = arguments.seed.unwrap_or(config.seed);
    config.validate()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let dataset = config.load_data(arguments.data.data_dir.as_deref())?;
    let training = Training::new(config.clone(), &dataset, &device.device)?;
    // Last, so that nothing is left behind when something above cannot work.
    let folder = RunFolder::create(arguments.run.as_deref(), &name)?;
    folder.write_config(&RunConfig {
        version: env!("CARGO_PKG_VERSION").to_string(),
        device: device.name.clone(),
        training: config,
    })?;
    Ok((folder, training, device, dataset))
}

fn resume(arguments: &TrainArguments) -> Result<Started> {
    let path = arguments
        .run
        .as_deref()
        .expect("clap: --resume requires --run");
    let folder = RunFolder::open(path)?;
    let mut config = folder.config()?;
    if let Some(epochs) = arguments.epochs {
        config.training.epochs = epochs;
        config.training.validate()?;
    }
    let name = arguments.device.device.as_deref().unwrap_or(&config.device);
    let device = device::open(Some(name))?;
    let checkpoint = Checkpoint::load_latest(folder.path())?;
    if let Some(checkpoint) = &checkpoint {
        let done = checkpoint.state.records.len();
        if config.training.epochs < done {
            bail!("the run has finished {done} epochs already: --epochs must be at least that");
        }
        let stored = TrainingConfig {
            epochs: config.training.epochs,
            ..checkpoint.state.config.clone()
        };
        let differences = config.training.differences(&stored);
        if !differences.is_empty() {
            bail!(
                "config.json was changed since the checkpoint was written ({}): change it back, or \
                 start a new run",
                differences.join(", ")
            );
        }
    }
    let dataset = config
        .training
        .load_data(arguments.data.data_dir.as_deref())?;
    let mut training = Training::new(config.training.clone(), &dataset, &device.device)?;
    match checkpoint {
        Some(checkpoint) => {
            training = training.restore(checkpoint)?;
            say(format_args!(
                "going on after epoch {}",
                training.records().len()
            ));
        }
        None => say(format_args!(
            "no epoch was finished: starting from the beginning"
        )),
    }
    folder.write_config(&config)?;
    Ok((folder, training, device, dataset))
}

fn train(
    folder: &RunFolder,
    mut training: Training,
    device: &NamedDevice,
    dataset: &Dataset,
) -> Result<Report> {
    let interrupt = Interrupt::listen();
    let display = Display::new(&training);
    display.say(&format!(
        "{} parameters, {} training examples, device {}, run {}",
        training.learner().num_params(),
        training.n_examples(),
        device.name,
        folder.path().display()
    ));
    while !training.is_finished() {
        let outcome = training.run_epoch(|progress| {
            display.update(&progress);
            if interrupt.is_set() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let Some(record) = outcome? else {
            return Err(interrupted(folder, &display));
        };
        // The checkpoint comes first: the other files can be made again from it.
        training.checkpoint().save(folder.path())?;
        write_results(folder, &training, device, dataset)?;
        display.epoch(&record);
        // An epoch of a moment ends before it is asked whether to go on.
        if interrupt.is_set() && !training.is_finished() {
            return Err(interrupted(folder, &display));
        }
    }
    display.finish();
    let summary = write_results(folder, &training, device, dataset)?;
    let error = |share: Option<f64>| share.map_or("unknown".to_string(), percent);
    let text = format!(
        "test error {}, training error {} after {} epochs ({:.1} s, {:.0} samples/s)\nrun: {}",
        error(summary.test_error),
        error(summary.train_error),
        summary.epochs,
        summary.seconds,
        summary.samples_per_second,
        folder.path().display()
    );
    Ok(Report::new(text, &summary))
}

fn interrupted(folder: &RunFolder, display: &Display) -> Error {
    display.finish();
    anyhow!(
        "interrupted; go on with `eqprop train --resume --run {}`",
        folder.path().display()
    )
}

/// Writes everything but the checkpoint.
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

    let examples = dataset.test.clone().take(N_DRAWN);
    let shape = [examples.len(), examples.n_inputs()];
    let data = TensorData::new(examples.inputs, shape);
    let input = Tensor::from_data(data, &device.device);
    let n_steps = training.config().free_steps;
    let course = Course::follow(&training.learner().valid(), &input, n_steps);
    let labels: Vec<_> = examples
        .labels
        .iter()
        .map(|label| format!("a {label}"))
        .collect();
    folder.write("relaxation.svg", course.chart(&labels)?.as_bytes())?;

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
    let errors = records.iter().map(|record| record.test_error);
    Summary {
        run: folder.path().to_path_buf(),
        version: env!("CARGO_PKG_VERSION"),
        device: device.name.clone(),
        dataset: training.config().dataset,
        seed: training.config().seed,
        epochs: records.len(),
        finished: training.is_finished(),
        test_error: last.map(|record| record.test_error),
        best_test_error: errors.reduce(f64::min),
        train_error: last.map(|record| record.train_error),
        seconds,
        samples_per_second: (records.len() * training.n_examples()) as f64 / seconds,
        overhead: 1.0 - inside / seconds,
    }
}

/// One line per epoch.
fn metrics(records: &[EpochRecord]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = [
        "epoch",
        "train_error",
        "train_cost",
        "test_error",
        "test_cost",
        "energy",
        "residual",
        "unconverged",
        "free_steps",
        "seconds",
        "seconds_estimating",
        "seconds_optimizing",
    ]
    .map(String::from)
    .to_vec();
    if let Some(record) = records.first() {
        let names = record.update_ratios.iter();
        header.extend(names.map(|(path, _)| format!("update_ratio.{path}")));
    }
    writer.write_record(&header)?;
    for record in records {
        let mut row = vec![record.epoch.to_string()];
        let numbers = [
            record.train_error,
            record.train_cost,
            record.test_error,
            record.test_cost,
        ];
        row.extend(numbers.iter().map(f64::to_string));
        row.push(record.energy.map_or(String::new(), |e| e.to_string()));
        let numbers = [
            record.residual,
            record.unconverged,
            record.free_steps,
            record.seconds,
            record.seconds_estimating,
            record.seconds_optimizing,
        ];
        row.extend(numbers.iter().map(f64::to_string));
        row.extend(
            record
                .update_ratios
                .iter()
                .map(|(_, ratio)| ratio.to_string()),
        );
        writer.write_record(&row)?;
    }
    writer
        .into_inner()
        .context("a table in memory can always be written")
}
