//! How a gradient is estimated.

mod asymmetric;
pub mod continual;
pub mod coupled_learning;
mod dyadic;
pub mod equilibrium_propagation;
pub(crate) mod free_equilibrium;
pub mod holomorphic;
mod homeostasis;
mod noisy;
mod pull_back;
pub mod stochastic;
mod streams;
mod weight_perturbation;

use core::fmt::Debug;
use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::gradients::{GradientVisitor, Gradients};
use eqprop_core::parameters::{ByParameter, Parameter, parameters_with};
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;

use crate::batch::Batch;
use crate::leaves;
use crate::network::{EquilibriumNetwork, FreePhase};
pub use asymmetric::AsymmetricEquilibriumPropagation;
pub use continual::{ContinualEquilibriumPropagation, ContinualRates};
pub use coupled_learning::CoupledLearning;
pub use dyadic::DyadicEquilibriumPropagation;
pub use equilibrium_propagation::EquilibriumPropagation;
pub use free_equilibrium::FreeEquilibrium;
pub use holomorphic::{HolomorphicEquilibriumPropagation, HolomorphicError};
pub use homeostasis::Homeostasis;
pub use noisy::{Noisy, NoisyEquilibriumPropagation};
pub use stochastic::{Sampling, StochasticEquilibriumPropagation};
pub use weight_perturbation::WeightPerturbation;

/// From a batch to the gradient of its mean cost: where layers before the output have costs too, of
/// [their sum](Cost::summed_value).
///
/// Methods differ in nothing else: the same learner runs them all on the same network. An
/// estimator never changes the network. One that is chosen at run time is an
/// `Arc<dyn GradientEstimator<E, C>>`.
pub trait GradientEstimator<E: VectorField, C: Cost>: Debug + Send + Sync {
    /// How the network finds the state that it predicts with.
    fn free_phase(&self) -> &dyn FreePhase<E, C>;

    /// Estimates the gradient of the mean cost for every parameter.
    ///
    /// `start` is where the free phase begins; without one, at [`EquilibriumNetwork::start`]. The
    /// parameters may lie on an autodiff device; batch and start need not.
    ///
    /// A backward pass goes through [`backward`](eqprop_core::pullback::backward), so that a strategy for several
    /// devices that cannot have one [says so](crate::learner::distributed#what-ddp-refuses).
    ///
    /// The work should happen inside `tracing` spans called `free_phase`, `second_phase` and
    /// `gradient`, for programs that time them. [`FreeEquilibrium`] has what most estimators begin
    /// and end with.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate;

    /// [`estimate`](Self::estimate), with the gradients of dense weights apart where the method has them as
    /// products that are not formed yet: an update can then be formed at once.
    fn estimate_apart(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (Estimate, Gradients) {
        (self.estimate(network, batch, start), Gradients::new())
    }

    /// Which of a few computations the next estimate is, if all of them can be recorded by a device: they read nothing back,
    /// and differ by nothing else. `None` if they cannot.
    fn variant(&self) -> Option<usize> {
        None
    }

    /// Makes every estimate the same of those computations, for clones too, while one is recorded; as they come again after
    /// `None`.
    fn fix(&self, _variant: Option<usize>) {}

    /// Counts an estimate that was made by a recorded computation.
    fn pass_over(&self) {}

    /// Goes on as if `n_estimates` gradients had been estimated since the start of the run. Clones
    /// go on from there too.
    ///
    /// An estimator that draws random numbers must draw them as a function of a seed and this
    /// count, so that a run that was interrupted goes on as if it had not been.
    fn resume(&self, _n_estimates: u64) {}

    /// Relaxes an input without a nudge, from `start` or else from [`EquilibriumNetwork::start`].
    fn infer(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        start: Option<State>,
    ) -> Relaxed {
        network.relax(self.free_phase(), input, start)
    }
}

impl<E: VectorField, C: Cost, G: GradientEstimator<E, C> + ?Sized> GradientEstimator<E, C>
    for Arc<G>
{
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        (**self).free_phase()
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        (**self).estimate(network, batch, start)
    }

    fn estimate_apart(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (Estimate, Gradients) {
        (**self).estimate_apart(network, batch, start)
    }

    fn variant(&self) -> Option<usize> {
        (**self).variant()
    }

    fn fix(&self, variant: Option<usize>) {
        (**self).fix(variant);
    }

    fn pass_over(&self) {
        (**self).pass_over();
    }

    fn resume(&self, n_estimates: u64) {
        (**self).resume(n_estimates);
    }
}

/// A gradient estimate and what was measured on the way.
#[derive(Debug)]
pub struct Estimate {
    /// The gradient of the batch mean of the cost, for any Burn optimizer.
    pub gradients: GradientsParams,
    /// The free phase.
    pub free: Relaxed,
    /// Energy `E` of each example at the free equilibrium, `[batch]`, if there is an energy.
    pub energy: Option<Tensor<1>>,
    /// Cost `C` of each example at the free equilibrium, `[batch]`.
    pub cost: Tensor<1>,
    /// Scores of the classes at the free equilibrium, `[batch, n_classes]`.
    pub scores: Tensor<2>,
    /// The second phase, if the method has one: the nudged states of equilibrium propagation (of
    /// a centered estimate `β` and then `−β`, as one batch of twice the size; of several pairs one
    /// after the other), the clamped states of coupled learning, or the costate of recurrent
    /// backpropagation.
    pub second_phase: Option<Relaxed>,
}

impl Estimate {
    /// Puts together gradients, the free phase and what it shows: `energy`, and the cost and scores
    /// of its output, whose drive is `drive`. All but the gradients may lie on autodiff, which they
    /// leave here.
    pub fn new<C: Cost>(
        gradients: GradientsParams,
        free: Relaxed,
        second_phase: Option<Relaxed>,
        (cost, target): (&C, &Tensor<2>),
        energy: Option<Tensor<1>>,
        drive: Tensor<2>,
    ) -> Self {
        let free = detached(free);
        let output = free.state.output();
        Self {
            gradients,
            energy,
            cost: cost.value(output, target),
            scores: cost.scores(output, &drive.without_autodiff()),
            second_phase,
            free,
        }
    }
}

/// What was relaxed, outside autodiff.
fn detached(relaxed: Relaxed) -> Relaxed {
    if !relaxed.state.output().is_autodiff() {
        return relaxed;
    }
    let state = &relaxed.state;
    Relaxed {
        state: state.map(|layer| layer.clone().without_autodiff()),
        residual: relaxed.residual.without_autodiff(),
        ..relaxed
    }
}

/// Hands the core's gradients to Burn's optimizers.
pub fn into_params<M: Module>(gradients: &Gradients, module: &M) -> GradientsParams {
    struct Collector {
        gradients: GradientsParams,
        device: Option<Device>,
    }

    impl GradientVisitor for Collector {
        fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>) {
            self.device.get_or_insert_with(|| gradient.device());
            self.gradients.register(parameter.id, gradient);
        }
    }

    let mut collector = Collector {
        gradients: GradientsParams::new(),
        device: None,
    };
    gradients.visit(module, &mut collector);
    // Here, because a loop of the user's own comes by too.
    if let Some(device) = collector.device {
        leaves::clear(&device);
    }
    collector.gradients
}

/// Every float parameter of `module`, each with its gradient as a vector.
pub fn gradient_vectors<M: Module>(
    module: &M,
    gradients: &GradientsParams,
) -> Vec<(Parameter, Option<Tensor<1>>)> {
    struct OfBurn<'a>(&'a GradientsParams);

    impl ByParameter for OfBurn<'_> {
        fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
            self.0.get(id)
        }
    }

    parameters_with(module, &OfBurn(gradients))
}
