//! The learner: any energy and estimator as a model for Burn's training.

mod apart;
mod captured;
pub mod distributed;

use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use eqprop_core::cost::{AnyCost, Cost};
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;

use crate::batch::Batch;
use crate::estimator::{Estimate, FreeEquilibrium, GradientEstimator};
use crate::gradient_norm::clip_global_norm;
use crate::hardware::Hardware;
use crate::initial_state::{InitialState, KeptStates, Particles, PreviousState};
use crate::leaves;
use crate::network::EquilibriumNetwork;
use crate::update::UpdateMonitor;
use apart::descend_along;
pub use captured::{CapturedUpdates, Recorded};

/// A network with a gradient estimator: a model that Burn's `Learner` and `SupervisedTraining` train like
/// any other.
///
/// ```text
/// step      batch → estimator → GradientsParams      (instead of loss.backward())
/// optimize  any Burn optimizer, scheduler, clipping; then VectorField::project
/// ```
///
/// It must be on an autodiff device while it is trained, because Burn's optimizers require one: create
/// the network on `device.autodiff()`, or call [`Module::train`]. (`SupervisedTraining` moves a model
/// between devices, but keeps it with or without autodiff.) Nothing is recorded on it.
///
/// It trains on several devices at once by either of Burn's strategies, `ExecutionStrategy::multi` and, on
/// CUDA, `ExecutionStrategy::ddp`; see [`distributed`].
#[derive(Module, Debug)]
pub struct EquilibriumLearner<E: VectorField, C: Cost, G: Clone + core::fmt::Debug + Send> {
    /// Network, which has all parameters.
    pub network: EquilibriumNetwork<E, C>,
    #[module(skip)]
    estimator: G,
    #[module(skip)]
    kept: Option<KeptStates>,
    #[module(skip)]
    updates: Option<UpdateMonitor>,
    #[module(skip)]
    max_gradient_norm: Option<f64>,
    #[module(skip)]
    hardware: Option<Hardware>,
}

/// A learner of any built-in network and cost, by default with an estimator chosen at run time.
pub type AnyLearner<G = AnyEstimator> = EquilibriumLearner<AnyField, AnyCost, G>;

/// An estimator for these networks, chosen at run time.
pub type AnyEstimator = Arc<dyn GradientEstimator<AnyField, AnyCost>>;

impl<E, C, G> EquilibriumLearner<E, C, G>
where
    E: VectorField,
    C: Cost,
    G: GradientEstimator<E, C> + Clone,
{
    /// Creates a learner whose free phases start at [`EquilibriumNetwork::start`].
    pub fn new(network: EquilibriumNetwork<E, C>, estimator: G) -> Self {
        Self {
            network,
            estimator,
            kept: None,
            updates: None,
            max_gradient_norm: None,
            hardware: None,
        }
    }

    /// Sets the start of the free phases of a training on `n_examples` examples, and that of predictions in
    /// the same way as [`EquilibriumNetwork::with_start`]. Particles require batches with
    /// [indices](Batch::indices).
    pub fn with_start(mut self, start: InitialState, n_examples: usize) -> Self {
        self.network = self.network.with_start(start);
        self.kept = KeptStates::new(start, self.network.energy.layers(), n_examples);
        self
    }

    /// Measures `‖ΔW‖/‖W‖` of every parameter.
    pub fn with_update_monitor(mut self, updates: UpdateMonitor) -> Self {
        self.updates = Some(updates);
        self
    }

    /// Clips each batch's estimate to this norm over all parameters; see [`clip_global_norm`]. Estimates that
    /// are accumulated over several batches are clipped one by one.
    ///
    /// # Panics
    /// In a step, if the norm is not greater than 0.
    pub fn with_max_gradient_norm(mut self, max_norm: f64) -> Self {
        self.max_gradient_norm = Some(max_norm);
        self
    }

    /// Stores the weights in the given devices, if they are not ideal.
    pub fn with_hardware(mut self, hardware: Option<Hardware>) -> Self {
        self.hardware = hardware;
        self
    }

    /// Returns the devices that store the weights, if they are not ideal.
    pub fn hardware(&self) -> Option<&Hardware> {
        self.hardware.as_ref()
    }

    /// Returns the estimator.
    pub fn estimator(&self) -> &G {
        &self.estimator
    }

    /// Returns the persistent particles, if there are any.
    pub fn particles(&self) -> Option<&Particles> {
        match self.kept.as_ref()? {
            KeptStates::Particles(particles) => Some(particles),
            KeptStates::Previous(_) => None,
        }
    }

    /// Returns the state of the previous batch, if free phases start there.
    pub fn previous_state(&self) -> Option<&PreviousState> {
        match self.kept.as_ref()? {
            KeptStates::Previous(previous) => Some(previous),
            KeptStates::Particles(_) => None,
        }
    }

    /// Replaces the stored states, so far shared with its clones, by `own` of them.
    pub(crate) fn with_kept(mut self, own: fn(&KeptStates) -> KeptStates) -> Self {
        self.kept = self.kept.as_ref().map(own);
        self
    }

    /// Relaxes an input from [`EquilibriumNetwork::start`], without nudging and without autodiff.
    pub fn infer(&self, input: &Tensor<2>) -> Relaxed {
        let input = input.clone().without_autodiff();
        self.estimator.infer(&self.network.valid(), &input, None)
    }

    /// Like [`TrainStep::step`], but returns the gradients of dense weights apart if the estimator has them
    /// as products, for [`optimize_apart`](Self::optimize_apart). A replica of `ExecutionStrategy::ddp` has
    /// none apart: gradients must be formed to be reduced.
    ///
    /// # Panics
    /// If the learner [clips gradients](Self::with_max_gradient_norm), whose norm is known only once they are
    /// formed.
    pub fn step_apart(&self, batch: Batch) -> (TrainOutput<EquilibriumOutput>, Gradients) {
        assert!(
            self.max_gradient_norm.is_none(),
            "gradients that are apart are not clipped: use `TrainStep::step`"
        );
        self.step_by(batch, |batch, start| match self.replica() {
            Some(_) => self.formed(batch, start),
            None => self.estimator.estimate_apart(&self.network, batch, start),
        })
    }

    /// Like [`TrainStep::optimize`] by plain stochastic gradient descent, to which `optimizer` must be
    /// equivalent: weights whose gradients are `products` are updated while these are formed, without storing
    /// them.
    pub fn optimize_apart(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
        products: Gradients,
    ) -> Self {
        self.updated(|learner| {
            let learner = descend_along(learner, products, &learning_rate);
            optimizer.step(learning_rate, learner, gradients)
        })
    }

    fn step_by(
        &self,
        batch: Batch,
        estimate: impl FnOnce(&Batch, Option<State>) -> (Estimate, Gradients),
    ) -> (TrainOutput<EquilibriumOutput>, Gradients) {
        let start = self.kept.as_ref().and_then(|kept| kept.start(&batch));
        let replica = self.replica();
        let (mut estimate, products) = match &replica {
            Some(device) => distributed::estimated(device, || estimate(&batch, start)),
            None => {
                // Here, because a user's estimator may compute its gradients in another way.
                leaves::clear(&batch.input.device().without_autodiff());
                estimate(&batch, start)
            }
        };
        if let Some(kept) = &self.kept {
            kept.keep(&batch, &estimate.free.state);
        }
        let mut gradients = std::mem::take(&mut estimate.gradients);
        if replica.is_some() {
            gradients = distributed::reduced(gradients, &self.network);
        }
        let output = TrainOutput {
            grads: gradients,
            item: EquilibriumOutput::new(estimate, batch.target),
        };
        (output, products)
    }

    /// Returns the estimate with all gradients formed, and so with none apart.
    fn formed(&self, batch: &Batch, start: Option<State>) -> (Estimate, Gradients) {
        let estimate = self.estimator.estimate(&self.network, batch, start);
        (estimate, Gradients::new())
    }

    /// Returns the device on which this is a replica of `ExecutionStrategy::ddp`, if it is one.
    fn replica(&self) -> Option<Device> {
        distributed::replica(&self.network)
    }

    /// Applies the update `optimize` as the hardware realizes it, and projects the parameters to valid ones.
    fn updated(self, optimize: impl FnOnce(Self) -> Self) -> Self {
        let hardware = self.hardware.clone();
        let update = |learner| {
            let mut learner = match &hardware {
                Some(hardware) => hardware.update(learner, optimize),
                None => optimize(learner),
            };
            learner.network.energy = learner.network.energy.project();
            learner
        };
        // All replicas make the same update.
        let is_watched = |updates: &UpdateMonitor| match self.replica() {
            Some(device) => updates.watches(&device),
            None => true,
        };
        match self.updates.clone().filter(is_watched) {
            Some(updates) => updates.observe(self, update),
            None => update(self),
        }
    }
}

/// Measurements of one batch, for Burn's metrics and those of [`crate::metric`].
#[derive(Debug, Clone)]
pub struct EquilibriumOutput {
    /// Cost `C` of each example at the free equilibrium, `[batch]`.
    pub cost: Tensor<1>,
    /// Energy `E` of each example at the free equilibrium, `[batch]`, if there is an energy.
    pub energy: Option<Tensor<1>>,
    /// Class scores, `[batch, n_classes]`.
    pub scores: Tensor<2>,
    /// Output at the free equilibrium, `[batch, n_units]`: the prediction of quantities and of multiple
    /// labels.
    pub output: Tensor<2>,
    /// Target output, `[batch, n_outputs]`.
    pub target: Tensor<2>,
    /// Residual of each example at the end of the free phase, `[batch]`.
    pub residual: Tensor<1>,
    /// Number of steps of the free phase.
    pub n_steps: usize,
}

impl EquilibriumOutput {
    /// Collects the measurements of an estimate for a batch with this target.
    fn new(estimate: Estimate, target: Tensor<2>) -> Self {
        Self {
            cost: estimate.cost,
            energy: estimate.energy,
            scores: estimate.scores,
            output: estimate.free.state.output().clone(),
            target: target.without_autodiff(),
            residual: estimate.free.residual,
            n_steps: estimate.free.n_steps,
        }
    }

    /// Returns 1 for each misclassified example and 0 for the others, `[batch]`. It is meaningless for
    /// quantities and multiple labels, as are Burn's accuracy metrics; for labels use Burn's `HammingScore`.
    pub fn errors(&self) -> Tensor<1> {
        let predicted = self.scores.clone().argmax(1);
        let wanted = self.target.clone().argmax(1);
        predicted.not_equal(wanted).float().squeeze_dim(1)
    }
}

impl ItemLazy for EquilibriumOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        // As in Burn's own outputs: dispatch the pending work, read nothing back.
        self.cost.device().flush()?;
        Ok(self)
    }
}

impl<E, C, G> TrainStep for EquilibriumLearner<E, C, G>
where
    E: VectorField,
    C: Cost,
    G: GradientEstimator<E, C> + Clone,
{
    type Input = Batch;
    type Output = EquilibriumOutput;

    /// # Panics
    /// If there are persistent particles and the batch has no indices; in a replica of
    /// `ExecutionStrategy::ddp`, if [that is refused](distributed#what-ddp-refuses).
    fn step(&self, batch: Batch) -> TrainOutput<EquilibriumOutput> {
        let (mut output, _) = self.step_by(batch, |batch, start| self.formed(batch, start));
        if let Some(max_norm) = self.max_gradient_norm {
            output.grads = clip_global_norm(output.grads, &self.network, max_norm);
        }
        output
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        self.updated(|learner| optimizer.step(learning_rate, learner, gradients))
    }

    fn optimize_multi(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: MultiGradientsParams,
    ) -> Self {
        self.updated(|learner| optimizer.step_multi(learning_rate, learner, gradients))
    }
}

impl<E, C, G> InferenceStep for EquilibriumLearner<E, C, G>
where
    E: VectorField,
    C: Cost,
    G: GradientEstimator<E, C> + Clone,
{
    type Input = Batch;
    type Output = EquilibriumOutput;

    fn step(&self, batch: Batch) -> EquilibriumOutput {
        let phase = self.estimator.free_phase();
        let free = FreeEquilibrium::find(phase, &self.network, &batch, None);
        let shown = free.estimate(GradientsParams::new(), None);
        EquilibriumOutput::new(shown, batch.target)
    }
}
