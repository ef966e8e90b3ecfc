//! Weight perturbation: the gradient from the effect of random parameter changes on the cost.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tracing::debug_span;

use super::streams::Streams;
use super::{Estimate, FreeEquilibrium, GradientEstimator, into_params};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Weight perturbation, or SPSA: all parameters change at once by `±ε`, each with a random sign, and the
/// difference of the costs is credited to all of them.
///
/// ```text
/// v_i = ±1 at random for every parameter θ_i
/// ĝ = 1/2ε · [C(θ + εv) − C(θ − εv)] · v,     mean over n draws of v
/// ```
///
/// with the mean cost of a batch at the free equilibrium; each relaxation after a change starts from the
/// unperturbed free equilibrium. The readout's parameters are changed with the others.
///
/// # Error
/// Its mean over the draws is `dC/dθ + O(ε²)` for any energy, without nudging and without measurements at the
/// synapses. The price is noise: a single draw is off by `√(N/n)` times the norm of the gradient for
/// `N` parameters and `n` draws, whereas equilibrium propagation is off by `O(β²)`.
///
/// # Cost
/// `2n` relaxations in sequence, each with the input clamped anew.
///
/// # When to choose it
/// As a baseline for equilibrium propagation in hardware: to compare with circuits that can measure only
/// their cost.
///
/// # Reference
/// Spall (1992), <https://doi.org/10.1109/9.119632>; in circuits, Jabri & Flower (1992),
/// <https://doi.org/10.1109/72.105429>
#[derive(Debug, Clone)]
pub struct WeightPerturbation<D = Scheme> {
    /// Perturbation `ε` of each parameter, greater than 0.
    pub size: f64,
    /// Number `n` of draws, at least 1.
    pub n_draws: usize,
    /// Free phase, also used after each change.
    pub free: Relaxation<D>,
    streams: Streams,
}

impl<D: Dynamics> WeightPerturbation<D> {
    /// Creates the estimator with the given phase. Signs are drawn from seed 0.
    ///
    /// # Panics
    /// If `size` is not a positive finite number, or `n_draws` is 0.
    pub fn new(size: f64, n_draws: usize, free: Relaxation<D>) -> Self {
        assert!(
            size.is_finite() && size > 0.0,
            "size must be a positive number, but is {size}"
        );
        assert!(n_draws > 0, "n_draws must be at least 1, but is 0");
        Self {
            size,
            n_draws,
            free,
            streams: Streams::new(0),
        }
    }

    /// Sets the seed of the signs.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.streams = Streams::new(seed);
        self
    }

    /// Computes the mean cost of `θ + by · v`.
    fn cost<E: VectorField, C: Cost>(
        &self,
        at: &FreeEquilibrium<E, C>,
        rng: ChaCha8Rng,
        by: f64,
    ) -> Tensor<1> {
        let mut change = Change {
            rng,
            by: Tensor::full([1], by, (&at.target.device(), at.target.dtype())),
            signs: None,
        };
        let network = at.network.clone().map(&mut change);
        let clamped = network.energy.clamp(&at.input);
        let start = Some(at.state().clone());
        let relaxed = self.free.run(&network, &at.input, &clamped, start);
        let cost = network.cost.summed_value(&relaxed.state, &at.target);
        cost.mean()
    }
}

/// Adds `by` times a random sign to every parameter, and stores the product if requested.
struct Change {
    rng: ChaCha8Rng,
    by: Tensor<1>,
    signs: Option<Gradients>,
}

impl ModuleMapper for Change {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = parameter.id;
        parameter.map(|value| {
            let n = value.shape().num_elements();
            let signs = (0..n).map(|_| if self.rng.random() { 1f32 } else { -1.0 });
            let signs = TensorData::new(signs.collect::<Vec<_>>(), value.dims());
            let signs = Tensor::from_data(signs, (&value.device(), value.dtype()));
            let term: Tensor<D> = signs * self.by.clone().unsqueeze();
            if let Some(kept) = &mut self.signs {
                kept.register(id, term.clone());
            }
            value + term
        })
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for WeightPerturbation<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let first = self.streams.take().wrapping_mul(self.n_draws as u64);
        // Relaxations and gradient are one computation here.
        let gradients = debug_span!("second_phase").in_scope(|| {
            let mut gradients = Gradients::new();
            for draw in 0..self.n_draws {
                // In the order in which parameters are visited.
                let signs = || self.streams.numbers(first + draw as u64);
                let rise =
                    self.cost(&free, signs(), self.size) - self.cost(&free, signs(), -self.size);
                let mut change = Change {
                    rng: signs(),
                    by: rise * (0.5 / (self.size * self.n_draws as f64)),
                    signs: Some(Gradients::new()),
                };
                let _ = free.network.clone().map(&mut change);
                let term = change.signs.expect("it was given");
                gradients.add(&term, &free.network);
            }
            gradients
        });
        let gradients = into_params(&gradients, &free.network);
        free.estimate(gradients, None)
    }

    fn resume(&self, n_estimates: u64) {
        self.streams.resume(n_estimates);
    }
}
