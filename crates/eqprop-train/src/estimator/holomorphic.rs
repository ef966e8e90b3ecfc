//! Holomorphic equilibrium propagation.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, ConnectionKind};
use eqprop_core::cost::{Cost, CostConfig};
use eqprop_core::energy::{
    HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::error::ConfigError;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Circle;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use super::free_equilibrium::FreeEquilibrium;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Holomorphic equilibrium propagation: contrasts equilibria at complex nudging factors.
///
/// The nudging factors `β_k = |β| e^{2πik/N}` lie on a [`Circle`]. Weights and input stay real, the
/// nudged states are complex, and the estimate is Cauchy's formula for the derivative at the center:
///
/// ```text
/// ĝ = 1/N · Σ_k Re[ 1/β_k · mean( ∂E/∂θ(θ, x, s^{β_k}) − ∂E/∂θ(θ, x, s⁰) ) ]
/// ```
///
/// # Error
/// `O(β^N)`, and at fixed `|β|` it falls as `(|β|/R)^N`: a nudge of finite strength gives the exact
/// gradient as `N → ∞` if `R > |β|`, where `R` is the distance from 0 of the nearest singularity of
/// `s^β`. `N = 1` and `N = 2` are one-sided and centered equilibrium propagation. With a linear output
/// the squared error has a singularity at `β = −1` or nearer to 0, so that `R ≤ 1`.
///
/// # Cost
/// `⌊N/2⌋ + 1` complex relaxations as one batch, because the others are their conjugates; a complex step
/// takes the products of two real ones. Three contrasts for each complex point.
///
/// # When to choose it
/// Where the nudge must be strong, because noise or limited numerical precision hides the effect of a
/// weak one: all `N` points are nudged by the full `|β|` and have equal weights, whereas the inner pairs
/// of [`Nudging::HigherOrder`](eqprop_core::nudging::Nudging) are nudged less and weighted more. Without
/// noise two such pairs are less biased than `N = 4`, with real states and two thirds of the
/// arithmetic.
///
/// # Requirements
/// The squared error, and a holomorphic activation in every layer: sigmoid, tanh or identity. Any
/// connections except attention and those with max pooling, which do not act linearly on complex
/// states. [`validate`](Self::validate) checks this before a device is touched; an estimate panics.
///
/// [`Estimate::second_phase`] has the points of the upper half circle one after the other along the
/// batch axis, first all real parts, then all imaginary parts.
///
/// # Reference
/// Laborieux & Zenke (2022), <https://arxiv.org/abs/2209.00530>
#[derive(Debug, Clone)]
pub struct HolomorphicEquilibriumPropagation<D = Scheme> {
    /// Nudging factors.
    pub circle: Circle,
    /// Free phase.
    pub free: Relaxation<D>,
    /// Nudged phase.
    pub nudged: Relaxation<D>,
}

/// Error of a network that cannot be nudged by complex factors.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HolomorphicError {
    /// The circle is invalid.
    #[error(transparent)]
    Circle(#[from] ConfigError),
    /// An activation has no holomorphic continuation.
    #[error(
        "holomorphic equilibrium propagation needs sigmoid, tanh or identity layers, but layer \
         {layer} has {activation:?}"
    )]
    Activation {
        /// Index of the layer, counted from the input as 0.
        layer: usize,
        /// Activation of the layer.
        activation: Activation,
    },
    /// Max pooling is not linear.
    #[error(
        "holomorphic equilibrium propagation cannot go through max pooling, which connection \
         {connection} has; use average pooling"
    )]
    MaxPooling {
        /// Index of the connection in the configuration.
        connection: usize,
    },
    /// Attention is not linear.
    #[error(
        "holomorphic equilibrium propagation cannot go through attention, which connection \
         {connection} is: complex states need drives that are linear; use another estimator"
    )]
    Attention {
        /// Index of the connection in the configuration.
        connection: usize,
    },
    /// The cost is not quadratic.
    #[error("holomorphic equilibrium propagation needs the squared error, not {cost:?}")]
    Cost {
        /// Configured cost.
        cost: CostConfig,
    },
}

impl<D: Dynamics> HolomorphicEquilibriumPropagation<D> {
    /// Creates the estimator with the given phases.
    pub fn new(circle: Circle, free: Relaxation<D>, nudged: Relaxation<D>) -> Self {
        Self {
            circle,
            free,
            nudged,
        }
    }

    /// Checks the circle, and whether a network meets the requirements of this estimator.
    ///
    /// # Errors
    /// Names the first requirement that is not met.
    pub fn validate(
        &self,
        energy: &HopfieldEnergyConfig,
        cost: CostConfig,
    ) -> Result<(), HolomorphicError> {
        self.circle.validate()?;
        if cost != CostConfig::SquaredError {
            return Err(HolomorphicError::Cost { cost });
        }
        let kinds = energy.connections.iter().map(|connection| connection.kind);
        check_network(&energy.layers, kinds)
    }

    /// Like [`validate`](Self::validate), for an initialized network. Whether its cost is quadratic is
    /// checked by the total energy.
    fn check(&self, energy: &HopfieldEnergy) -> Result<(), HolomorphicError> {
        self.circle.validate()?;
        let kinds = energy.connections.iter().map(Connection::kind);
        check_network(energy.layers(), kinds)
    }

    /// Relaxes to the complex equilibria at the points of the upper half circle.
    fn relax<C: Cost>(&self, free: &FreeEquilibrium<HopfieldEnergy, C>) -> Relaxed {
        let EquilibriumNetwork { energy, cost, .. } = &free.network;
        let points = self.circle.upper_half();
        let (clamped, target, start) = free.copies(2 * points.len());
        let target = target.narrow(0, 0, points.len() * free.state().batch_size());
        let beta = [
            free.column(points.iter().map(|point| point.re)),
            free.column(points.iter().map(|point| point.im)),
        ];
        let is_real = [1.0, 0.0]
            .into_iter()
            .flat_map(|is_real| vec![is_real; points.len()]);
        let is_real = free.column(is_real);
        let start = start.map(|layer| layer.clone() * is_real.clone());
        let total = TotalEnergy::holomorphic(energy, &clamped, cost, &target, beta);
        self.nudged.relax(&total, start)
    }

    /// Computes the estimate from complex equilibria `a + ib`. `∂E/∂θ` is a quadratic function `D` of the
    /// state, so its real and imaginary parts are contrasts of real states:
    ///
    /// ```text
    /// Re D(a + ib) = D(a) − ½[D(a + b) + D(a − b) − 2D(a)]
    /// Im D(a + ib) = ½[D(a + b) − D(a − b)]
    /// ```
    fn contrast<C: Cost>(
        &self,
        free: &FreeEquilibrium<HopfieldEnergy, C>,
        nudged: &State,
    ) -> Gradients {
        let points = self.circle.upper_half();
        let batch = free.state().batch_size();
        let mut gradients = Gradients::new();
        let mut add = |first: &State, second: &State, weight: f64| {
            let energy = &free.network.energy;
            let term = energy.contrast(&free.clamped, first, second, weight);
            gradients.add(&term, energy);
        };
        for (index, point) in points.iter().enumerate() {
            let [re, im] = point.weight;
            let a = nudged.narrow(index * batch, batch);
            add(&a, free.state(), re);
            if point.im > 0.0 {
                let b = nudged.narrow((points.len() + index) * batch, batch);
                let (sum, difference) = (combined(&a, &b, 1.0), combined(&a, &b, -1.0));
                add(&sum, &a, -0.5 * (re + im));
                add(&difference, &a, -0.5 * (re - im));
            }
        }
        gradients
    }
}

/// Checks whether layers and connections have a continuation to complex states.
fn check_network(
    layers: &[LayerConfig],
    connections: impl Iterator<Item = ConnectionKind>,
) -> Result<(), HolomorphicError> {
    for (index, layer) in layers.iter().enumerate() {
        if !layer.activation.is_holomorphic() {
            return Err(HolomorphicError::Activation {
                layer: index + 1,
                activation: layer.activation,
            });
        }
    }
    for (connection, kind) in connections.enumerate() {
        if kind.has_max_pooling() {
            return Err(HolomorphicError::MaxPooling { connection });
        }
        if let ConnectionKind::Attention(_) = kind {
            return Err(HolomorphicError::Attention { connection });
        }
    }
    Ok(())
}

/// Returns `a + factor · b`.
fn combined(a: &State, b: &State, factor: f64) -> State {
    let layers = a.layers().iter().zip(b.layers());
    State::new(
        layers
            .map(|(a, b)| a.clone() + b.clone() * factor)
            .collect(),
    )
}

impl<C: Cost, D: Dynamics> GradientEstimator<HopfieldEnergy, C>
    for HolomorphicEquilibriumPropagation<D>
{
    fn free_phase(&self) -> &dyn FreePhase<HopfieldEnergy, C> {
        &self.free
    }

    /// # Panics
    /// If [`validate`](HolomorphicEquilibriumPropagation::validate) fails, with its message: if the circle is
    /// invalid, a layer's activation is not holomorphic, or a connection has max pooling or is attention;
    /// and if the cost is not quadratic.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<HopfieldEnergy, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        if let Err(error) = self.check(&network.energy) {
            panic!("{error}");
        }
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let nudged = debug_span!("second_phase").in_scope(|| self.relax(&free));
        let contrast = || self.contrast(&free, &nudged.state);
        let gradients = debug_span!("gradient").in_scope(contrast);
        free.contrasted(gradients, nudged)
    }
}
