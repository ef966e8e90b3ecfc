//! All gradient methods, by name.

mod adapted;
mod error;
mod name;
mod options;

use std::str::FromStr;
use std::sync::Arc;

use eqprop_core::activation::Activation;
use eqprop_core::connection::ConnectionConfig;
use eqprop_core::energy::{LayerConfig, Model};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::{Circle, Nudging};
use eqprop_core::relaxation::Stopping;
use eqprop_train::config::TrainingConfig;
use eqprop_train::estimator::stochastic::{Langevin, LangevinError};
use eqprop_train::estimator::{
    AsymmetricEquilibriumPropagation, CoupledLearning, DyadicEquilibriumPropagation,
    HolomorphicEquilibriumPropagation, Homeostasis, NonIdealEquilibriumPropagation, Sampling,
    StochasticEquilibriumPropagation, WeightPerturbation,
};
use eqprop_train::training::AnyEstimator;

use crate::baseline::{Bptt, FeedforwardBackprop, ImplicitExact, RecurrentBackprop};
use adapted::{Continual, Holomorphic};
use error::MOST_UNITS;
pub use error::MethodError;
pub use name::Method;
pub use options::{
    ContinualOptions, HigherOrderOptions, HolomorphicOptions, HomeostasisOptions, MethodOptions,
    StochasticOptions, WeightPerturbationOptions,
};

impl Method {
    /// Returns the nudging that replaces that of the configuration, if any.
    fn nudging(self, beta: f64, options: &MethodOptions) -> Option<Nudging> {
        let beta = beta.abs();
        match self {
            Self::Cep | Self::Ccpl => Some(Nudging::Centered { beta }),
            Self::Pep | Self::Pcpl => Some(Nudging::OneSided { beta }),
            Self::Nep | Self::Ncpl => Some(Nudging::OneSided { beta: -beta }),
            Self::Cl => Some(Nudging::OneSided { beta: 1.0 }),
            Self::RandomSign => Some(Nudging::RandomSign { beta }),
            Self::HigherOrder => {
                let n_pairs = options.higher_order.n_pairs;
                Some(Nudging::HigherOrder { beta, n_pairs })
            }
            _ => None,
        }
    }

    /// Creates this method's estimator with the phases, β and seed of `config`, and default options.
    ///
    /// # Errors
    /// If this method cannot run on the network of `config`.
    pub fn estimator(self, config: &TrainingConfig) -> Result<AnyEstimator, MethodError> {
        self.estimator_with(config, &MethodOptions::default())
    }

    /// Does the same as [`estimator`](Self::estimator), with the given options.
    ///
    /// # Errors
    /// As [`estimator`](Self::estimator), and if an option is out of range.
    pub fn estimator_with(
        self,
        config: &TrainingConfig,
        options: &MethodOptions,
    ) -> Result<AnyEstimator, MethodError> {
        let mut eqprop = config.estimator();
        let free = eqprop.free.clone();
        let beta = config.phases.nudging.beta();
        let steps = Stopping::new(config.phases.nudged_steps);
        let remembers = |n_steps| {
            let fits = config.check_trajectory(n_steps);
            let method = self;
            fits.map_err(|source| MethodError::Memory { method, source })
        };
        let check_nudging = |nudging| {
            let checked = config.check_nudging(nudging);
            checked.map_err(|source| MethodError::Nudging {
                method: self,
                source,
            })
        };
        let check_adjoint = || {
            let is_untied = matches!(config.network.model, Model::Untied { .. });
            // Nothing is sent back to the input.
            let is_max_pooled =
                |ends: ConnectionConfig| ends.from > 0 && ends.kind.has_max_pooling();
            match is_untied && config.energy().connections.into_iter().any(is_max_pooled) {
                true => Err(MethodError::NoAdjoint { method: self }),
                false => Ok(()),
            }
        };
        let in_options = |source| MethodError::Options {
            method: self,
            source,
        };
        Ok(match self {
            Self::Eqprop
            | Self::Cep
            | Self::Pep
            | Self::Nep
            | Self::RandomSign
            | Self::HigherOrder => {
                if let Some(nudging) = self.nudging(beta, options) {
                    check_nudging(nudging)?;
                    eqprop.nudging = nudging;
                }
                match config.hardware.state_defects() {
                    None => Arc::new(eqprop),
                    Some(defects) => Arc::new(NonIdealEquilibriumPropagation::new(
                        eqprop,
                        defects,
                        config.seed,
                    )),
                }
            }
            _ if config.hardware.state_defects().is_some() => {
                return Err(MethodError::ideal_states(self, &config.hardware));
            }
            Self::Holomorphic | Self::Cl | Self::Pcpl | Self::Ncpl | Self::Ccpl
                if config.network.intermediate.acts() =>
            {
                return Err(MethodError::Intermediate { method: self });
            }
            Self::Holomorphic => {
                if config.network.model != Model::Hopfield {
                    return Err(MethodError::NotHopfield {
                        model: config.network.model,
                    });
                }
                let n_points = options.holomorphic.n_points;
                let beta = beta.abs();
                let circle = Circle { beta, n_points };
                let inner = HolomorphicEquilibriumPropagation::new(circle, free, eqprop.nudged);
                inner
                    .validate(&config.energy(), config.network.cost)
                    .map_err(MethodError::Holomorphic)?;
                let start = config.phases.start;
                Arc::new(Holomorphic { inner, start })
            }
            Self::Continual => {
                check_nudging(Nudging::OneSided { beta })?;
                let ContinualOptions { rate } = options.continual;
                if !(rate.is_finite() && rate >= 0.0) {
                    return Err(in_options(ConfigError::OutOfRange {
                        field: "continual.rate",
                        expected: "a number of at least 0",
                        found: rate,
                    }));
                }
                let rates = config.optimizer.learning_rates.iter();
                Arc::new(Continual {
                    beta,
                    rates: rates.map(|layer| rate * layer).collect(),
                    free,
                    nudged_steps: config.phases.nudged_steps,
                })
            }
            Self::Stochastic => {
                let StochasticOptions {
                    temperature,
                    step_size,
                    n_chains,
                    burn_in,
                    n_samples,
                    thinning,
                } = options.stochastic;
                let sampling = Sampling {
                    temperature,
                    step_size,
                    n_chains,
                    burn_in,
                    n_samples,
                    thinning,
                };
                sampling.validate().map_err(in_options)?;
                let langevin = Langevin::new(step_size, temperature, config.seed);
                match langevin.validate(&config.energy().layers) {
                    Err(LangevinError::Config(source)) => return Err(in_options(source)),
                    checked => checked.map_err(MethodError::Langevin)?,
                }
                let nudging = config.phases.nudging;
                let estimator = StochasticEquilibriumPropagation::new(nudging, free, sampling);
                Arc::new(estimator.with_seed(config.seed))
            }
            Self::Asymmetric => {
                check_adjoint()?;
                let nudging = config.phases.nudging;
                let estimator = AsymmetricEquilibriumPropagation::new(nudging, free, eqprop.nudged);
                Arc::new(estimator.with_seed(config.seed))
            }
            Self::Dyadic => {
                check_adjoint()?;
                let nudging = config.phases.nudging;
                let estimator = DyadicEquilibriumPropagation::new(nudging, free, eqprop.nudged);
                Arc::new(estimator.with_seed(config.seed))
            }
            Self::Homeostasis => {
                let HomeostasisOptions { strength } = options.homeostasis;
                if !(strength.is_finite() && strength >= 0.0) {
                    return Err(in_options(ConfigError::OutOfRange {
                        field: "homeostasis.strength",
                        expected: "a number of at least 0",
                        found: strength,
                    }));
                }
                check_adjoint()?;
                Arc::new(Homeostasis::new(eqprop, strength).with_seed(config.seed))
            }
            Self::Cl | Self::Pcpl | Self::Ncpl | Self::Ccpl => {
                let nudging = self.nudging(beta, options).expect("it has its own");
                let clamped = eqprop.nudged.clone();
                Arc::new(CoupledLearning::new(nudging, free, clamped))
            }
            Self::WeightPerturbation => {
                let WeightPerturbationOptions { size, n_draws } = options.weight_perturbation;
                ConfigError::positive_number("weight-perturbation.size", size)
                    .and_then(|()| ConfigError::single_precision("weight-perturbation.size", size))
                    .and_then(|()| {
                        ConfigError::at_least_one("weight-perturbation.n_draws", n_draws)
                    })
                    .map_err(in_options)?;
                let estimator = WeightPerturbation::new(size, n_draws, free);
                Arc::new(estimator.with_seed(config.seed))
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
                let layers = config.energy().layers;
                // A phase is stored as a cosine and a sine.
                let of_layer = |layer: &LayerConfig| match layer.activation {
                    Activation::Phase => 2 * layer.n_units(),
                    _ => layer.n_units(),
                };
                let n_units = layers.iter().map(of_layer).sum();
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

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(name: &str) -> Result<Self, MethodError> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| MethodError::Unknown {
            name: name.to_string(),
        })
    }
}
