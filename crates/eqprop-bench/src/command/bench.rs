//! `eqprop bench`.

use anyhow::{Result, bail};

use crate::cli::BenchArguments;
use crate::output::Report;

pub fn run(arguments: BenchArguments) -> Result<Report> {
    let _ = arguments;
    bail!("under construction")
}
