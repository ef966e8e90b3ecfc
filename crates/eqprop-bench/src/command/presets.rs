//! `eqprop presets`.

use anyhow::Result;
use eqprop_train::preset::Preset;
use serde_json::json;

use crate::cli::PresetsArguments;
use crate::output::Report;

/// Lists the presets, or prints one of them.
pub fn run(arguments: PresetsArguments) -> Result<Report> {
    if let Some(preset) = arguments.name {
        let config = preset.config();
        return Ok(Report::new(serde_json::to_string_pretty(&config)?, &config));
    }
    let mut text = String::new();
    for preset in Preset::ALL {
        let config = preset.config();
        text += &format!(
            "{:18} {:44} {}\n",
            preset.name(),
            config.notation(),
            preset.source()
        );
    }
    text += "\n`eqprop presets NAME` prints a preset in full; `--set KEY=VALUE` changes a field.";
    let list: Vec<_> = Preset::ALL
        .iter()
        .map(|preset| {
            let (name, source) = (preset.name(), preset.source());
            json!({"name": name, "source": source, "config": preset.config()})
        })
        .collect();
    Ok(Report::new(text, &json!({ "presets": list })))
}
