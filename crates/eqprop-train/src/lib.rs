//! Trains Burn models by equilibrium propagation instead of backpropagation.
//!
//! An [`EquilibriumLearner`](learner::EquilibriumLearner) joins a network (an energy and a
//! cost) with a [`GradientEstimator`](estimator::GradientEstimator). It implements Burn's
//! `TrainStep` and `InferenceStep`, so any Burn optimizer, scheduler, metric, checkpointer and
//! renderer works with it; the gradients come from two relaxations where they would come from
//! `backward()`.
//!
//! ```
//! use eqprop_train::prelude::*;
//! use burn::tensor::Device;
//!
//! // A whole run as the program does it: data, network, phases, optimizer, two epochs.
//! let config = Preset::Digits.config().with_override("epochs", "2")?;
//! let digits = Dataset::load(config.data.dataset, None)?;
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
//! | module | what |
//! | --- | --- |
//! | [`estimator`] | from a batch to Burn's `GradientsParams`: the trait, equilibrium propagation and its relatives |
//! | [`learner`] | Burn's `TrainStep` and `InferenceStep` for any energy and estimator |
//! | [`block`] | an equilibrium network as a layer of any Burn model, by Burn's own `backward()` |
//! | [`network`], [`batch`] | what an estimator works on |
//! | [`particles`] | persistent particles: free states kept from epoch to epoch |
//! | [`gradient_norm`] | clips the gradient of all parameters together |
//! | [`optimizer`] | Burn's `Sgd` in one pass |
//! | [`warm_start`] | free phases that start where the one before ended |
//! | [`metric`], [`update`] | Burn metrics of a relaxation, and `‖ΔW‖/‖W‖` |
//! | [`renderer`] | what a Burn training prints |
//! | [`training`], [`config`], [`preset`], [`checkpoint`] | whole runs that survive a kill |
//! | [`weights`] | safetensors, and the files of published PyTorch code |
//! | [`data`] | digits, MNIST, Fashion-MNIST, CIFAR-10 |
//! | [`error`] | what can go wrong |
//! | [`prelude`] | the names that most programs need, of this crate and of `eqprop-core` |

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads"
)]

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
pub mod particles;
pub mod prelude;
pub mod preset;
#[doc(hidden)]
pub mod record;
pub mod renderer;
#[doc(hidden)]
pub mod suggestion;
pub mod training;
pub mod update;
pub mod warm_start;
pub mod weights;

/// Compiles and runs the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
