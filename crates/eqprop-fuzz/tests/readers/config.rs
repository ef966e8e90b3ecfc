//! The configuration of a run, as a file and as single settings.

use std::path::Path;

use bolero::check;
use burn::tensor::Device;
use eqprop_train::config::TrainingConfig;
use eqprop_train::preset::Preset;
use serde_json::Value;

use crate::reader::{Input, Limit, Reader};
use crate::seed::{FILE, Files, Seed};

/// JSON values take some 100 bytes in memory for two in the text, and the network of a configuration
/// has at most [`MAX_PARAMETERS`] numbers, three times while it is built.
const LIMIT: Limit = Limit {
    times: 256,
    plus: 8 << 20,
};

/// Networks are built up to this size; larger ones are only described.
const MAX_PARAMETERS: f64 = 20_000.0;

fn change(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let (bytes, donor) = (seed.files[0].1.clone(), &donor.files[0].1);
    vec![(FILE.to_string(), input.edit(bytes, donor))]
}

/// Does with a configuration what the program does before it trains.
fn read(folder: &Path) -> Result<(), String> {
    let bytes = std::fs::read(folder.join(FILE)).map_err(|error| error.to_string())?;
    set_one(&bytes);
    let text = str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    let config = TrainingConfig::from_json(text).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())?;
    config.notation();
    config.estimator();
    if n_parameters(&config) <= MAX_PARAMETERS {
        config.network(&Device::flex());
    }
    Ok(())
}

/// Sets one value of a document, of any key and any kind, as `--set` does.
fn set_one(bytes: &[u8]) {
    if let Ok(Value::Object(fields)) = serde_json::from_slice(bytes)
        && let Some((key, value)) = fields.iter().nth(bytes.len() % fields.len().max(1))
    {
        let set = Preset::Digits
            .config()
            .with_override(key, &value.to_string());
        let _ = set.map(|config| config.validate());
    }
}

/// An upper bound on the number of parameters of the network: all units of neighboring layers
/// connected.
pub fn n_parameters(config: &TrainingConfig) -> f64 {
    let energy = config.energy();
    let hidden = energy.layers.iter().map(|layer| layer.n_units() as f64);
    let units: Vec<f64> = std::iter::once(energy.input.n_units() as f64)
        .chain(hidden)
        .collect();
    let joined = |c: &eqprop_core::connection::ConnectionConfig| units[c.from] * units[c.to];
    energy.connections.iter().map(joined).sum()
}

#[test]
fn configurations() {
    let reader = Reader::new("config", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}
