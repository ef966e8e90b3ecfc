//! Gradient estimators.

mod asymmetric;
pub mod continual;
pub mod coupled_learning;
mod dyadic;
pub mod equilibrium_propagation;
pub(crate) mod free_equilibrium;
pub mod holomorphic;
mod homeostasis;
mod non_ideal;
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
pub use non_ideal::{NonIdeal, NonIdealEquilibriumPropagation, StateDefects};
pub use stochastic::{Sampling, StochasticEquilibriumPropagation};
pub use weight_perturbation::WeightPerturbation;

/// From a batch to the gradient of its mean cost: where layers before the output have costs too, of
/// [their sum](Cost::summed_value).
///
/// Methods differ only in this: the same learner runs them all on the same network. An estimator never
/// changes the network. An estimator chosen at run time is an `Arc<dyn GradientEstimator<E, C>>`.
pub trait GradientEstimator<E: VectorField, C: Cost>: Debug + Send + Sync {
    /// Returns the free phase, which finds the state that the network predicts with.
    fn free_phase(&self) -> &dyn FreePhase<E, C>;

    /// Estimates the gradient of the mean cost for every parameter.
    ///
    /// The free phase begins at `start`, or else at [`EquilibriumNetwork::start`]. The parameters may be on
    /// an autodiff device; the batch and `start` need not be.
    ///
    /// A backward pass must go through [`backward`](eqprop_core::pullback::backward), so that a multi-device
    /// strategy that does not allow one can [refuse it](crate::learner::distributed#what-ddp-refuses).
    ///
    /// The work should happen inside `tracing` spans called `free_phase`, `second_phase` and
    /// `gradient`, for programs that time them. [`FreeEquilibrium`] has the first and last steps of most
    /// estimators.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate;

    /// Like [`estimate`](Self::estimate), but returns the gradients of dense weights apart if the method has
    /// them as products that are not formed yet, so that an update can be formed directly.
    fn estimate_apart(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> (Estimate, Gradients) {
        (self.estimate(network, batch, start), Gradients::new())
    }

    /// Returns which of a few computations the next estimate is, if a device can record all of them: they
    /// read nothing back, and differ in nothing else. `None` if they cannot be recorded.
    fn variant(&self) -> Option<usize> {
        None
    }

    /// Fixes every estimate, of clones too, to the given computation while it is recorded; `None` restores
    /// the normal sequence.
    fn fix(&self, _variant: Option<usize>) {}

    /// Counts an estimate made by a recorded computation.
    fn pass_over(&self) {}

    /// Continues as if `n_estimates` gradients had been estimated since the start of the run. Clones
    /// continue from there too.
    ///
    /// An estimator that draws random numbers must draw them as a function of a seed and this
    /// count, so that an interrupted run continues as if it had not been interrupted.
    fn resume(&self, _n_estimates: u64) {}

    /// Relaxes an input without nudging, from `start` or else from [`EquilibriumNetwork::start`].
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

/// A gradient estimate, and measurements made along the way.
#[derive(Debug)]
pub struct Estimate {
    /// Gradient of the batch mean of the [summed](Cost::summed_value) cost, for any Burn optimizer.
    pub gradients: GradientsParams,
    /// Result of the free phase.
    pub free: Relaxed,
    /// Energy `E` of each example at the free equilibrium, `[batch]`, if there is an energy.
    pub energy: Option<Tensor<1>>,
    /// Cost `C` of each example at the free equilibrium, `[batch]`.
    pub cost: Tensor<1>,
    /// Class scores at the free equilibrium, `[batch, n_classes]`.
    pub scores: Tensor<2>,
    /// Result of the second phase, if the method has one: the nudged states of equilibrium propagation (of
    /// a centered estimate `β` and then `−β`, as one batch of twice the size; of several pairs one
    /// after the other), the clamped states of coupled learning, or the costate of recurrent
    /// backpropagation.
    pub second_phase: Option<Relaxed>,
}

impl Estimate {
    /// Combines gradients and the free phase with its `energy` and with the cost and scores of its output,
    /// whose drive is `drive`. All but the gradients may be on autodiff and are detached here.
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

/// Returns the result of a relaxation outside autodiff.
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

/// Converts the core's gradients for Burn's optimizers.
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
    // Here, because custom training loops call it too.
    if let Some(device) = collector.device {
        leaves::clear(&device);
    }
    collector.gradients
}

/// Returns every float parameter of `module` with its gradient, as vectors.
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
