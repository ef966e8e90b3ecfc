//! Training on several devices at once.
//!
//! Each device has a replica of the model and its own part of the examples, and takes batches of the loader's
//! size. A parameter gradient is the mean over a batch, so the mean over `n` devices with batches of `B` is
//! the gradient of a batch of `nB`, and the sum is `n` times that:
//!
//! | strategy | runs on | gradients | learning rate relative to one device with `nB` |
//! | --- | --- | --- | --- |
//! | `ExecutionStrategy::multi` | any devices, also of different backends | summed | `1/n` of it |
//! | `ExecutionStrategy::ddp`, `ReduceOperation::Mean` | CUDA | averaged | the same |
//! | `ExecutionStrategy::ddp`, `ReduceOperation::Sum` | CUDA | summed | `1/n` of it |
//!
//! # One machine
//!
//! With `multi` Burn copies the parameters to every device in every step and the gradients to the first, from
//! one process; see `examples/data_parallel.rs`. With `ddp` (distributed data parallelism) the replicas stay
//! on their devices and only gradients move, directly between the GPUs, by NVIDIA's NCCL, which must be
//! installed. A build with the feature `cuda` trains on all GPUs of the machine as follows:
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
//! Burn splits the examples into one part per device, in order, and the last part takes the remainder. All
//! parts must have the same number of batches: a replica with a batch more than the others waits for them
//! forever. [Take](crate::data::Examples::take) a multiple of `n` examples, or better of `nB`: all batches
//! have equal weight whatever their size.
//!
//! # Several machines
//!
//! `ddp` joins the GPUs of one process: Burn 0.22.1 keeps the identity of NCCL's group within it, and reduces
//! only `remote` devices of a single server ("cross-peer all_reduce is not supported yet"). The alternative
//! is `multi` over `remote` devices: a `burn::server::RemoteServer` on each machine hosts its GPUs, and the
//! training program lists them by `Device::enumerate(DeviceType::Remote(host))`. Parameters and gradients
//! cross the network in every step. These crates do not enable Burn's features `remote` and `remote-server`
//! and are not tested with them; an [`EquilibriumBlock`](crate::block::EquilibriumBlock), which must know its
//! backend, does not run there.
//!
//! # State of each replica
//!
//! - Random signs of β, and all other random numbers of estimators: a new draw for each batch, in the order
//!   in which the devices reach theirs. The expectation is unchanged, but results do not repeat to the last
//!   bit.
//! - [Particles](crate::initial_state::Particles) belong to examples, on whichever device these are. The
//!   [state of the previous batch](crate::initial_state::PreviousState) is that of the same device.
//! - An [`UpdateMonitor`](crate::update::UpdateMonitor) measures one replica under `ddp`, where all make the
//!   same updates.
//! - [Clipping](super::EquilibriumLearner::with_max_gradient_norm) applies to the reduced gradient under
//!   `ddp`, as with one device; under `multi` to each device's gradient, before they are summed.
//!
//! # What `ddp` refuses
//!
//! Burn reduces gradients in the backward pass of autodiff, at whose end each device waits for the gradients
//! of all. An estimate has no loss for a backward pass, so it is [sent through a surrogate](reduced). A field
//! or an estimator that runs backward passes to compute its estimate would wait in them for devices that wait
//! for it: [`CustomEnergy`](eqprop_core::energy::CustomEnergy), estimators that compute a field's adjoint by
//! autodiff, and the baselines of `eqprop-bench` are refused. So are GPUs other than CUDA's, between which
//! Burn 0.22.1 has no transport. `multi` trains them all. Code that calls `Tensor::backward` itself, instead
//! of [`backward`](eqprop_core::pullback::backward), is not detected.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use eqprop_core::pullback::without_backward;

/// Reason why no backward pass may precede the one that reduces.
const NO_BACKWARD: &str = "DistributedDataParallel waits in every backward pass for the gradients of all devices, \
     which an estimate that runs backward passes on its way does not have yet: this energy or estimator, which asks \
     Burn's autodiff, cannot be trained so. Use ExecutionStrategy::multi, which adds up gradients wherever they come from";

/// CubeCL's runtimes without transport between devices, as [`Device`] formats them.
const WITHOUT_TRANSPORT: [&str; 4] = ["Wgpu(", "Hip(", "Metal(", "Cpu("];

/// Returns the device of a replica of `ExecutionStrategy::ddp`, or `None` if `module` is not one: Burn marks
/// a replica's parameters.
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

/// Returns whether autodiff reduces the gradient of a parameter over all devices.
fn is_marked<const D: usize>(parameter: &Tensor<D>) -> bool {
    // Burn does not support this query for a tensor outside autodiff, which has no mark.
    parameter.is_autodiff() && parameter.is_distributed()
}

/// Computes the estimate of a replica on `device`, not reduced yet.
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

/// Sends the `gradients` of the parameters of `module` through a backward pass of Burn's autodiff. Those of
/// parameters that Burn has marked as distributed are reduced over all devices, by the operation of the
/// strategy; the others are unchanged, to the last bit.
///
/// ```text
/// L(θ) = Σ ⟨θ, ĝ⟩ over the parameters, ĝ held constant          ∂L/∂θ = ĝ
/// ```
///
/// [`EquilibriumLearner`](super::EquilibriumLearner) does this if its parameters are marked. A custom
/// training loop, with a replica and a thread for each device of a `DistributedContext`, calls it between
/// estimate and update. Every replica must call it, with gradients of the same parameters, and waits here for
/// the others.
///
/// `∂L/∂θ` does not depend on the values of the parameters: leaves with the values of the gradients stand in
/// for them.
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
    /// Partial sum of `L`.
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
