//! `eqprop devices`.

use anyhow::Result;
use serde_json::json;

use crate::device;
use crate::output::Report;

/// Lists the backends of this build and the devices of this machine.
pub fn run() -> Result<Report> {
    let offers = device::offers();
    let mut text = String::new();
    for offer in &offers {
        let devices = match (offer.compiled, offer.devices.is_empty()) {
            (false, _) => format!("not in this build: add --features {}", offer.backend),
            (true, true) => "no such device on this machine".to_string(),
            (true, false) => {
                let names = offer.devices.iter().map(|found| match &found.model {
                    Some(model) => format!("{} ({model})", found.name),
                    None => found.name.clone(),
                });
                names.collect::<Vec<_>>().join(", ")
            }
        };
        text += &format!("{:8} {:45} {devices}\n", offer.backend, offer.about);
    }
    Ok(Report::new(text, &json!({ "backends": offers })))
}
