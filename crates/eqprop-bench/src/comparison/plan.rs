//! The arms that a comparison varies over.

use eqprop_train::config::{Schedule, TrainingConfig};
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::error::ComparisonError;
use crate::method::{Method, MethodOptions};

/// Settings that decide which examples and random numbers arms are trained and judged with: all arms share
/// them.
const COMMON: [(&str, &str); 3] = [
    (
        "seed",
        "every arm is trained with each of the seeds; --seeds says how many, --seed which is the first",
    ),
    (
        "dataset",
        "arms are judged by the same examples; make a comparison for each data set",
    ),
    (
        "n_validation",
        "arms are judged by the same examples; set it for all with --set",
    ),
];
/// The most arms of a comparison; every pair of them is examined.
const MOST_ARMS: usize = 200;

/// Describes the arms of a comparison: all combinations of a configuration, a method and one value per varied
/// setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The network, its phases and its training; if there are several configurations, the first of them.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub config: TrainingConfig,
    /// The configurations to compare, if there are several.
    #[serde(default)]
    pub presets: Vec<NamedConfig>,
    /// The methods.
    pub methods: Vec<Method>,
    /// The options of methods.
    #[serde(default)]
    pub options: MethodOptions,
    /// The varied settings.
    #[serde(default)]
    pub vary: Vec<Variation>,
    /// Changes made to every configuration, in order, as pairs of setting and value.
    #[serde(default)]
    pub changes: Vec<(String, String)>,
}

/// A configuration and its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedConfig {
    /// The name.
    pub name: String,
    /// The configuration.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub config: TrainingConfig,
}

/// A setting, or an option of a method, and the values to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variation {
    /// Its name, as in [`TrainingConfig::with_override`] or [`MethodOptions::with`].
    pub key: String,
    /// The values, as the user wrote them.
    pub values: Vec<String>,
}

/// An extension of a [`Plan`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Addition {
    /// Further configurations, before the [changes](Plan::changes) are applied.
    pub presets: Vec<NamedConfig>,
    /// Further methods.
    pub methods: Vec<Method>,
    /// Further values of varied settings.
    pub vary: Vec<Variation>,
}

impl Plan {
    /// Creates a plan with one configuration and several methods.
    pub fn new(config: TrainingConfig, methods: Vec<Method>) -> Self {
        Self {
            config,
            presets: Vec::new(),
            methods,
            options: MethodOptions::default(),
            vary: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Returns all combinations, in the order of configurations, methods and values; each can be trained.
    ///
    /// A setting that belongs to one method, such as `holomorphic.n_points`, or to one choice, such as
    /// `n_pairs`, varies only in the arms with that method or choice.
    ///
    /// # Errors
    /// If there is nothing to compare, something is named twice, a setting is unknown, cannot be varied or
    /// has a single value, or an arm cannot work.
    pub fn arms(&self) -> Result<Vec<Arm>, ComparisonError> {
        self.check()?;
        let presets: Vec<(Option<&str>, &TrainingConfig)> = match &self.presets[..] {
            [] => vec![(None, &self.config)],
            several => several
                .iter()
                .map(|preset| (Some(&*preset.name), &preset.config))
                .collect(),
        };
        let differ = [
            presets.len() > 1,
            self.methods.len() > 1 || (presets.len() == 1 && self.vary.is_empty()),
        ];
        let combinations = self.combinations();
        let mut arms: Vec<Arm> = Vec::new();
        let mut unused: Vec<(String, ComparisonError)> = Vec::new();
        for &(preset, config) in &presets {
            for &method in &self.methods {
                for values in &combinations {
                    let base = (config, &self.options);
                    let arm = Arm::new(preset, base, method, values, |key, error| {
                        unused.push((key.to_string(), error));
                    })?;
                    let arm = arm.named(differ);
                    // Without the values that were left out, several combinations coincide.
                    let is_known = |known: &Arm| {
                        (known.method, &known.preset, &known.values)
                            == (arm.method, &arm.preset, &arm.values)
                    };
                    if !arms.iter().any(is_known) {
                        arms.push(arm);
                    }
                }
            }
        }
        let is_used = |key: &str| {
            arms.iter()
                .any(|arm| arm.values.iter().any(|(used, _)| used == key))
        };
        if let Some(place) = unused.iter().position(|(key, _)| !is_used(key)) {
            return Err(unused.swap_remove(place).1);
        }
        self.check_arms(&arms)?;
        Ok(arms)
    }

    /// Checks the parts of the plan before they are combined.
    fn check(&self) -> Result<(), ComparisonError> {
        if self.methods.is_empty() {
            return Err(ComparisonError::Nothing { what: "method" });
        }
        once("method", self.methods.iter().map(Method::to_string))?;
        once(
            "preset",
            self.presets.iter().map(|preset| preset.name.clone()),
        )?;
        once(
            "setting",
            self.vary.iter().map(|variation| variation.key.clone()),
        )?;
        for Variation { key, values } in &self.vary {
            let name = key.rsplit('.').next().unwrap_or(key);
            if let Some((_, why)) = COMMON.iter().find(|(common, _)| *common == name) {
                let key = key.clone();
                return Err(ComparisonError::NotVaried { key, why });
            }
            once("value", values.iter().map(|value| format!("{key}={value}")))?;
            // An unknown setting is reported before its number of values.
            if let [value] = &values[..] {
                let alone = [(key.as_str(), value.as_str())];
                Arm::new(
                    None,
                    (&self.config, &self.options),
                    self.methods[0],
                    &alone,
                    |_, _| {},
                )?;
                let (key, value) = (key.clone(), value.clone());
                return Err(ComparisonError::OneValue { key, value });
            }
        }
        let sizes = self.vary.iter().map(|variation| variation.values.len());
        let sizes = sizes.chain([self.methods.len(), self.presets.len().max(1)]);
        let n_arms = sizes.fold(1usize, usize::saturating_mul);
        match n_arms <= MOST_ARMS {
            true => Ok(()),
            false => Err(ComparisonError::Arms {
                n_arms,
                most: MOST_ARMS,
            }),
        }
    }

    /// Returns all combinations of the values; the last setting changes fastest.
    fn combinations(&self) -> Vec<Vec<(&str, &str)>> {
        self.vary
            .iter()
            .fold(vec![Vec::new()], |combinations, variation| {
                let longer = combinations.iter().flat_map(|combination| {
                    variation.values.iter().map(|value| {
                        let mut longer = combination.clone();
                        longer.push((variation.key.as_str(), value.as_str()));
                        longer
                    })
                });
                longer.collect()
            })
    }

    /// Checks that each arm can be trained, and that the arms can be compared with each other.
    fn check_arms(&self, arms: &[Arm]) -> Result<(), ComparisonError> {
        let is_plain = self.presets.is_empty() && self.vary.is_empty();
        for (place, arm) in arms.iter().enumerate() {
            let checked = || -> Result<(), ComparisonError> {
                arm.config.validate()?;
                arm.estimator(arm.config.seed)?;
                Ok(())
            };
            checked().map_err(|source| match is_plain {
                true => source,
                false => ComparisonError::Arm {
                    name: arm.name.clone(),
                    source: Box::new(source),
                },
            })?;
            let [first, second] = [&arms[0], arm].map(|arm| &arm.config.data);
            let is_judged_alike = first.dataset == second.dataset
                && first.n_validation == second.n_validation
                && (first.n_validation == 0 || first.n_train == second.n_train);
            let names = |other: &Arm| (other.name.clone(), arm.name.clone());
            if !is_judged_alike {
                let (first, second) = names(&arms[0]);
                return Err(ComparisonError::OtherExamples { first, second });
            }
            if let Some(same) = arms[..place].iter().find(|other| other.is_same(arm)) {
                let (first, second) = names(same);
                return Err(ComparisonError::Same { first, second });
            }
        }
        Ok(())
    }

    /// Appends whatever `more` has in addition, and replaces the number of epochs by `epochs`.
    pub(super) fn extended(
        mut self,
        epochs: Option<usize>,
        more: &Addition,
    ) -> Result<Self, ComparisonError> {
        if let Some(asked) = epochs {
            self.set_epochs(asked)?;
        }
        for &method in &more.methods {
            if !self.methods.contains(&method) {
                self.methods.push(method);
            }
        }
        for variation in &more.vary {
            let known = self
                .vary
                .iter()
                .map(|variation| variation.key.clone())
                .collect();
            let Some(there) = self
                .vary
                .iter_mut()
                .find(|there| there.key == variation.key)
            else {
                let key = variation.key.clone();
                return Err(ComparisonError::NotThere { key, known });
            };
            for value in &variation.values {
                if !there.values.contains(value) {
                    there.values.push(value.clone());
                }
            }
        }
        for preset in &more.presets {
            if self.presets.is_empty() {
                let (key, known) = ("preset".to_string(), Vec::new());
                return Err(ComparisonError::NotThere { key, known });
            }
            if self.presets.iter().all(|there| there.name != preset.name) {
                let changes = self.changes.iter().map(|(key, value)| (&**key, &**value));
                let config = preset.config.clone().with_overrides(changes)?;
                let name = preset.name.clone();
                self.presets.push(NamedConfig { name, config });
            }
        }
        Ok(self)
    }

    fn set_epochs(&mut self, asked: usize) -> Result<(), ComparisonError> {
        if self.vary.iter().any(|variation| variation.key == "epochs") {
            let (key, why) = (
                "epochs".to_string(),
                "the comparison varies them; add values with --vary",
            );
            return Err(ComparisonError::NotVaried { key, why });
        }
        let presets = self.presets.iter_mut().map(|preset| &mut preset.config);
        let configs: Vec<&mut TrainingConfig> =
            [&mut self.config].into_iter().chain(presets).collect();
        let there = configs
            .iter()
            .map(|config| config.epochs)
            .max()
            .unwrap_or(0);
        if asked < there {
            let what = "epochs";
            return Err(ComparisonError::Fewer { what, there, asked });
        }
        for config in configs {
            if config.epochs != asked && config.optimizer.schedule == Schedule::Cosine {
                return Err(ComparisonError::Schedule { asked });
            }
            config.epochs = asked;
        }
        self.changes.retain(|(key, _)| key != "epochs");
        self.changes.push(("epochs".to_string(), asked.to_string()));
        Ok(())
    }
}

/// Refuses a name that occurs twice.
fn once(what: &'static str, names: impl Iterator<Item = String>) -> Result<(), ComparisonError> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(ComparisonError::Twice { what, name });
        }
        seen.push(name);
    }
    Ok(())
}
