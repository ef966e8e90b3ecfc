//! `eqprop compare`.

use anyhow::{Result, bail};

use crate::cli::CompareArguments;
use crate::output::Report;

pub fn run(arguments: CompareArguments) -> Result<Report> {
    let _ = arguments;
    bail!("under construction")
}
