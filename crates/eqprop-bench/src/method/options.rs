//! Options of methods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::MethodError;
use super::name::Method;

/// Settings of single methods beyond the configuration, in one section per method, under its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MethodOptions {
    /// Options of `higher-order`.
    pub higher_order: HigherOrderOptions,
    /// Options of `holomorphic`.
    pub holomorphic: HolomorphicOptions,
    /// Options of `continual`.
    pub continual: ContinualOptions,
    /// Options of `stochastic`.
    pub stochastic: StochasticOptions,
    /// Options of `homeostasis`.
    pub homeostasis: HomeostasisOptions,
    /// Options of `weight-perturbation`.
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
    /// The share of the configured learning rates at which the parameters move during the nudged phase, at
    /// least 0. At 1, and without momentum, an update ends where the nudged phase did; the learning rates
    /// must then be some 14 to 28 times lower than those of equilibrium propagation, as the published ones
    /// are. The default share is lower accordingly.
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
    /// Number of chains per example and nudging factor.
    pub n_chains: usize,
    /// Number of steps before the first sample.
    pub burn_in: usize,
    /// Number of samples per chain.
    pub n_samples: usize,
    /// Number of steps between samples.
    pub thinning: usize,
}

/// See [`Homeostasis`](eqprop_train::estimator::Homeostasis).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeostasisOptions {
    /// The weight of the asymmetry of the Jacobian relative to the cost, at least 0.
    pub strength: f64,
}

/// See [`WeightPerturbation`](eqprop_train::estimator::WeightPerturbation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightPerturbationOptions {
    /// The size of the change of each parameter, greater than 0.
    pub size: f64,
    /// Number of random directions per update, at least 1.
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

/// Enough samples for a training, in which many estimates average out; fewer than a careful look at a single
/// gradient needs.
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
    /// Returns the method that the option `key` belongs to, if `key` has the form of an option: `holomorphic`
    /// for `holomorphic.n_points`.
    pub fn method_of(key: &str) -> Option<&str> {
        let (section, _) = key.split_once('.')?;
        let is_method = Method::ALL.iter().any(|method| method.name() == section);
        is_method.then_some(section)
    }

    /// Lists all options by their full names, with their values.
    pub fn list(&self) -> Vec<(String, Value)> {
        let all = serde_json::to_value(self).expect("plain structs serialize");
        let sections = all.as_object().into_iter().flatten();
        let options = sections.flat_map(|(section, options)| {
            let options = options.as_object().into_iter().flatten();
            options.map(move |(name, value)| (format!("{section}.{name}"), value.clone()))
        });
        options.collect()
    }

    /// Returns a copy with the option `key` set to `value`, written as JSON: for example
    /// `holomorphic.n_points` to `6`.
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
