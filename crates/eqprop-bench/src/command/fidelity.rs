//! `eqprop fidelity`.

use anyhow::{Result, bail};

use crate::cli::FidelityArguments;
use crate::output::Report;

pub fn run(arguments: FidelityArguments) -> Result<Report> {
    let _ = arguments;
    bail!("under construction")
}
