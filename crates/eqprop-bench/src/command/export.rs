//! `eqprop export`.

use anyhow::Result;
use burn::module::Module;
use eqprop_train::weights::{WeightsFile, save_safetensors};
use serde_json::json;

use crate::cli::ExportArguments;
use crate::output::{Report, text_of};
use crate::run::RunFolder;

/// The key of the configuration in a weights file.
pub const CONFIG: &str = "eqprop.config";
/// The key of the format of a weights file.
pub const FORMAT: &str = "eqprop.format";
/// The key of the version of the program that wrote a weights file.
pub const VERSION: &str = "eqprop.version";
/// The format of weights files, raised whenever it changes: names and shapes of the tensors, and the metadata
/// keys. Files without this key were written before there was a second key; the configuration of format 1 was
/// flat.
pub const CURRENT_FORMAT: u32 = 2;

/// Writes the weights of a trained network.
///
/// # Errors
/// If the run or the device cannot be used, or the file cannot be written.
pub fn run(arguments: ExportArguments) -> Result<Report> {
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let config = serde_json::to_string(&run.config)?;
    let format = CURRENT_FORMAT.to_string();
    let metadata = [
        (FORMAT, format.as_str()),
        (VERSION, env!("CARGO_PKG_VERSION")),
        (CONFIG, &config),
    ];
    let network = &run.learner.network;
    save_safetensors(network, &arguments.file, &metadata)?;
    let file = WeightsFile::open(&arguments.file)?;
    let tensors: Vec<_> = file
        .tensors()
        .map(|(name, shape)| json!({"name": name, "shape": shape}))
        .collect();
    let text = format!(
        "{}, {} weights and biases in {} tensors: {}",
        run.config.notation(),
        network.num_params(),
        tensors.len(),
        arguments.file.display()
    );
    let report = json!({
        "run": text_of(&arguments.run),
        "file": text_of(&arguments.file),
        "network": run.config.notation(),
        "n_parameters": network.num_params(),
        "tensors": tensors,
    });
    Ok(Report::new(text, &report))
}
