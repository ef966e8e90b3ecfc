//! Clearing Burn's autodiff of parameters that are gone.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Device, Tensor};
use eqprop_core::pullback::{backward, is_backward_refused};

/// One call in so many clears: until then a few hundred bytes per parameter and call are kept.
const CLEAR_EVERY: u64 = 32;

/// Lets Burn's autodiff forget the parameters that updates have replaced.
///
/// An optimizer makes each updated parameter a leaf of the autodiff graph, and Burn 0.22.1 keeps an
/// entry for every leaf until the next backward pass, which sweeps those that nobody holds any more.
/// Estimators that need no backward pass would let them pile up: some 5 kB with every update of a
/// network with one hidden layer. So this takes a backward pass through one number now and then. Where there may be
/// none, the gradients go through one afterwards.
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
