//! All ways to a gradient, by name.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyClamped, AnyField};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxed, Stopping};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::error::TrainingError;
use eqprop_train::estimator::{
    CoupledLearning, EquilibriumPropagation, Estimate, GradientEstimator,
};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::suggestion::did_you_mean;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};

/// The most units of a network that the exact gradient is computed for: 8 MB per example.
const MOST_UNITS: usize = 1000;

/// A way to the gradient of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Equilibrium propagation, nudged as the configuration says.
    Eqprop,
    /// Centered equilibrium propagation.
    Cep,
    /// Equilibrium propagation with a positive β.
    Pep,
    /// Equilibrium propagation with a negative β.
    Nep,
    /// Equilibrium propagation with a β of random sign.
    RandomSign,
    /// Contrastive learning: output clamped at the target.
    Cl,
    /// Coupled learning with a positive β.
    Pcpl,
    /// Coupled learning with a negative β.
    Ncpl,
    /// Centered coupled learning.
    Ccpl,
    /// Backpropagation through the whole free phase.
    Bptt,
    /// Truncated backpropagation from the free equilibrium, through as many steps as a nudged
    /// phase has.
    Tbp,
    /// Recurrent backpropagation, with as many steps as a nudged phase has.
    Rbp,
    /// The exact gradient at the free equilibrium.
    Exact,
    /// Backpropagation in the feedforward twin.
    Backprop,
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
    /// All methods.
    pub const ALL: [Self; 14] = [
        Self::Eqprop,
        Self::Cep,
        Self::Pep,
        Self::Nep,
        Self::RandomSign,
        Self::Cl,
        Self::Pcpl,
        Self::Ncpl,
        Self::Ccpl,
        Self::Bptt,
        Self::Tbp,
        Self::Rbp,
        Self::Exact,
        Self::Backprop,
    ];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eqprop => "eqprop",
            Self::Cep => "cep",
            Self::Pep => "pep",
            Self::Nep => "nep",
            Self::RandomSign => "random-sign",
            Self::Cl => "cl",
            Self::Pcpl => "pcpl",
            Self::Ncpl => "ncpl",
            Self::Ccpl => "ccpl",
            Self::Bptt => "bptt",
            Self::Tbp => "tbp",
            Self::Rbp => "rbp",
            Self::Exact => "exact",
            Self::Backprop => "backprop",
        }
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Eqprop => "equilibrium propagation, nudged as the preset says",
            Self::Cep => "equilibrium propagation between β and −β (centered)",
            Self::Pep => "equilibrium propagation with β > 0",
            Self::Nep => "equilibrium propagation with β < 0",
            Self::RandomSign => "equilibrium propagation with a β of random sign per batch",
            Self::Cl => "contrastive learning: output clamped at the target",
            Self::Pcpl => "coupled learning: output clamped a little toward the target",
            Self::Ncpl => "coupled learning: output clamped a little away from the target",
            Self::Ccpl => "coupled learning between the two (centered)",
            Self::Bptt => "backpropagation through the whole free phase",
            Self::Tbp => "truncated backpropagation from the free equilibrium",
            Self::Rbp => "recurrent backpropagation (Almeida–Pineda) at the free equilibrium",
            Self::Exact => {
                "exact gradient at the free equilibrium, by a linear solve (small networks)"
            }
            Self::Backprop => "Burn's own backpropagation in the feedforward twin",
        }
    }

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
                AnyEstimator::EquilibriumPropagation(eqprop)
            }
            Self::Cl | Self::Pcpl | Self::Ncpl | Self::Ccpl => {
                let nudging = self
                    .nudging(config.phases.nudging.beta())
                    .expect("it has its own");
                let clamped = eqprop.nudged.clone();
                AnyEstimator::CoupledLearning(CoupledLearning::new(nudging, free, clamped))
            }
            Self::Bptt => {
                remembers(config.phases.free_steps)?;
                AnyEstimator::Bptt(Bptt::new(free))
            }
            Self::Tbp => {
                remembers(config.phases.nudged_steps)?;
                AnyEstimator::Bptt(Bptt::truncated(free, steps.max_steps))
            }
            Self::Rbp => AnyEstimator::RecurrentBackprop(RecurrentBackprop {
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
                AnyEstimator::ImplicitExact(ImplicitExact { free })
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
                AnyEstimator::FeedforwardBackprop(FeedforwardBackprop)
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

/// An estimator chosen at run time.
#[derive(Debug, Clone)]
pub enum AnyEstimator {
    /// See [`EquilibriumPropagation`].
    EquilibriumPropagation(EquilibriumPropagation),
    /// See [`CoupledLearning`].
    CoupledLearning(CoupledLearning),
    /// See [`Bptt`].
    Bptt(Bptt),
    /// See [`RecurrentBackprop`].
    RecurrentBackprop(RecurrentBackprop),
    /// See [`ImplicitExact`].
    ImplicitExact(ImplicitExact),
    /// See [`FeedforwardBackprop`].
    FeedforwardBackprop(FeedforwardBackprop),
}

type Network = EquilibriumNetwork<AnyField, AnyCost>;

impl AnyEstimator {
    fn inner(&self) -> &dyn Estimator {
        match self {
            Self::EquilibriumPropagation(inner) => inner,
            Self::CoupledLearning(inner) => inner,
            Self::Bptt(inner) => inner,
            Self::RecurrentBackprop(inner) => inner,
            Self::ImplicitExact(inner) => inner,
            Self::FeedforwardBackprop(inner) => inner,
        }
    }
}

/// [`GradientEstimator`] without what keeps it from being a trait object.
trait Estimator {
    fn infer(&self, network: &Network, input: &Tensor<2>, start: Option<State>) -> Relaxed;
    fn infer_clamped(&self, network: &Network, input: &Tensor<2>, clamped: &AnyClamped) -> Relaxed;
    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate;
    fn resume(&self, n_estimates: u64);
}

impl<G: GradientEstimator<AnyField, AnyCost>> Estimator for G {
    fn infer(&self, network: &Network, input: &Tensor<2>, start: Option<State>) -> Relaxed {
        GradientEstimator::infer(self, network, input, start)
    }

    fn infer_clamped(&self, network: &Network, input: &Tensor<2>, clamped: &AnyClamped) -> Relaxed {
        GradientEstimator::infer_clamped(self, network, input, clamped)
    }

    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate {
        GradientEstimator::estimate(self, network, batch, start)
    }

    fn resume(&self, n_estimates: u64) {
        GradientEstimator::resume(self, n_estimates);
    }
}

impl GradientEstimator<AnyField, AnyCost> for AnyEstimator {
    fn infer(&self, network: &Network, input: &Tensor<2>, start: Option<State>) -> Relaxed {
        self.inner().infer(network, input, start)
    }

    fn infer_clamped(&self, network: &Network, input: &Tensor<2>, clamped: &AnyClamped) -> Relaxed {
        self.inner().infer_clamped(network, input, clamped)
    }

    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate {
        self.inner().estimate(network, batch, start)
    }

    fn resume(&self, n_estimates: u64) {
        self.inner().resume(n_estimates);
    }
}
