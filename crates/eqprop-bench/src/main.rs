//! The `eqprop` program: trains networks by equilibrium propagation, judges them and shows how
//! they relax.

mod cli;
mod command;
mod device;
mod figure;
mod interrupt;
mod machine;
mod output;
mod plot;
mod report_folder;
mod run;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use eqprop_bench::memory::CountingAllocator;

/// Counts what `eqprop bench` reports.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let Cli { json, command } = Cli::parse();
    machine::compute_on_this_thread();
    let result = match command {
        Command::Train(arguments) => command::train::run(arguments),
        Command::Evaluate(arguments) => command::evaluate::run(arguments),
        Command::Compare(arguments) => command::compare::run(arguments),
        Command::Fidelity(arguments) => command::fidelity::run(arguments),
        Command::Bench(arguments) => command::bench::run(arguments),
        Command::Predict(arguments) => command::predict::run(arguments),
        Command::Relax(arguments) => command::relax::run(arguments),
        Command::Export(arguments) => command::export::run(arguments),
        Command::Import(arguments) => command::import::run(arguments),
        Command::Devices => command::devices::run(),
        Command::Presets(arguments) => command::presets::run(arguments),
    };
    match result {
        Ok(report) => {
            report.print(json);
            match report.failure {
                None => ExitCode::SUCCESS,
                Some(failure) => {
                    eprintln!("error: {failure}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
