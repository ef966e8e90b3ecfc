//! `eqprop import`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use eqprop_core::energy::VectorField;
use eqprop_core::error::ConfigError;
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::weights::WeightsFile;
use serde_json::json;

use super::export::{CONFIG, CURRENT_FORMAT, FORMAT, VERSION};
use crate::cli::ImportArguments;
use crate::device;
use crate::output::{Report, text_of};
use crate::run::{RunConfig, RunFolder};

/// Makes a run folder from a file of weights.
///
/// # Errors
/// If the file, the configuration or the device cannot be used, the file and the configuration do not fit, or
/// the run folder cannot be created.
pub fn run(arguments: ImportArguments) -> Result<Report> {
    if !arguments.scale.is_finite() || arguments.scale == 0.0 {
        bail!("--scale must be a number other than 0");
    }
    ConfigError::single_precision("--scale", arguments.scale)?;
    let file = WeightsFile::open(&arguments.file)?.scaled(arguments.scale);
    check_format(&file, &arguments.file)?;
    let (name, config) = configure(&arguments, &file)?;
    config.validate()?;
    let device = device::open(arguments.device.device.as_deref())?;
    let mut network = file.load(config.network(&device.device))?;
    // A file may hold values that the energy does not allow, such as a negative conductance.
    network.energy = network.energy.project();
    let n_parameters = network.num_params();
    let learner = EquilibriumLearner::new(network, config.estimator());

    let folder = RunFolder::create(arguments.run.as_deref(), &name)?;
    folder.write_model(learner.clone().into_record())?;
    Checkpoint::before_training(config.clone(), learner).save(folder.path())?;
    let notation = config.notation();
    // Last, because this file makes the folder a run folder.
    folder.write_config(&RunConfig::new(&device, None, config))?;
    let run = folder.path();
    let text = format!(
        "{notation}, {n_parameters} weights and biases, from a {}\nrun: {}",
        file.layout(),
        run.display()
    );
    let report = json!({
        "file": text_of(&arguments.file),
        "layout": file.layout().to_string(),
        "run": text_of(run),
        "network": notation,
        "n_parameters": n_parameters,
    });
    Ok(Report::new(text, &report))
}

/// Refuses a file that a version of this program wrote in a format unknown to this version.
fn check_format(file: &WeightsFile, path: &Path) -> Result<()> {
    let version = file.metadata(VERSION).unwrap_or("another one");
    match file.metadata(FORMAT).map(str::parse::<u32>) {
        None | Some(Ok(1..=CURRENT_FORMAT)) => {}
        found => {
            let found = match found {
                Some(Ok(number)) => number.to_string(),
                _ => format!("{:?}", file.metadata(FORMAT).unwrap_or_default()),
            };
            bail!(
                "`{}` has format {found}, but this version reads formats 1 to {CURRENT_FORMAT}: use the \
                 version of eqprop that wrote it, {version}",
                path.display()
            );
        }
    }
    let mut keys = file.metadata_keys();
    let is_unknown =
        |key: &&str| key.starts_with("eqprop.") && ![CONFIG, FORMAT, VERSION].contains(key);
    if let Some(key) = keys.find(is_unknown) {
        bail!(
            "`{}` holds `{key}`, which this version does not know: use the version of eqprop that \
             wrote it, {version}",
            path.display()
        );
    }
    Ok(())
}

/// Returns the name and the configuration of the run: from the arguments or, if they name neither a preset
/// nor a data set, from the file.
fn configure(arguments: &ImportArguments, file: &WeightsFile) -> Result<(String, TrainingConfig)> {
    let model = &arguments.model;
    let stored = file.metadata(CONFIG);
    match stored.filter(|_| model.preset.is_none() && model.dataset.is_none()) {
        None => Ok(model.configure()?),
        Some(text) => {
            let config = TrainingConfig::from_json(text).with_context(|| {
                format!(
                    "the configuration in `{}` cannot be used: give one with --preset and --set",
                    arguments.file.display()
                )
            })?;
            let name = arguments.file.file_stem().unwrap_or_default();
            Ok((name.to_string_lossy().into_owned(), model.change(config)?))
        }
    }
}
