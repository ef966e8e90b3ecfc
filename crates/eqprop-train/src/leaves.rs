//! Removal of replaced parameters from Burn's autodiff.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Device, Tensor};
use eqprop_core::pullback::{backward, is_backward_refused};

/// Number of calls between two clearings; in between, each keeps a few hundred bytes per parameter.
const CLEAR_EVERY: u64 = 32;

/// Makes Burn's autodiff forget the parameters that updates have replaced.
///
/// An optimizer makes each updated parameter a leaf of the autodiff graph, and Burn 0.22.1 keeps an
/// entry for every leaf until the next backward pass, which removes unreferenced ones. Estimators that
/// need no backward pass would let them accumulate: about 5 kB with every update of a network with one
/// hidden layer. So this runs a backward pass through one number from time to time. Where none is
/// allowed, the gradients go through one afterwards.
pub(crate) fn clear(device: &Device) {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    if is_backward_refused() {
        return;
    }
    if CALLS
        .fetch_add(1, Ordering::Relaxed)
        .is_multiple_of(CLEAR_EVERY)
    {
        let device = device.clone().autodiff();
        let _ = backward(&Tensor::zeros([1], &device).require_grad());
    }
}
