//! Trains Burn models by equilibrium propagation instead of backpropagation.
//!
//! An [`EquilibriumLearner`](learner::EquilibriumLearner) joins a network (an energy and a
//! cost) with a [`GradientEstimator`](estimator::GradientEstimator). It implements Burn's
//! `TrainStep` and `InferenceStep`, so any Burn optimizer, scheduler, metric, checkpointer and
//! renderer works with it. Its gradients come from two relaxations instead of `backward()`.
//!
//! ```
//! use eqprop_train::prelude::*;
//!
//! // A whole run as the program does it: data, network, phases, optimizer, two epochs.
//! let config = Preset::Digits.config().with_override("epochs", "2")?;
//! let digits = Dataset::load(&config.data.dataset, None)?;
//! let mut training = Training::new(config, &digits, &Device::default())?;
//! while let Some(record) = training.run_epoch(|_| std::ops::ControlFlow::Continue(()))? {
//!     println!("epoch {}: test error {:.1} %", record.epoch, 100.0 * record.held_out_error());
//!     if training.is_finished() {
//!         break;
//!     }
//! }
//! assert!(training.records()[1].held_out_error() < 0.2);
//! # Ok::<(), eqprop_train::error::TrainingError>(())
//! ```
//!
//! # Modules
//!
//! | module | contents |
//! | --- | --- |
//! | [`estimator`] | gradient estimators: the trait, equilibrium propagation and its relatives |
//! | [`learner`] | Burn's `TrainStep` and `InferenceStep` for any energy and estimator |
//! | [`block`] | an equilibrium network as a layer of any Burn model, by Burn's own `backward()` |
//! | [`sequence`] | sequence models, trained by their Hamiltonian echo |
//! | [`network`], [`batch`] | an estimator's inputs: a network and a mini-batch |
//! | [`initial_state`] | initial states of free phases: rest, a forward pass or persistent particles |
//! | [`hardware`] | non-ideal devices that store the weights |
//! | [`gradient_norm`] | gradient clipping by the norm over all parameters |
//! | [`optimizer`] | Burn's `Sgd` in one pass |
//! | [`metric`], [`update`] | Burn metrics of a relaxation, and the relative update size `‖ΔW‖/‖W‖` |
//! | [`renderer`] | plain-terminal output of a Burn training |
//! | [`training`], [`config`], [`preset`], [`checkpoint`] | whole training runs that survive being killed |
//! | [`weights`] | weights in safetensors files, and in the files of published PyTorch code |
//! | [`data`] | digits, MNIST, Fashion-MNIST, CIFAR-10 and other data sets, and your own files |
//! | [`error`] | errors of a training run |
//! | [`prelude`] | the names most programs need, from this crate, `eqprop-core` and Burn |
//!
//! [`eqprop_core`] and the [`burn`] that everything is built with are re-exported, so that a program
//! needs no other version of either.
//!
//! # Feature flags
//!
//! The backends of Burn, as in [`eqprop_core`]: `flex` (the CPU, default), `ndarray`, `wgpu`, `vulkan`, `metal`,
//! `cuda`, `rocm`; and `autotune`, with which Burn tries several kernels on GPUs.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads"
)]

pub use burn;
pub use eqprop_core;

pub mod batch;
pub mod block;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod error;
pub mod estimator;
#[doc(hidden)]
pub mod file;
pub mod gradient_norm;
pub mod hardware;
pub mod initial_state;
pub mod learner;
mod leaves;
#[doc(hidden)]
pub mod lock;
mod measurement;
pub mod metric;
pub mod network;
pub mod optimizer;
#[doc(hidden)]
pub mod panic;
pub mod prelude;
pub mod preset;
#[doc(hidden)]
pub mod record;
pub mod renderer;
pub mod sequence;
#[doc(hidden)]
pub mod suggestion;
pub mod training;
pub mod update;
pub mod weights;
