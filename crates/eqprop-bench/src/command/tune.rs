//! `eqprop tune`.

mod clock;
mod confirm;
mod guess;
mod keeper;
mod picture;
mod progress;
mod stored;
mod text;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eqprop_bench::tuning::{Plan, Space, Trained, Trainer, Tuning};
use eqprop_train::data::Dataset;
use eqprop_train::file::remove_temporary;
use eqprop_train::training::Training;

use crate::cli::{TuneArguments, at_least_one, load_data};
use crate::device::{self, NamedDevice};
use crate::interrupt::Interrupt;
use crate::machine::{command_line, quote};
use crate::output::Report;
use crate::report_folder::ReportFolder;
use crate::run::RunData;
use clock::Clock;
use keeper::Keeper;
use progress::Display;
use stored::{Budget, Stored};

/// Minutes of a search if none are given.
const MINUTES: f64 = 3.0;
/// Seeds of the confirmation if none are given.
const SEEDS: usize = 5;
/// The fewest training examples: with fewer, none would be left to judge by.
const FEWEST_EXAMPLES: usize = 20;

/// A search that is ready to run.
struct Prepared {
    keeper: Keeper,
    device: NamedDevice,
    dataset: Dataset,
    clock: Clock,
    display: Display,
}

/// Searches for the values of a configuration that learn best, and compares them with the starting values.
///
/// # Errors
/// If the configuration, the data, the device or the report folder cannot be used, or the starting
/// configuration cannot be trained. An interrupted search is kept.
pub fn run(arguments: TuneArguments) -> Result<Report> {
    let interrupt = Interrupt::listen();
    let prepared = match &arguments.resume {
        Some(path) => resume(path, &arguments)?,
        None => start(&arguments, &interrupt)?,
    };
    let Some(Prepared {
        mut keeper,
        device,
        dataset,
        clock,
        display,
    }) = prepared
    else {
        bail!("interrupted before the first trial; nothing is kept");
    };
    display.say(&format!(
        "{}; the search is kept in {}",
        text::plan(&keeper.stored),
        keeper.folder.path().display()
    ));
    let outcome = search(&mut keeper, &dataset, &device, &clock, &display, &interrupt);
    let outcome = outcome.and_then(|flow| match flow {
        ControlFlow::Break(()) => Ok(flow),
        ControlFlow::Continue(()) => {
            let stop = || interrupt.is_set();
            confirm::run(&mut keeper, &dataset, &device, &clock, &display, stop)
        }
    });
    display.finish();
    let flow = outcome?;
    keeper.spend(&clock)?;
    keeper.write_results()?;
    let mut report = text::report(&keeper)?;
    if flow.is_break() {
        let command = resume_command(keeper.folder.path(), &arguments);
        report = report.with_failure(Some(format!("interrupted; go on with `{command}`")));
    }
    Ok(report)
}

/// Runs trials until the time or the number of trials is used up.
fn search(
    keeper: &mut Keeper,
    dataset: &Dataset,
    device: &NamedDevice,
    clock: &Clock,
    display: &Display,
    interrupt: &Interrupt,
) -> Result<ControlFlow<()>> {
    if keeper.stored.confirmation.is_some() {
        return Ok(ControlFlow::Continue(()));
    }
    let dataset = keeper.stored.tuning.searched(dataset.clone());
    let trainer = Trainer::new(&dataset, &device.device, keeper.trials());
    loop {
        if interrupt.is_set() {
            return Ok(ControlFlow::Break(()));
        }
        let stored = &mut keeper.stored;
        let is_over = clock.is_search_over(stored);
        let (most, tuning) = (stored.budget.trials, &mut stored.tuning);
        let job = if is_over { None } else { tuning.next(most) };
        let Some(job) = job.or_else(|| tuning.closing()) else {
            break;
        };
        display.begin(stored, job);
        let outcome = trainer.run(&stored.tuning, job, |part| {
            display.show(stored, job, part, clock);
            match interrupt.is_set() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let trial = &mut keeper.stored.tuning.trials[job.trial];
        match outcome {
            Trained::Interrupted => {
                keeper.spend(clock)?;
                return Ok(ControlFlow::Break(()));
            }
            // With one seed of several it may fail: that is a measurement.
            Trained::Failed(failure) if job.trial == 0 && trial.measured.is_empty() => {
                bail!("the configuration that the search begins with cannot be trained: {failure}")
            }
            Trained::Failed(failure) => trial.failure = Some(failure),
            Trained::Done(measured) => trial.measured.push(measured),
        }
        let is_over = trial.failure.is_some() || job.rung == keeper.stored.tuning.plan.last_rung();
        display.end(&keeper.stored, job, clock);
        // The state is saved first; then the files that it makes useless are removed.
        keeper.spend(clock)?;
        if is_over {
            trainer.forget(job.trial);
        }
    }
    for trial in 0..keeper.stored.tuning.trials.len() {
        trainer.forget(trial);
    }
    Ok(ControlFlow::Continue(()))
}

/// Prepares a new search; `None` if it was interrupted before it began.
fn start(arguments: &TuneArguments, interrupt: &Interrupt) -> Result<Option<Prepared>> {
    let budget = budget(arguments)?;
    let (name, mut config, read) = arguments.model.configure_with_data()?;
    config.epochs = arguments.epochs.unwrap_or(config.epochs);
    config.seed = arguments.seed.unwrap_or(config.seed);
    config.validate()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let data_dir = arguments.data.data_dir.as_deref();
    let dataset = load_data(&config, read, data_dir)?;
    let n_train = config
        .data
        .n_train
        .unwrap_or(usize::MAX)
        .min(dataset.train.len());
    if n_train < FEWEST_EXAMPLES {
        bail!(
            "{n_train} training examples are too few to hold some out and judge by them: at least {FEWEST_EXAMPLES}"
        );
    }
    let plan = Plan::new(&config, n_train, config.epochs);
    // Everything that cannot be trained or searched is detected before anything is written.
    let searched = plan.searched(config.clone());
    let training = Training::new(searched, &dataset, &device.device)?;
    let space = Space::of(&config, None, n_train, &arguments.only);
    if space.parameters.is_empty() {
        bail!("nothing is left to search: this network has none of what --only names");
    }
    let folder = match &arguments.report {
        None => ReportFolder::make(&format!("tune-{name}"))?,
        Some(path) => {
            check_unused(path)?;
            let folder = ReportFolder::prepare(path)?;
            // Another process may have written there before this one held the lock.
            check_unused(path)?;
            folder
        }
    };
    let clock = Clock::begin(0.0);
    let display = Display::new(&budget);
    let looked = guess::look(
        training, &dataset, &device, &budget, &clock, &display, interrupt,
    );
    let looked = looked.inspect_err(|_| display.finish())?;
    let Some(looked) = looked else {
        display.finish();
        // The folder was just created, and holds nothing.
        let _ = fs::remove_dir_all(folder.path());
        return Ok(None);
    };
    let plan = match arguments.epochs {
        Some(_) => plan,
        None => clock::shorten(
            &budget,
            plan,
            &config,
            [n_train, dataset.test.len()],
            looked.seconds_per_step,
        ),
    };
    let space = Space::of(&config, looked.guess.as_ref(), n_train, &arguments.only);
    let stored = Stored {
        format: stored::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_string(),
        command: command_line(),
        name,
        device: device.name.clone(),
        data: RunData::of(&dataset, data_dir),
        budget,
        seconds: 0.0,
        seconds_per_step: looked.seconds_per_step,
        tuning: Tuning::new(config, looked.guess, space, plan),
        confirmation: None,
    };
    let mut keeper = Keeper { folder, stored };
    keeper.spend(&clock)?;
    Ok(Some(Prepared {
        keeper,
        device,
        dataset,
        clock,
        display,
    }))
}

/// Prepares the search of an earlier process to be resumed.
fn resume(path: &Path, arguments: &TuneArguments) -> Result<Option<Prepared>> {
    let file = path.join(keeper::STATE);
    if !file.is_file() {
        bail!(
            "`{}` holds no search: it has no {}; `eqprop tune --report DIR` makes one",
            path.display(),
            keeper::STATE
        );
    }
    let folder = ReportFolder::lock(path)?;
    remove_temporary(path);
    let text = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let stored = Stored::from_json(&text);
    let mut stored = stored.with_context(|| format!("cannot go on with `{}`", file.display()))?;
    extend(&mut stored, arguments)?;
    let name = arguments.device.device.as_deref();
    let device = device::open(Some(name.unwrap_or(&stored.device)))?;
    let data_dir = RunData::folder(Some(&stored.data), arguments.data.data_dir.as_deref());
    let dataset = stored.tuning.start.load_data(data_dir.as_deref())?;
    if dataset.fingerprint() != stored.data.fingerprint {
        bail!(
            "the data is not that of the search in `{}`: name the folder of that with --data-dir, or start \
             a new search",
            path.display()
        );
    }
    let clock = Clock::begin(stored.seconds);
    let display = Display::new(&stored.budget);
    display.say(&format!(
        "going on after {} trials",
        stored.tuning.trials.len()
    ));
    Ok(Some(Prepared {
        keeper: Keeper { folder, stored },
        device,
        dataset,
        clock,
        display,
    }))
}

/// Changes the budget of a resumed search.
fn extend(stored: &mut Stored, arguments: &TuneArguments) -> Result<()> {
    let budget = &mut stored.budget;
    let before = *budget;
    if let Some(minutes) = arguments.minutes {
        budget.minutes = Some(positive(minutes)?);
    }
    if let Some(trials) = arguments.trials {
        at_least_one("--trials", &[trials])?;
        budget.trials = Some(trials);
    }
    if let Some(seeds) = arguments.seeds {
        at_least_one("--seeds", &[seeds])?;
        budget.seeds = seeds;
    }
    if stored.confirmation.is_some() && *budget != before {
        bail!(
            "what this search found is being confirmed or was, and the test decides only once: start a new \
             search from its tuned.json with --config"
        );
    }
    Ok(())
}

/// Returns the budget of a new search.
fn budget(arguments: &TuneArguments) -> Result<Budget> {
    at_least_one("--trials", arguments.trials.as_slice())?;
    at_least_one("--seeds", arguments.seeds.as_slice())?;
    let minutes = match (arguments.minutes, arguments.trials) {
        (None, Some(_)) => None,
        (minutes, _) => Some(positive(minutes.unwrap_or(MINUTES))?),
    };
    Ok(Budget {
        minutes,
        trials: arguments.trials,
        seeds: arguments.seeds.unwrap_or(SEEDS),
    })
}

fn positive(minutes: f64) -> Result<f64> {
    if !(minutes.is_finite() && minutes > 0.0) {
        bail!("--minutes must be a number greater than 0, but is {minutes}");
    }
    Ok(minutes)
}

/// Refuses a folder that already holds a search.
fn check_unused(path: &Path) -> Result<()> {
    let mut files = keeper::FILES.iter().map(|name| path.join(name));
    if let Some(file) = files.find(|file| file.exists()) {
        bail!(
            "`{}` is there already and is not overwritten: name another folder with --report, or go on with \
             the search in this one with --resume",
            file.display()
        );
    }
    Ok(())
}

/// Returns the command that resumes the search in `folder`.
fn resume_command(folder: &Path, arguments: &TuneArguments) -> String {
    let named = |option: &str, value: Option<&PathBuf>| {
        value.map_or(String::new(), |value| {
            format!(" {option} {}", quote(value.as_os_str()))
        })
    };
    let device = arguments.device.device.as_ref().map(PathBuf::from);
    format!(
        "eqprop tune --resume {}{}{}",
        quote(folder.as_os_str()),
        named("--data-dir", arguments.data.data_dir.as_ref()),
        named("--device", device.as_ref())
    )
}
