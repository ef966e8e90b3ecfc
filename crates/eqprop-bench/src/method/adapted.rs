//! Estimators that take what they need from the network at run time, and so run on networks chosen at run
//! time.

use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::config::InitialState;
use eqprop_train::estimator::{
    ContinualEquilibriumPropagation, ContinualRates, Estimate, GradientEstimator,
    HolomorphicEquilibriumPropagation,
};
use eqprop_train::network::{EquilibriumNetwork, FreePhase};

type Network = EquilibriumNetwork<AnyField, AnyCost>;

/// Holomorphic equilibrium propagation for a network that must turn out to have an energy with complex
/// states.
#[derive(Debug, Clone)]
pub(super) struct Holomorphic {
    pub inner: HolomorphicEquilibriumPropagation<Scheme>,
    /// The start of the network's free phases.
    pub start: InitialState,
}

impl GradientEstimator<AnyField, AnyCost> for Holomorphic {
    fn free_phase(&self) -> &dyn FreePhase<AnyField, AnyCost> {
        &self.inner.free
    }

    /// # Panics
    /// If the network is not a Hopfield network, and as the estimator itself.
    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate {
        let AnyField::Hopfield(energy) = &network.energy else {
            panic!("holomorphic equilibrium propagation needs a Hopfield energy");
        };
        let network = EquilibriumNetwork::new(energy.clone(), network.cost.clone());
        let network = network.with_start(self.start);
        self.inner.estimate(&network, batch, start)
    }
}

/// Continual equilibrium propagation with one learning rate per layer, for any network.
#[derive(Debug, Clone)]
pub(super) struct Continual {
    pub beta: f64,
    /// The rate of each layer, for its biases and the connections that lead to it.
    pub rates: Vec<f64>,
    pub free: Relaxation<Scheme>,
    pub nudged_steps: usize,
}

impl GradientEstimator<AnyField, AnyCost> for Continual {
    fn free_phase(&self) -> &dyn FreePhase<AnyField, AnyCost> {
        &self.free
    }

    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate {
        // Parameters are identified by their ids, which change when a record is loaded.
        let layers = 0..network.energy.layers().len();
        let rates = layers.zip(&self.rates);
        let rates = rates.fold(ContinualRates::uniform(0.0), |rates, (layer, &rate)| {
            rates.with_group(network.energy.parameters_into(layer), rate)
        });
        let inner = ContinualEquilibriumPropagation::new(
            self.beta,
            rates,
            self.free.clone(),
            self.nudged_steps,
        );
        inner.estimate(network, batch, start)
    }
}
