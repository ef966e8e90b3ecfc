//! Turns the arguments into the plan of a comparison.

use anyhow::{Error, Result, bail};
use eqprop_bench::comparison::{Addition, NamedConfig, Plan, Variation};
use eqprop_bench::method::{Method, MethodOptions};
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::preset::Preset;

use crate::cli::{CompareArguments, Override, Vary};

/// The methods that are compared if neither `--methods` nor anything else to compare is given.
const METHODS: [Method; 5] = [
    Method::Eqprop,
    Method::Bptt,
    Method::Tbp,
    Method::Rbp,
    Method::Backprop,
];

/// The varied settings; `preset` and `method` can be given in two ways.
#[derive(Debug)]
struct Varied {
    presets: Vec<Preset>,
    methods: Vec<Method>,
    vary: Vec<Variation>,
}

impl Varied {
    fn of(arguments: &CompareArguments) -> Result<Self> {
        let (mut presets, mut methods) = (arguments.presets.clone(), arguments.methods.clone());
        let mut vary = Vec::new();
        for Vary { key, values } in arguments.vary.clone() {
            match key.as_str() {
                "preset" | "presets" => presets.extend(parsed::<Preset>(&values)?),
                "method" | "methods" => methods.extend(parsed::<Method>(&values)?),
                _ => vary.push(Variation { key, values }),
            }
        }
        let is_chosen = arguments.model.preset.is_some() || arguments.model.config.is_some();
        if is_chosen && !presets.is_empty() {
            bail!(
                "a comparison has one preset by --preset or --config, or several by --vary preset: leave one of them out"
            );
        }
        Ok(Self {
            presets,
            methods,
            vary,
        })
    }
}

fn parsed<T>(values: &[String]) -> Result<Vec<T>>
where
    T: std::str::FromStr<Err: Into<Error>>,
{
    let values = values.iter().map(|value| value.parse().map_err(Into::into));
    values.collect()
}

/// Returns the plan of a new comparison, its name, and the data if they had to be read for it.
///
/// # Errors
/// If a field is unknown, a value has the wrong type, or the user's own files cannot be used.
pub fn plan(arguments: &CompareArguments) -> Result<(String, Plan, Option<Dataset>)> {
    let Varied {
        presets,
        methods,
        vary,
    } = Varied::of(arguments)?;
    let is_option = |change: &&Override| MethodOptions::method_of(&change.key).is_some();
    let (of_methods, mut changes): (Vec<&Override>, Vec<&Override>) =
        arguments.model.overrides.iter().partition(is_option);
    let epochs = arguments.epochs.map(|epochs| Override {
        key: "epochs".to_string(),
        value: epochs.to_string(),
    });
    changes.extend(&epochs);
    let changes: Vec<Override> = changes.into_iter().cloned().collect();

    let mut read = None;
    let mut configure = |preset: Option<Preset>| -> Result<(String, TrainingConfig)> {
        let (name, mut config);
        (name, config, read) = arguments.model.configure_as(preset, &changes)?;
        config.seed = arguments.seed.unwrap_or(config.seed);
        Ok((name, config))
    };
    let named: Vec<(String, TrainingConfig)> = match &presets[..] {
        [] => vec![configure(arguments.model.preset)?],
        presets => {
            let named = presets.iter().map(|preset| {
                let (_, config) = configure(Some(*preset))?;
                Ok((preset.name().to_string(), config))
            });
            named.collect::<Result<_>>()?
        }
    };
    let methods = match &methods[..] {
        [] if vary.is_empty() && named.len() == 1 => METHODS.to_vec(),
        [] => vec![Method::Eqprop],
        methods => methods.to_vec(),
    };
    let mut plan = Plan::new(named[0].1.clone(), methods);
    for change in of_methods {
        plan.options = plan.options.with(&change.key, &change.value)?;
    }
    plan.vary = vary;
    plan.changes = changes
        .into_iter()
        .map(|change| (change.key, change.value))
        .collect();
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    if named.len() > 1 {
        let named = named
            .into_iter()
            .map(|(name, config)| NamedConfig { name, config });
        plan.presets = named.collect();
    }
    Ok((names.join(", "), plan, read))
}

/// Returns the extension of a comparison on the data of `config`.
///
/// # Errors
/// If a preset or a method is unknown.
pub fn addition(arguments: &CompareArguments, config: &TrainingConfig) -> Result<Addition> {
    let Varied {
        presets,
        methods,
        vary,
    } = Varied::of(arguments)?;
    let presets = presets.into_iter().map(|preset| {
        let mut added = preset.config_for(&config.data.dataset);
        added.seed = config.seed;
        NamedConfig {
            name: preset.name().to_string(),
            config: added,
        }
    });
    Ok(Addition {
        presets: presets.collect(),
        methods,
        vary,
    })
}
