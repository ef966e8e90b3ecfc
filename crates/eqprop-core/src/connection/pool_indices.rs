//! The winners of max pooling.

use burn::tensor::{Int, Tensor};

/// The units whose values max pooling passes on: in each window, the one with the largest value.
#[derive(Debug, Clone)]
pub struct PoolIndices(Option<Tensor<4, Int>>);

impl PoolIndices {
    /// Returns the indices of a connection without max pooling, which leave nothing out.
    pub fn all() -> Self {
        Self(None)
    }

    /// The winners of each window.
    pub(super) fn of(winners: Tensor<4, Int>) -> Self {
        Self(Some(winners))
    }

    /// The winners of each window.
    ///
    /// # Panics
    /// If these are not indices of max pooling.
    pub(super) fn winners(&self) -> Tensor<4, Int> {
        self.0.clone().expect("max pooling has winners")
    }

    /// Repeats the indices `n` times along the batch axis, like
    /// [`State::repeat`](crate::state::State::repeat).
    pub fn repeat(&self, n: usize) -> Self {
        let winners = self.0.clone();
        Self(winners.map(|winners| winners.repeat_dim(0, n)))
    }
}
