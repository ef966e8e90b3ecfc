//! Arguments of `eqprop bench`.

use std::path::PathBuf;

use clap::Args;
use eqprop_bench::method::Method;
use eqprop_train::data::DataSource;
use eqprop_train::preset::Preset;

use super::arguments::{DeviceArguments, Override};
use super::files::FilesArguments;

/// Networks and methods to time.
#[derive(Debug, Args)]
#[command(after_help = "\
Inputs are the first training examples of the data set where its files are found, and random numbers
of their shape elsewhere. Every phase takes all of its steps, because the preset's tolerance is off;
--set tolerance=1e-3 turns it on again. Memory is the most that one step holds at once: counted
where it is allocated on a CPU, and what the device's memory pools reserve on a GPU. With several
--steps, its growth is reported too.

--relaxations compares the ways to relax instead: how many steps, and how long, the free phase of a
batch of training examples takes with each until its residual, max |σ(drive) − s|, is 1e-2, 1e-3,
1e-4 and 1e-6.

Examples:
  eqprop bench
  eqprop bench --preset paper-1h --preset dhn-1h --methods eqprop,backprop --batch 20,128
  eqprop bench --preset digits --methods eqprop,bptt,rbp --steps 10,100,1000
  eqprop bench --relaxations --preset dhn-3h --batch 128 --epochs 2 --set n_train=2000")]
pub struct BenchArguments {
    /// One or several named configurations; `eqprop presets` lists them.
    #[arg(
        long,
        value_name = "P,…",
        value_delimiter = ',',
        default_value = "digits,paper-1h"
    )]
    pub preset: Vec<Preset>,
    /// Data set of every configuration: a name, or the path of your own data [default: the preset's].
    #[arg(long, value_name = "D", conflicts_with = "baseline")]
    pub dataset: Option<DataSource>,
    #[command(flatten)]
    pub files: FilesArguments,
    /// Change one field of every configuration; `eqprop presets NAME` shows all fields.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Methods, separated by commas; `eqprop compare --help` explains them.
    #[arg(
        long,
        value_name = "M,…",
        value_delimiter = ',',
        default_value = "eqprop,bptt,rbp,backprop"
    )]
    pub methods: Vec<Method>,
    /// Examples per step [default: the preset's].
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub batch: Vec<usize>,
    /// Steps of the free phase [default: the preset's].
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub steps: Vec<usize>,
    /// Number of timed rounds; the methods take turns in each.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 15,
        value_parser = rounds,
        allow_negative_numbers = true
    )]
    pub rounds: usize,
    /// Compare relaxation dynamics instead of methods; --steps is then the largest number of steps [default:
    /// five times the preset's].
    #[arg(long, conflicts_with = "methods")]
    pub relaxations: bool,
    /// Epochs to train before the dynamics are compared; 0 compares them at the initial weights.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "relaxations",
        allow_negative_numbers = true
    )]
    pub epochs: usize,
    /// Folder with the data, as for `eqprop train`; where the data are not found, steps are timed on random
    /// inputs.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Earlier output of `bench --json` to compare with: fails if a step takes 1.3 times as long, measured in
    /// units of backprop's step where both have it.
    #[arg(long, value_name = "FILE", conflicts_with = "relaxations")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Parses a number of rounds, small enough that all their times can be kept.
fn rounds(text: &str) -> Result<usize, String> {
    const MOST: usize = 1_000_000;
    match text.parse::<usize>() {
        Ok(rounds) if rounds <= MOST => Ok(rounds),
        Ok(_) => Err(format!("at most {MOST}")),
        Err(error) => Err(error.to_string()),
    }
}
