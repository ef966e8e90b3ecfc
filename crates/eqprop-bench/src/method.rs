//! All ways to a gradient, by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Stopping;
use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::CoupledLearning;
use eqprop_train::suggestion::did_you_mean;
use eqprop_train::training::AnyEstimator;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};

/// The most units of a network that the exact gradient is computed for: 8 MB per example.
const MOST_UNITS: usize = 1000;

/// Makes the enum of one row for each method: its name, and what it is in a few words.
macro_rules! methods {
    ($($method:ident: $name:literal, $about:literal;)+) => {
        /// A way to the gradient of a network.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = $about]
                $method,
            )+
        }

        impl Method {
            /// All methods.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$method),+];

            /// The name by which it is chosen.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)+
                }
            }

            /// What it is, in a few words.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$method => $about,)+
                }
            }
        }
    };
}

methods! {
    Eqprop: "eqprop",
        "equilibrium propagation, nudged as the preset says";
    Cep: "cep",
        "equilibrium propagation between β and −β (centered)";
    Pep: "pep",
        "equilibrium propagation with β > 0";
    Nep: "nep",
        "equilibrium propagation with β < 0";
    RandomSign: "random-sign",
        "equilibrium propagation with a β of random sign per batch";
    Cl: "cl",
        "contrastive learning: output clamped at the target";
    Pcpl: "pcpl",
        "coupled learning: output clamped a little toward the target";
    Ncpl: "ncpl",
        "coupled learning: output clamped a little away from the target";
    Ccpl: "ccpl",
        "coupled learning between the two (centered)";
    Bptt: "bptt",
        "backpropagation through the whole free phase";
    Tbp: "tbp",
        "truncated backpropagation from the free equilibrium";
    Rbp: "rbp",
        "recurrent backpropagation (Almeida–Pineda) at the free equilibrium";
    Exact: "exact",
        "exact gradient at the free equilibrium, by a linear solve (small networks)";
    Backprop: "backprop",
        "Burn's own backpropagation in the feedforward twin";
}

/// Why a method cannot be used.
#[derive(Debug, Error)]
pub enum MethodError {
    /// There is no method of this name.
    #[error(
        "unknown method `{name}`{}; the methods are: {}",
        did_you_mean(name, Method::ALL.map(Method::name)),
        known()
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// The states to remember are more than this machine has memory for.
    #[error("{method} remembers the states of all steps")]
    Memory {
        /// The method.
        method: Method,
        /// How many they are.
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
        "{method} needs a feedforward twin, which a resistive network does not have, because its \
         resistors conduct both ways; choose other --methods"
    )]
    ConductsBothWays {
        /// The method.
        method: Method,
    },
    /// A connection leads back.
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
    /// The nudging factor is not possible.
    #[error("{method} cannot be used here")]
    Nudging {
        /// The method.
        method: Method,
        /// Why.
        #[source]
        source: ConfigError,
    },
}

fn known() -> String {
    Method::ALL.map(Method::name).join(", ")
}

impl Method {
    /// The nudging that it replaces the configuration's by, if any.
    fn nudging(self, beta: f64) -> Option<Nudging> {
        let beta = beta.abs();
        match self {
            Self::Cep | Self::Ccpl => Some(Nudging::Centered { beta }),
            Self::Pep | Self::Pcpl => Some(Nudging::OneSided { beta }),
            Self::Nep | Self::Ncpl => Some(Nudging::OneSided { beta: -beta }),
            Self::Cl => Some(Nudging::OneSided { beta: 1.0 }),
            Self::RandomSign => Some(Nudging::RandomSign { beta }),
            _ => None,
        }
    }

    /// This method with the phases, the β and the seed of `config`.
    ///
    /// # Errors
    /// If the network of `config` is not one that this method can run.
    pub fn estimator(self, config: &TrainingConfig) -> Result<AnyEstimator, MethodError> {
        let mut eqprop = config.estimator();
        let free = eqprop.free.clone();
        let steps = Stopping::new(config.phases.nudged_steps);
        let remembers = |n_steps| {
            let fits = config.check_trajectory(n_steps);
            let method = self;
            fits.map_err(|source| MethodError::Memory { method, source })
        };
        Ok(match self {
            Self::Eqprop | Self::Cep | Self::Pep | Self::Nep | Self::RandomSign => {
                if let Some(nudging) = self.nudging(config.phases.nudging.beta()) {
                    config.check_nudging(nudging).map_err(|source| {
                        let method = self;
                        MethodError::Nudging { method, source }
                    })?;
                    eqprop.nudging = nudging;
                }
                Arc::new(eqprop)
            }
            Self::Cl | Self::Pcpl | Self::Ncpl | Self::Ccpl => {
                let nudging = self
                    .nudging(config.phases.nudging.beta())
                    .expect("it has its own");
                let clamped = eqprop.nudged.clone();
                Arc::new(CoupledLearning::new(nudging, free, clamped))
            }
            Self::Bptt => {
                remembers(config.phases.free_steps)?;
                Arc::new(Bptt::new(free))
            }
            Self::Tbp => {
                remembers(config.phases.nudged_steps)?;
                Arc::new(Bptt::truncated(free, steps.max_steps))
            }
            Self::Rbp => Arc::new(RecurrentBackprop {
                free,
                costate: steps,
            }),
            Self::Exact => {
                let n_units = config
                    .energy()
                    .layers
                    .iter()
                    .map(|layer| layer.n_units())
                    .sum();
                if n_units > MOST_UNITS {
                    return Err(MethodError::TooManyUnits { n_units });
                }
                Arc::new(ImplicitExact { free })
            }
            Self::Backprop => {
                if config.field().conducts_both_ways() {
                    return Err(MethodError::ConductsBothWays { method: self });
                }
                let connections = config.energy().connections;
                if let Some(back) = connections.iter().find(|ends| ends.from >= ends.to) {
                    let (from, to) = (back.from, back.to);
                    return Err(MethodError::NoTwin { from, to });
                }
                Arc::new(FeedforwardBackprop)
            }
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(name: &str) -> Result<Self, MethodError> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| MethodError::Unknown {
            name: name.to_string(),
        })
    }
}
