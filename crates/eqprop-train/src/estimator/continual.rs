//! Equilibrium propagation with continual weight updates.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::descent::Descent;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::nudging::Nudging;
use eqprop_core::parameters::{Parameter, parameters};
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;
use tracing::debug_span;

use super::free_equilibrium::FreeEquilibrium;
use super::{Estimate, GradientEstimator};
use crate::batch::Batch;
use crate::network::{EquilibriumNetwork, FreePhase};

/// Continual equilibrium propagation (C-EP): the parameters move at every step of the nudged
/// phase, and each step relaxes with the parameters of the previous one.
///
/// ```text
/// s_{t+1} = step(θ_t, β, s_t)                                          s_0 = s⁰
/// θ_{t+1} = θ_t − η/β · mean[ ∂E/∂θ(θ_t, s_{t+1}) − ∂E/∂θ(θ_t, s_t) ]    t = 0 … K−1
///
/// ĝ = (θ_0 − θ_K) / η
/// ```
///
/// The update needs only the end of the free phase, so it is local in time as well as in space. An
/// estimator never changes the network: the parameters move on a private copy, and a step of plain SGD
/// with learning rate `η` then makes exactly the continual update. A readout outside the state gets
/// `∂C/∂θ` at the free equilibrium.
///
/// The copy keeps to parameters that are valid for the field: each step ends with
/// [`VectorField::project`], which the equations omit. `ĝ` is still the sum of the contrasts.
///
/// For an [`UntiedHopfield`](eqprop_core::energy::UntiedHopfield) this is C-VF.
///
/// # Error
/// For `η → 0` (or `η = 0`, which is allowed) it is one-sided equilibrium propagation with `K`
/// nudged steps, step by step; the difference is `O(η)`. It grows with `1/β`, because the state
/// follows the parameters as well as the nudge: the published learning rates are 14 to 28 times lower
/// than those of equilibrium propagation.
///
/// # Cost
/// `K` nudged steps, all of which are taken, each with a contrast and with the clamped input's
/// contribution to the drives, both of which equilibrium propagation computes once: 80 times the
/// multiplications per step for 784-500-10.
///
/// # When to choose it
/// To study learning in hardware or tissue whose weights do not wait for the end of a phase. Otherwise
/// it is slower and less accurate than equilibrium propagation.
///
/// # Reference
/// Ernoult et al. (2020), <https://arxiv.org/abs/2005.04168>
#[derive(Debug, Clone)]
pub struct ContinualEquilibriumPropagation<D = Scheme> {
    /// Nudging factor β, of either sign, not 0; limits as for [`Nudging::OneSided`].
    pub beta: f64,
    /// Learning rates `η` of the parameters during the nudged phase, at least 0.
    pub rates: ContinualRates,
    /// Free phase; its dynamics is also that of the nudged steps.
    pub free: Relaxation<D>,
    /// Number `K` of nudged steps, at least 1.
    pub nudged_steps: usize,
}

/// Learning rates of the parameters during the nudged phase.
///
/// Parameters are selected as by Burn's learning rate groups in an
/// [`EquilibriumLearner`](crate::learner::EquilibriumLearner): by paths such as
/// `network.energy.biases.0`.
#[derive(Debug, Clone)]
pub struct ContinualRates {
    base: f64,
    groups: Vec<(ParamGroup, f64)>,
}

impl ContinualRates {
    /// Creates the same learning rate for all parameters.
    pub fn uniform(rate: f64) -> Self {
        Self {
            base: rate,
            groups: Vec::new(),
        }
    }

    /// Sets another learning rate for the parameters of `group`. If several groups match, the last one
    /// counts.
    pub fn with_group(mut self, group: ParamGroup, rate: f64) -> Self {
        self.groups.push((group, rate));
        self
    }

    /// Returns the learning rate of each parameter of the energy of a learner's network.
    fn of<M: Module>(&self, energy: &M) -> HashMap<ParamId, f64> {
        let rate = |Parameter { path, id, .. }: &Parameter| {
            let path = format!("network.energy.{path}");
            let groups = self.groups.iter().rev();
            let mut matching = groups.filter(|(group, _)| group.matches(id, Some(&path)));
            matching.next().map_or(self.base, |&(_, rate)| rate)
        };
        let parameters = parameters(energy);
        parameters
            .iter()
            .map(|found| (found.id, rate(found)))
            .collect()
    }
}

impl<D: Dynamics> ContinualEquilibriumPropagation<D> {
    /// Creates the estimator, with `nudged_steps` steps of the free phase's dynamics.
    ///
    /// # Panics
    /// If `nudged_steps` is 0.
    pub fn new(beta: f64, rates: ContinualRates, free: Relaxation<D>, nudged_steps: usize) -> Self {
        assert!(
            nudged_steps > 0,
            "nudged_steps must be at least 1, but is 0"
        );
        Self {
            beta,
            rates,
            free,
            nudged_steps,
        }
    }

    /// Returns the sum of all steps' contrasts, which is `(θ_0 − θ_K)/η` without the division, and the
    /// nudged phase.
    fn nudge<E: VectorField, C: Cost>(&self, free: &FreeEquilibrium<E, C>) -> (Gradients, Relaxed) {
        let (cost, target) = (&free.network.cost, &free.target);
        let beta = free.column([self.beta]);
        let mut energy = free.network.energy.clone();
        let rates = self.rates.of(&energy);
        let mut dynamics = self.free.dynamics.clone();
        let mut state = free.state().clone();
        let mut gradients = Gradients::new();
        let mut step = 0;
        loop {
            step += 1;
            let before = state.clone();
            let clamped = energy.clamp(&free.input);
            let total = TotalEnergy::nudged(&energy, &clamped, cost, target, beta.clone());
            dynamics.step(&total, &mut state);
            let term = energy.contrast(&clamped, &state, &before, 1.0 / self.beta);
            gradients.add(&term, &energy);
            if step >= self.nudged_steps {
                let relaxed = Relaxed {
                    residual: state.max_distance(&before) / dynamics.step_size(),
                    state,
                    n_steps: step,
                    tolerance: None,
                };
                return (gradients, relaxed);
            }
            let moved = energy.map(&mut Step {
                gradients: &term,
                rates: &rates,
            });
            energy = moved.project();
        }
    }
}

/// `θ ← θ − η g`.
struct Step<'a> {
    gradients: &'a Gradients,
    rates: &'a HashMap<ParamId, f64>,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.get::<D>(parameter.id) else {
            return parameter;
        };
        let rate = self.rates[&parameter.id];
        parameter.map(|value| Descent::default().step(rate, value, gradient, None).0)
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C>
    for ContinualEquilibriumPropagation<D>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    /// # Panics
    /// If β is 0 or not a number, or leaves the total energy without a lower bound. If the output has a
    /// curvature, which would have to be read back from the device, only
    /// [`check_nudging`](EquilibriumNetwork::check_nudging) detects the latter.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        network.assert_nudging(Nudging::OneSided { beta: self.beta });
        let free = FreeEquilibrium::find(&self.free, network, batch, start);
        // Gradient and relaxation are one computation here.
        let (gradients, nudged) = debug_span!("second_phase").in_scope(|| self.nudge(&free));
        free.contrasted(gradients, nudged)
    }
}
