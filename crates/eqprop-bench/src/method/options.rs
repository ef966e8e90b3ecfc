//! Options of methods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::MethodError;
use super::name::Method;

/// What some methods can be told besides the configuration, a section for each by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MethodOptions {
    /// Of `higher-order`.
    pub higher_order: HigherOrderOptions,
    /// Of `holomorphic`.
    pub holomorphic: HolomorphicOptions,
    /// Of `continual`.
    pub continual: ContinualOptions,
    /// Of `stochastic`.
    pub stochastic: StochasticOptions,
    /// Of `homeostasis`.
    pub homeostasis: HomeostasisOptions,
    /// Of `weight-perturbation`.
    pub weight_perturbation: WeightPerturbationOptions,
}

/// See [`Nudging::HigherOrder`](eqprop_core::nudging::Nudging).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HigherOrderOptions {
    /// Number of pairs of nudged phases, 1 to 20.
    pub n_pairs: usize,
}

/// See [`HolomorphicEquilibriumPropagation`](eqprop_train::estimator::HolomorphicEquilibriumPropagation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HolomorphicOptions {
    /// Number of nudging factors on the circle of radius β, at least 1.
    pub n_points: usize,
}

/// See [`ContinualEquilibriumPropagation`](eqprop_train::estimator::ContinualEquilibriumPropagation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContinualOptions {
    /// The share of the configured learning rates at which the parameters move during the nudged phase, at least 0. With 1,
    /// and without momentum, an update ends where the nudged phase did; the learning rates have then to be some 14 to 28 times
    /// lower than those of equilibrium propagation, as the published ones are, and so the share is.
    pub rate: f64,
}

/// See [`Sampling`](eqprop_train::estimator::Sampling).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StochasticOptions {
    /// Temperature, greater than 0.
    pub temperature: f64,
    /// Step of the Langevin dynamics, in (0, 1].
    pub step_size: f64,
    /// Chains per example and nudging factor.
    pub n_chains: usize,
    /// Steps before the first sample.
    pub burn_in: usize,
    /// Samples of each chain.
    pub n_samples: usize,
    /// Steps from sample to sample.
    pub thinning: usize,
}

/// See [`Homeostasis`](eqprop_train::estimator::Homeostasis).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeostasisOptions {
    /// How much the asymmetry of the Jacobian counts beside the cost, at least 0.
    pub strength: f64,
}

/// See [`WeightPerturbation`](eqprop_train::estimator::WeightPerturbation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightPerturbationOptions {
    /// By how much each parameter changes, greater than 0.
    pub size: f64,
    /// Random directions per update, at least 1.
    pub n_draws: usize,
}

impl Default for HigherOrderOptions {
    fn default() -> Self {
        Self { n_pairs: 2 }
    }
}

impl Default for HolomorphicOptions {
    fn default() -> Self {
        Self { n_points: 4 }
    }
}

impl Default for ContinualOptions {
    fn default() -> Self {
        Self { rate: 0.05 }
    }
}

/// Enough samples for a training, in which many estimates average; fewer than a careful look at one gradient needs.
impl Default for StochasticOptions {
    fn default() -> Self {
        Self {
            temperature: 1e-3,
            step_size: 0.2,
            n_chains: 4,
            burn_in: 30,
            n_samples: 5,
            thinning: 4,
        }
    }
}

impl Default for HomeostasisOptions {
    fn default() -> Self {
        Self { strength: 10.0 }
    }
}

impl Default for WeightPerturbationOptions {
    fn default() -> Self {
        Self {
            size: 1e-3,
            n_draws: 1,
        }
    }
}

impl MethodOptions {
    /// The name of the method whose option `key` is, if it has the form of one: `holomorphic` of `holomorphic.n_points`.
    pub fn method_of(key: &str) -> Option<&str> {
        let (section, _) = key.split_once('.')?;
        let is_method = Method::ALL.iter().any(|method| method.name() == section);
        is_method.then_some(section)
    }

    /// All options by their names in full, with their values.
    pub fn list(&self) -> Vec<(String, Value)> {
        let all = serde_json::to_value(self).expect("plain structs serialize");
        let sections = all.as_object().into_iter().flatten();
        let options = sections.flat_map(|(section, options)| {
            let options = options.as_object().into_iter().flatten();
            options.map(move |(name, value)| (format!("{section}.{name}"), value.clone()))
        });
        options.collect()
    }

    /// A copy with the option `key` changed to `value`, written as JSON: `holomorphic.n_points` to `6`.
    ///
    /// # Errors
    /// If there is no such option, or the value does not fit it.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, MethodError> {
        let mut all = serde_json::to_value(self).expect("plain structs serialize");
        let place = key
            .split_once('.')
            .and_then(|(section, name)| all.get_mut(section)?.get_mut(name));
        let Some(place) = place else {
            return Err(MethodError::UnknownOption {
                key: key.to_string(),
                known: self.list().into_iter().map(|(name, _)| name).collect(),
            });
        };
        let example = place.to_string();
        *place = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        serde_json::from_value(all).map_err(|source| MethodError::UnfitOption {
            key: key.to_string(),
            value: value.to_string(),
            example,
            source,
        })
    }
}
