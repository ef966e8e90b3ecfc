//! `eqprop fidelity`.

mod hardware;
mod picture;
mod progress;
mod results;
mod text;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use burn::module::Module;
use eqprop_bench::fidelity::{FidelityConfig, HardwareFidelityConfig, Machines};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::{HardwareConfig, TrainingConfig};
use eqprop_train::data::{Dataset, Examples};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::training::Training;

use crate::cli::{FidelityArguments, at_least_one, load_data};
use crate::device::{self, NamedDevice};
use crate::machine::{Machine, command_line};
use crate::output::{Measure, Report};
use crate::report_folder::ReportFolder;
use crate::run::RunFolder;
use progress::Display;
use results::{Found, Results};

/// The network to examine.
struct Subject {
    name: String,
    config: TrainingConfig,
    device: NamedDevice,
    dataset: Dataset,
    network: Trained,
}

/// A network that is already trained, or one to train.
enum Trained {
    Before(Box<EquilibriumNetwork<AnyField, AnyCost>>),
    Here(Box<Training>),
}

/// The question of a command line.
enum Examination {
    /// How true the gradient of the ideal machine is.
    Ideal(FidelityConfig),
    /// The fidelity of these machines' estimates.
    Machines(HardwareFidelityConfig, Vec<HardwareConfig>),
}

/// Examines the gradient of a network.
///
/// # Errors
/// If an argument, the configuration, the data, the device, the run or the report folder cannot be used, or
/// the network has no gradient to compare with. Results that cannot be written are still printed.
pub fn run(arguments: FidelityArguments) -> Result<Report> {
    let (n_batches, batch_size) = (arguments.batches, arguments.batch);
    at_least_one("--batches", &[n_batches])?;
    at_least_one("--batch", &[batch_size])?;
    ideal(arguments.bound).validate()?;
    let subject = match &arguments.run {
        Some(run) => open(run, &arguments)?,
        None => start(&arguments)?,
    };
    let examples = training_examples(&subject);
    let wanted = n_batches.checked_mul(batch_size);
    if wanted.is_none_or(|wanted| wanted > examples.len()) {
        bail!(
            "{n_batches} batches of {batch_size} examples are more than the {} training examples: \
             lower --batches or --batch",
            examples.len()
        );
    }
    let examination = Examination::of(&arguments, &subject.config)?;
    // Last, so that nothing is left behind if something above fails.
    let folder = arguments.report.as_deref().map(ReportFolder::prepare);
    let folder = folder.transpose()?;

    let display = Display::new(Measure::of(&subject.config.data.dataset));
    let (network, test_error) = match subject.network {
        Trained::Before(network) => (*network, None),
        Trained::Here(training) => train(*training, arguments.epochs, &display)?,
    };
    let order = Order::Shuffled {
        seed: subject.config.seed,
    };
    let loader = BatchLoader::new(&examples, batch_size, order, &subject.device.device);
    let batches = loader.batches(0, 0).take(n_batches);
    let batches = batches.collect::<Result<Vec<Batch>, _>>()?;
    let clock = Instant::now();
    let found = examination.run(&subject.config, &network, &batches, &display)?;
    display.finish();
    let results = Results {
        command: command_line(),
        machine: Machine::look(&subject.device.name),
        network: subject.name,
        epochs: arguments.run.is_none().then_some(arguments.epochs),
        test_error,
        training: subject.config,
        batches: n_batches,
        batch_size,
        seconds: clock.elapsed().as_secs_f64(),
        found,
    };
    let mut text = match &results.found {
        Found::Ideal(found) => text::render(&results, found),
        Found::Machines(found) => hardware::render(&results, found),
    };
    // Results are printed whether or not they can be written.
    let unwritten = folder.and_then(|folder| write(&folder, &results, &mut text).err());
    let failure = unwritten.map(|error| format!("{error:#}"));
    Ok(Report::new(text, &results).with_failure(failure))
}

/// The examination of the ideal machine, with a bound on the cosine if one was given.
fn ideal(bound: Option<f64>) -> FidelityConfig {
    let examination = FidelityConfig::new();
    match bound {
        Some(bound) => examination.with_bound(bound),
        None => examination,
    }
}

impl Examination {
    /// The question that the command line asks about a network of this configuration.
    fn of(arguments: &FidelityArguments, config: &TrainingConfig) -> Result<Self> {
        let named = arguments.hardware.iter();
        let mut machines = named
            .map(|machine| machine.hardware(config))
            .collect::<Result<Vec<_>>>()?;
        let own = &config.hardware;
        if machines.is_empty() && own.state_defects().is_some() {
            machines.push(own.without_update_defects());
        }
        let mut examination = HardwareFidelityConfig::new();
        match (machines.is_empty(), arguments.draws) {
            (true, None) => Ok(Self::Ideal(ideal(arguments.bound))),
            (true, Some(_)) => bail!(
                "--draws is the number of estimates by a machine that is not ideal: name one with --hardware, such as \
                 state_noise=0.1, or leave --draws out"
            ),
            (false, _) if arguments.bound.is_some() => bail!(
                "--bound is for the ideal machine, but hardware.* makes the states of this one noisy or coarse: leave \
                 --bound out, or set hardware.state_noise=0 and hardware.state_bits=null"
            ),
            (false, Some(n_draws)) if n_draws < 2 => {
                bail!("--draws must be at least 2, to have a deviation, but is {n_draws}")
            }
            (false, n_draws) => {
                examination.n_draws = n_draws.unwrap_or(examination.n_draws);
                Ok(Self::Machines(examination, machines))
            }
        }
    }

    /// Runs the examination, with a progress bar.
    fn run(
        &self,
        config: &TrainingConfig,
        network: &EquilibriumNetwork<AnyField, AnyCost>,
        batches: &[Batch],
        display: &Display,
    ) -> Result<Found> {
        let estimator = config.estimator();
        match self {
            Self::Ideal(examination) => {
                let found = examination.examine(network, &estimator, batches, |progress| {
                    display.examining(&progress);
                })?;
                Ok(Found::Ideal(found))
            }
            Self::Machines(examination, settings) => {
                let device = batches[0].input.device();
                let machines = Machines {
                    settings,
                    initial: &config.network(&device),
                    seed: config.seed,
                };
                let found =
                    examination.examine(network, &estimator, &machines, batches, |progress| {
                        display.examining(&progress);
                    })?;
                Ok(Found::Machines(found))
            }
        }
    }
}

/// Prepares a new network with the configuration of the command line.
fn start(arguments: &FidelityArguments) -> Result<Subject> {
    let (name, mut config, read) = arguments.model.configure_with_data()?;
    // The initial weights need no epoch; a training needs at least one.
    config.epochs = arguments.epochs.max(1);
    config.seed = arguments.seed;
    config.validate()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let dataset = load_data(&config, read, arguments.data.data_dir.as_deref())?;
    let training = Training::new(config.clone(), &dataset, &device.device)?;
    Ok(Subject {
        name,
        config,
        device,
        dataset,
        network: Trained::Here(Box::new(training)),
    })
}

/// Opens the network of a run, with the phases changed as the command line says.
fn open(run: &Path, arguments: &FidelityArguments) -> Result<Subject> {
    let folder = RunFolder::open(run)?;
    let mut trained = folder.load(arguments.device.device.as_deref())?;
    let config = arguments.model.change(trained.config.clone())?;
    config.validate()?;
    let network = |config: &TrainingConfig| {
        let (model, cost) = (config.network.model, config.network.cost);
        let hidden = config.network.intermediate.clone();
        // The seed gives the weights that levels and ranges of devices are counted in.
        let (weights, seed) = (config.data.class_weights.clone(), config.seed);
        let dataset = config.data.dataset.clone();
        (dataset, model, cost, hidden, weights, seed, config.energy())
    };
    if network(&config) != network(&trained.config) {
        bail!(
            "--set cannot change the network of a run, only how it relaxes and is nudged: beta, \
             nudging, dynamics, step_size, history, mixing, step_error, descent_step, free_steps, nudged_steps, tolerance, check_every, and hardware.*"
        );
    }
    trained.config = config;
    let dataset = trained.load_data(arguments.data.data_dir.as_deref())?;
    Ok(Subject {
        name: run.display().to_string(),
        config: trained.config,
        device: trained.device,
        dataset,
        network: Trained::Before(Box::new(trained.learner.network)),
    })
}

/// Returns the examples on which the network is trained.
fn training_examples(subject: &Subject) -> Examples {
    let Subject {
        config, dataset, ..
    } = subject;
    let n_train = config.data.n_train.unwrap_or(usize::MAX);
    let examples = dataset.train.clone().take(n_train);
    examples.split_tail(config.data.n_validation).0
}

/// Trains, and returns the network with its test error.
fn train(
    mut training: Training,
    epochs: usize,
    display: &Display,
) -> Result<(EquilibriumNetwork<AnyField, AnyCost>, Option<f64>)> {
    for _ in 0..epochs {
        let record = training.run_epoch(|progress| {
            display.training(&progress);
            ControlFlow::Continue(())
        })?;
        if let Some(record) = record {
            display.epoch(&record, epochs);
        }
    }
    let test_error = training
        .records()
        .last()
        .and_then(|record| record.test_error);
    Ok((training.learner().valid().network, test_error))
}

/// Writes the pictures and the numbers; adds a line for each file to `text`.
fn write(folder: &ReportFolder, results: &Results, text: &mut String) -> Result<()> {
    let mut files = picture::all(results)?;
    files.push(("fidelity.json", serde_json::to_string_pretty(results)?));
    for (name, content) in files {
        let path = folder.write(name, content.as_bytes())?;
        *text += &format!("wrote {}\n", path.display());
    }
    Ok(())
}
