//! Energies, costs and relaxations for equilibrium propagation, on Burn tensors of any backend.
//!
//! A network has an energy `E(θ, x, s)`. In the free phase the input `x` is clamped and the state `s`
//! relaxes to a minimum of `E`: the prediction. In the nudged phase a force of strength `β` pulls the
//! output toward the target `y`, and the state relaxes to a nearby minimum of the total energy
//! `F = E + βC`. Scellier & Bengio (2017), <https://arxiv.org/abs/1602.05179>, prove that the two
//! equilibria give the gradient of the cost:
//!
//! ```text
//! s⁰ = argmin_s E(θ, x, s)                     free equilibrium
//! s^β = argmin_s E(θ, x, s) + β C(s_out, y)    nudged equilibrium, reached from s⁰
//!
//! d C(s⁰)       1
//! ─────── = lim ─ [ ∂E/∂θ(θ, x, s^β) − ∂E/∂θ(θ, x, s⁰) ]
//!    dθ     β→0 β
//! ```
//!
//! This crate contains only the mathematics; `eqprop-train` turns it into gradients for Burn's
//! optimizers. No autodiff graph is recorded unless the parameters are on an autodiff device.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use eqprop_core::prelude::*;
//!
//! let device = Device::default();
//! let hard_sigmoid = Activation::HardSigmoid;
//! let energy = HopfieldEnergyConfig::dense(
//!     &[4, 8, 2], hard_sigmoid, hard_sigmoid, InitializerConfig::Glorot,
//! ).init(&device);
//!
//! // Free phase: clamp an input, relax from rest to an equilibrium.
//! let input = Tensor::from_data([[1.0, 0.0, 0.5, 0.2]], &device);
//! let target = Tensor::from_data([[0.0, 1.0]], &device);
//! let clamped = energy.clamp(&input);
//! let relaxation = Relaxation::steps(Scheme::Asynchronous, 100).with_tolerance(1e-6);
//! let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
//! let free = relaxation.relax(&total, energy.rest(&input)).converged()?;
//!
//! // Nudged phase: from the free equilibrium, with β = 0.1.
//! let beta = Tensor::from_data([[0.1]], &device);
//! let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
//! let nudged = relaxation.relax(&total, free.clone()).converged()?;
//!
//! // The contrast of the two is the gradient of the cost.
//! let gradients = energy.contrast(&clamped, &nudged, &free, 1.0 / 0.1);
//! assert_eq!(gradients.len(), 4); // two weight matrices, two biases
//! # Ok::<(), eqprop_core::relaxation::RelaxationError>(())
//! ```
//!
//! # Modules
//!
//! | module | contents | in the paper |
//! | --- | --- | --- |
//! | [`energy`] | the model: `E`, its drives and `∂E/∂θ`; the total energy `F` | §2.1, §2.2 |
//! | [`connection`] | the interaction terms of the energy | §2.1 |
//! | [`activation`] | `σ` and the potential whose gradient inverts it | |
//! | [`cost`] | the cost `C`, and how `βC` acts on the output | §2.1 |
//! | [`nudging`] | the values of `β` that are contrasted | §5 |
//! | [`relaxation`] | the search for a minimum: dynamics, stopping criterion and the loop over steps | §2.3 |
//! | [`sequence`] | time-dependent inputs: Hamiltonian systems, and the echo that gives their gradient | |
//! | [`descent`] | the update of a parameter along its gradient | |
//! | [`shape`] | the arrangement of the units of a layer | |
//! | [`state`], [`gradients`], [`error`] | the types that the other modules exchange | |
//! | [`prelude`] | the names that most programs need | |
//!
//! # Terminology
//!
//! | here | symbol | elsewhere |
//! | --- | --- | --- |
//! | response, potential | `σ`, `G` with `∇G = σ⁻¹` | `ρ` in Scellier & Bengio (2017) is `σ` here |
//! | drive | `−∂(E − G)/∂s_k` | `∂Φ/∂s` in Laborieux et al. (2021) |
//! | clamp, nudge | hold the input; add `βC` to the energy | "weakly clamp" |
//! | residual | `max │σ(drive) − s│` | |
//! | contrast | `∂E/∂θ` of one state minus that of another | |
//!
//! # Conventions
//!
//! The squared error includes the ½. Each example relaxes on its own. Parameter gradients are means
//! over the batch. Dense weights have the shape `[n_in, n_out]`. The input is not passed through an
//! activation. Published codes differ in each of these.
//!
//! # Feature flags
//!
//! The backends of Burn: `flex` (the CPU, default), `ndarray`, `wgpu`, `vulkan`, `metal`, `cuda`, `rocm`.
//! Several can be compiled in; the device is chosen at run time. `autotune` lets Burn try several kernels for
//! every shape of a product on GPUs; `cube` is what the GPU backends share, and nothing by itself.

pub mod activation;
pub mod captured;
pub mod connection;
mod contrast;
pub mod cost;
pub mod descent;
pub mod energy;
pub mod error;
mod fused;
mod geometry;
pub mod gradients;
#[cfg(feature = "flex")]
#[doc(hidden)]
pub mod kernel;
mod layer;
pub mod nudging;
#[doc(hidden)]
pub mod parameters;
pub mod prelude;
#[doc(hidden)]
pub mod pullback;
pub mod relaxation;
mod relaxed;
pub mod sequence;
pub mod shape;
pub mod state;
