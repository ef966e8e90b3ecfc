//! Training on several devices at once.
//!
//! Each device has a replica of the model and its own part of the examples, and takes batches of the loader's size. A
//! parameter gradient is the mean over a batch, so that the mean over `n` devices with batches of `B` is the gradient
//! of a batch of `nB`, and their sum is `n` times that:
//!
//! | strategy | runs on | gradients | rate beside one device with `nB` |
//! | --- | --- | --- | --- |
//! | `ExecutionStrategy::multi` | any devices, also of different backends | are added up | `1/n` of it |
//! | `ExecutionStrategy::ddp`, `ReduceOperation::Mean` | CUDA | are averaged | the same |
//! | `ExecutionStrategy::ddp`, `ReduceOperation::Sum` | CUDA | are added up | `1/n` of it |
//!
//! # One machine
//!
//! With `multi` Burn copies the parameters to every device in every step and the gradients to the first, from one
//! process; `examples/data_parallel.rs` trains so. With `ddp` (distributed data parallelism) replicas stay where they
//! are and only gradients move, between the GPUs themselves, by NVIDIA's NCCL, which has to be installed. A build with
//! the feature `cuda` trains on all GPUs of the machine by
//!
//! ```ignore
//! use burn::tensor::DeviceType;
//! use burn::tensor::distributed::{DistributedConfig, ReduceOperation};
//! use burn::train::ExecutionStrategy;
//!
//! let devices = Device::enumerate(DeviceType::Cuda).into_vec();
//! let reduction = DistributedConfig { all_reduce_op: ReduceOperation::Mean };
//! let strategy = ExecutionStrategy::ddp(devices, reduction);
//! let network = config.network(&strategy.main_device().clone().autodiff());
//! let learner = EquilibriumLearner::new(network, config.estimator());
//! SupervisedTraining::new(folder, train, valid)
//!     .with_training_strategy(strategy.into())
//!     .launch(Learner::new(learner, optimizer, rate));
//! ```
//!
//! Burn cuts the examples into one part for each device, in their order, and the last part takes what does not come
//! out even. All parts must make the same number of batches: a replica that has a batch more than the others waits for
//! them without end. [Take](crate::data::Examples::take) a multiple of `n` examples, better one of `nB`: batches count
//! alike whatever their size.
//!
//! # Several machines
//!
//! `ddp` joins the GPUs of one process: Burn 0.22.1 keeps the identity of NCCL's group within it, and of its `remote`
//! devices reduces those of one server ("cross-peer all_reduce is not supported yet"). What remains is `multi` over
//! `remote` devices: a `burn::server::RemoteServer` on each machine hosts its GPUs, and the program that trains lists
//! them by `Device::enumerate(DeviceType::Remote(host))`. Parameters and gradients cross the network in every step.
//! These crates do not turn on Burn's features `remote` and `remote-server` and are not tested with them; an
//! [`EquilibriumBlock`](crate::block::EquilibriumBlock), which has to know its backend, does not run there.
//!
//! # What is each replica's own
//!
//! - Random signs of β, and all other random numbers of estimators: another draw for each batch, in whatever order the
//!   devices come to theirs. What a draw is expected to give, the mean of several is; it does not repeat to the last bit.
//! - [Particles](crate::initial_state::Particles) belong to examples, wherever these are. The
//!   [state of the batch before](crate::initial_state::PreviousState) is that of the same device.
//! - An [`UpdateMonitor`](crate::update::UpdateMonitor) watches one replica under `ddp`, where all take the same
//!   updates.
//! - [Clipping](super::EquilibriumLearner::with_max_gradient_norm) is of the reduced gradient under `ddp`, as with one
//!   device; under `multi` of each device's, before they are added up.
//!
//! # What `ddp` refuses
//!
//! Burn reduces gradients in the backward pass of autodiff, at whose end each device waits for the gradients of all. An
//! estimate has no loss to take it through, so that it is [sent through one](reduced). A field or an estimator that runs
//! backward passes on the way to its estimate would wait in them for devices that wait for it:
//! [`CustomEnergy`](eqprop_core::energy::CustomEnergy), estimates that ask autodiff for a field's adjoint, and the
//! baselines of `eqprop-bench` are refused. So are GPUs that are not CUDA's, between which Burn 0.22.1 has no transport.
//! `multi` trains them all. What calls `Tensor::backward` itself, and not
//! [`backward`](eqprop_core::pullback::backward), goes unnoticed.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use eqprop_core::pullback::without_backward;

/// Why there may be no backward pass before the one that reduces.
const NO_BACKWARD: &str = "DistributedDataParallel waits in every backward pass for the gradients of all devices, \
     which an estimate that runs backward passes on its way does not have yet: this energy or estimator, which asks \
     Burn's autodiff, cannot be trained so. Use ExecutionStrategy::multi, which adds up gradients wherever they come from";

/// CubeCL's runtimes that have no transport between devices, as [`Device`] shows them.
const WITHOUT_TRANSPORT: [&str; 4] = ["Wgpu(", "Hip(", "Metal(", "Cpu("];

/// The device of a replica of `ExecutionStrategy::ddp`, or `None` where `module` is none: Burn marks a replica's
/// parameters.
pub(super) fn replica<M: Module>(module: &M) -> Option<Device> {
    struct Marked(Option<Device>);

    impl ModuleVisitor for Marked {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let value = parameter.val();
            if self.0.is_none() && is_marked(&value) {
                self.0 = Some(value.device().without_autodiff());
            }
        }
    }

    let mut marked = Marked(None);
    module.visit(&mut marked);
    marked.0
}

/// Whether autodiff reduces the gradient of a parameter over all devices.
fn is_marked<const D: usize>(parameter: &Tensor<D>) -> bool {
    // Burn has no answer for a tensor outside autodiff, and no mark on one.
    parameter.is_autodiff() && parameter.is_distributed()
}

/// The estimate of a replica on `device`, not reduced yet.
///
/// # Panics
/// If Burn has no transport between such devices, or the estimate runs a backward pass.
pub(super) fn estimated<R>(device: &Device, estimate: impl FnOnce() -> R) -> R {
    let name = format!("{device:?}");
    assert!(
        !WITHOUT_TRANSPORT
            .iter()
            .any(|runtime| name.contains(runtime)),
        "DistributedDataParallel reduces gradients between CUDA devices alone: Burn has no transport between devices \
         such as {name}. Use ExecutionStrategy::multi, which copies gradients from device to device"
    );
    without_backward(NO_BACKWARD, estimate)
}

/// `gradients` of the parameters of `module`, sent through a backward pass of Burn's autodiff: those of parameters that
/// Burn has marked as distributed come back reduced over all devices, by the operation that the strategy was given; the
/// others as they were, to the last bit.
///
/// ```text
/// L(θ) = Σ ⟨θ, ĝ⟩ over the parameters, ĝ held constant          ∂L/∂θ = ĝ
/// ```
///
/// [`EquilibriumLearner`](super::EquilibriumLearner) does this where its parameters are marked. A training loop of one's own,
/// with a replica and a thread for each device of a `DistributedContext`, does it between estimate and update. Every
/// replica has to come by, with gradients of the same parameters, and waits here for the others.
///
/// Where the parameters are does not matter to `∂L/∂θ`: they stay out of it, and leaves with the values of the
/// gradients stand for them.
pub fn reduced<M: Module>(gradients: GradientsParams, module: &M) -> GradientsParams {
    let mut surrogate = Surrogate {
        gradients,
        loss: None,
    };
    let leaves = module.clone().map(&mut surrogate);
    match surrogate.loss {
        Some(loss) => GradientsParams::from_grads(loss.backward(), &leaves),
        None => surrogate.gradients,
    }
}

/// Puts a leaf in the place of every parameter that has a gradient.
struct Surrogate {
    gradients: GradientsParams,
    /// `L`, so far.
    loss: Option<Tensor<1>>,
}

impl ModuleMapper for Surrogate {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(parameter.id) else {
            return parameter;
        };
        let constant = Tensor::from_inner(gradient.without_autodiff());
        let mut leaf = constant.clone().require_grad();
        if is_marked(&parameter.val()) {
            leaf = leaf.set_distributed(parameter.id);
        }
        let term = (leaf.clone() * constant).sum();
        self.loss = Some(match self.loss.take() {
            Some(loss) => loss + term,
            None => term,
        });
        Param::initialized(parameter.id, leaf)
    }
}
