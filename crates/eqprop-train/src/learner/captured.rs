//! Updates that a device records once and repeats.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::tensor::Tensor;
use eqprop_core::captured::{Captured, buffer, overwrite, overwrite_both};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{AnyField, VectorField};

use super::{AnyLearner, EquilibriumLearner, EquilibriumOutput};
use crate::batch::Batch;
use crate::estimator::GradientEstimator;

/// Number of updates after which recording a graph has paid off.
const WORTH_RECORDING: usize = 16;

/// Updates by plain gradient descent as one graph of the device: free phase, nudged phase, contrast, and the
/// in-place step of every parameter. `T` is the result kept of each update.
pub struct CapturedUpdates<T> {
    /// Graphs, by the variant of the estimate.
    graphs: Vec<(usize, Captured<T>)>,
    input: Tensor<2>,
    target: Tensor<2>,
    /// Learner whose parameters the graphs update in place.
    learner: Slot,
    /// Whether its parameters are ahead of those of the learner being trained.
    is_ahead: bool,
    rates: Vec<f64>,
    n_updates: usize,
}

type Slot = Arc<Mutex<Option<AnyLearner>>>;

impl<E, C, G> EquilibriumLearner<E, C, G>
where
    E: VectorField,
    C: Cost,
    G: GradientEstimator<E, C> + Clone,
{
    /// Returns which of a few computations the next update is, if they can be recorded: no state is kept from
    /// batch to batch, and nothing is read back.
    fn variant(&self) -> Option<usize> {
        let is_simple =
            self.kept.is_none() && self.max_gradient_norm.is_none() && self.replica().is_none();
        is_simple.then(|| self.estimator.variant()).flatten()
    }
}

/// Updates that are recorded as soon as the first is made.
pub enum Recorded<T> {
    /// No update has been made.
    NotYet,
    /// Updates cannot be recorded.
    Never,
    /// Updates have been recorded.
    Updates(Box<CapturedUpdates<T>>),
}

impl<T: Clone + 'static> Recorded<T> {
    /// Makes an update by a recorded graph. `learner` receives it in [`leave`](Self::leave). Returns `None`
    /// if the update cannot be recorded or repeated, and has to be computed otherwise.
    ///
    /// `keep` selects the result to keep of an update. The optimizer must be
    /// [`FusedSgdConfig`](crate::optimizer::FusedSgdConfig)'s without momentum and weight decay, which
    /// updates in place; state that another optimizer keeps between updates would not be repeated.
    pub fn update(
        &mut self,
        learner: &mut AnyLearner,
        optimizer: &ModuleOptimizer,
        scheduler: &mut ModuleLrScheduler,
        batch: &Batch,
        keep: impl FnMut(EquilibriumOutput) -> T + 'static,
    ) -> Option<T> {
        if matches!(self, Self::Never) {
            return None;
        }
        let variant = learner.variant()?;
        let mut next = scheduler.clone();
        let rate = next.step();
        match self {
            Self::Updates(steps) if steps.fits(batch, &rate) => {}
            // A smaller last batch, or a learning rate that changes every time.
            Self::Updates(steps) if !steps.is_for(batch) || steps.n_updates < WORTH_RECORDING => {
                return None;
            }
            _ => {
                self.leave(learner);
                let recorder = learner.recorder(&rate, batch);
                *self = recorder.map_or(Self::Never, |steps| Self::Updates(Box::new(steps)));
            }
        }
        let Self::Updates(steps) = self else {
            return None;
        };
        if !steps.has(variant) && !steps.record(variant, optimizer, &rate, keep) {
            self.leave(learner);
            *self = Self::Never;
            return None;
        }
        learner.estimator.pass_over();
        let kept = steps.update(variant, learner, batch);
        *scheduler = next;
        Some(kept)
    }

    /// Copies the parameters after all updates to `learner`.
    pub fn leave(&mut self, learner: &mut AnyLearner) {
        if let Self::Updates(steps) = self {
            steps.leave(learner);
        }
    }
}

impl AnyLearner {
    /// Prepares the recording of updates by plain gradient descent with batches like `batch`; `None` on
    /// devices that compute nothing in place.
    fn recorder<T>(&self, rate: &ModuleLearningRate, batch: &Batch) -> Option<CapturedUpdates<T>> {
        // Conductances are projected after each step, to buffers that the graph does not read, and the
        // behavior of non-ideal devices differs every time.
        if matches!(self.network.energy, AnyField::Resistive(_)) || self.hardware.is_some() {
            return None;
        }
        let [input, target] = [&batch.input, &batch.target].map(|t| t.clone().without_autodiff());
        let (input, target) = (buffer(&input)?, buffer(&target)?);
        let mut own = self.clone().map(&mut InBuffers);
        own.updates = None;
        Some(CapturedUpdates {
            graphs: Vec::new(),
            input,
            target,
            learner: Arc::new(Mutex::new(Some(own))),
            is_ahead: false,
            rates: rates(self, rate),
            n_updates: 0,
        })
    }
}

impl<T: Clone + 'static> CapturedUpdates<T> {
    fn has(&self, variant: usize) -> bool {
        self.graphs.iter().any(|(found, _)| *found == variant)
    }

    /// Records the updates of a variant. Returns whether the device could.
    fn record(
        &mut self,
        variant: usize,
        optimizer: &ModuleOptimizer,
        rate: &ModuleLearningRate,
        mut keep: impl FnMut(EquilibriumOutput) -> T + 'static,
    ) -> bool {
        let (mut optimizer, rate) = (optimizer.clone(), rate.clone());
        let fed = Batch::new(self.input.clone(), self.target.clone());
        let (held, device) = (self.learner.clone(), self.input.device());
        // The runs before the recording are updates too.
        let before = self.copied();
        before.estimator.fix(Some(variant));
        let graph = Captured::record(&device, move || {
            let mut held = lock(&held);
            let learner = held.take().expect("every update puts it back");
            let (output, products) = learner.step_apart(fed.clone());
            let kept = keep(output.item);
            let updated =
                learner.optimize_apart(&mut optimizer, rate.clone(), output.grads, products);
            *held = Some(updated);
            kept
        });
        before.estimator.fix(None);
        write(&self.own(), &before);
        let is_recorded = graph.is_recorded();
        self.graphs.push((variant, graph));
        is_recorded
    }

    /// Returns its learner, which shares the parameters that the graphs update.
    fn own(&self) -> AnyLearner {
        let own = lock(&self.learner);
        own.clone().expect("every update puts it back")
    }

    fn is_for(&self, batch: &Batch) -> bool {
        batch.input.dims() == self.input.dims() && batch.target.dims() == self.target.dims()
    }

    /// Returns whether it makes updates with such a batch at these learning rates.
    fn fits(&self, batch: &Batch, rate: &ModuleLearningRate) -> bool {
        self.is_for(batch) && rates(&self.own(), rate) == self.rates
    }

    /// Makes an update of `learner`, which receives it in [`leave`](Self::leave).
    fn update(&mut self, variant: usize, learner: &AnyLearner, batch: &Batch) -> T {
        self.n_updates += 1;
        if !self.is_ahead {
            write(&self.own(), learner);
            self.is_ahead = true;
        }
        let fed = [&batch.input, &batch.target].map(|t| t.clone().without_autodiff());
        overwrite_both([&self.input, &self.target], [&fed[0], &fed[1]]);
        let due = learner.updates.as_ref().filter(|updates| updates.is_due());
        let Some(updates) = due.cloned() else {
            if let Some(updates) = &learner.updates {
                updates.skip();
            }
            return self.repeat(variant);
        };
        let before = self.copied();
        let mut kept = None;
        updates.observe(before, |_| {
            kept = Some(self.repeat(variant));
            self.copied()
        });
        kept.expect("it was computed")
    }

    fn repeat(&mut self, variant: usize) -> T {
        let mut graphs = self.graphs.iter_mut();
        let graph = graphs.find(|(found, _)| *found == variant);
        let (_, graph) = graph.expect("it was recorded");
        graph.repeat().clone()
    }

    /// Copies the parameters after all updates to `learner`.
    fn leave(&mut self, learner: &mut AnyLearner) {
        if std::mem::take(&mut self.is_ahead) {
            let copied = self.copied();
            learner.network = copied.network;
        }
    }

    fn copied(&self) -> AnyLearner {
        self.own().map(&mut InBuffers)
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Option<AnyLearner>> {
    // After a panic the contents are not used again.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies each parameter to memory of its own.
struct InBuffers;

impl ModuleMapper for InBuffers {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = parameter.consume();
        let (is_autodiff, is_trained) = (value.is_autodiff(), value.is_require_grad());
        let copied = buffer(&value.without_autodiff());
        let copied = copied.expect("a network is on one device, in one format");
        let copied = match is_autodiff {
            true => Tensor::from_inner(copied).set_require_grad(is_trained),
            false => copied,
        };
        Param::from_mapped_value(id, copied, mapper)
    }
}

/// Copies the parameters of `from` into the buffers of `to`.
fn write(to: &AnyLearner, from: &AnyLearner) {
    struct Values(Vec<Tensor<1>>);

    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let value = parameter.val().without_autodiff();
            let n = value.shape().num_elements();
            self.0.push(value.reshape([n]));
        }
    }

    let [mut into, mut values] = [(); 2].map(|()| Values(Vec::new()));
    to.visit(&mut into);
    from.visit(&mut values);
    for (buffer, values) in into.0.iter().zip(&values.0) {
        overwrite(buffer, values);
    }
}

/// Returns the learning rate of each parameter.
fn rates(learner: &AnyLearner, rate: &ModuleLearningRate) -> Vec<f64> {
    struct Rates<'a> {
        rate: &'a ModuleLearningRate,
        path: Vec<String>,
        found: Vec<f64>,
    }

    impl ModuleVisitor for Rates<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let path = self.path.join(".");
            self.found
                .push(self.rate.lr_from_param(parameter.id, Some(&path)));
        }
    }

    let mut rates = Rates {
        rate,
        path: Vec::new(),
        found: Vec::new(),
    };
    learner.visit(&mut rates);
    rates.found
}
