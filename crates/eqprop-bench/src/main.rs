//! The `eqprop` program: trains networks by equilibrium propagation, judges them and shows how
//! they relax.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads: `output` has what does not"
)]

mod chance;
mod cli;
mod command;
mod device;
mod figure;
mod interrupt;
mod machine;
mod output;
mod plot;
mod progress;
mod report_folder;
mod run;
mod table;
mod tensorboard;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use eqprop_bench::memory::CountingAllocator;
use output::say;

/// Counts the memory that `eqprop bench` reports.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let Cli { json, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    machine::compute_on_this_thread();
    let result = match command {
        Command::Train(arguments) => command::train::run(arguments),
        Command::Evaluate(arguments) => command::evaluate::run(arguments),
        Command::Compare(arguments) => command::compare::run(arguments),
        Command::Fidelity(arguments) => command::fidelity::run(arguments),
        Command::Tune(arguments) => command::tune::run(arguments),
        Command::Bench(arguments) => command::bench::run(arguments),
        Command::Predict(arguments) => command::predict::run(arguments),
        Command::Relax(arguments) => command::relax::run(arguments),
        Command::Watch(arguments) => command::watch::run(arguments),
        Command::Export(arguments) => command::export::run(arguments),
        Command::Import(arguments) => command::import::run(arguments),
        Command::Data(arguments) => command::data::run(arguments),
        Command::Devices => command::devices::run(),
        Command::Presets(arguments) => command::presets::run(arguments),
    };
    let failure = match result {
        Ok(report) => report
            .print(json)
            .err()
            .map(|error| format!("{error:#}"))
            .or(report.failure),
        Err(error) => Some(format!("{error:#}")),
    };
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            say(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the requested help, or the error in the arguments.
fn explain(error: &clap::Error) -> ExitCode {
    let outcome = error.print();
    match output::written(if error.use_stderr() { Ok(()) } else { outcome }) {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => {
            say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
