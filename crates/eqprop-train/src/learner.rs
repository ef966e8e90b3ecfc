//! The learner: any energy and estimator as a model for Burn's training.

mod distributed;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{ExecutionError, Tensor};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use eqprop_core::cost::{AnyCost, Cost};
use eqprop_core::energy::{AnyField, VectorField};
use eqprop_core::relaxation::Relaxed;

use crate::batch::Batch;
use crate::config::FreeStart;
use crate::estimator::GradientEstimator;
use crate::gradient_norm::clip_global_norm;
use crate::leaves;
use crate::network::EquilibriumNetwork;
use crate::particles::Particles;
use crate::update::UpdateMonitor;
use crate::warm_start::WarmStart;

/// A network together with the way its gradient is estimated: a model that Burn's `Learner` and
/// `SupervisedTraining` train like any other.
///
/// ```text
/// step      batch → estimator → GradientsParams      (instead of loss.backward())
/// optimize  any Burn optimizer, scheduler, clipping; then VectorField::project
/// ```
///
/// It has to live on an autodiff device while it is trained, because Burn's optimizers ask for
/// one: make the network on `device.autodiff()`, or call [`Module::train`]. (`SupervisedTraining`
/// moves a model between devices, but keeps it with or without autodiff as it was.) Nothing is
/// recorded on it.
///
/// Of Burn's strategies for several devices, `ExecutionStrategy::multi` works. It adds up the
/// gradients of the devices, each the mean over its own batch, so that `n` devices with batches of
/// size `B` take the steps of one with batches of `nB` and `n` times the learning rate. A random
/// sign of β is drawn for each of these batches, in whatever order the devices come to it.
/// `DistributedDataParallel` reduces gradients inside autodiff's backward pass, which there is
/// none of: it is refused.
#[derive(Module, Debug)]
pub struct EquilibriumLearner<E: VectorField, C: Cost, G: Clone + core::fmt::Debug + Send> {
    /// All that has parameters.
    pub network: EquilibriumNetwork<E, C>,
    #[module(skip)]
    estimator: G,
    #[module(skip)]
    particles: Option<Particles>,
    #[module(skip)]
    warm: Option<WarmStart>,
    #[module(skip)]
    updates: Option<UpdateMonitor>,
    #[module(skip)]
    max_gradient_norm: Option<f64>,
}

/// A learner of any built-in network with either cost.
pub type AnyLearner<G> = EquilibriumLearner<AnyField, AnyCost, G>;

impl<E: VectorField, C: Cost, G: GradientEstimator<E, C>> EquilibriumLearner<E, C, G> {
    /// A learner whose free phases start at [`EquilibriumNetwork::start`].
    pub fn new(network: EquilibriumNetwork<E, C>, estimator: G) -> Self {
        Self {
            network,
            estimator,
            particles: None,
            warm: None,
            updates: None,
            max_gradient_norm: None,
        }
    }

    /// Starts each free phase of the training at the example's persistent particle. Batches
    /// must then say which examples they hold.
    pub fn with_particles(mut self, particles: Particles) -> Self {
        self.particles = Some(particles);
        self
    }

    /// Starts each free phase of the training where that of the batch before ended.
    pub fn with_warm_start(mut self, warm: WarmStart) -> Self {
        self.warm = Some(warm);
        self
    }

    /// Starts the free phases of a training on `n_examples` examples at `start`: at the feedforward
    /// pass by that of the [network](EquilibriumNetwork::with_feedforward_start), predictions too;
    /// at rest where the network starts without.
    pub fn with_start(mut self, start: FreeStart, n_examples: usize) -> Self {
        match start {
            FreeStart::Rest => self,
            FreeStart::Feedforward => {
                self.network = self.network.with_feedforward_start();
                self
            }
            FreeStart::Particles => {
                let particles = Particles::new(self.network.energy.layers(), n_examples);
                self.with_particles(particles)
            }
            FreeStart::Previous => self.with_warm_start(WarmStart::default()),
        }
    }

    /// Watches `‖ΔW‖/‖W‖` of every parameter.
    pub fn with_update_monitor(mut self, updates: UpdateMonitor) -> Self {
        self.updates = Some(updates);
        self
    }

    /// Scales each batch's estimate down to this norm, over all parameters, where it is longer; see
    /// [`clip_global_norm`]. Estimates that are accumulated over several batches are scaled one by
    /// one.
    ///
    /// # Panics
    /// In a step, if the norm is not greater than 0.
    pub fn with_max_gradient_norm(mut self, max_norm: f64) -> Self {
        self.max_gradient_norm = Some(max_norm);
        self
    }

    /// The estimator.
    pub fn estimator(&self) -> &G {
        &self.estimator
    }

    /// The persistent particles, if there are any.
    pub fn particles(&self) -> Option<&Particles> {
        self.particles.as_ref()
    }

    /// The warm start, if there is one.
    pub fn warm_start(&self) -> Option<&WarmStart> {
        self.warm.as_ref()
    }

    /// Relaxes an input from [`EquilibriumNetwork::start`], without a nudge and without autodiff.
    pub fn infer(&self, input: &Tensor<2>) -> Relaxed {
        let input = input.clone().without_autodiff();
        self.estimator.infer(&self.network.valid(), &input, None)
    }

    /// An update by `optimize`, to parameters that the energy can have.
    fn updated(self, optimize: impl FnOnce(Self) -> Self) -> Self {
        let update = |learner| {
            let mut learner = optimize(learner);
            learner.network.energy = learner.network.energy.project();
            learner
        };
        match self.updates.clone() {
            Some(updates) => updates.observe(self, update),
            None => update(self),
        }
    }
}

/// What one batch showed, for Burn's metrics and for those of [`crate::metric`].
#[derive(Debug, Clone)]
pub struct EquilibriumOutput {
    /// Cost `C` of each example at the free equilibrium, `[batch]`.
    pub cost: Tensor<1>,
    /// Energy `E` of each example at the free equilibrium, `[batch]`, if there is an energy.
    pub energy: Option<Tensor<1>>,
    /// Scores of the classes, `[batch, n_classes]`.
    pub scores: Tensor<2>,
    /// The target, `[batch, n_classes]`.
    pub target: Tensor<2>,
    /// Residual of each example at the end of the free phase, `[batch]`.
    pub residual: Tensor<1>,
    /// Steps of the free phase.
    pub n_steps: usize,
}

impl EquilibriumOutput {
    /// Whether each example is classified wrongly, as 0 or 1; `[batch]`.
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
    G: GradientEstimator<E, C>,
{
    type Input = Batch;
    type Output = EquilibriumOutput;

    /// # Panics
    /// If there are persistent particles and the batch does not say which examples it holds; if
    /// the strategy is `DistributedDataParallel`.
    fn step(&self, batch: Batch) -> TrainOutput<EquilibriumOutput> {
        distributed::refuse(&self.network);
        let indices = || {
            batch.indices.as_deref().expect(
                "persistent particles belong to examples, but this batch has no indices: set \
                 Batch::indices, or train without particles",
            )
        };
        let device = batch.input.device().without_autodiff();
        // Here, because an estimator of the user's own may have gradients of another making.
        leaves::clear(&device);
        let particles = self.particles.as_ref();
        let start = match (particles, &self.warm) {
            (Some(particles), _) => Some(particles.gather(indices(), &device)),
            (None, Some(warm)) => warm.state(batch.input.dims()[0], &device),
            (None, None) => None,
        };
        let estimate = self.estimator.estimate(&self.network, &batch, start);
        if let Some(warm) = &self.warm {
            warm.keep(&estimate.free.state);
        }
        if let Some(particles) = particles {
            particles.store(indices(), &estimate.free.state);
        }
        let gradients = match self.max_gradient_norm {
            Some(max_norm) => clip_global_norm(estimate.gradients, &self.network, max_norm),
            None => estimate.gradients,
        };
        TrainOutput {
            grads: gradients,
            item: EquilibriumOutput {
                cost: estimate.cost,
                energy: estimate.energy,
                scores: estimate.scores,
                target: batch.target.without_autodiff(),
                residual: estimate.free.residual,
                n_steps: estimate.free.n_steps,
            },
        }
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
    G: GradientEstimator<E, C>,
{
    type Input = Batch;
    type Output = EquilibriumOutput;

    fn step(&self, batch: Batch) -> EquilibriumOutput {
        let network = self.network.valid();
        let input = batch.input.without_autodiff();
        let target = batch.target.without_autodiff();
        let clamped = network.energy.clamp(&input);
        let relaxed = self.estimator.infer_clamped(&network, &input, &clamped);
        EquilibriumOutput {
            cost: network.cost.value(relaxed.state.output(), &target),
            energy: network.energy.energy_of(&clamped, &relaxed.state),
            scores: network.scores(&clamped, &relaxed.state),
            target,
            residual: relaxed.residual.clone(),
            n_steps: relaxed.n_steps,
        }
    }
}
