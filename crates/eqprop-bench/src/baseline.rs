//! Other methods that compute a gradient of the same network, as estimators beside equilibrium propagation.
//!
//! | estimator | what it computes | error against `dC/dθ` at the equilibrium | memory |
//! | --- | --- | --- | --- |
//! | [`Bptt`] | autodiff through the whole free phase | vanishes as the phase converges | grows with the steps |
//! | [`Bptt`], truncated | autodiff through `K` steps at the equilibrium | vanishes as `K` grows | grows with `K` |
//! | [`RecurrentBackprop`] | the costate at the equilibrium, by iteration | vanishes with its residual | constant |
//! | [`ImplicitExact`] | the costate at the equilibrium, by a linear solve | rounding | `n²` per example for `n` units |
//! | [`FeedforwardBackprop`] | autodiff of the feedforward twin | another function | one pass |
//!
//! For a sequence, [`SequenceBptt`] computes the gradient by autodiff through all steps. A
//! [`HamiltonianEcho`](eqprop_core::sequence::HamiltonianEcho) finds the same gradient in memory that does
//! not grow with the length of the sequence.
//!
//! All of them use Burn's autodiff.

mod adjoint;
mod bptt;
mod feedforward_backprop;
mod sequence_bptt;

pub(crate) use adjoint::cost_gradient;
pub use adjoint::{ImplicitExact, RecurrentBackprop};
pub use bptt::Bptt;
pub use feedforward_backprop::FeedforwardBackprop;
pub use sequence_bptt::SequenceBptt;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::pullback::backward;

/// Returns the gradient of `objective` with respect to every trained parameter of `network`. It is 0 for a
/// parameter on which `objective` does not depend: a single synchronous step does not reach the layers below
/// the last.
fn gradients<M: Module>(objective: Tensor<1>, network: &M) -> GradientsParams {
    struct Zeros(GradientsParams);

    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if parameter.is_require_grad() && self.0.get::<D>(parameter.id).is_none() {
                let zeros = parameter.val().without_autodiff().zeros_like();
                self.0.register(parameter.id, zeros);
            }
        }
    }

    let found = GradientsParams::from_grads(backward(&objective), network);
    let mut zeros = Zeros(found);
    network.visit(&mut zeros);
    zeros.0
}
