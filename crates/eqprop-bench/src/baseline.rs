//! Other ways to the gradient of the same network, as estimators beside equilibrium propagation.
//!
//! | estimator | what it computes | error against `dC/dθ` at the equilibrium | memory |
//! | --- | --- | --- | --- |
//! | [`Bptt`] | autodiff through the whole free phase | vanishes as the phase converges | grows with the steps |
//! | [`Bptt`], truncated | autodiff through `K` steps at the equilibrium | vanishes as `K` grows | grows with `K` |
//! | [`RecurrentBackprop`] | the costate at the equilibrium, by iteration | vanishes with its residual | constant |
//! | [`ImplicitExact`] | the costate at the equilibrium, by a linear solve | rounding | `n²` per example for `n` units |
//! | [`FeedforwardBackprop`] | autodiff of the feedforward twin | another function | one pass |
//!
//! All of them use Burn's autodiff.

mod adjoint;
mod bptt;
mod feedforward_backprop;

pub use adjoint::{ImplicitExact, RecurrentBackprop};
pub use bptt::Bptt;
pub use feedforward_backprop::{Feedforward, FeedforwardBackprop};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::Estimate;
use eqprop_train::network::EquilibriumNetwork;

/// The batch outside autodiff.
fn detached(batch: &Batch) -> Batch {
    Batch {
        input: batch.input.clone().without_autodiff(),
        target: batch.target.clone().without_autodiff(),
        indices: batch.indices.clone(),
    }
}

/// The energy of each example and the drive of the output in `state`.
type Measured = (Option<Tensor<1>>, Tensor<2>);

/// What `energy` measures in `state`, with `input` clamped anew.
fn measure<E: VectorField>(energy: &E, input: &Tensor<2>, state: &State) -> Measured {
    let clamped = energy.clamp(input);
    let drive = energy.drive(energy.layers().len() - 1, &clamped, state);
    (energy.energy_of(&clamped, state), drive)
}

/// What a free phase, which may lie on autodiff, and the gradients make together.
fn estimate<E: VectorField, C: Cost>(
    network: &EquilibriumNetwork<E, C>,
    batch: &Batch,
    free: Relaxed,
    second_phase: Option<Relaxed>,
    gradients: GradientsParams,
    measure: impl FnOnce(&E, &Tensor<2>, &State) -> Measured,
) -> Estimate {
    let EquilibriumNetwork { energy, cost, .. } = &network.valid();
    let state = free.state.map(|layer| layer.clone().without_autodiff());
    let (energy, drive) = measure(energy, &batch.input, &state);
    Estimate {
        gradients,
        energy,
        cost: cost.value(state.output(), &batch.target),
        scores: cost.scores(state.output(), &drive),
        free: Relaxed {
            residual: free.residual.without_autodiff(),
            state,
            ..free
        },
        second_phase,
    }
}
