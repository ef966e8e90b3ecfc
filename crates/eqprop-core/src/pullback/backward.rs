//! Backward passes of fields and estimators.

use core::cell::Cell;

use burn::tensor::{Gradients, Tensor};

thread_local! {
    /// Why there may be no backward pass on this thread.
    static REFUSED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// The gradients of `objective`: the door through which a field or an estimator that has no closed form asks
/// Burn's autodiff.
///
/// # Panics
/// [Where there may be none](without_backward), and as [`Tensor::backward`].
pub fn backward(objective: &Tensor<1>) -> Gradients {
    if let Some(reason) = REFUSED.get() {
        panic!("{reason}");
    }
    objective.backward()
}

/// Whether [`backward`] would panic here because there may be no backward pass.
pub fn is_backward_refused() -> bool {
    REFUSED.get().is_some()
}

/// Does `work`, in which [`backward`] panics with `reason`.
pub fn without_backward<R>(reason: &'static str, work: impl FnOnce() -> R) -> R {
    struct Before(Option<&'static str>);

    impl Drop for Before {
        fn drop(&mut self) {
            REFUSED.set(self.0);
        }
    }

    let _before = Before(REFUSED.replace(Some(reason)));
    work()
}
