//! Backward passes of fields and estimators.

use core::cell::Cell;

use burn::tensor::{Gradients, Tensor};

thread_local! {
    /// The reason why backward passes are refused on this thread.
    static REFUSED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Computes the gradients of `objective`. All fields and estimators without a closed form use Burn's autodiff
/// through this function.
///
/// # Panics
/// [If backward passes are refused](without_backward), and as [`Tensor::backward`].
pub fn backward(objective: &Tensor<1>) -> Gradients {
    if let Some(reason) = REFUSED.get() {
        panic!("{reason}");
    }
    objective.backward()
}

/// Returns whether [`backward`] would panic here because backward passes are refused.
pub fn is_backward_refused() -> bool {
    REFUSED.get().is_some()
}

/// Runs `work`, during which [`backward`] panics with `reason`.
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
