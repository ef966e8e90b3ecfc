//! The errors of choosing a method.

use eqprop_core::energy::Model;
use eqprop_core::error::ConfigError;
use eqprop_train::config::HardwareConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::HolomorphicError;
use eqprop_train::estimator::stochastic::LangevinError;
use eqprop_train::suggestion::did_you_mean;
use thiserror::Error;

use super::name::Method;

/// The most units of a network that the exact gradient is computed for: 8 MB per example.
pub(super) const MOST_UNITS: usize = 1000;

/// The reason why a method cannot be used.
#[derive(Debug, Error)]
pub enum MethodError {
    /// There is no method of this name.
    #[error(
        "unknown method `{name}`{}; the methods are: {}",
        did_you_mean(name, Method::ALL.map(Method::name)),
        Method::ALL.map(Method::name).join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// There is no option of this name.
    #[error(
        "unknown option `{key}`{}; the options of methods are: {}",
        did_you_mean(key, known.iter().map(String::as_str)),
        known.join(", ")
    )]
    UnknownOption {
        /// The name.
        key: String,
        /// All known options.
        known: Vec<String>,
    },
    /// The value does not fit the option.
    #[error("`{value}` does not fit the option `{key}`; it is written like `{example}`")]
    UnfitOption {
        /// The option.
        key: String,
        /// The value.
        value: String,
        /// A value that fits.
        example: String,
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// The states to be remembered need more memory than this machine has.
    #[error("{method} remembers the states of all steps")]
    Memory {
        /// The method.
        method: Method,
        /// The size of the states.
        #[source]
        source: TrainingError,
    },
    /// The network is too large.
    #[error(
        "the exact gradient factorizes a matrix of all units for each example: at most \
         {MOST_UNITS} units, but this network has {n_units}; use rbp"
    )]
    TooManyUnits {
        /// Units of the network.
        n_units: usize,
    },
    /// The network has no feedforward twin.
    #[error(
        "{method} needs a feedforward twin, which networks of resistors or of oscillators do not have, because what \
         joins two units acts both ways; choose other --methods"
    )]
    ConductsBothWays {
        /// The method.
        method: Method,
    },
    /// States that are not ideal, for a method that has none of those.
    #[error(
        "hardware.{setting} changes the states of equilibrium propagation, and {method} relaxes without: set it to \
         {ideal}, or choose other --methods"
    )]
    IdealStates {
        /// The method.
        method: Method,
        /// The setting that makes them so.
        setting: &'static str,
        /// Its value where they are ideal.
        ideal: &'static str,
    },
    /// Costs of hidden layers, for a method that acts on the output alone.
    #[error(
        "intermediate.layers have costs of their own, and {method} has no nudge for them: set intermediate.layers=[], or \
         choose other --methods"
    )]
    Intermediate {
        /// The method.
        method: Method,
    },
    /// A connection leads backward.
    #[error(
        "backprop needs a feedforward twin, but connection {from} -> {to} does not lead from a \
         lower to a higher layer; leave backprop out of --methods"
    )]
    NoTwin {
        /// The layer that the connection starts from.
        from: usize,
        /// The layer that it leads to.
        to: usize,
    },
    /// The network with its directions exchanged has no closed form.
    #[error(
        "{method} cannot go through max pooling of untied weights, whose winners are those of the \
         forward direction in both; use average pooling"
    )]
    NoAdjoint {
        /// The method.
        method: Method,
    },
    /// The nudging factor is not allowed.
    #[error("{method} cannot be used here")]
    Nudging {
        /// The method.
        method: Method,
        /// The reason.
        #[source]
        source: ConfigError,
    },
    /// An option is out of range.
    #[error("the options of {method} cannot work")]
    Options {
        /// The method.
        method: Method,
        /// The option.
        #[source]
        source: ConfigError,
    },
    /// Only one kind of network has complex states.
    #[error(
        "holomorphic cannot be used here: it needs the model \"hopfield\", but this one is {model:?}"
    )]
    NotHopfield {
        /// The model.
        model: Model,
    },
    /// The network has no continuation to complex states.
    #[error("holomorphic cannot be used here")]
    Holomorphic(#[source] HolomorphicError),
    /// The network cannot be sampled.
    #[error("stochastic cannot be used here")]
    Langevin(#[source] LangevinError),
}

impl MethodError {
    /// Of the first setting by which states of `hardware` are not ideal.
    pub(super) fn ideal_states(method: Method, hardware: &HardwareConfig) -> Self {
        let (setting, ideal) = match hardware {
            HardwareConfig { state_noise, .. } if *state_noise > 0.0 => ("state_noise", "0"),
            HardwareConfig {
                state_bits: Some(_),
                ..
            } => ("state_bits", "null"),
            _ => ("state_range", "null"),
        };
        Self::IdealStates {
            method,
            setting,
            ideal,
        }
    }
}
