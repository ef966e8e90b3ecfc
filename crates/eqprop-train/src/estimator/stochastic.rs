//! Equilibrium propagation between stationary distributions.

mod langevin;

use core::iter::repeat_n;

use burn::config::Config;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use super::free_equilibrium::FreeEquilibrium;
use super::streams::Streams;
use super::{Estimate, GradientEstimator, into_params};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};
pub use langevin::{Langevin, LangevinError};

/// Sampling of a stationary distribution.
///
/// A chain takes `burn_in + n_samples · thinning` steps; for every example `n_chains · n_samples`
/// samples are kept at each nudging factor. A quadratic energy relaxes in `1/(ελ)` steps, where λ is
/// the smallest eigenvalue of its Hessian: the burn-in should be several times as long.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct Sampling {
    /// Temperature `T`, greater than 0, in units of the energy.
    pub temperature: f64,
    /// Step size ε of the [`Langevin`] dynamics, in (0, 1].
    #[config(default = 0.1)]
    pub step_size: f64,
    /// Number of chains per example and nudging factor, which run in parallel as one batch.
    #[config(default = 16)]
    pub n_chains: usize,
    /// Number of steps from the free equilibrium to the first state that counts as stationary.
    #[config(default = 150)]
    pub burn_in: usize,
    /// Number of samples of each chain. They are held until all chains end.
    #[config(default = 20)]
    pub n_samples: usize,
    /// Number of steps from sample to sample.
    #[config(default = 10)]
    pub thinning: usize,
}

/// Stochastic equilibrium propagation, an estimator of `d E[C]/dθ` at a temperature.
///
/// With noise, the state has a stationary density instead of an equilibrium. The objective is the
/// expected cost, and the theorem holds with expectations in place of states:
///
/// ```text
/// p^β(s) ∝ exp(−(E + βC)/T)              sampled by Langevin dynamics
/// J(θ) = E_{p⁰}[C]
///
/// dJ                               1
/// ── = −Cov_{p⁰}(C, ∂E/∂θ)/T = lim ─ ( E_{p^β}[∂E/∂θ] − E_{p⁰}[∂E/∂θ] )
/// dθ                           β→0 β
/// ```
///
/// because `d/dβ E_{p^β}[f] = −Cov(C, f)/T` for any `f`. With `f = C` that is `−Var(C)/T`:
/// a nudge with β > 0 never raises the expected cost. The estimate is
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean over batch, chains and samples of [ ∂E/∂θ(s^β₁) − ∂E/∂θ(s^β₂) ]
/// ```
///
/// with β₁ and β₂, or a weighted sum over pairs of them, according to [`Nudging`], and with the same orders
/// in β. As `T → 0` it becomes that of [`EquilibriumPropagation`](super::EquilibriumPropagation). A readout
/// outside the state gets `E_{p⁰}[∂C/∂θ]`: the mean over the samples at β = 0 or, if there are none, over all
/// samples, which differs by O(β²).
///
/// # Variance
/// The chains at all nudging factors start from the same state with the same noise (common
/// random numbers), so their differences are of order β where the energy is convex, and the
/// variance of the estimate does not grow as β → 0. With independent noise it would grow as
/// 1/β². In an energy with several minima two such chains may separate, and the variance grows; the
/// mean remains correct.
///
/// # Predictions
/// [`infer`](GradientEstimator::infer) relaxes without noise: to the most probable state, which
/// is also the mean if all layers are linear. The energies, costs and scores of an [`Estimate`]
/// belong to that state too, so its costs omit the contribution of the noise to `J`. Its second phase
/// holds the last state of every chain, first all at β₁, then all at β₂; a chain does not
/// converge, and its residual has no meaning.
///
/// # Cost
/// For each nudging factor, 0 included, `n_chains` nudged relaxations with the same number of steps, and
/// noise drawn on the host; see [`Langevin`]. Memory grows with the number of samples.
///
/// # Reference
/// Scellier & Bengio (2017), the stochastic framework in the appendix,
/// <https://arxiv.org/abs/1602.05179>
#[derive(Debug, Clone)]
pub struct StochasticEquilibriumPropagation<D = Scheme> {
    /// Nudging factors.
    pub nudging: Nudging,
    /// Relaxation without noise: the prediction, and the start of the chains.
    pub free: Relaxation<D>,
    /// Sampling of the chains.
    pub sampling: Sampling,
    signs: Streams,
    /// Streams of the noise: estimate `n` uses stream `n`.
    noise: Streams,
}

impl Sampling {
    /// Checks the counts; [`Langevin::validate`] checks the rest.
    ///
    /// # Errors
    /// If a number of chains, samples or steps between samples is 0.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("n_chains", self.n_chains)?;
        ConfigError::at_least_one("n_samples", self.n_samples)?;
        ConfigError::at_least_one("thinning", self.thinning)
    }

    fn n_steps(&self) -> usize {
        self.burn_in + self.n_samples * self.thinning
    }

    /// Returns whether the state after `step` steps is a sample.
    fn keeps(&self, step: usize) -> bool {
        step > self.burn_in && (step - self.burn_in).is_multiple_of(self.thinning)
    }
}

impl<D: Dynamics> StochasticEquilibriumPropagation<D> {
    /// Creates the estimator with random numbers from seed 0.
    pub fn new(nudging: Nudging, free: Relaxation<D>, sampling: Sampling) -> Self {
        Self {
            nudging,
            free,
            sampling,
            signs: Streams::new(!0),
            noise: Streams::new(0),
        }
    }

    /// Sets the seed of the noise and the random signs.
    pub fn with_seed(mut self, seed: u64) -> Self {
        // Signs and noise use the same stream numbers: with one seed they would be the same numbers.
        self.signs = Streams::new(!seed);
        self.noise = Streams::new(seed);
        self
    }

    /// Checks the nudging factors and the sampling, and that the network can be sampled.
    ///
    /// # Errors
    /// Names the first invalid value or layer.
    pub fn validate<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
    ) -> Result<(), LangevinError> {
        network.check_nudging(self.nudging)?;
        self.sampling.validate()?;
        self.langevin().validate(network.energy.layers())
    }

    fn langevin(&self) -> Langevin {
        Langevin::new(
            self.sampling.step_size,
            self.sampling.temperature,
            self.noise.seed,
        )
    }

    /// Runs the chains at all of `betas` as one batch; returns their last states, and for each β the
    /// samples one after the other along the batch axis.
    fn sample<E: VectorField, C: Cost>(
        &self,
        free: &FreeEquilibrium<E, C>,
        betas: &[f64],
        langevin: Langevin,
    ) -> (Relaxed, Vec<State>) {
        let EquilibriumNetwork { energy, cost, .. } = &free.network;
        let sampling = &self.sampling;
        let n_chains = sampling.n_chains;
        let (clamped, target, start) = free.copies(betas.len() * n_chains);
        let beta = free.column(betas.iter().flat_map(|&beta| repeat_n(beta, n_chains)));
        let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);

        let langevin = langevin.with_copies(betas.len());
        let chains = Relaxation::steps(langevin, sampling.n_steps());
        let mut samples = Vec::with_capacity(sampling.n_samples);
        let last = chains.relax_observed(&total, start, |step, state| {
            if sampling.keeps(step) {
                samples.push(state.clone());
            }
        });
        let n_rows = n_chains * free.state().batch_size();
        let at = |index: usize| {
            let samples = samples.iter().map(|s| s.narrow(index * n_rows, n_rows));
            stack(&samples.collect::<Vec<_>>())
        };
        (last, (0..betas.len()).map(at).collect())
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for StochasticEquilibriumPropagation<D>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    /// # Panics
    /// If [`validate`](StochasticEquilibriumPropagation::validate) fails, with its message.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        if let Err(error) = self.validate(network) {
            panic!("{error}");
        }
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        let differences = self.nudging.differences(self.signs.sign(self.nudging));
        let betas = differences.iter().flat_map(|d| [d.first, d.second]);
        let betas: Vec<f64> = betas.collect();
        let langevin = self.langevin().with_stream(self.noise.take());
        let (chains, samples) =
            debug_span!("second_phase").in_scope(|| self.sample(&free, &betas, langevin));

        let gradients = debug_span!("gradient").in_scope(|| {
            let EquilibriumNetwork { energy, cost, .. } = &free.network;
            let n_times = |samples: &State| samples.batch_size() / free.state().batch_size();
            let clamped = energy.repeat(&free.clamped, n_times(&samples[0]));
            let mut gradients = Gradients::new();
            for (difference, at) in differences.iter().zip(samples.chunks(2)) {
                let term = energy.contrast(&clamped, &at[0], &at[1], difference.weight);
                gradients.add(&term, energy);
            }
            let unnudged = match betas.iter().position(|&beta| beta == 0.0) {
                Some(index) => samples[index].clone(),
                None => stack(&samples),
            };
            let target = free.target.clone().repeat_dim(0, n_times(&unnudged));
            cost.summed_gradients(&unnudged, &target, &mut gradients);
            gradients
        });
        let gradients = into_params(&gradients, &free.network);
        free.estimate(gradients, Some(chains))
    }

    fn resume(&self, n_estimates: u64) {
        self.signs.resume(n_estimates);
        self.noise.resume(n_estimates);
    }
}

/// Stacks states one after the other along the batch axis.
fn stack(states: &[State]) -> State {
    let n_layers = states[0].layers().len();
    let layers = (0..n_layers).map(|layer| {
        let parts = states.iter().map(|state| state.layer(layer).clone());
        Tensor::cat(parts.collect(), 0)
    });
    State::new(layers.collect())
}
