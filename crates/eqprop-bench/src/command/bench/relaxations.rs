//! `eqprop bench --relaxations`.

use std::mem::discriminant;
use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_bench::relaxations::{RESIDUALS, Reached, RelaxationComparison, RelaxationCost};
use eqprop_core::relaxation::Scheme;
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::training::Training;
use serde::Serialize;

use super::results::milliseconds;
use super::setting::{Setting, settings};
use crate::cli::{BenchArguments, Override, at_least_one};
use crate::device::{self, NamedDevice};
use crate::machine::Machine;
use crate::output::{Report, say};
use crate::table::{heads, table};

/// The most steps if `--steps` is not given, in configured free phases.
const PHASES: usize = 5;

/// The output of `bench --relaxations --json`.
#[derive(Debug, Serialize)]
struct Document {
    version: &'static str,
    machine: Machine,
    rounds: usize,
    epochs: usize,
    results: Vec<Measured>,
}

/// The results of every dynamics on one setting, for JSON. Times are in seconds.
#[derive(Debug, Serialize)]
struct Measured {
    preset: &'static str,
    network: String,
    batch_size: usize,
    max_steps: usize,
    relaxations: Vec<RelaxationCost>,
}

/// Compares the free phases of the dynamics, for each preset and batch size.
///
/// # Errors
/// If a number is 0, a configuration cannot work, or the data or the device cannot be used.
pub fn run(arguments: &BenchArguments) -> Result<Report> {
    at_least_one("--rounds", &[arguments.rounds])?;
    let settings = settings(arguments)?;
    let device = device::open(arguments.device.device.as_deref())?;
    let mut results = Vec::new();
    for setting in &settings {
        results.push(measure(setting, arguments, &device)?);
    }
    let machine = Machine::look(&device.name);
    let document = Document {
        version: machine.eqprop,
        machine,
        rounds: arguments.rounds,
        epochs: arguments.epochs,
        results,
    };
    Ok(Report::new(text(&document), &document))
}

fn measure(
    setting: &Setting,
    arguments: &BenchArguments,
    device: &NamedDevice,
) -> Result<Measured> {
    let preset = setting.preset.name();
    let max_steps = if arguments.steps.is_empty() {
        PHASES * setting.config.phases.free_steps
    } else {
        setting.config.phases.free_steps
    };
    let batch_size = setting.config.batch_size;
    // The training is that of the preset; the batch size applies to the relaxation only.
    let mut config = Override::apply(&arguments.overrides, setting.base.clone())?;
    config.epochs = arguments.epochs.max(1);
    let dataset = config.load_data(arguments.data_dir.as_deref())?;
    let examples = &dataset.train;
    if batch_size > examples.len() {
        bail!(
            "a batch of {batch_size} is more than the {} training examples; lower --batch",
            examples.len()
        );
    }
    let mut training = Training::new(config.clone(), &dataset, &device.device)?;
    for epoch in 1..=arguments.epochs {
        say(format_args!(
            "{preset}: training, epoch {epoch}/{}",
            arguments.epochs
        ));
        training.run_epoch(|_| ControlFlow::Continue(()))?;
    }
    let network = training.learner().valid().network;
    let order = Order::Shuffled { seed: config.seed };
    let loader = BatchLoader::new(examples, batch_size, order, &device.device);
    let batch = loader.batches(0, 0).next();
    let input: Tensor<2> = batch.context("there is an example")??.input;
    // The configured dynamics keeps its options, the others have their default ones.
    let own = config.phases.dynamics;
    let is_own = |scheme: &Scheme| discriminant(scheme) == discriminant(&own);
    let schemes = Scheme::all().map(|scheme| if is_own(&scheme) { own } else { scheme });
    let mut schemes = schemes.to_vec();
    if !schemes.contains(&own) {
        schemes.push(own);
    }
    let comparison = RelaxationComparison {
        dynamics: schemes,
        max_steps,
        rounds: arguments.rounds,
    };
    let relaxations = comparison.run(&network, &input, |done, total| {
        say(format_args!(
            "{preset}, batch {batch_size}: {done} of {total} relaxations"
        ));
    });
    Ok(Measured {
        preset,
        network: config.notation(),
        batch_size,
        max_steps,
        relaxations,
    })
}

fn text(document: &Document) -> String {
    let trained = match document.epochs {
        0 => "at its initial weights".to_string(),
        1 => "after 1 epoch".to_string(),
        n => format!("after {n} epochs"),
    };
    let mut text = format!(
        "device {}, {}; median times of {} rounds\n\
         Steps of the free phase until half / all of the examples are within a residual, and ms of \
         all.\n",
        document.machine.device, document.machine.processor, document.rounds
    );
    for measured in &document.results {
        let Measured {
            preset,
            network,
            batch_size,
            ..
        } = measured;
        text += &format!("\n{preset} ({network}) {trained}, batch {batch_size}\n");
        let mut rows = vec![heads(["dynamics", "ms/step"])];
        rows[0].extend(RESIDUALS.map(|residual| format!("{residual:.0e}")));
        for cost in &measured.relaxations {
            let mut row = vec![cost.dynamics.to_string(), milliseconds(cost.step.median)];
            row.extend(cost.reached.iter().map(cell));
            rows.push(row);
        }
        text += &table(&rows);
    }
    text
}

/// Formats a cell such as `11/16 (204)`, with dashes for residuals that were not reached.
fn cell(reached: &Reached) -> String {
    let steps = |steps: Option<usize>| steps.map_or("-".to_string(), |steps| steps.to_string());
    let time = match reached.seconds {
        Some(seconds) => format!(" ({})", milliseconds(seconds)),
        None => String::new(),
    };
    format!("{}/{}{time}", steps(reached.half), steps(reached.all))
}
